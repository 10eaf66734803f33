import type { PackedStore } from "../../../streams/store.ts";

const stateBytes = 72;
const flag = { up: 1, live: 2, full4: 4, full6: 8 } as const;

const buffer = new Uint8Array(stateBytes);
const view = new DataView(buffer.buffer);
const empty = new DataView(new ArrayBuffer(stateBytes));

/**
 * One peer as the rib knows it, 72 bytes in its store. Arrays have an entry for IPv4 and one for IPv6.
 *
 * A route carries the generation in which it was last said. Those from `validFrom` on hold; a dump begins a new
 * generation, and its end makes that one the first valid: what the dump did not say is gone at once, without
 * a walk over the table.
 */
export class PeerState {
  number: number = 0;
  up: boolean = false;
  live: boolean = false;
  readonly full: boolean[] = [false, false];
  readonly generation: number[] = [0, 0];
  readonly validFrom: number[] = [0, 0];
  /** Routes that hold. */
  readonly routes: number[] = [0, 0];
  /** Those of them that the newest generation has said. */
  readonly current: number[] = [0, 0];
  /** Entries that no longer hold and are not freed yet. */
  readonly stale: number[] = [0, 0];
  /** Counts messages, so that the parts of one are known to belong together. */
  message: number = 0;
  lastMs: number = 0;
  /** When the peer was written to its topic last; 0 for never. */
  writtenMs: number = 0;

  /** Reads the peer with this key; false, and a fresh state, when it is new. */
  load(store: PackedStore, key: Uint8Array, start: number, end: number): boolean {
    const found = store.find(key, start, end);
    const from = found ? store.view : empty;
    const base = found ? store.valueStart : 0;
    const flags = from.getUint32(base + 4, true);
    this.number = from.getUint32(base, true);
    this.up = (flags & flag.up) !== 0;
    this.live = (flags & flag.live) !== 0;
    this.full[0] = (flags & flag.full4) !== 0;
    this.full[1] = (flags & flag.full6) !== 0;
    this.message = from.getUint32(base + 8, true);
    this.lastMs = from.getFloat64(base + 16, true);
    this.writtenMs = from.getFloat64(base + 24, true);
    for (let family = 0; family < 2; family++) {
      const at = base + 32 + family * 20;
      this.generation[family] = from.getUint32(at, true);
      this.validFrom[family] = from.getUint32(at + 4, true);
      this.routes[family] = from.getUint32(at + 8, true);
      this.current[family] = from.getUint32(at + 12, true);
      this.stale[family] = from.getUint32(at + 16, true);
    }
    return found;
  }

  save(store: PackedStore, key: Uint8Array, start: number, end: number): void {
    view.setUint32(0, this.number, true);
    view.setUint32(
      4,
      (this.up ? flag.up : 0) |
        (this.live ? flag.live : 0) |
        (this.full[0] ? flag.full4 : 0) |
        (this.full[1] ? flag.full6 : 0),
      true,
    );
    view.setUint32(8, this.message, true);
    view.setFloat64(16, this.lastMs, true);
    view.setFloat64(24, this.writtenMs, true);
    for (let family = 0; family < 2; family++) {
      const at = 32 + family * 20;
      view.setUint32(at, this.generation[family] as number, true);
      view.setUint32(at + 4, this.validFrom[family] as number, true);
      view.setUint32(at + 8, this.routes[family] as number, true);
      view.setUint32(at + 12, this.current[family] as number, true);
      view.setUint32(at + 16, this.stale[family] as number, true);
    }
    store.put(key, start, end, buffer, 0, stateBytes);
  }

  get routeCount(): number {
    return (this.routes[0] as number) + (this.routes[1] as number);
  }

  get staleCount(): number {
    return (this.stale[0] as number) + (this.stale[1] as number);
  }

  /** A dump of this family begins: what it says is the next generation, the last one still holds. */
  beginDump(family: 0 | 1): void {
    this.generation[family] = (this.generation[family] as number) + 1;
    this.current[family] = 0;
  }

  /** The dump is complete: only what it said holds. */
  endDump(family: 0 | 1): void {
    const current = this.current[family] as number;
    this.stale[family] = (this.stale[family] as number) + (this.routes[family] as number) - current;
    this.routes[family] = current;
    this.validFrom[family] = this.generation[family] as number;
    this.full[family] = true;
  }

  /** The session is gone: nothing that it said holds. */
  lose(family: 0 | 1): void {
    this.beginDump(family);
    this.endDump(family);
    this.full[family] = false;
  }
}
