import { BgpdumpPrinter } from "./bgpdump-printer.ts";
import { failureError, MrtReader, readMrtFile } from "./mrt-reader.ts";

export interface PrintSummary {
  readonly records: number;
  readonly lines: number;
}

/**
 * Prints a file as `bgpdump -m` does; `write` gets the text in pieces of about 256 KiB and is
 * waited for. What stands before a damage is printed; then OCDN_BAD_INPUT names the byte.
 */
export async function printMrt(
  path: string,
  write: (text: Uint8Array) => void | Promise<void>,
): Promise<PrintSummary> {
  const pieces: Uint8Array[] = [];
  const printer = new BgpdumpPrinter((text) => {
    pieces.push(text.slice());
  });
  const reader = new MrtReader(printer);
  for await (const _ of readMrtFile(path, reader)) {
    for (const piece of pieces.splice(0)) await write(piece);
  }
  printer.flush();
  for (const piece of pieces) await write(piece);
  if (reader.failure !== undefined) throw failureError(path, reader, reader.failure);
  return { records: reader.records, lines: printer.lines };
}
