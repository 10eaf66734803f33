import fs from "node:fs";
import fc from "fast-check";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { EntryBatch, maxEntries } from "./entry-batch.ts";
import { StateDb } from "./state-db.ts";
import { newFolder, removeFolders } from "./testing/log-fixture.ts";

let db: StateDb;
beforeEach(() => {
  const folder = newFolder();
  fs.mkdirSync(folder);
  db = new StateDb(folder);
});
afterEach(() => db.close());
afterAll(removeFolders);

interface Change {
  readonly space: number;
  readonly key: string;
  readonly value: string | null;
}

function fill(changes: readonly Change[]): EntryBatch {
  const batch = new EntryBatch(changes.length >> 4);
  for (const { space, key, value } of changes) {
    const keyBytes = Buffer.from(key);
    const bytes = Buffer.concat([Buffer.from("--"), keyBytes, Buffer.from(value ?? "")]);
    const keyEnd = 2 + keyBytes.length;
    const buffer = batch.buffer(bytes);
    if (value === null) batch.add(space, buffer, 2, keyEnd, -1, -1);
    else batch.add(space, buffer, 2, keyEnd, keyEnd, bytes.length);
  }
  return batch;
}

function orderOf(batch: EntryBatch): Uint32Array {
  const steps = batch.order();
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

function write(batch: EntryBatch): void {
  const order = orderOf(batch);
  db.write("testing", false, () => {
    for (const index of order) batch.put(db, index);
  });
}

function entriesOf(space: number): [string, string][] {
  const entries: [string, string][] = [];
  db.eachEntry(space, ({ keyBytes, keyStart, keyEnd, value, valueLength }) => {
    const key = Buffer.from(keyBytes.subarray(keyStart, keyEnd)).toString();
    entries.push([key, Buffer.from(value.subarray(0, valueLength)).toString()]);
  });
  return entries;
}

describe("EntryBatch", () => {
  const change = fc.record({
    space: fc.integer({ min: 1, max: 3 }),
    key: fc.oneof(
      fc.string({ maxLength: 3 }),
      fc.nat(40).map((n) => `common/prefix/${n}`),
    ),
    value: fc.option(fc.string({ maxLength: 6 })),
  });

  it("leaves in LMDB what the changes one by one would leave", () => {
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 80 }), { maxLength: 3 }), (rounds) => {
        db.write("testing", false, () => {
          for (const space of [1, 2, 3]) {
            const old = entriesOf(space).map(([key]) => Buffer.from(key));
            for (const key of old) db.removeEntry(space, key, 0, key.length);
          }
        });
        const model = new Map<string, string>();
        for (const round of rounds) {
          for (const { space, key, value } of round) {
            if (value === null) model.delete(`${space}${key}`);
            else model.set(`${space}${key}`, value);
          }
          write(fill(round));
        }
        for (const space of [1, 2, 3]) {
          const mine = [...model]
            .filter(([key]) => key.startsWith(String(space)))
            .map(([key, value]): [string, string] => [key.slice(1), value])
            .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
          expect(entriesOf(space)).toEqual(mine);
        }
      }),
      { numRuns: 50 },
    );
  });

  it("holds each key once and orders by space and the bytes behind the common prefix", () => {
    const keys = ["net/9", "net/1", "net/10", "net/5", "net/1", "net/1234567", "net/1234568"];
    const batch = fill(keys.map((key) => ({ space: 7, key, value: key })));
    batch.add(3, batch.buffer(Buffer.from("a")), 0, 1, -1, -1);
    expect(batch.count).toBe(7);
    expect([...orderOf(batch)]).toEqual([1, 2, 4, 5, 3, 0, 6]);
  });

  it("grows with thousands of keys", () => {
    const changes = Array.from({ length: 12_000 }, (_, i): Change => {
      return { space: 1 + (i % 2), key: `key-${(i * 7_919) % 8_000}`, value: String(i) };
    });
    const batch = fill(changes);
    const last = new Map(changes.map(({ space, key, value }) => [`${space}/${key}`, value]));
    expect(batch.count).toBe(last.size);
    write(batch);
    const written = [1, 2].flatMap((space) =>
      entriesOf(space).map(([key, value]) => [`${space}/${key}`, value]),
    );
    expect(new Map(written as [string, string][])).toEqual(last);
  });

  it("says when more would not fit", () => {
    const batch = fill([{ space: 1, key: "a", value: "b" }]);
    expect(batch.fits(maxEntries - 1, 1)).toBe(true);
    expect(batch.fits(maxEntries, 1)).toBe(false);
    expect(batch.fits(1, 65_535)).toBe(false);
  });
});
