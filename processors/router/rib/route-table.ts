import type { PrefixListReader } from "../../../domain/prefix-list.ts";
import { NO_PATH_ID } from "../../../domain/prefix-list.ts";
import type { PackedStore } from "../../../streams/store.ts";
import type { AttributeTable } from "./attribute-table.ts";
import type { PeerState } from "./peer-state.ts";
import { familyIndexOfKey, maxRouteKeyBytes, writeRouteKey } from "./route-key.ts";

/** Attribute id that stands for none. */
export const noAttributes = -1;

/** Most paths of one prefix and peer (RFC 7911); a path beyond is not taken. */
export const maxPaths = 255;

const plainBytes = 8;
const pathBytes = 12;
const hasPathId = 0x8000_0000;

const value = new Uint8Array((maxPaths + 1) * pathBytes);
const valueView = new DataView(value.buffer);

/**
 * The routes of a task, one entry for a peer and prefix. Its value is `[attribute id, 4][generation, 4]`, or for
 * paths with ids (RFC 7911) a list of `[attribute id, 4][generation, 4][path id, 4]`.
 *
 * Memory of a route of IPv4: key 8 + value 8 + block header 12, rounded to 32; 4 for its reference, 11 to 23 in the
 * index: 47 to 59 bytes. Its share of the attributes (a set of 100 bytes costs about 150 with its count) is 25 bytes at
 * the 6 routes a set of a full table. Together about 80 bytes.
 */
export class RouteTable {
  readonly #routes: PackedStore;
  readonly #attributes: AttributeTable;
  /** Key of the route that was looked at last. */
  readonly key: Uint8Array = new Uint8Array(maxRouteKeyBytes + 4);
  keyEnd: number = 0;
  /** What the route had before the last change, if it held; `noAttributes` otherwise. */
  previous: number = noAttributes;
  #family: 0 | 1 = 0;
  #count = 0;
  /** References to give back for the attribute set `#releaseId`: neighbours often share theirs. */
  #releaseId = noAttributes;
  #releases = 0;

  constructor(routes: PackedStore, attributes: AttributeTable) {
    this.#routes = routes;
    this.#attributes = attributes;
  }

  /**
   * The peer has a route to the reader's prefix with these attributes. True when it takes a reference to them;
   * `previous` says what it replaced.
   */
  announce(peer: PeerState, reader: PrefixListReader, id: number): boolean {
    this.#point(peer, reader);
    this.previous = noAttributes;
    const found = this.#routes.find(this.key, 0, this.keyEnd);
    const plain = !found || this.#routes.valueEnd - this.#routes.valueStart === plainBytes;
    if (!plain || reader.pathId !== NO_PATH_ID) {
      return this.#announcePath(peer, reader.pathId, id, found);
    }
    const generation = peer.generation[this.#family] as number;
    let taken = true;
    if (found) {
      const { view, valueStart } = this.#routes;
      taken = this.#replaced(
        peer,
        view.getUint32(valueStart, true),
        view.getUint32(valueStart + 4, true),
        id,
      );
    } else {
      this.#added(peer);
    }
    valueView.setUint32(0, id, true);
    valueView.setUint32(4, generation, true);
    this.#routes.put(this.key, 0, this.keyEnd, value, 0, plainBytes);
    return taken;
  }

