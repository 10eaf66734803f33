import fs from "node:fs";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { OpenCdnError } from "../errors.ts";
import { StateDb } from "./state-db.ts";
import { newFolder, removeFolders } from "./testing/log-fixture.ts";

let folder: string;
let db: StateDb;
beforeEach(() => {
  folder = newFolder();
  fs.mkdirSync(folder);
  db = new StateDb(folder);
});
afterEach(() => db.close());
afterAll(removeFolders);

describe("StateDb", () => {
  it("keeps nothing of a transaction that throws", () => {
    db.write("testing", false, () => db.setFact("a", Buffer.from("1")));
    expect(() =>
      db.write("testing", true, () => {
        db.setFact("a", Buffer.from("2"));
        db.setFact("b", Buffer.from("3"));
        throw new OpenCdnError("OCDN_FENCED", "stop");
      }),
    ).toThrow("stop");
    expect(db.fact("a")?.toString()).toBe("1");
    expect(db.fact("b")).toBeUndefined();
  });

  it("keeps an unflushed transaction over a reopen", async () => {
    db.write("testing", false, () => db.setFact("a", Buffer.from("1")));
    await db.flush();
    await db.close();
    db = new StateDb(folder);
    expect(db.fact("a")?.toString()).toBe("1");
  });

  it("gives the facts of one prefix only", () => {
    db.write("testing", false, () => {
      for (const key of ["sourca/x", "source/", "source/a", "source/ŝ/b", "source0", "t"]) {
        db.setFact(key, Buffer.from(key));
      }
    });
    const seen: string[] = [];
    db.eachFact("source/", (rest) => seen.push(rest));
    expect(seen).toEqual(["", "a", "ŝ/b"]);
  });

  it("keeps the entries of spaces apart, empty keys and values among them", () => {
    const bytes = Buffer.from("xkeyvaluex");
    db.write("testing", false, () => {
      db.putEntry(255, bytes, 1, 4, 4, 9);
      db.putEntry(256, bytes, 1, 1, 4, 9);
      db.putEntry(256, bytes, 1, 4, 4, 4);
      db.putEntry(257, bytes, 1, 4, 4, 9);
      db.removeEntry(257, bytes, 1, 4);
      db.removeEntry(257, bytes, 0, 4);
    });
    const seen: [number, string, string][] = [];
    for (const space of [255, 256, 257]) {
      db.eachEntry(space, ({ keyBytes, keyStart, keyEnd, value, valueLength }) => {
        const key = Buffer.from(keyBytes.subarray(keyStart, keyEnd)).toString();
        seen.push([space, key, Buffer.from(value.subarray(0, valueLength)).toString()]);
      });
    }
    expect(seen).toEqual([
      [255, "key", "value"],
      [256, "", "value"],
      [256, "key", ""],
    ]);
  });

  it("takes keys and values from the middle of other memory", () => {
    const memory = new ArrayBuffer(200_000);
    const bytes = new Uint8Array(memory, 100_000, 1_000);
    bytes.fill(3);
    bytes.set(Buffer.from("abc"), 10);
    db.write("testing", false, () => {
      db.putEntry(1, bytes, 10, 11, 11, 13);
      db.putEntry(1, bytes, 11, 12, 0, 1_000);
    });
    const seen: [string, number][] = [];
    db.eachEntry(1, ({ keyBytes, keyStart, value, valueLength }) => {
      seen.push([String.fromCharCode(keyBytes[keyStart] as number), valueLength]);
      if (valueLength === 2) expect(Buffer.from(value.subarray(0, 2)).toString()).toBe("bc");
    });
    expect(seen).toEqual([
      ["a", 2],
      ["b", 1_000],
    ]);
  });

  it("holds keys and values at their limits", () => {
    const bytes = Buffer.alloc(300_000, 5);
    db.write("testing", false, () => db.putEntry(1, bytes, 0, 1_024, 1_024, 263_168));
    let length = 0;
    db.eachEntry(1, (entry) => {
      length = entry.valueLength;
      expect(entry.keyEnd - entry.keyStart).toBe(1_024);
      expect(entry.value[262_143]).toBe(5);
    });
    expect(length).toBe(262_144);
  });

  it("finds the last place at or below a key", () => {
    const key = (n: number): Buffer => Buffer.from([0, n]);
    db.write("testing", false, () => {
      for (const n of [10, 20, 30]) db.putPlace(key(n), Buffer.from([n]));
    });
    const found = (n: number): number | undefined => db.lastPlace(key(5), key(n))?.[1][0];
    expect([5, 9, 10, 19, 20, 35].map(found)).toEqual([undefined, undefined, 10, 10, 20, 30]);
    expect(db.lastPlace(key(25), key(29))).toBeUndefined();
  });
});
