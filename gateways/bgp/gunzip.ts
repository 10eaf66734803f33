import { createGunzip, type Gunzip } from "node:zlib";
import { CompressionError } from "./compression-error.ts";
import { inflatedChunkBytes } from "./limits.ts";

/**
 * Decompresses gzip, several members in a row included, and zero bytes behind the last (the padding
 * of tapes). One input chunk is inflated in zlib's thread while the consumer works on the output of
 * the one before. Throws CompressionError, after all that could be inflated.
 */
export async function* gunzip(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const inflater = new Inflater();
  try {
    for await (const chunk of input) {
      await inflater.settled;
      const ready = inflater.take();
      if (inflater.stopped && !isZero(chunk)) inflater.refuse(chunk);
      else if (!inflater.stopped) inflater.write(chunk);
      yield* ready;
      if (inflater.failure !== undefined) break;
    }
    await inflater.settled;
    yield* inflater.take();
    if (!inflater.stopped) await inflater.end();
    yield* inflater.take();
    if (inflater.failure !== undefined) throw compressionError(inflater.failure);
  } finally {
    inflater.close();
  }
}

/**
 * A stream of zlib that is never let to hold output, because it drops what it holds when it fails.
 */
class Inflater {
  failure: Error | undefined;
  /** Nothing more is inflated: the last member has ended, or it failed. */
  stopped = false;
  settled: Promise<void> = Promise.resolve();
  readonly #stream: Gunzip = createGunzip({ chunkSize: inflatedChunkBytes });
  #ready: Buffer[] = [];
  #chunk: Uint8Array = new Uint8Array(0);
  #writtenBefore = 0;
  #inflated = false;

  constructor() {
    this.#stream.on("data", (chunk: Buffer) => {
      this.#inflated = true;
      this.#ready.push(chunk);
    });
    this.#stream.on("error", (error) => this.#failed(error));
    this.#stream.on("end", () => this.#ended());
  }

  take(): Buffer[] {
    const ready = this.#ready;
    this.#ready = [];
    return ready;
  }

  /** Begins to inflate a chunk; `settled` says when that is done. */
  write(chunk: Uint8Array): void {
    const stream = this.#stream;
    this.#chunk = chunk;
    this.#writtenBefore = stream.bytesWritten;
    this.settled = new Promise((resolve) => {
      // zlib forgets the callback of a write that fails, so closing counts too.
      const done = (): void => {
        stream.off("close", done);
        resolve();
      };
      stream.once("close", done);
      stream.write(chunk, done);
    });
  }

  /** There is no more input. */
  end(): Promise<void> {
    const stream = this.#stream;
    return new Promise((resolve) => {
      stream.once("end", resolve);
      stream.once("close", resolve);
      stream.end();
    });
  }

  /** Bytes came behind the last member that are no padding. */
  refuse(chunk: Uint8Array): void {
    this.failure ??= new Error(`${chunk.length} bytes or more follow the end`);
  }

  close(): void {
    this.#stream.destroy();
  }

  #failed(error: Error): void {
    this.stopped = true;
    // Padding that begins with a chunk of its own is taken for the header of another member.
    const padding = this.#inflated && error.message === "incorrect header check";
    if (!padding || !isZero(this.#chunk)) this.failure = error;
  }

  #ended(): void {
    if (this.stopped) return;
    this.stopped = true;
    const rest = this.#chunk.subarray(this.#stream.bytesWritten - this.#writtenBefore);
    if (!isZero(rest)) this.refuse(rest);
  }
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function compressionError(cause: Error): CompressionError {
  return new CompressionError(`the gzip data is damaged (${cause.message})`, { cause });
}
