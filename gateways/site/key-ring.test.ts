import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseAddress } from "../../domain/address.ts";
import { parsePrefix } from "../../domain/prefix.ts";
import { signToken, type TokenKey, verifyToken } from "../../domain/token.ts";
import { messageOf, OpenCdnError } from "../../streams/errors.ts";
import {
  createKeyRing,
  DEFAULT_KEY_LIFETIME_MS,
  type KeyRing,
  type KeyRingEvent,
  openKeyRing,
  readKeyRing,
  rotateKeyRing,
} from "./key-ring.ts";

const nowMs = Date.UTC(2026, 0, 1);
const secret = Buffer.alloc(32, "very secret").toString("base64");
const good = {
  id: "k1",
  secret,
  notBefore: "2026-01-01T00:00:00Z",
  notAfter: "2026-02-01T00:00:00Z",
};

let folder = "";
let file = "";
let ring: KeyRing | undefined;
let events: KeyRingEvent[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "opencdn-keys-"));
  file = join(folder, "keys.json");
  events = [];
});
afterEach(async () => {
  ring?.close();
  await rm(folder, { recursive: true });
});

async function write(content: unknown, mode = 0o600): Promise<void> {
  await writeFile(file, typeof content === "string" ? content : JSON.stringify(content), { mode });
  await chmod(file, mode);
}

async function open(): Promise<KeyRing> {
  ring = await openKeyRing({
    file,
    reloadPollMs: 3_600_000,
    onEvent: (event) => events.push(event),
  });
  return ring;
}

/** Signs with one key and verifies with others. */
function isAccepted(
  signer: TokenKey | undefined,
  keys: readonly TokenKey[],
  atMs: number,
): boolean {
  const block = parsePrefix("203.0.113.0/24");
  const client = parseAddress("203.0.113.7");
  if (signer === undefined || block === undefined || client === undefined) return false;
  const token = signToken(signer, { nodeId: "TYO", serviceId: "video", block }, atMs, 60_000);
  const context = { keys, nodeId: "TYO", serviceId: "video", client, nowMs: atMs };
  return verifyToken(token, context).kind === "accepted";
}

describe("createKeyRing", () => {
  it("makes a file of mode 600 whose key signs and verifies", async () => {
    await createKeyRing(file, { nowMs });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const keys = await open();
    expect(isAccepted(keys.signingKey(nowMs), keys.keys, nowMs)).toBe(true);
    expect(keys.signingKey(nowMs + DEFAULT_KEY_LIFETIME_MS)).toBeUndefined();
  });

  it("never replaces a file", async () => {
    await createKeyRing(file, { nowMs });
    const before = await readFile(file, "utf8");
    await expect(createKeyRing(file, { nowMs })).rejects.toThrow("there is one already");
    expect(await readFile(file, "utf8")).toBe(before);
  });
});

describe("rotateKeyRing", () => {
  it("lets the new key sign after the lead, the old ones verify, and drops what is over", async () => {
    await createKeyRing(file, { nowMs, lifetimeMs: 100_000 });
    const old = await readKeyRing(file);
    await rotateKeyRing(file, { nowMs, leadMs: 60_000 });
    const keys = await open();
    expect(keys.keys.length).toBe(2);
    expect(keys.signingKey(nowMs)?.id).toBe(old[0]?.id);
    expect(keys.signingKey(nowMs + 60_000)?.id).toBe(keys.keys[1]?.id);
    expect(isAccepted(old[0], keys.keys, nowMs + 60_000)).toBe(true);
    await rotateKeyRing(file, { nowMs: nowMs + 100_000 });
    expect((await readKeyRing(file)).map(({ id }) => id)).not.toContain(old[0]?.id);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });
});

describe("KeyRing", () => {
  it("takes over a new file and keeps the last good keys of a bad one", async () => {
    await write({ keys: [good] });
    const keys = await open();
    await write({ keys: [good, { ...good, id: "k2" }] });
    await keys.reload();
    expect(keys.keys.map(({ id }) => id)).toEqual(["k1", "k2"]);
    for (const bad of ["{", '{"keys":[]}']) {
      await write(bad);
      await keys.reload();
      expect(keys.keys.map(({ id }) => id)).toEqual(["k1", "k2"]);
      expect(keys.problem?.code).toBe("OCDN_KEY_RING");
    }
    expect(events.map(({ kind }) => kind)).toEqual([
      "keyRing.loaded",
      "keyRing.failed",
      "keyRing.failed",
    ]);
    await write({ keys: [good] });
    await keys.reload();
    expect(keys.problem).toBeUndefined();
  });
});

describe("readKeyRing", () => {
  it.each<[string, unknown, number?]>([
    ["others may read it (mode 640)", { keys: [good] }, 0o640],
    ["others may read it (mode 604)", { keys: [good] }, 0o604],
    ["it is no JSON", `{"keys":[{"secret":"${secret}"`],
    ["the file has another layout", "[]"],
    ["keys is not valid", { keys: [] }],
    ["keys.0.secret is not valid", { keys: [{ ...good, secret: `${secret}!` }] }],
    ["keys.0.id is not valid", { keys: [{ ...good, id: secret }] }],
    ["keys.0.notAfter is not valid", { keys: [{ ...good, notAfter: secret }] }],
    ["the secret of key k1 has fewer than 32 bytes", { keys: [{ ...good, secret: "c2hvcnQ=" }] }],
    ["key k1 ends before it begins", { keys: [{ ...good, notAfter: "2025-01-01T00:00:00Z" }] }],
    ["two keys have the same id", { keys: [good, good] }],
    ["more than 65536 bytes", " ".repeat(70_000)],
  ])("refuses, without a word of the content: %s", async (message, content, mode) => {
    await write(content, mode);
    const error = await readKeyRing(file).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenCdnError);
    expect(error).toMatchObject({ code: "OCDN_KEY_RING" });
    expect(messageOf(error)).toContain(message);
    expect(inspect(error, { depth: 9 })).not.toContain(secret.slice(0, 12));
  });

  it("names a file that is absent, or no file", async () => {
    await expect(readKeyRing(file)).rejects.toThrow("file not found");
    await expect(readKeyRing(folder)).rejects.toThrow(/is no file|others may read it/);
  });

  it("gives keys that nothing prints", async () => {
    await write({ keys: [good] });
    const keys = await open();
    const printed =
      inspect(keys, { depth: 9, showHidden: true }) +
      inspect(keys.keys, { depth: 9 }) +
      JSON.stringify(keys.keys);
    expect(printed).toContain("k1");
    expect(printed).not.toContain(secret.slice(0, 12));
    expect(printed).not.toContain(Buffer.from("very secret").toString("hex").slice(0, 8));
  });
});
