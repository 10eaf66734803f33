import fs from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { EmbeddedLog } from "./embedded-log.ts";
import { loadCheckpoint } from "./log-facts.ts";
import { groupHeaderBytes, readGroupHeader, segmentHeaderBytes } from "./segment-format.ts";
import { StateDb } from "./state-db.ts";
import {
  crashImage,
  draft,
  feed,
  newFolder,
  openLog,
  readAll,
  removeFolders,
  section,
  segmentPaths,
  storeChanges,
  storeEntries,
  tableEntries,
} from "./testing/log-fixture.ts";

afterAll(removeFolders);

/** One group that touches everything; value and position tell which one it was. */
function groupOf(n: number) {
  const { appends } = feed(n, n + 1, section("in.v1", n % 3, [[`key-${n}`, `in ${n}`]]));
  const drafts = [
    draft({
      commit: n + 1,
      positions: [{ topic: "in.v1", slot: 0, offset: n }],
      outputs: [section("table.a.v1", 0, [["last", `out ${n}`]])],
      stores: [
        storeChanges("counts", [
          ["sum", String(n)],
          [`only-${n}`, "x"],
        ]),
      ],
    }),
  ];
  return { drafts, appends };
}

/** What the log says after `count` groups, in one value. */
function stateOf(log: EmbeddedLog) {
  return {
    position: log.sourcePosition("feed"),
    task: log.taskState("rib", 0)?.commit,
    inputs: [0, 1, 2].map((slot) => readAll(log, "in.v1", slot)),
    outputs: readAll(log, "table.a.v1", 0),
    latest: tableEntries(log, "table.a.v1", 0),
    store: storeEntries(log, "rib", 0, "counts"),
  };
}

function expectedAfter(count: number): ReturnType<typeof stateOf> {
  const all = Array.from({ length: count }, (_, n) => n);
  const sum: [string, string][] = count === 0 ? [] : [["sum", String(count - 1)]];
  const only = all.map((n): [string, string] => [`only-${n}`, "x"]);
  return {
    position: count === 0 ? undefined : String(count),
    task: count === 0 ? undefined : count,
    inputs: [0, 1, 2].map((slot) =>
      all.filter((n) => n % 3 === slot).map((n): [string, string] => [`key-${n}`, `in ${n}`]),
    ),
    outputs: all.map((n): [string, string] => ["last", `out ${n}`]),
    latest: count === 0 ? [] : [["last", `out ${count - 1}`]],
    store: [...only, ...sum].sort(([a], [b]) => (a < b ? -1 : 1)),
  };
}

/** A folder as a kill after `count` groups leaves it, all of them only in the segments. */
async function killedAfter(count: number, segmentBytes?: number): Promise<string> {
  const folder = newFolder();
  const log = await openLog(folder, segmentBytes === undefined ? {} : { segmentBytes });
  for (let n = 0; n < count; n++) await log.commit(groupOf(n));
  const image = crashImage(folder);
  await log.close();
  return image;
}

/** Where each group of a segment file ends. */
function groupEnds(file: string): number[] {
  const bytes = fs.readFileSync(file);
  const ends: number[] = [];
  let at = segmentHeaderBytes;
  for (;;) {
    const header = readGroupHeader(bytes, at);
    if (header === undefined) return ends;
    at += groupHeaderBytes + header.stateBytes + header.chunkBytes;
    ends.push(at);
  }
}

function copyOf(folder: string, change: (segment: string) => void): string {
  const copy = crashImage(folder);
  change(segmentPaths(copy).at(-1) as string);
  return copy;
}

async function checkRecovered(folder: string, count: number): Promise<void> {
  const log = await openLog(folder);
  try {
    expect(stateOf(log)).toEqual(expectedAfter(count));
    await log.commit(groupOf(count));
    expect(stateOf(log)).toEqual(expectedAfter(count + 1));
  } finally {
    await log.close();
  }
}

function flip(file: string, at: number): void {
  const bytes = fs.readFileSync(file);
  bytes[at] = (bytes[at] as number) ^ 0x40;
  fs.writeFileSync(file, bytes);
}

