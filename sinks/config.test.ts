import { describe, expect, it } from "vitest";
import { readConfig } from "../streams/read-config.ts";
import { sinksSchema } from "./config.ts";

const read = (raw: unknown): unknown => readConfig(sinksSchema, raw, "the sinks");

describe("the configuration of the sinks", () => {
  it("needs the folder alone", () => {
    expect(read({ folder: "data" })).toEqual({
      folder: "data",
      metricsHost: "127.0.0.1",
      metricsPort: 8_082,
      attribution: "",
    });
  });

  it("fills in how hard a webhook is tried", () => {
    const webhook = { url: "https://user:p%40ss@example.org/hook" };
    expect(read({ folder: "data", webhook })).toMatchObject({
      webhook: { ...webhook, timeoutMs: 5_000, retries: 3, firstRetryMs: 500 },
    });
  });

  it("fills in how Redis is reached", () => {
    const redis = { url: "redis://redis.example.org/1", passwordEnv: "REDIS_PASSWORD" };
    expect(read({ folder: "data", redis })).toMatchObject({
      redis: { ...redis, keyPrefix: "opencdn:", commandTimeoutMs: 1_000 },
    });
  });

  it.each([
    [{ folder: "data", webhok: {} }, "there is no option webhok, did you mean webhook?"],
    [{ folder: "data", webhook: { url: "ftp://example.org/" } }, "webhook.url"],
    [{ folder: "data", webhook: { url: "http://u:%zz@example.org/" } }, "no escape"],
    [{ folder: "data", webhook: { url: "http://h/", retries: 99 } }, "webhook.retries"],
    [{ folder: "data", redis: { url: "redis://u:p@h/" } }, "redis.url: holds credentials"],
    [{ folder: "data", redis: { hots: "h" } }, "there is no option hots, did you mean host?"],
    [{ folder: "data", metricsPort: 70_000 }, "metricsPort"],
  ])("refuses %j", (raw, reason) => {
    expect(() => read(raw)).toThrow(reason);
  });
});
