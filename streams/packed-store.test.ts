import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecordCursor } from "./chunk.ts";
import type { StoreChanges } from "./commit.ts";
import { hashPair, MultisetDigest, newLanes } from "./hash.ts";
import { maxKeyBytes, maxRecordBytes } from "./limits.ts";
import { PackedStore } from "./packed-store.ts";

type Model = Map<string, string>;

const bytesOf = (text: string): Uint8Array => Buffer.from(text, "latin1");
const textOf = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.subarray(start, end)).toString("latin1");

function put(store: PackedStore, key: string, value: string): void {
  store.put(bytesOf(key), 0, key.length, bytesOf(value), 0, value.length);
}

function remove(store: PackedStore, key: string): boolean {
  return store.delete(bytesOf(key), 0, key.length);
}

function get(store: PackedStore, key: string): string | undefined {
  if (!store.find(bytesOf(key), 0, key.length)) return undefined;
  return textOf(store.bytes, store.valueStart, store.valueEnd);
}

function contents(store: PackedStore): Model {
  const model: Model = new Map();
  store.forEachUnordered((bytes, keyStart, keyEnd, valueStart, valueEnd) => {
    expect(model.has(textOf(bytes, keyStart, keyEnd))).toBe(false);
    model.set(textOf(bytes, keyStart, keyEnd), textOf(bytes, valueStart, valueEnd));
    return undefined;
  });
  return model;
}

function digestOf(model: Model): Uint8Array {
  const digest = new MultisetDigest();
  const lanes = newLanes();
  for (const [key, value] of model) {
    const both = new Uint8Array(bytesOf(key + value));
    const view = new DataView(both.buffer);
    hashPair(view, 0, key.length, view, key.length, both.length, lanes);
    digest.add(lanes);
  }
  return digest.digest();
}

function applied(changes: StoreChanges, model: Model): Model {
  const result = new Map(model);
  const cursor = new RecordCursor().open({
    topic: "",
    slot: 0,
    baseOffset: 0,
    count: changes.count,
    timestampMs: 0,
    buffer: Buffer.from(changes.bytes.buffer, changes.bytes.byteOffset, changes.length),
    view: changes.view,
    start: 0,
    end: changes.length,
  });
  const seen = new Set<string>();
  while (cursor.next()) {
    const key = textOf(cursor.buffer, cursor.keyStart, cursor.keyEnd);
    const tombstone = cursor.valueStart < 0;
    expect(seen.has(key)).toBe(false);
    seen.add(key);
    if (tombstone) result.delete(key);
    else result.set(key, textOf(cursor.buffer, cursor.valueStart, cursor.valueEnd));
    expect(result.get(key) === model.get(key)).toBe(false);
  }
  expect(seen.size).toBe(changes.count);
  return result;
}

/** What the store should hold: now, at the mark, at the open and at the sealed generation's beginning. */
class Oracle {
  now: Model = new Map();
  mark: Model = new Map();
  opened: Model = new Map();
  sealed: Model | undefined;
}

type Step =
  | { readonly kind: "put"; readonly key: string; readonly value: string }
  | { readonly kind: "delete" | "edit"; readonly key: string }
  | { readonly kind: "mark" | "rollback" | "seal" | "committed" | "abort" };

function seal(store: PackedStore, oracle: Oracle): void {
  if (oracle.sealed !== undefined) {
    expect(() => store.seal()).toThrow(/sealed twice/);
    return;
  }
  const { changes, digest, entries } = store.seal();
  expect(applied(changes, oracle.opened)).toEqual(oracle.now);
  expect(digest).toEqual(digestOf(oracle.now));
  expect(entries).toBe(oracle.now.size);
  oracle.sealed = oracle.opened;
  oracle.opened = new Map(oracle.now);
  oracle.mark = new Map(oracle.now);
}

function take(step: Step, store: PackedStore, oracle: Oracle): void {
  switch (step.kind) {
    case "put":
      put(store, step.key, step.value);
      oracle.now.set(step.key, step.value);
      return;
    case "delete":
      expect(remove(store, step.key)).toBe(oracle.now.delete(step.key));
      return;
    case "edit":
      if (get(store, step.key) === undefined) {
        expect(() => store.edit()).toThrow(/nothing found/);
        return;
      }
      store.edit();
      store.bytes.fill(0x65, store.valueStart, store.valueEnd);
      oracle.now.set(step.key, "e".repeat(store.valueEnd - store.valueStart));
      return;
    case "mark":
      store.mark();
      oracle.mark = new Map(oracle.now);
      return;
    case "rollback":
      store.rollbackToMark();
      oracle.now = new Map(oracle.mark);
      return;
    case "seal":
      seal(store, oracle);
      return;
    case "committed":
      if (oracle.sealed === undefined) expect(() => store.committed()).toThrow(/not sealed/);
      else store.committed();
      oracle.sealed = undefined;
      return;
    case "abort":
      store.abort();
      oracle.now = new Map(oracle.sealed ?? oracle.opened);
      oracle.opened = new Map(oracle.now);
      oracle.mark = new Map(oracle.now);
      oracle.sealed = undefined;
      return;
  }
}

