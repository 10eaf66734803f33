import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Endpoint, type Page, servePages } from "./endpoint.ts";

let endpoint: Endpoint;

beforeEach(async () => {
  endpoint = await servePages({
    host: "127.0.0.1",
    port: 0,
    pages: new Map<string, (query: URLSearchParams) => Promise<Page> | Page>([
      ["/page", (query) => ({ contentType: "text/x", text: `é ${query.get("a")}` })],
      ["/late", () => Promise.reject(new Error("secret"))],
      [
        "/throws",
        () => {
          throw new Error("secret");
        },
      ],
    ]),
  });
});

afterEach(() => endpoint.close());

const ask = (path: string, method = "GET"): Promise<Response> =>
  fetch(`http://127.0.0.1:${endpoint.port}${path}`, { method });

describe("the endpoint", () => {
  it("serves its pages with their query", async () => {
    const response = await ask("/page?a=1");
    expect(response.headers.get("content-type")).toBe("text/x");
    expect(await response.text()).toBe("é 1");
    const head = await ask("/page", "HEAD");
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "7"]);
  });

  it("says what there is, takes no other method, and keeps reasons to itself", async () => {
    const missing = await ask("/");
    expect([missing.status, await missing.text()]).toEqual([
      404,
      "there is /page, /late, /throws\n",
    ]);
    expect((await ask("/page", "POST")).status).toBe(405);
    for (const path of ["/late", "/throws"]) {
      const failed = await ask(path);
      expect([failed.status, await failed.text()]).toEqual([500, "the page could not be made\n"]);
    }
  });

  it("closes connections beyond its bound and serves the others", async () => {
    const sockets = Array.from({ length: 40 }, () => connect(endpoint.port, "127.0.0.1"));
    const ended = sockets.map(
      (socket) =>
        new Promise((resolve) => {
          socket.on("error", () => undefined).on("close", () => resolve("closed"));
        }),
    );
    await Promise.race(ended);
    for (const socket of sockets.slice(0, 20)) socket.destroy();
    await Promise.all(ended.slice(0, 20));
    let status = 0;
    while (status !== 200)
      status = await ask("/page").then(
        ({ status: got }) => got,
        () => 0,
      );
    expect(status).toBe(200);
    for (const socket of sockets) socket.destroy();
  });
});
