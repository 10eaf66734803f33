import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { packageFolder } from "../settings.ts";
import { hashOf, isWhole, mavenError } from "./provision.ts";
import { readVersions, versionsOf } from "./stack-versions.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "ocdn-provision-"));
});

afterEach(() => rm(folder, { recursive: true }));

describe("a folder of fetched servers", () => {
  const marker = { versions: {}, poms: "p", files: 2, sizeBytes: 5 };

  beforeEach(async () => {
    await mkdir(path.join(folder, "kafka"));
    await writeFile(path.join(folder, "kafka/a.jar"), "abc");
    await writeFile(path.join(folder, "b.jar"), "de");
  });

  it("is whole with its marker and every byte, and only then", async () => {
    const file = path.join(folder, "provisioned.json");
    expect(await isWhole(folder, "p")).toBe(false);
    await writeFile(file, JSON.stringify(marker));
    expect(await isWhole(folder, "p")).toBe(true);
    expect(await isWhole(folder, "other poms")).toBe(false);
    await writeFile(path.join(folder, "kafka/a.jar"), "ab");
    expect(await isWhole(folder, "p")).toBe(false);
    await rm(path.join(folder, "kafka/a.jar"));
    expect(await isWhole(folder, "p")).toBe(false);
    await writeFile(path.join(folder, "kafka/a.jar"), "abc");
    await writeFile(file, "{");
    expect(await isWhole(folder, "p")).toBe(false);
    expect(await isWhole(path.join(folder, "none"), "p")).toBe(false);
  });

  it("has a hash that every name and byte changes", async () => {
    const hashes = [await hashOf(folder)];
    await writeFile(path.join(folder, "b.jar"), "df");
    hashes.push(await hashOf(folder));
    await writeFile(path.join(folder, "c.jar"), "");
    hashes.push(await hashOf(folder));
    expect(new Set(hashes).size).toBe(3);
    expect(await hashOf(folder)).toBe(hashes[2]);
  });
});

it("says what Maven said", () => {
  const output =
    "\u001b[0m[INFO] x\n[ERROR] \n[ERROR] Failed to execute goal: no such thing\n[ERROR] y";
  expect(mavenError(output)).toBe("Failed to execute goal: no such thing");
  expect(mavenError("The JAVA_HOME is wrong\n")).toBe("The JAVA_HOME is wrong");
  expect(mavenError("x".repeat(5_000)).length).toBe(600);
});

it("reads the versions of the poms, and refuses poms without them", async () => {
  const versions = await readVersions(path.join(packageFolder(), "docker"));
  expect(versions.kafka).toMatch(/^4\.\d+\.\d+$/);
  expect(() => versionsOf("<kafka.version>4.3.1</kafka.version>")).toThrow(/apicurio\.version/);
  expect(() => versionsOf("<kafka.version>$x</kafka.version>")).toThrow(/kafka\.version/);
});
