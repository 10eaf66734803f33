import { type FileHandle, open } from "node:fs/promises";
import { messageOf, OpenCdnError } from "../../streams/errors.ts";
import { Bzip2Error } from "./bunzip2.ts";
import { CompressionError } from "./compression-error.ts";
import { MrtView, type MrtVisitor } from "./mrt-format.ts";
import { type MrtFailure, MrtFramer } from "./mrt-framer.ts";
import { decompress, fileChunks } from "./mrt-input.ts";
import { readRecord } from "./mrt-records.ts";
import { PeerIndex } from "./peer-index.ts";

/** Reads one MRT stream into a visitor, chunk by chunk. */
export class MrtReader {
  /** Records read so far. */
  records = 0;
  readonly #framer = new MrtFramer();
  readonly #view = new MrtView();
  readonly #peers = new PeerIndex();
  readonly #visitor: MrtVisitor;

  constructor(visitor: MrtVisitor) {
    this.#visitor = visitor;
  }

  /** Why the stream could not be read to its end. */
  get failure(): MrtFailure | undefined {
    return this.#framer.failure;
  }

  /** Bytes of the decompressed stream that were read as whole records. */
  get offset(): number {
    return this.#framer.offset;
  }

  /** Reads the records that are complete with this chunk; false once the stream cannot be read on. */
  push(chunk: Uint8Array): boolean {
    const framer = this.#framer;
    const view = this.#view;
    framer.push(chunk);
    while (framer.next(view)) {
      this.records++;
      readRecord(view, this.#peers, this.#visitor);
    }
    return framer.failure === undefined;
  }

  end(): void {
    this.#framer.end();
  }

  /** The stream broke off: its decompression failed. */
  fail(message: string): void {
    this.#framer.fail("compression", message);
  }
}

/**
 * Reads a file chunk by chunk, pausing after each so that the caller can take what the visitor
 * gathered. Afterwards `reader.failure` says whether the file was read to its end. Throws
 * OCDN_NOT_FOUND or OCDN_BAD_INPUT when it cannot be opened or read at all.
 */
export async function* readMrtFile(
  path: string,
  reader: MrtReader,
  onRead?: (bytes: number) => void,
): AsyncGenerator<void> {
  const file = await openFile(path);
  try {
    for await (const chunk of decompress(fileChunks(file, onRead))) {
      const more = reader.push(chunk);
      yield;
      if (!more) return;
    }
    reader.end();
  } catch (error) {
    if (!(error instanceof CompressionError || error instanceof Bzip2Error)) {
      throw new OpenCdnError("OCDN_BAD_INPUT", `reading ${path}: ${messageOf(error)}`, {
        cause: error,
      });
    }
    reader.fail(error.message);
  } finally {
    await file.close();
  }
}

/** Opens a file to read; OCDN_NOT_FOUND or OCDN_BAD_INPUT when that is not possible. */
export async function openFile(path: string): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw missing
      ? new OpenCdnError("OCDN_NOT_FOUND", `opening ${path}: no such file`, { cause })
      : new OpenCdnError("OCDN_BAD_INPUT", `opening ${path}: ${messageOf(cause)}`, { cause });
  }
  if (!(await file.stat()).isFile()) {
    await file.close();
    throw new OpenCdnError("OCDN_BAD_INPUT", `opening ${path}: not a file`);
  }
  return file;
}

/** The error for a file that was read up to a failure. */
export function failureError(path: string, reader: MrtReader, failure: MrtFailure): OpenCdnError {
  return new OpenCdnError(
    "OCDN_BAD_INPUT",
    `reading ${path}: ${failure.message}, at byte ${failure.offset} of the decompressed data; ` +
      `the ${reader.records} records before it were read`,
  );
}
