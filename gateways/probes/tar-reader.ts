import { OpenCdnError } from "../../streams/errors.ts";
import { maxArchiveBytes } from "./limits.ts";

export interface TarFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const blockBytes = 512;

/**
 * The regular files of a tar stream (POSIX.1-1988 ustar and GNU names) whose name `wanted` accepts, each at most
 * `maxFileBytes`. Names are never used as paths. OCDN_BAD_INPUT on a truncated or damaged archive.
 */
export async function* readTar(
  stream: AsyncIterable<Uint8Array>,
  wanted: (name: string) => boolean,
  maxFileBytes: number,
): AsyncGenerator<TarFile> {
  const input = new ByteReader(stream);
  for (;;) {
    const header = await input.take(blockBytes);
    if (header === undefined || header.every((byte) => byte === 0)) return;
    checkSum(header);
    const size = octal(header, 124, 12);
    const type = header[156] as number;
    const isFile = type === 0 || type === 0x30;
    const name = nameOf(header);
    const padded = Math.ceil(size / blockBytes) * blockBytes;
    if (!isFile || !wanted(name)) {
      await input.skip(padded);
      continue;
    }
    if (size > maxFileBytes) throw bad(`${name} has ${size} bytes, more than ${maxFileBytes}`);
    const bytes = await input.take(padded);
    if (bytes === undefined) throw bad(`the archive ends inside ${name}`);
    yield { name, bytes: bytes.subarray(0, size) };
  }
}

/** Takes bytes of a stream in pieces of a wanted length, with a bound on all of them. */
class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #parts: Uint8Array[] = [];
  #held = 0;
  #total = 0;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#source = stream[Symbol.asyncIterator]();
  }

  /** The next `length` bytes; undefined at the end of the stream, an error inside of a piece. */
  async take(length: number): Promise<Uint8Array | undefined> {
    while (this.#held < length) {
      if (await this.#more()) continue;
      if (this.#held === 0) return undefined;
      throw bad("the archive is truncated");
    }
    const joined =
      this.#parts.length === 1 ? (this.#parts[0] as Uint8Array) : Buffer.concat(this.#parts);
    this.#parts = [joined.subarray(length)];
    this.#held -= length;
    return joined.subarray(0, length);
  }

  async skip(length: number): Promise<void> {
    let rest = length;
    while (rest > 0) {
      const step = Math.min(rest, 65_536);
      if ((await this.take(step)) === undefined) throw bad("the archive is truncated");
      rest -= step;
    }
  }

  async #more(): Promise<boolean> {
    const next = await this.#source.next();
    if (next.done === true) return false;
    this.#parts.push(next.value);
    this.#held += next.value.length;
    this.#total += next.value.length;
    if (this.#total > maxArchiveBytes)
      throw bad(`it unpacks to more than ${maxArchiveBytes} bytes`);
    return true;
  }
}

function nameOf(header: Uint8Array): string {
  const name = text(header, 0, 100);
  const prefix = text(header, 257, 5) === "ustar" ? text(header, 345, 155) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

function text(header: Uint8Array, start: number, length: number): string {
  const field = header.subarray(start, start + length);
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end)).toString("utf8");
}

function octal(header: Uint8Array, start: number, length: number): number {
  const digits = text(header, start, length).trim();
  if (!/^[0-7]{1,12}$/.test(digits)) throw bad("a size is no octal number");
  return Number.parseInt(digits, 8);
}

function checkSum(header: Uint8Array): void {
  let sum = 0;
  for (let at = 0; at < blockBytes; at++) {
    sum += at >= 148 && at < 156 ? 0x20 : (header[at] as number);
  }
  if (octal(header, 148, 8) !== sum) throw bad("a header's checksum is wrong");
}

function bad(what: string): OpenCdnError {
  return new OpenCdnError("OCDN_BAD_INPUT", `reading a tar archive: ${what}`);
}
