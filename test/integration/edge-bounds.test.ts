import type { Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BoundedServer } from "../../gateways/edge/bounded-server.ts";
import {
  headersTimeoutMs,
  maxConnectionsPerAddress,
  maxHeaderBytes,
  maxHeaderFields,
  maxRequestRatePerSocket,
  maxTargetLength,
} from "../../gateways/edge/limits.ts";
import { isPlainTarget } from "../../gateways/edge/request-target.ts";
import { eventually } from "../kits/edge-site.ts";
import { getRaw, openFrom, parseRaw, sendRaw } from "../kits/raw-http.ts";

let server: BoundedServer;
let port = 0;
let requests = 0;
const faults: unknown[] = [];
const sockets: Socket[] = [];

beforeAll(async () => {
  server = new BoundedServer({
    host: "127.0.0.1",
    port: 0,
    isTrusted: (address) => address === "127.0.0.9",
    onFault: (error) => faults.push(error),
    onRequest: (request, response) => {
      requests += 1;
      if (request.url === "/throws") throw new Error("a bug");
      response
        .writeHead(isPlainTarget(request.url ?? "") ? 200 : 400, ["Content-Length", "0"])
        .end();
    },
  });
  port = await server.listen();
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await server.close();
});

const statusOf = async (text: string): Promise<number> =>
  parseRaw(await sendRaw(port, text)).status;

describe("a request that is too much", () => {
  it("of slow headers is ended in bounded time, and others are served meanwhile", async () => {
    const startedMs = performance.now();
    const slow = sendRaw(port, "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ");
    expect((await getRaw(port, "/")).status).toBe(200);
    expect(parseRaw(await slow).status).toBe(408);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(headersTimeoutMs - 100);
  });

  it("of 1,000 headers is 431, small or large", async () => {
    const small = "a:1\r\n".repeat(1_000);
    expect(small.length).toBeLessThan(maxHeaderBytes);
    expect(await statusOf(`GET / HTTP/1.1\r\nHost: a\r\n${small}\r\n`)).toBe(431);
    const large = Array.from(
      { length: 1_000 },
      (_, index) => `X-Header-${index}: ${"v".repeat(40)}\r\n`,
    );
    expect(await statusOf(`GET / HTTP/1.1\r\nHost: a\r\n${large.join("")}\r\n`)).toBe(431);
  });

  it("of as many headers as allowed is served, one more is not", async () => {
    const headers = (count: number): string => "X: 1\r\n".repeat(count);
    const head = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
    expect(await statusOf(`${head}${headers(maxHeaderFields - 2)}\r\n`)).toBe(200);
    expect(await statusOf(`${head}${headers(maxHeaderFields - 1)}\r\n`)).toBe(431);
  });

  it("of one long header or a long target is refused", async () => {
    const header = `X: ${"v".repeat(maxHeaderBytes)}\r\n`;
    expect(await statusOf(`GET / HTTP/1.1\r\nHost: a\r\n${header}\r\n`)).toBe(431);
    expect((await getRaw(port, `/${"a".repeat(maxTargetLength)}`)).status).toBe(400);
  });

  it("of a large body, a body of a GET, or a body in chunks is refused", async () => {
    const head = "POST / HTTP/1.1\r\nHost: a\r\n";
    expect(await statusOf(`${head}Content-Length: 1000000\r\n\r\n`)).toBe(413);
    expect(await statusOf(`${head}Transfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n`)).toBe(
      411,
    );
    expect(await statusOf("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nb")).toBe(400);
    expect(await statusOf(`${head}Content-Length: 1\r\nConnection: close\r\n\r\nb`)).toBe(200);
  });
});

it("a handler that throws costs its client a 500 and nobody else anything", async () => {
  expect((await getRaw(port, "/throws")).status).toBe(500);
  expect(faults.map(String)).toEqual(["Error: a bug"]);
  expect((await getRaw(port, "/")).status).toBe(200);
});

describe("requests that two parsers could read differently", () => {
  const tail = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

  it.each([
    [
      "both lengths",
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${tail}`,
    ],
    [
      "both, the other way round",
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n${tail}`,
    ],
    ["two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"],
    [
      "a coding that is not chunked",
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n${tail}`,
    ],
    [
      "a blank before the colon",
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n${tail}`,
    ],
    ["a bare line feed", "GET / HTTP/1.1\nHost: a\n\n"],
    ["a folded header", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n"],
    ["no Host", "GET / HTTP/1.1\r\n\r\n"],
    ["two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"],
    ["a NUL", "GET / HTTP/1.1\r\nHost: a\r\nX: a\u0000b\r\n\r\n"],
    ["a bad chunk size", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
  ])("%s: refused, and nothing behind it is served", async (_, text) => {
    const before = requests;
    const answer = await sendRaw(port, text);
    expect([400, 411]).toContain(parseRaw(answer).status);
    expect(answer.match(/HTTP\/1\.1 200/g)).toBeNull();
    expect(requests).toBe(before);
  });
});

describe("a client that is too much", () => {
  it("of connections is held to its bound while others get in", async () => {
    const opened = await Promise.all(
      Array.from({ length: maxConnectionsPerAddress + 20 }, () => openFrom("127.0.0.3", port)),
    );
    sockets.push(...opened);
    let ended = 0;
    for (const socket of opened) {
      socket.on("error", () => undefined);
      socket.on("close", () => (ended += 1));
      socket.resume();
    }
    await eventually("20 connections to be cut", () => (ended >= 20 ? true : undefined));
    expect(ended).toBe(20);
    expect(server.refusedConnections).toBeGreaterThanOrEqual(20);
    expect((await getRaw(port, "/")).status).toBe(200);
    for (const socket of opened) socket.destroy();
    await eventually("room for the client again", async () => {
      const socket = await openFrom("127.0.0.3", port);
      sockets.push(socket);
      return new Promise<true | undefined>((resolve) => {
        socket.on("error", () => resolve(undefined));
        socket.on("close", () => resolve(undefined));
        socket.on("data", () => resolve(true));
        socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      });
    });
  });

  it("of requests on one connection is cut off; a configured proxy is not", async () => {
    const flood = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3 * maxRequestRatePerSocket);
    const countOf = async (localAddress: string): Promise<{ ok: number; refused: number }> => {
      const socket = await openFrom(localAddress, port);
      sockets.push(socket);
      let text = "";
      socket.setEncoding("latin1").on("data", (part: string) => (text += part));
      socket.on("error", () => undefined);
      const done = (): boolean =>
        socket.destroyed || text.split("HTTP/1.1 200").length - 1 >= 3 * maxRequestRatePerSocket;
      socket.write(flood);
      await eventually("all answers", () => (done() ? true : undefined));
      return {
        ok: text.split("HTTP/1.1 200").length - 1,
        refused: text.split("HTTP/1.1 429").length - 1,
      };
    };
    const client = await countOf("127.0.0.4");
    expect(client.ok).toBeLessThan(3 * maxRequestRatePerSocket);
    expect(await countOf("127.0.0.9")).toEqual({ ok: 3 * maxRequestRatePerSocket, refused: 0 });
  });
});
