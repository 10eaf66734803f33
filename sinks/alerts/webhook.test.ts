import { createHmac, createSecretKey } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { postAlert, type WebhookOptions } from "./webhook.ts";

interface Seen {
  readonly key: string | undefined;
  readonly signature: string | undefined;
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
