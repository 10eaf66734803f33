import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readConfig } from "../read-config.ts";
import { redisSchema } from "./redis-config.ts";
import { redisFault } from "./redis-fault.ts";
import { readRedisPassword } from "./redis-password.ts";

const read = (raw: unknown): unknown => readConfig(redisSchema, raw, "Redis");

describe("the configuration of Redis", () => {
  it("needs nothing for the one on this machine", () => {
    expect(read({})).toEqual({
      host: "127.0.0.1",
      port: 6_379,
      database: 0,
      tls: false,
      keyPrefix: "opencdn:",
      connectTimeoutMs: 2_000,
      commandTimeoutMs: 1_000,
    });
    expect(read({ url: "rediss://redis.example.org:6380/2" })).toMatchObject({ port: 6_379 });
  });

  it.each([
    [{ url: "redis://user:secret@example.org/" }, "url: holds credentials"],
    [{ url: "redis://user@example.org/" }, "url: holds credentials"],
    [{ url: "http://example.org/" }, "url"],
    [{ url: "redis://example.org/scores" }, "no number of a database"],
    [{ url: "redis://example.org/", socket: "/run/redis.sock" }, "url or socket"],
    [{ passwordFile: "a", passwordEnv: "B" }, "passwordFile or passwordEnv"],
    [{ password: "secret" }, "there is no option password, did you mean"],
    [{ commandTimeoutMs: 10 }, "commandTimeoutMs"],
  ])("refuses %j", (raw, reason) => {
    expect(() => read(raw)).toThrow(reason);
  });
});

describe("the password of Redis", () => {
  it("comes from the environment or a file that nobody else may read", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ocdn-password-"));
    const closed = join(folder, "closed");
    const open = join(folder, "open");
    await writeFile(closed, " s3cret\n", { mode: 0o600 });
    await writeFile(open, "s3cret", { mode: 0o644 });
    expect(await readRedisPassword({}, {})).toBeUndefined();
    expect(await readRedisPassword({ passwordFile: closed }, {})).toBe("s3cret");
    expect(await readRedisPassword({ passwordEnv: "P" }, { P: "s3cret" })).toBe("s3cret");
    await expect(readRedisPassword({ passwordEnv: "P" }, {})).rejects.toThrow("variable P");
    await expect(readRedisPassword({ passwordFile: open }, {})).rejects.toThrow("mode to 600");
    await expect(readRedisPassword({ passwordFile: "none" }, {})).rejects.toThrow("none");
    await rm(folder, { recursive: true });
  });
});

describe("a fault of Redis", () => {
  it.each([
    ["OOM command not allowed when used memory > 'maxmemory'.", "OCDN_STORAGE", "out of memory"],
    ["WRONGPASS invalid username-password pair", "OCDN_CONFIG", "refuses the user"],
    ["NOAUTH Authentication required.", "OCDN_CONFIG", "refuses the user"],
    [
      "Reached the max retries per request limit (which is 0).",
      "OCDN_DISCONNECTED",
      "the connection ended",
    ],
    ["Connection is closed.", "OCDN_DISCONNECTED", "cannot be reached"],
    ["connect ECONNREFUSED 127.0.0.1:6379", "OCDN_DISCONNECTED", "cannot be reached"],
    ["WRONGTYPE Operation against a key", "OCDN_STORAGE", "WRONGTYPE"],
  ])("%s is told as one of ours", (message, code, text) => {
    const error = Object.assign(new Error(message), {
      command: { name: "auth", args: ["s3cret"] },
    });
    const fault = redisFault("writing", error);
    expect(fault).toMatchObject({ code });
    expect(fault.message).toContain(text);
    expect(fault.cause).toBeUndefined();
  });
});
