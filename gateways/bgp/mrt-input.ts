import type { FileHandle } from "node:fs/promises";
import { bunzip2 } from "./bunzip2.ts";
import { CompressionError } from "./compression-error.ts";
import { gunzip } from "./gunzip.ts";
import { readBytes } from "./limits.ts";

export type Compression = "none" | "gzip" | "bzip2";

/** Compressions that are recognised only to say so, with the bytes they begin with. */
const unsupported: readonly (readonly [string, readonly number[]])[] = [
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ["Zstandard", [0x28, 0xb5, 0x2f, 0xfd]],
  ["zip", [0x50, 0x4b, 0x03, 0x04]],
  ["LZW", [0x1f, 0x9d]],
];

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
