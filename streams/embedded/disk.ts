import fs from "node:fs";

/** The file calls that the storage makes on segments; tests give one that fails when told to. */
export interface Disk {
  /** Creates a new file for writing; fails when it exists. */
  create(path: string): number;
  openForReading(path: string): number;
  close(file: number): void;
  /** Writes all of `buffers` at `position`. */
  write(file: number, buffers: readonly Buffer[], position: number): void;
  /** Fills `target` from `position` on; fewer bytes only at the end of the file. */
  read(file: number, target: Buffer, position: number): number;
  sizeOf(file: number): number;
  /** Makes what was written durable. */
  sync(file: number): Promise<void>;
  truncate(path: string, length: number): void;
  remove(path: string): void;
  list(folder: string): string[];
  /** Makes created and removed names of a folder durable. */
  syncFolder(folder: string): void;
}

/** The calls of `node:fs`. Writes are synchronous: they end in the page cache, and a thread would cost more. */
export const realDisk: Disk = {
  create: (path) => fs.openSync(path, "wx+", 0o600),
  openForReading: (path) => fs.openSync(path, "r"),
  close: (file) => fs.closeSync(file),
  write: writeAll,
  read: readAll,
  sizeOf: (file) => fs.fstatSync(file).size,
  sync: (file) =>
    new Promise((resolve, reject) => {
      fs.fdatasync(file, (error) => (error === null ? resolve() : reject(error)));
    }),
  truncate: (path, length) => fs.truncateSync(path, length),
  remove: (path) => fs.rmSync(path, { force: true }),
  list: (folder) => fs.readdirSync(folder),
  syncFolder: (folder) => {
    const file = fs.openSync(folder, "r");
    try {
      fs.fsyncSync(file);
    } finally {
      fs.closeSync(file);
    }
  },
};

function writeAll(file: number, buffers: readonly Buffer[], position: number): void {
  let at = position;
  let rest = buffers.filter((buffer) => buffer.length > 0);
  while (rest.length > 0) {
    let written = fs.writevSync(file, rest, at);
    at += written;
    let index = 0;
    while (index < rest.length && written >= (rest[index] as Buffer).length) {
      written -= (rest[index] as Buffer).length;
      index += 1;
    }
    rest = rest.slice(index);
    if (written > 0) rest[0] = (rest[0] as Buffer).subarray(written);
  }
}

function readAll(file: number, target: Buffer, position: number): number {
  let done = 0;
  while (done < target.length) {
    const count = fs.readSync(file, target, done, target.length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}
