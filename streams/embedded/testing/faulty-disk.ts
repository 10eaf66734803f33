import { type Disk, realDisk } from "../disk.ts";

export type DiskCall = "create" | "write" | "read" | "sync" | "truncate" | "remove" | "syncFolder";

/** A disk whose next calls fail as told; a failing write leaves the first half of its bytes in the file. */
export class FaultyDisk implements Disk {
  readonly calls: DiskCall[] = [];
  readonly #faults: { readonly call: DiskCall; readonly code: string }[] = [];

  /** The next `times` calls of this kind fail with `code`. */
  failNext(call: DiskCall, code: string, times: number = 1): void {
    for (let i = 0; i < times; i++) this.#faults.push({ call, code });
  }

  #enter(call: DiskCall): Error | undefined {
    this.calls.push(call);
    const index = this.#faults.findIndex((fault) => fault.call === call);
    if (index < 0) return undefined;
    const [fault] = this.#faults.splice(index, 1);
    return Object.assign(new Error(`injected ${fault?.code}`), { code: fault?.code });
  }

  #check(call: DiskCall): void {
    const error = this.#enter(call);
    if (error !== undefined) throw error;
  }

  create(path: string): number {
    this.#check("create");
    return realDisk.create(path);
  }

  openForReading(path: string): number {
    return realDisk.openForReading(path);
  }

  close(file: number): void {
    realDisk.close(file);
  }

  write(file: number, buffers: readonly Buffer[], position: number): void {
    const error = this.#enter("write");
    if (error === undefined) {
      realDisk.write(file, buffers, position);
      return;
    }
    const all = Buffer.concat(buffers);
    realDisk.write(file, [all.subarray(0, all.length >> 1)], position);
    throw error;
  }

  read(file: number, target: Buffer, position: number): number {
    this.#check("read");
    return realDisk.read(file, target, position);
  }

  sizeOf(file: number): number {
    return realDisk.sizeOf(file);
  }

  async sync(file: number): Promise<void> {
    this.#check("sync");
    await realDisk.sync(file);
  }

  truncate(path: string, length: number): void {
    this.#check("truncate");
    realDisk.truncate(path, length);
  }

  remove(path: string): void {
    this.#check("remove");
    realDisk.remove(path);
  }

  list(folder: string): string[] {
    return realDisk.list(folder);
  }

  syncFolder(folder: string): void {
    this.#check("syncFolder");
    realDisk.syncFolder(folder);
  }
}