const keys = fc.constantFrom("", "k", "kk", "key/3");
const values = fc
  .tuple(fc.integer({ min: 0, max: 3 }), fc.constantFrom(0, 1, 2, 60, 300, 2_000))
  .map(([n, length]) => String(n).repeat(length));
const changes: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("put" as const), key: keys, value: values }),
  fc.record({ kind: fc.constantFrom("delete" as const, "edit" as const), key: keys }),
);
const turns: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom("mark", "mark", "rollback", "seal", "committed", "abort" as const),
});
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: changes },
  { weight: 2, arbitrary: turns },
);

describe("PackedStore", () => {
  it("does what a Map does, through marks, seals, commits and aborts", () => {
    fc.assert(
      fc.property(fc.array(steps, { minLength: 30, maxLength: 100, size: "max" }), (sequence) => {
        const store = new PackedStore("test");
        const oracle = new Oracle();
        for (const step of sequence) {
          take(step, store, oracle);
          expect(store.size).toBe(oracle.now.size);
          if ("key" in step) {
            expect(get(store, step.key)).toBe(oracle.now.get(step.key));
          } else {
            expect(contents(store)).toEqual(oracle.now);
            expect(store.digest()).toEqual(digestOf(oracle.now));
          }
        }
        expect(contents(store)).toEqual(oracle.now);
        expect(store.digest()).toEqual(digestOf(oracle.now));
      }),
      { numRuns: 80 },
    );
  });

  it("edits only what the call before found", () => {
    const between: readonly ((store: PackedStore) => void)[] = [
      (store) => put(store, "other", "x"),
      (store) => remove(store, "other"),
      (store) => get(store, "missing"),
      (store) => store.seal(),
      (store) => store.abort(),
      (store) => store.rollbackToMark(),
      (store) => contents(store),
      (store) => store.digest(),
      (store) => store.clear(),
    ];
    for (const call of between) {
      const store = new PackedStore("test");
      put(store, "key", "value");
      expect(get(store, "key")).toBe("value");
      store.edit();
      call(store);
      expect(() => store.edit()).toThrow(/nothing found/);
    }
  });

  it("finds every key of many after others were deleted, and gives memory back", () => {
    const store = new PackedStore("test");
    const model: Model = new Map();
    const round = (from: number, to: number): void => {
      for (let i = from; i < to; i++) {
        put(store, `key ${i}`, `value ${i}`);
        model.set(`key ${i}`, `value ${i}`);
      }
      for (let i = from; i < to; i += 3) {
        for (const key of [`key ${i}`, `key ${i - 1_500}`]) {
          expect(remove(store, key)).toBe(model.delete(key));
        }
      }
      store.seal();
      store.committed();
    };
    round(0, 3_000);
    const { memoryBytes } = store;
    for (let from = 3_000; from < 9_000; from += 1_000) {
      round(from, from + 1_000);
      for (const key of [...model.keys()].slice(0, model.size - 1_500)) {
        model.delete(key);
        remove(store, key);
      }
    }
    expect(contents(store)).toEqual(model);
    for (const [key, value] of model) expect(get(store, key)).toBe(value);
    expect(get(store, "key 0")).toBeUndefined();
    expect(store.memoryBytes).toBeLessThanOrEqual(memoryBytes * 1.2);
  });

  it("gives back the memory of what was undone", () => {
    const store = new PackedStore("test");
    let memoryBytes = 0;
    for (let i = 0; i < 50; i++) {
      for (let key = 0; key < 200; key++) put(store, `key ${i} ${key}`, "v".repeat(key));
      if (i % 2 === 0) store.rollbackToMark();
      if (i % 3 === 0) store.seal();
      if (i % 6 === 0) store.committed();
      store.abort();
      if (i === 5) memoryBytes = store.memoryBytes;
      expect(store.size).toBe(0);
    }
    expect(store.memoryBytes).toBeLessThanOrEqual(memoryBytes * 1.1);
  });

  it("scans a prefix in byte order, whatever the history", () => {
    const keys = fc.uniqueArray(
      fc.uint8Array({ maxLength: 3 }).map((bytes) => textOf(bytes, 0, bytes.length)),
    );
    fc.assert(
      fc.property(keys, fc.constantFrom("", "\0", "a", "\xff\xff"), (all, prefix) => {
        const store = new PackedStore("test");
        for (const key of all) put(store, key, `${key}!`);
        for (const key of all.slice(0, 2)) remove(store, key);
        const found: string[] = [];
        store.scan(bytesOf(prefix), (bytes, keyStart, keyEnd, valueStart, valueEnd) => {
          const key = textOf(bytes, keyStart, keyEnd);
          expect(textOf(bytes, valueStart, valueEnd)).toBe(`${key}!`);
          found.push(key);
          return undefined;
        });
        expect(found).toEqual(
          all
            .slice(2)
            .filter((key) => key.startsWith(prefix))
            .sort((a, b) => Buffer.compare(bytesOf(a) as Buffer, bytesOf(b) as Buffer)),
        );
      }),
    );
  });

  it("stops a scan when the visitor says so, and refuses changes by it", () => {
    const store = new PackedStore("test");
    for (const key of ["c", "a", "b"]) put(store, key, key);
    const found: string[] = [];
    store.scan(bytesOf(""), (bytes, keyStart, keyEnd) => {
      found.push(textOf(bytes, keyStart, keyEnd));
      return found.length < 2;
    });
    expect(found).toEqual(["a", "b"]);
    for (const change of [() => put(store, "d", "d"), () => remove(store, "a")]) {
      expect(() =>
        store.forEachUnordered(() => {
          change();
          return undefined;
        }),
      ).toThrow(/by a visitor/);
    }
    put(store, "d", "d");
    expect(store.size).toBe(4);
  });

  it("loads a snapshot to the same contents and digest, without changes to seal", () => {
    const store = new PackedStore("test");
    for (let i = 0; i < 100; i++) put(store, `key ${i % 60}`, "x".repeat(i * 7));
    remove(store, "key 7");
    expect(() => store.snapshot(() => undefined)).toThrow(/amid changes/);
    const sealed = store.seal();
    const loaded = new PackedStore("test");
    loaded.load(bytesOf("key 1"), bytesOf("to be replaced"));
    loaded.load(bytesOf("gone"), bytesOf("to be deleted"));
    loaded.load(bytesOf("gone"), undefined);
    loaded.load(bytesOf("never there"), undefined);
    store.snapshot((bytes, keyStart, keyEnd, valueStart, valueEnd) => {
      loaded.load(bytes.subarray(keyStart, keyEnd), bytes.subarray(valueStart, valueEnd));
      return undefined;
    });
    expect(contents(loaded)).toEqual(contents(store));
    expect(loaded.digest()).toEqual(sealed.digest);
    const empty = loaded.seal();
    expect([empty.changes.count, empty.changes.length, empty.entries]).toEqual([0, 0, 59]);
    expect(empty.digest).toEqual(sealed.digest);
    loaded.clear();
    expect([loaded.size, contents(loaded).size]).toEqual([0, 0]);
    expect(loaded.digest()).toEqual(new Uint8Array(16));
  });

  it("does not change when a bound is reached, and can still undo", () => {
    const limit = expect.objectContaining({ code: "OCDN_LIMIT" });
    const small = new PackedStore("small", { maxEntries: 2, maxBytes: 8_192 });
    put(small, "a", "1");
    put(small, "b", "2".repeat(4_000));
    small.seal();
    small.committed();
    const before = contents(small);
    expect(() => put(small, "c", "3")).toThrow(limit);
    expect(() => put(small, "a", "4".repeat(8_000))).toThrow(limit);
    expect(() => put(small, "k".repeat(maxKeyBytes + 1), "")).toThrow(limit);
    const long = new Uint8Array(maxRecordBytes + 1);
    expect(() => small.put(long, 0, 1, long, 0, long.length)).toThrow(limit);
    expect(contents(small)).toEqual(before);
    expect(small.digest()).toEqual(digestOf(before));
  });

  it("undoes beyond its bound of memory rather than fail", () => {
    const small = new PackedStore("small", { maxBytes: 8_192 });
    put(small, "b", "2".repeat(4_000));
    small.seal();
    small.committed();
    const before = contents(small);
    put(small, "b", "2");
    put(small, "c", "3".repeat(4_000));
    small.abort();
    expect(contents(small)).toEqual(before);
    expect(() => put(small, "a", "4".repeat(8_000))).toThrow(/its memory is full/);
  });

  it("holds the largest key and value", () => {
    const store = new PackedStore("test");
    const key = "k".repeat(maxKeyBytes);
    for (let i = 0; i < 9; i++) {
      put(store, `${i}`, "v".repeat(maxRecordBytes));
      put(store, key, String(i).repeat(maxRecordBytes));
    }
    expect(get(store, key)).toBe("8".repeat(maxRecordBytes));
    expect(store.size).toBe(10);
  });
});