  /** The peer's route to the reader's prefix is gone. True when it held; `previous` says what it had. */
  withdraw(peer: PeerState, reader: PrefixListReader): boolean {
    this.#point(peer, reader);
    this.previous = noAttributes;
    if (!this.#routes.find(this.key, 0, this.keyEnd)) return false;
    this.#readPaths();
    const at = this.#pathAt(reader.pathId);
    if (at < 0) return false;
    const held = this.#removed(peer, at);
    value.copyWithin(at, at + pathBytes, this.#count * pathBytes);
    this.#count -= 1;
    this.#writePaths();
    return held;
  }

  /**
   * The attributes of the peer's route to this prefix, the first of the shortest of several paths;
   * `noAttributes` without one.
   */
  find(peer: PeerState, family: 4 | 6, length: number, bytes: Uint8Array, start: number): number {
    this.#family = family === 6 ? 1 : 0;
    this.keyEnd = writeRouteKey(this.key, peer.number, family, length, bytes, start);
    if (!this.#routes.find(this.key, 0, this.keyEnd)) return noAttributes;
    this.#readPaths();
    let best = noAttributes;
    let shortest = 0;
    for (let index = 0; index < this.#count; index++) {
      const id = valueView.getUint32(index * pathBytes, true);
      const generation = generationAt(index * pathBytes);
      if (generation < (peer.validFrom[this.#family] as number)) continue;
      this.#attributes.load(id);
      if (best === noAttributes || this.#attributes.pathLength < shortest) {
        best = id;
        shortest = this.#attributes.pathLength;
      }
    }
    return best;
  }

  /** Gives back the references that changes released; belongs at the end of a message. */
  settle(): void {
    if (this.#releases > 0) this.#attributes.release(this.#releaseId, this.#releases);
    this.#releases = 0;
    this.#releaseId = noAttributes;
  }

  /**
   * Frees the entries of `peer` that no longer hold and whose prefix begins with the byte `slice`. Walks the whole
   * store once.
   */
  sweep(peer: PeerState, slice: number): void {
    const prefix = new Uint8Array(5);
    new DataView(prefix.buffer).setUint32(0, peer.number);
    prefix[4] = slice;
    const keys: Uint8Array[] = [];
    this.#routes.scan(prefix, (bytes, keyStart, keyEnd, valueStart, valueEnd) => {
      if (isStale(peer, bytes, keyStart, valueStart, valueEnd)) {
        keys.push(new Uint8Array(bytes.subarray(keyStart, keyEnd)));
      }
      return undefined;
    });
    for (const key of keys) {
      this.keyEnd = key.length;
      this.key.set(key);
      this.#family = familyIndexOfKey(key, 0);
      this.#routes.find(key, 0, key.length);
      this.#readPaths();
      let kept = 0;
      for (let index = 0; index < this.#count; index++) {
        const at = index * pathBytes;
        if (generationAt(at) < (peer.validFrom[this.#family] as number)) this.#removed(peer, at);
        else value.copyWithin(pathBytes * kept++, at, at + pathBytes);
      }
      this.#count = kept;
      this.#writePaths();
    }
    this.settle();
  }

  #point(peer: PeerState, reader: PrefixListReader): void {
    this.#family = reader.family === 6 ? 1 : 0;
    this.keyEnd = writeRouteKey(
      this.key,
      peer.number,
      reader.family,
      reader.length,
      reader.list,
      reader.start,
    );
  }

  #announcePath(peer: PeerState, pathId: number, id: number, found: boolean): boolean {
    this.#count = 0;
    if (found) this.#readPaths();
    let at = this.#pathAt(pathId);
    let taken = true;
    if (at >= 0) {
      taken = this.#replaced(peer, valueView.getUint32(at, true), generationAt(at), id);
    } else {
      if (this.#count >= maxPaths) return false;
      at = this.#count * pathBytes;
      this.#count += 1;
      this.#added(peer);
    }
    const generation = peer.generation[this.#family] as number;
    valueView.setUint32(at, id, true);
    valueView.setUint32(at + 4, pathId === NO_PATH_ID ? generation : generation | hasPathId, true);
    valueView.setUint32(at + 8, pathId === NO_PATH_ID ? 0 : pathId, true);
    this.#writePaths();
    return taken;
  }

  /** Counts a route that was not there. */
  #added(peer: PeerState): void {
    const family = this.#family;
    peer.routes[family] = (peer.routes[family] as number) + 1;
    peer.current[family] = (peer.current[family] as number) + 1;
  }

  /** Counts a route that takes the place of an entry; false when it has the same attributes. */
  #replaced(peer: PeerState, before: number, generation: number, id: number): boolean {
    const family = this.#family;
    if (generation < (peer.validFrom[family] as number)) {
      peer.stale[family] = (peer.stale[family] as number) - 1;
      this.#added(peer);
    } else {
      this.previous = before;
      if (generation !== peer.generation[family]) {
        peer.current[family] = (peer.current[family] as number) + 1;
      }
    }
    if (before === id) return false;
    this.#release(before);
    return true;
  }

  /** Counts an entry that goes; true when it held. Its attributes are `previous` then. */
  #removed(peer: PeerState, at: number): boolean {
    const family = this.#family;
    const id = valueView.getUint32(at, true);
    const generation = generationAt(at);
    this.#release(id);
    if (generation < (peer.validFrom[family] as number)) {
      peer.stale[family] = (peer.stale[family] as number) - 1;
      return false;
    }
    this.previous = id;
    peer.routes[family] = (peer.routes[family] as number) - 1;
    if (generation === peer.generation[family]) {
      peer.current[family] = (peer.current[family] as number) - 1;
    }
    return true;
  }

  #release(id: number): void {
    if (id !== this.#releaseId) {
      this.settle();
      this.#releaseId = id;
    }
    this.#releases += 1;
  }

  /** Copies the entry that the store points at into `value`, as a list of paths. */
  #readPaths(): void {
    const { view, valueStart, valueEnd } = this.#routes;
    if (valueEnd - valueStart === plainBytes) {
      this.#count = 1;
      valueView.setUint32(0, view.getUint32(valueStart, true), true);
      valueView.setUint32(4, view.getUint32(valueStart + 4, true), true);
      valueView.setUint32(8, 0, true);
      return;
    }
    const { bytes } = this.#routes;
    this.#count = (valueEnd - valueStart) / pathBytes;
    for (let at = valueStart; at < valueEnd; at++) value[at - valueStart] = bytes[at] as number;
  }

  /** Writes the list of paths back; without any the entry goes. */
  #writePaths(): void {
    const { key, keyEnd } = this;
    if (this.#count === 0) this.#routes.delete(key, 0, keyEnd);
    else if (this.#count === 1 && (valueView.getUint32(4, true) & hasPathId) === 0) {
      this.#routes.put(key, 0, keyEnd, value, 0, plainBytes);
    } else {
      this.#routes.put(key, 0, keyEnd, value, 0, this.#count * pathBytes);
    }
  }

  /** Where the path with this id stands in `value`; -1 without one. */
  #pathAt(pathId: number): number {
    for (let index = 0; index < this.#count; index++) {
      const at = index * pathBytes;
      const id =
        (valueView.getUint32(at + 4, true) & hasPathId) === 0
          ? NO_PATH_ID
          : valueView.getUint32(at + 8, true);
      if (id === pathId) return at;
    }
    return -1;
  }
}

function generationAt(at: number): number {
  return valueView.getUint32(at + 4, true) & 0x7fff_ffff;
}

function isStale(
  peer: PeerState,
  bytes: Uint8Array,
  keyStart: number,
  valueStart: number,
  valueEnd: number,
): boolean {
  const validFrom = peer.validFrom[familyIndexOfKey(bytes, keyStart)] as number;
  const step = valueEnd - valueStart === plainBytes ? plainBytes : pathBytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let at = valueStart; at < valueEnd; at += step) {
    if ((view.getUint32(at + 4, true) & 0x7fff_ffff) < validFrom) return true;
  }
  return false;
}
