import { SingleBar } from "cli-progress";

/** Writes a line for a person or a program to standard output. */
export function print(line: string = ""): void {
  process.stdout.write(`${line}\n`);
}

/** Writes a line about the run itself to standard error. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** One JSON value on one line; bytes as hexadecimal digits, big numbers as text. */
export function printJson(value: unknown): void {
  print(
    JSON.stringify(value, (_key, entry: unknown) => {
      if (typeof entry === "bigint") return entry.toString();
      if (isBufferJson(entry)) return Buffer.from(entry.data).toString("hex");
      if (entry instanceof Uint8Array) return Buffer.from(entry).toString("hex");
      return entry;
    }),
  );
}

function isBufferJson(value: unknown): value is { readonly data: number[] } {
  return (
    typeof value === "object" &&
    value !== null &&
    (value as { type?: unknown }).type === "Buffer" &&
    Array.isArray((value as { data?: unknown }).data)
  );
}

export type Cell = string | number | boolean | undefined;

/** A plain table: numbers to the right, text to the left. */
export function printTable(head: readonly string[], rows: readonly (readonly Cell[])[]): void {
  const text = rows.map((row) => row.map((cell) => (cell === undefined ? "" : String(cell))));
  const widths = head.map((title, column) =>
    Math.max(title.length, ...text.map((row) => row[column]?.length ?? 0)),
  );
  const numeric = head.map((_, column) => rows.every((row) => typeof row[column] === "number"));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => {
        const width = widths[column] as number;
        return numeric[column] === true && rows.length > 0
          ? cell.padStart(width)
          : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  print(line(head));
  print(widths.map((width) => "-".repeat(width)).join("  "));
  for (const row of text) print(line(row));
}

/** Progress of long work: a bar on a terminal, a plain line every few seconds elsewhere, nothing with `quiet`. */
export class Progress {
  readonly #what: string;
  readonly #total: number;
  readonly #bar: SingleBar | undefined;
  readonly #quiet: boolean;
  #lastMs = 0;
  #done = 0;
  #detail = "";

  constructor(options: {
    readonly what: string;
    readonly total: number;
    readonly quiet?: boolean;
  }) {
    this.#what = options.what;
    this.#total = Math.max(options.total, 1);
    this.#quiet = options.quiet ?? false;
    if (process.stderr.isTTY && !this.#quiet) {
      this.#bar = new SingleBar({
        format: `${options.what} {bar} {percentage}% {detail}`,
        stream: process.stderr,
        hideCursor: true,
        etaBuffer: 100,
      });
      this.#bar.start(this.#total, 0, { detail: "" });
    }
  }

  update(done: number, detail: string): void {
    this.#done = Math.min(done, this.#total);
    this.#detail = detail;
    if (this.#bar !== undefined) {
      this.#bar.update(this.#done, { detail });
      return;
    }
    const now = Date.now();
    if (this.#quiet || now - this.#lastMs < 3_000) return;
    this.#lastMs = now;
    note(`${this.#what}: ${Math.floor((100 * this.#done) / this.#total)} %, ${detail}`);
  }

  end(): void {
    if (this.#bar === undefined) return;
    this.#bar.update(this.#done, { detail: this.#detail });
    this.#bar.stop();
  }
}
