import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readPassword, readTls } from "./secret.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "ocdn-secret-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, text: string, mode: number): Promise<string> {
  const made = path.join(folder, name);
  await writeFile(made, text);
  await chmod(made, mode);
  return made;
}

describe("readPassword", () => {
  it("reads a file of its owner, without white space around", async () => {
    const passwordFile = await file("good", " hush hush\n", 0o600);
    expect(await readPassword({ passwordFile }, "x", {})).toBe("hush hush");
  });

  it("refuses a file that others may read, is empty, too large or missing, without its content", async () => {
    const open = await file("open", "hush", 0o644);
    const empty = await file("empty", "\n", 0o600);
    const large = await file("large", "hush".repeat(2_000), 0o600);
    for (const [passwordFile, reason] of [
      [open, /set its mode to 600/],
      [empty, /is empty/],
      [large, /8000 bytes/],
      [path.join(folder, "none"), /ENOENT/],
      [folder, /no file|mode/],
    ] as const) {
      const attempt = readPassword({ passwordFile }, "x", {});
      await expect(attempt).rejects.toMatchObject({ code: "OCDN_CONFIG" });
      await expect(attempt).rejects.toThrow(reason);
      await expect(attempt).rejects.not.toThrow(/hush/);
    }
  });

  it("reads a variable, and names it when it is not set", async () => {
    const place = { passwordVariable: "KAFKA_WORD" };
    expect(await readPassword(place, "x", { KAFKA_WORD: "hush" })).toBe("hush");
    await expect(readPassword(place, "x", { KAFKA_WORD: " " })).rejects.toThrow(/KAFKA_WORD/);
  });
});

describe("readTls", () => {
  it("reads contents, and holds the key to the same as a password", async () => {
    const caFile = await file("ca", "CA", 0o644);
    const certificateFile = await file("cert", "CERT", 0o644);
    const keyFile = await file("key", "KEY", 0o600);
    expect(await readTls({ caFile, certificateFile, keyFile, serverName: "k" })).toEqual({
      ca: "CA",
      cert: "CERT",
      key: "KEY",
      servername: "k",
    });
    await chmod(keyFile, 0o640);
    await expect(readTls({ certificateFile, keyFile })).rejects.toThrow(/mode to 600/);
  });
});
