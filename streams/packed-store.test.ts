import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecordCursor } from "./chunk.ts";
import type { StoreChanges } from "./commit.ts";
import { hashPair, MultisetDigest, newLanes } from "./hash.ts";
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
  | { readonly kind: "delete"; readonly key: string }
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

const keys = fc.integer({ min: 0, max: 11 }).map((n) => "k".repeat(n % 3) + n);
const values = fc
  .tuple(fc.integer({ min: 0, max: 9 }), fc.constantFrom(0, 1, 2, 7, 60, 300, 2_000))
  .map(([n, length]) => String(n).repeat(length));
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant("put" as const), key: keys, value: values }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("delete" as const), key: keys }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom("mark", "rollback", "seal", "committed", "abort" as const),
    }),
  },
);

describe("PackedStore", () => {
  it("does what a Map does, through marks, seals, commits and aborts", () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 60 }), (sequence) => {
        const store = new PackedStore("test");
        const oracle = new Oracle();
        for (const step of sequence) {
          take(step, store, oracle);
          expect(store.size).toBe(oracle.now.size);
          if (step.kind === "put" || step.kind === "delete") {
            expect(get(store, step.key)).toBe(oracle.now.get(step.key));
          } else {
            expect(contents(store)).toEqual(oracle.now);
            expect(store.digest()).toEqual(digestOf(oracle.now));
          }
        }
        expect(contents(store)).toEqual(oracle.now);
        expect(store.digest()).toEqual(digestOf(oracle.now));
      }),
      { numRuns: 150 },
    );
  });
});
