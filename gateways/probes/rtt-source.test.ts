import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import type { NodeInventory, PathSample } from "../../schemas/generated/events.ts";
import type { Source, SourceEvent } from "../../streams/source.ts";
import { tarOf } from "../../test/kits/tar-archive.ts";
import { openRttSource, type RttSourceOptions, rttSource } from "./rtt-source.ts";

const folder = mkdtempSync(join(tmpdir(), "rtt-"));
afterAll(() => rmSync(folder, { recursive: true }));

const size = 4;
/** Slice t, row r, column c: t seconds/10 + r/100 + c/1000. */
function matrix(slice: number): string {
  const rows = Array.from({ length: size }, (_, row) =>
    Array.from({ length: size }, (_, column) => (slice * 100 + row * 10 + column) / 1_000).join(
      "\t",
    ),
  );
  return `${rows.join("\n")}\n`;
}
const files = [10, 9, 1].map((slice) => [`Tiny/TinyData_${slice}`, matrix(slice)] as const);

const options = { startMs: 1_000_000, sliceSeconds: 60 };

async function drain(
  source: Source,
  after?: string,
): Promise<{ events: Plain[]; positions: string[] }> {
  const events: Plain[] = [];
  const positions: string[] = [];
  for await (const batch of source.read(after)) {
    events.push(...(batch.events as unknown as Plain[]));
    positions.push(batch.position);
  }
  return { events, positions };
}
type Plain = SourceEvent<PathSample & NodeInventory>;

async function open(more: Partial<RttSourceOptions> = {}): Promise<Source> {
  const path = join(folder, "tiny.tar");
  writeFileSync(path, tarOf(files));
  return openRttSource({ path, ...options, ...more });
}

describe("the source of round-trip times", () => {
  it("takes slices by number, all pairs but a place with itself", async () => {
    const { events } = await drain(await open());
    expect(events.length).toBe(3 * size * (size - 1));
    const times = [...new Set(events.map((event) => event.eventMs))];
    expect(times).toEqual([1_000_000, 1_060_000, 1_120_000]);
    const first = events[0] as Plain;
    expect(first.key).toBe("tiny/0");
    expect(first.value).toMatchObject({
      cell: "tiny/0",
      nodeId: "tiny-1",
      rttMs: 101,
      origin: "IMPORT",
    });
    const last = events.at(-1) as Plain;
    expect(last.value).toMatchObject({ cell: "tiny/3", nodeId: "tiny-2", rttMs: 1_032 });
    expect(new Set(events.map((event) => event.position)).size).toBe(events.length);
  });

  it("splits by a seed into nodes of the inventory and clients", async () => {
    const { events } = await drain(await open({ split: 7, nodeCount: 2 }));
    const nodes = events.filter((event) => event.topic.name === "node.inventory.v1");
    const samples = events.filter((event) => event.topic.name === "path.samples.v1");
    expect(nodes.length).toBe(2);
    expect(samples.length).toBe(3 * 2 * 2);
    const names = new Set(nodes.map((event) => event.value.nodeId));
    expect(new Set(samples.map((event) => event.value.nodeId))).toEqual(names);
    for (const event of samples) expect(names.has(event.value.cell.replace("/", "-"))).toBe(false);
    const again = await drain(await open({ split: 7, nodeCount: 2 }));
    expect(again.events).toEqual(events);
  });

  it("goes on after every position", async () => {
    const source = await open({ split: 7, nodeCount: 2 });
    const whole = await drain(source);
    for (const [index, position] of whole.positions.entries()) {
      const rest = await drain(source, position);
      expect(rest.positions).toEqual(whole.positions.slice(index + 1));
    }
    await expect(drain(source, "nonsense")).rejects.toThrow("no position");
  });

  it("has another name for other options and the same for another container", async () => {
    const zipped = join(folder, "tiny.tar.gz");
    writeFileSync(zipped, gzipSync(tarOf(files)));
    const tar = await open();
    expect((await openRttSource({ path: zipped, ...options })).name).toBe(tar.name);
    expect((await open({ split: 1, nodeCount: 2 })).name).not.toBe(tar.name);
    expect((await open({ split: 2, nodeCount: 2 })).name).not.toBe(
      (await open({ split: 1, nodeCount: 2 })).name,
    );
    expect((await open({ sliceSeconds: 61 })).name).not.toBe(tar.name);
    expect(tar.historical).toBe(true);
  });

  it("says what is wrong with its input", async () => {
    await expect(openRttSource({ path: join(folder, "none"), ...options })).rejects.toThrow(
      "no such file",
    );
    const cut = join(folder, "cut.tar.gz");
    writeFileSync(cut, gzipSync(tarOf(files)).subarray(0, 80));
    await expect(openRttSource({ path: cut, ...options })).rejects.toThrow("unpacking");
    const empty = join(folder, "empty.tar");
    writeFileSync(empty, tarOf([["a", "b"]]));
    await expect(openRttSource({ path: empty, ...options })).rejects.toThrow(
      "no file is named like",
    );
    const slices = [{ size: 3, rttMs: new Float32Array(9) }];
    const input = { network: "x", size: 3, slices };
    expect(() => rttSource(input, { ...options, split: 1, nodeCount: 3 })).toThrow("no clients");
  });
});

const seattle = "../shared/data/rtt/seattle-rtt-matrices.tar.xz";

describe("the Seattle matrices", () => {
  it.skipIf(!existsSync(seattle))(
    `688 slices of 84 clients and 15 nodes (skipped: needs ${seattle})`,
    async () => {
      const source = await openRttSource({ path: seattle, ...options, split: 1 });
      const names = new Set<string>();
      let nodes = 0;
      let samples = 0;
      for await (const batch of source.read("686:84")) samples += batch.events.length;
      for await (const batch of source.read(undefined)) {
        if (batch.position !== "inventory") break;
        const inventory = batch.events.filter(({ topic }) => topic.name === "node.inventory.v1");
        nodes = inventory.length;
        for (const event of inventory) names.add(event.key);
        expect(batch.events.at(-1)).toMatchObject({
          key: "seattle",
          topic: { name: "service.policies.v1" },
        });
      }
      expect(nodes).toBe(15);
      expect(samples).toBe(84 * 15);
      expect([...names].every((name) => /^seattle-\d\d$/.test(name))).toBe(true);
    },
    30_000,
  );
});