describe("after a kill", () => {
  it("everything durable is there, and the log goes on in a segment of its own", async () => {
    const folder = await killedAfter(5);
    const log = await openLog(folder);
    expect(log.recovered).toEqual({ groups: 5, cutBytes: 0 });
    await log.close();
    await checkRecovered(folder, 5);
    expect(segmentPaths(folder).map((file) => path.basename(file))).toEqual([
      "0000000001-000001.seg",
      "0000000002-000003.seg",
    ]);
  });

  it("groups in many segments are found", async () => {
    await checkRecovered(await killedAfter(60, 4_096), 60);
  });

  it("and another one after some commits, again and again, all is there", async () => {
    let folder = newFolder();
    for (let n = 0; n < 4; n++) {
      const log = await openLog(folder);
      expect(stateOf(log)).toEqual(expectedAfter(n));
      await log.commit(groupOf(n));
      const image = crashImage(folder);
      await log.close();
      folder = image;
    }
    await checkRecovered(folder, 4);
  });

  it("a start that is killed too changes nothing", async () => {
    const folder = await killedAfter(4);
    const log = await openLog(folder);
    const image = crashImage(folder);
    await log.close();
    await checkRecovered(image, 4);
  });
});

describe("a cut anywhere behind the checkpoint", () => {
  it("leaves exactly the groups that are whole", async () => {
    const killed = await killedAfter(4);
    const [file] = segmentPaths(killed) as [string];
    const ends = groupEnds(file);
    const size = fs.statSync(file).size;
    expect(ends.at(-1)).toBe(size);
    const cuts = [0, 1, 63, 64, 65, ...ends, ...ends.map((end) => end - 1)];
    for (let at = 90; at < size; at += 61) cuts.push(at);
    for (const at of cuts) {
      const copy = copyOf(killed, (segment) => fs.truncateSync(segment, at));
      await checkRecovered(copy, ends.filter((end) => end <= at).length);
      fs.rmSync(copy, { recursive: true });
    }
  }, 10_000);

  it("may leave zeros or garbage instead, as a torn write does", async () => {
    const killed = await killedAfter(4);
    const ends = groupEnds(segmentPaths(killed)[0] as string) as [number, number, number, number];
    const tails: [number, Buffer][] = [
      [ends[3], Buffer.alloc(5_000)],
      [ends[3], Buffer.from("garbage ".repeat(100))],
      [ends[2], Buffer.alloc(ends[3] - ends[2])],
      [ends[2] + groupHeaderBytes + 9, Buffer.alloc(40)],
      [ends[2] + 5, Buffer.from("no")],
    ];
    for (const [at, tail] of tails) {
      const copy = copyOf(killed, (segment) => {
        const bytes = fs.readFileSync(segment);
        fs.writeFileSync(segment, Buffer.concat([bytes.subarray(0, at), tail]));
      });
      const log = await openLog(copy);
      expect(log.recovered.groups).toBe(at >= ends[3] ? 4 : 3);
      expect(log.recovered.cutBytes).toBeGreaterThan(0);
      await log.close();
      await checkRecovered(copy, at >= ends[3] ? 4 : 3);
    }
  }, 5_000);
});

describe("damage in front of acknowledged groups", () => {
  it("is no torn write: the start names file and position, and changes nothing", async () => {
    const killed = await killedAfter(4);
    const ends = groupEnds(segmentPaths(killed)[0] as string) as [number, number, number, number];
    const places = [ends[0], ends[0] + 4, ends[0] + 30, ends[0] + groupHeaderBytes, ends[1] - 1];
    for (const at of places) {
      const copy = copyOf(killed, (segment) => flip(segment, at));
      const before = fs.readFileSync(segmentPaths(copy)[0] as string);
      await expect(openLog(copy)).rejects.toMatchObject({
        code: "OCDN_FOLDER_CORRUPT",
        message: expect.stringMatching(
          new RegExp(`^reading segments/0000000001-000001.seg at byte ${ends[0]}: `),
        ),
      });
      expect(fs.readFileSync(segmentPaths(copy)[0] as string)).toEqual(before);
    }
  });

  it("shows when it is at the end of a segment that others follow", async () => {
    const killed = await killedAfter(40, 4_096);
    const files = segmentPaths(killed);
    expect(files.length).toBeGreaterThan(2);
    const [first] = files as [string];
    const last = groupEnds(first).at(-2) as number;
    flip(first, last + 100);
    await expect(openLog(killed)).rejects.toMatchObject({
      code: "OCDN_FOLDER_CORRUPT",
      message: expect.stringContaining(`0000000001-000001.seg at byte ${last}`),
    });
  });

  it("shows when a segment in the middle or a header is lost", async () => {
    const killed = await killedAfter(60, 4_096);
    const [, middle] = segmentPaths(killed) as [string, string];
    const copy = crashImage(killed);
    fs.rmSync(middle);
    await expect(openLog(killed)).rejects.toMatchObject({
      code: "OCDN_FOLDER_CORRUPT",
      message: expect.stringMatching(/^reading segments\/0000000003.*: group \d+ is missing/),
    });
    flip(segmentPaths(copy)[1] as string, 10);
    await expect(openLog(copy)).rejects.toMatchObject({ code: "OCDN_FOLDER_CORRUPT" });
  });
});

