import type { FileHandle } from "node:fs/promises";
import { createGunzip, type Gunzip } from "node:zlib";
import { bunzip2 } from "./bunzip2.ts";
import { inflatedChunkBytes, readBytes } from "./limits.ts";

export type Compression = "none" | "gzip" | "bzip2";

/** Compressions that are recognised only to say so, with the bytes they begin with. */
const unsupported: readonly (readonly [string, readonly number[]])[] = [
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ["Zstandard", [0x28, 0xb5, 0x2f, 0xfd]],
  ["zip", [0x50, 0x4b, 0x03, 0x04]],
  ["LZW", [0x1f, 0x9d]],
];

/** Thrown for bytes that cannot be decompressed; what came before was given. */
export class CompressionError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CompressionError";
  }
}

/** The compression by the first bytes of a file, whatever its name; throws for one that is not read. */
export function compressionOf(head: Uint8Array): Compression {
  if (begins(head, [0x1f, 0x8b])) return "gzip";
  if (begins(head, [0x42, 0x5a, 0x68])) return "bzip2";
  for (const [name, magic] of unsupported) {
    if (begins(head, magic)) {
      throw new CompressionError(`${name} is not supported, decompress the file first`);
    }
  }
  return "none";
}

function begins(head: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, at) => head[at] === byte);
}

/** The file from its beginning in chunks of new memory; `onRead` hears how many bytes were read so far. */
export async function* fileChunks(
  file: FileHandle,
  onRead?: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  for (let position = 0; ; ) {
    const chunk = Buffer.allocUnsafeSlow(readBytes);
    const { bytesRead } = await file.read(chunk, 0, readBytes, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    onRead?.(position);
    yield chunk.subarray(0, bytesRead);
  }
}

/**
 * Decompresses by what the first chunk begins with. Everything that could be decompressed is given
 * before a CompressionError is thrown.
 */
export async function* decompress(input: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  const iterator = input[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true) return;
  const rest = withFirst(first.value, iterator);
  const compression = compressionOf(first.value);
  if (compression === "none") yield* rest;
  else if (compression === "gzip") yield* gunzip(rest);
  else yield* bunzip2(rest);
}

async function* withFirst(first: Buffer, iterator: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  for (;;) {
    const next = await iterator.next();
    if (next.done === true) return;
    yield next.value;
  }
}

/**
 * Inflates one input chunk in zlib's thread while the consumer works on the output of the one
 * before. A stream of zlib drops what it holds when it fails, so it is never let to hold anything.
 */
async function* gunzip(input: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  const inflater = createGunzip({ chunkSize: inflatedChunkBytes });
  const inflated: Buffer[] = [];
  let failure: Error | undefined;
  inflater.on("data", (chunk: Buffer) => inflated.push(chunk));
  inflater.on("error", (error) => {
    failure = error;
  });
  try {
    let step = Promise.resolve();
    for await (const chunk of input) {
      await step;
      const ready = inflated.splice(0);
      if (failure === undefined) step = written(inflater, chunk);
      yield* ready;
      if (failure !== undefined) break;
    }
    await step;
    if (failure === undefined) await ended(inflater);
    yield* inflated.splice(0);
    if (failure !== undefined) throw compressionError(failure);
  } finally {
    inflater.destroy();
  }
}

function written(inflater: Gunzip, chunk: Buffer): Promise<void> {
  return new Promise((resolve) => inflater.write(chunk, () => resolve()));
}

function ended(inflater: Gunzip): Promise<void> {
  return new Promise((resolve) => {
    inflater.once("end", resolve);
    inflater.once("close", resolve);
    inflater.end();
  });
}

function compressionError(cause: Error): CompressionError {
  return new CompressionError(`the gzip data is damaged (${cause.message})`, { cause });
}
