import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseAddress } from "../../domain/address.ts";
import { geoCacheFile } from "./geo-cache.ts";
import {
  type GeoEvent,
  type GeoHandle,
  type GeoOptions,
  openGeo,
  prepareGeo,
} from "./geo-loader.ts";
import { runGeoWork } from "./geo-refresh.ts";
import { writeMmdb } from "./testing/mmdb-writer.ts";

/** The thread loads a TypeScript runner first: slow on a busy machine. */
const slowMs = 30_000;
const city = (state1: string): Buffer =>
  writeMmdb({ networks: [["203.0.113.0/24", { country_code: "JP", state1 }]] });

let folder = "";
let handle: GeoHandle | undefined;
let events: GeoEvent["kind"][] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "opencdn-loader-"));
  events = [];
});
afterEach(async () => {
  handle?.close();
  await rm(folder, { recursive: true });
});

function options(): GeoOptions {
  return {
    cityDatabases: [join(folder, "city.mmdb")],
    asnDatabases: [],
    cacheFolder: join(folder, "cache"),
    reloadPollMs: 3_600_000,
    onEvent: ({ kind }) => events.push(kind),
    runWork: async (work) => runGeoWork(work),
  };
}

function cell(): string {
  const address = parseAddress("203.0.113.7");
  if (address === undefined || handle === undefined) throw new Error("not opened");
  return handle.table.locate(address).cell;
}

describe("openGeo", () => {
  it("swaps a new database in and keeps the last good table of a damaged one", async () => {
    await writeFile(join(folder, "city.mmdb"), city("Tokyo"));
    handle = await openGeo(options());
    expect(cell()).toBe("JP/tokyo");
    const swapped: string[] = [];
    handle.onSwap((table) => swapped.push(table.hash));

    await writeFile(join(folder, "city.mmdb"), city("Osaka"));
    await handle.reload();
    expect(cell()).toBe("JP/osaka");
    expect(swapped).toEqual([handle.table.hash]);

    await writeFile(join(folder, "city.mmdb"), city("Kyoto").subarray(0, 60));
    await handle.reload();
    expect(cell()).toBe("JP/osaka");
    expect(handle.problem?.message).toContain("city.mmdb: the file has no metadata");
    expect(events).toEqual(["geo.loaded", "geo.loaded", "geo.failed"]);

    handle.close();
    handle = await openGeo(options());
    expect(cell()).toBe("JP/osaka");
    expect(handle.problem?.code).toBe("OCDN_GEO");
  });

  it("throws when there is neither a sound database nor an older table", async () => {
    await expect(openGeo(options())).rejects.toMatchObject({
      code: "OCDN_GEO",
      message: expect.stringContaining("city.mmdb: file not found"),
    });
  });

  it("reads a prepared table without work, and makes a damaged one again", async () => {
    await writeFile(join(folder, "city.mmdb"), city("Tokyo"));
    await prepareGeo(options());
    const runWork = (): never => expect.unreachable("the prepared table was not used");
    handle = await openGeo({ ...options(), runWork });
    expect(cell()).toBe("JP/tokyo");
    handle.close();
    const { cacheFolder } = options();
    await writeFile(geoCacheFile(cacheFolder, options()), "damaged");
    handle = await openGeo(options());
    expect(cell()).toBe("JP/tokyo");
  });

  it("reads the table that the installation made, from its own folder", async () => {
    await writeFile(join(folder, "city.mmdb"), city("Tokyo"));
    const seedFolder = join(folder, "installed");
    await prepareGeo({ ...options(), cacheFolder: seedFolder });
    const runWork = (): never => expect.unreachable("the installed table was not used");
    handle = await openGeo({ ...options(), seedFolder, runWork });
    expect(cell()).toBe("JP/tokyo");
  });

  it("names the cause when the work fails or dies", async () => {
    const runWork = () => Promise.reject(new Error("out of memory"));
    await expect(openGeo({ ...options(), runWork })).rejects.toMatchObject({
      code: "OCDN_GEO",
      message: "compiling the geo table: out of memory",
    });
  });

  it(
    "does the work in a thread of its own",
    async () => {
      await writeFile(join(folder, "city.mmdb"), city("Tokyo"));
      const { runWork: _, ...inThread } = options();
      handle = await openGeo(inThread);
      expect(cell()).toBe("JP/tokyo");
    },
    slowMs,
  );
});