describe("damage in the last group", () => {
  it("is no torn write while the machine has not been restarted", async () => {
    const killed = await killedAfter(4);
    const ends = groupEnds(segmentPaths(killed)[0] as string) as [number, number, number, number];
    for (const at of [ends[2] + 4, ends[2] + groupHeaderBytes + 3, ends[3] - 1]) {
      await expect(openLog(copyOf(killed, (segment) => flip(segment, at)))).rejects.toMatchObject({
        code: "OCDN_FOLDER_CORRUPT",
        message: expect.stringContaining(`at byte ${ends[2]}: `),
      });
    }
  });

  it("is taken for one after a restart, when it was never known to be on disk", async () => {
    const killed = await killedAfter(4);
    const [file] = segmentPaths(killed) as [string];
    flip(file, (groupEnds(file).at(-1) as number) - 1);
    const db = new StateDb(path.join(killed, "state"));
    const before = { ...(loadCheckpoint(db) as object), bootId: "before the power went" };
    db.write("testing", true, () => {
      db.setFact("checkpoint", Buffer.from(JSON.stringify(before)));
    });
    await db.close();
    await checkRecovered(killed, 3);
  });
});

describe("damage in what LMDB counts on", () => {
  async function stopped(): Promise<string> {
    const folder = newFolder();
    const log = await openLog(folder);
    for (let n = 0; n < 4; n++) await log.commit(groupOf(n));
    await log.close();
    return folder;
  }

  it("shows when the chunk is read, with file and position; other chunks can be read", async () => {
    const folder = await stopped();
    const [file] = segmentPaths(folder) as [string];
    const at = fs.readFileSync(file).indexOf("in 3");
    flip(file, at);
    const log = await openLog(folder);
    expect(readAll(log, "in.v1", 1)).toEqual([["key-1", "in 1"]]);
    expect(() => readAll(log, "in.v1", 0)).toThrow(
      /^reading segments\/0000000001-000001\.seg at byte \d+: the checksum of a chunk differs \(in\.v1 slot 0 offsets \d+ to \d+\)$/,
    );
    await log.close();
  });

  it("shows at the start when a file is missing or short", async () => {
    const folder = await stopped();
    const [file] = segmentPaths(folder) as [string];
    fs.truncateSync(file, fs.statSync(file).size - 1);
    await expect(openLog(folder)).rejects.toMatchObject({
      code: "OCDN_FOLDER_CORRUPT",
      message: expect.stringContaining("the file is cut short"),
    });
    fs.rmSync(file);
    await expect(openLog(folder)).rejects.toMatchObject({
      code: "OCDN_FOLDER_CORRUPT",
      message: "reading segments/0000000001-000001.seg at byte 0: the file is missing",
    });
  });

  it("is cut off where the file is longer, and files that are not the log's go", async () => {
    const folder = await stopped();
    const [file] = segmentPaths(folder) as [string];
    const size = fs.statSync(file).size;
    fs.appendFileSync(file, "garbage");
    fs.writeFileSync(path.join(path.dirname(file), "0000000007-000001.seg"), "left over");
    const log = await openLog(folder);
    expect(log.recovered).toEqual({ groups: 0, cutBytes: 7 });
    expect(fs.statSync(file).size).toBe(size);
    expect(segmentPaths(folder)).toEqual([file]);
    await log.close();
    await checkRecovered(folder, 4);
  });

  it("is left alone where a later owner wrote it", async () => {
    const folder = await stopped();
    const later = path.join(folder, "segments", "0000000002-000009.seg");
    fs.writeFileSync(later, "a later owner's");
    const log = await openLog(folder);
    expect(log.recovered).toEqual({ groups: 0, cutBytes: 0 });
    await log.close();
    expect(fs.readFileSync(later, "utf8")).toBe("a later owner's");
  });
});
