import { createHmac, createSecretKey } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { longestPostMs, postAlert, type WebhookOptions } from "./webhook.ts";

interface Seen {
  readonly key: string | undefined;
  readonly signature: string | undefined;
  readonly authorization: string | undefined;
  readonly body: string;
}

describe("a webhook", () => {
  let server: Server | undefined;
  let seen: Seen[] = [];

  async function listen(answer: (count: number) => number | undefined): Promise<WebhookOptions> {
    seen = [];
    server = createServer((request: IncomingMessage, response) => {
      let body = "";
      request.on("data", (piece: Buffer) => {
        body += piece.toString();
      });
      request.on("end", () => {
        seen.push({
          key: request.headers["idempotency-key"] as string | undefined,
          signature: request.headers["x-opencdn-signature"] as string | undefined,
          authorization: request.headers.authorization,
          body,
        });
        const status = answer(seen.length);
        if (status !== undefined) response.writeHead(status).end("x".repeat(1_000));
      });
    });
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    return {
      url: `http://user:password@127.0.0.1:${port}/hook`,
      timeoutMs: 300,
      retries: 3,
      firstRetryMs: 10,
    };
  }

  afterEach(async () => {
    server?.closeAllConnections();
    await new Promise((resolve) => server?.close(resolve) ?? resolve(undefined));
  });

  const plain = (options: WebhookOptions): WebhookOptions => ({
    ...options,
    url: options.url.replace("user:password@", ""),
  });

  it("tries again with the same key until it is taken, and signs what it sends", async () => {
    const options = plain(await listen((count) => (count < 3 ? 503 : 204)));
    const secret = createSecretKey(Buffer.from("quiet"));
    await postAlert('{"rule":"x"}', "id-1", { ...options, secret });
    expect(seen.map((request) => request.key)).toEqual(["id-1", "id-1", "id-1"]);
    const expected = createHmac("sha256", "quiet").update('{"rule":"x"}').digest("hex");
    expect(seen[0]).toMatchObject({ body: '{"rule":"x"}', signature: `sha256=${expected}` });
  });

  it("takes a refusal for final", async () => {
    const options = plain(await listen(() => 404));
    await expect(postAlert("{}", "id", options)).rejects.toMatchObject({ code: "OCDN_BAD_INPUT" });
    expect(seen).toHaveLength(1);
  });

  it("follows no redirect", async () => {
    const options = plain(await listen(() => 302));
    await expect(postAlert("{}", "id", options)).rejects.toMatchObject({
      code: "OCDN_BAD_INPUT",
      message: expect.stringContaining("answered 302"),
    });
    expect(seen).toHaveLength(1);
  });

  it("does not take a busy server for a refusal", async () => {
    const options = plain(await listen(() => 429));
    await expect(postAlert("{}", "id", { ...options, retries: 1 })).rejects.toMatchObject({
      code: "OCDN_TIMEOUT",
      message: expect.stringContaining("answered 429"),
    });
    expect(seen).toHaveLength(2);
  });

  it("ends at once when it is stopped, while it waits for an answer or for its next try", async () => {
    const stop = new AbortController();
    const options = { ...plain(await listen(() => undefined)), timeoutMs: 20_000 };
    const waiting = postAlert("{}", "id", options, stop.signal);
    const between = postAlert(
      "{}",
      "id",
      { ...options, url: "http://127.0.0.1:1/", firstRetryMs: 10_000 },
      stop.signal,
    );
    const ends = Promise.allSettled([waiting, between]);
    while (seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    stop.abort();
    expect(await ends).toMatchObject([
      { status: "rejected", reason: { code: "OCDN_TIMEOUT" } },
      { status: "rejected", reason: { code: "OCDN_TIMEOUT" } },
    ]);
  });

  it("sends credentials of its URL as basic authentication", async () => {
    const options = await listen(() => 204);
    await postAlert("{}", "id", options);
    expect(seen[0]?.authorization).toBe(`Basic ${Buffer.from("user:password").toString("base64")}`);
  });

  it("says how long it takes at most", () => {
    const options = { url: "http://h/", timeoutMs: 100, retries: 2, firstRetryMs: 10 };
    expect(longestPostMs(options)).toBe(3 * 100 + 20 + 40);
    expect(longestPostMs({ ...options, retries: 0 })).toBe(100);
    expect(longestPostMs({ ...options, retries: 1, firstRetryMs: 9_000 })).toBe(2 * 100 + 8_000);
  });

  it("gives up after its retries when nothing answers, in bounded time", async () => {
    const options = plain(await listen(() => undefined));
    await expect(postAlert("{}", "id", { ...options, timeoutMs: 50 })).rejects.toMatchObject({
      code: "OCDN_TIMEOUT",
    });
    expect(seen).toHaveLength(4);
  });

  it("says why a server that is down was not reached, without credentials", async () => {
    const options = {
      url: "http://user:password@127.0.0.1:1/",
      timeoutMs: 200,
      retries: 1,
      firstRetryMs: 10,
    };
    const failed = await postAlert("{}", "id", options).catch((error: Error) => error);
    expect(String(failed)).toContain("127.0.0.1:1");
    expect(String(failed)).not.toContain("password");
  });
});
