import { once } from "node:events";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { parseAddress } from "../../domain/address.ts";
import { cellKey } from "../../domain/cell.ts";
import { prefixOf } from "../../domain/prefix.ts";
import { signToken, type TokenKey } from "../../domain/token.ts";
import { edgeSchema, nodeSchema } from "../../gateways/edge/config.ts";
import { EdgeGateway } from "../../gateways/edge/gateway.ts";
import { maxMessageBytes, maxMessageRate } from "../../gateways/edge/limits.ts";
import { EdgeNode } from "../../gateways/edge/node-server.ts";
import type { EdgeEvent } from "../../schemas/generated/events.ts";
import {
  edgeEvents,
  nodeInventory,
  nodeMetrics,
  routeDecisions,
  servicePolicies,
} from "../../streams/topics.ts";
import { EdgeKit, eventually } from "../kits/edge-site.ts";
import { decisionOf, nodeOf, policyOf } from "../kits/fleet.ts";
import { getRaw, parseRaw, sendRaw } from "../kits/raw-http.ts";

const japan = { "X-Forwarded-For": "133.11.7.8" };
const brazil = { "X-Forwarded-For": "200.160.1.2" };
const heartbeatMs = 200;

let kit: EdgeKit;
let gateway: EdgeGateway;
let node: EdgeNode;
let gatewayPort = 0;
let port = 0;
const clients: WebSocket[] = [];
let startMs = 0;

beforeAll(async () => {
  kit = await EdgeKit.open();
  const log = await kit.startEngine();
  const proxies = { trusted: ["127.0.0.1/32"] };
  const common = { folder: kit.data, defaultService: "web", debugHeaders: true, proxies };
  const edge = { ...common, port: 0, adminPort: 0, tablesFile: `${kit.folder}/tables.bin` };
  gateway = new EdgeGateway(edgeSchema.parse(edge), kit.site, kit.logger);
  gatewayPort = (await gateway.start()).port;
  gateway.attach(log);
  const bootstrapUrl = `http://127.0.0.1:${gatewayPort}`;
  const config = nodeSchema.parse({
    ...common,
    nodeId: "TYO",
    place: "Tokyo",
    bootstrapUrl,
    heartbeatMs,
    metricsEveryMs: 100,
  });
  node = new EdgeNode(config, kit.site, kit.logger);
  port = await node.start();
  node.attach(log);
  const fractions = { TYO: 1 };
  await kit.write([
    [nodeInventory as never, "TYO", nodeOf("TYO", { baseUrl: `http://127.0.0.1:${port}` })],
    [servicePolicies as never, "web", policyOf("web")],
    [servicePolicies as never, "video", policyOf("video", { hostnames: ["video.example"] })],
    [routeDecisions as never, cellKey("ZZ", "web"), decisionOf("ZZ", fractions)],
  ]);
  await eventually("the tables", async () => {
    return (await getRaw(gatewayPort, "/", japan)).status === 302 ? true : undefined;
  });
});

beforeEach(() => {
  startMs = Date.now();
});

afterAll(async () => {
  for (const client of clients) client.terminate();
  await node.close();
  await gateway.close();
  await kit.close();
});

function key(): TokenKey {
  const signing = kit.keys.signingKey(Date.now());
  if (signing === undefined) throw new Error("no key");
  return signing;
}

function tokenFor(text: string, more: { nodeId?: string; ageMs?: number } = {}): string {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  const block = prefixOf(address.family, address.bytes, 16);
  const issuedMs = Date.now() - (more.ageMs ?? 0);
  return signToken(
    key(),
    { nodeId: more.nodeId ?? "TYO", serviceId: "web", block },
    issuedMs,
    10_000,
  );
}

async function eventsOf(actions: readonly string[], count: number): Promise<EdgeEvent[]> {
  return eventually(`${count} events of ${actions}`, async () => {
    const all = await kit.readAll(edgeEvents);
    const own = all.filter(
      (event) =>
        event.gatewayId === "TYO" && event.eventMs >= startMs && actions.includes(event.action),
    );
    return own.length >= count ? own : undefined;
  });
}

/** Opens a session; gives the socket and its welcome. */
async function openSession(
  query: string,
  headers: Record<string, string> = japan,
  more: { autoPong?: boolean } = {},
): Promise<{ socket: WebSocket; welcome: Record<string, unknown> }> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/session?${query}`, { headers, ...more });
  clients.push(socket);
  const [data] = (await once(socket, "message")) as [Buffer];
  return { socket, welcome: JSON.parse(data.toString()) };
}

/** The status of an upgrade that is refused. */
async function refusalOf(
  query: string,
  headers: Record<string, string> = japan,
): Promise<{ status: number; reason: unknown }> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/session${query}`, { headers });
  clients.push(socket);
  socket.on("error", () => undefined);
  const [, response] = await once(socket, "unexpected-response");
  return { status: response.statusCode, reason: response.headers["x-opencdn-reason"] };
}

describe("content", () => {
  it("is served to an arrival by DNS and to a good token, with a validator", async () => {
    const arrival = await getRaw(port, "/hello.txt", japan);
    expect(arrival.status).toBe(200);
    expect(arrival.headers.get("x-opencdn-node")).toBe("TYO");
    const etag = arrival.headers.get("etag") ?? "";
    expect(etag).toMatch(/^"[\w-]{22}"$/);
    const token = tokenFor("133.11.7.8");
    const good = await getRaw(port, `/hello.txt?ocdn-token=${token}`, japan);
    expect([good.status, good.body]).toEqual([200, arrival.body]);
    const held = await getRaw(port, "/hello.txt", { ...japan, "If-None-Match": `"x", W/${etag}` });
    expect([held.status, held.body]).toEqual([304, ""]);
    const head = parseRaw(
      await sendRaw(port, "HEAD /blob.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
    );
    expect([head.status, head.headers.get("content-length"), head.body]).toEqual([
      200,
      "16384",
      "",
    ]);
    expect((await getRaw(port, "/", japan)).body).toContain("TYO (Tokyo)");
    const events = await eventsOf(["REQUESTED"], 5);
    expect(events.map(({ reason }) => reason).sort()).toEqual([
      "DNS_ARRIVAL",
      "DNS_ARRIVAL",
      "DNS_ARRIVAL",
      "DNS_ARRIVAL",
      "TOKEN",
    ]);
    expect(events.find(({ reason }) => reason === "TOKEN")).toMatchObject({
      nodeId: "TYO",
      serviceId: "web",
      cell: "JP/13/2516",
      block: "133.11.0.0/16",
      status: 200,
      bytesSent: arrival.body.length,
    });
  });

  it("names the service by the host where there is no token", async () => {
    await getRaw(port, "/", { ...japan, Host: "video.example" });
    const [event] = await eventsOf(["REQUESTED"], 1);
    expect(event?.serviceId).toBe("video");
  });

  it.each([
    ["no token of ours", () => "AAAA", 400, "MALFORMED"],
    ["a changed one", () => `${tokenFor("133.11.7.8").slice(0, -2)}AA`, 403, "BAD_SIGNATURE"],
    ["an old one", () => tokenFor("133.11.7.8", { ageMs: 60_000 }), 403, "EXPIRED"],
    ["one of the future", () => tokenFor("133.11.7.8", { ageMs: -60_000 }), 403, "NOT_YET"],
    ["one of another node", () => tokenFor("133.11.7.8", { nodeId: "SAO" }), 421, "WRONG_NODE"],
  ])("is refused to %s", async (_, token, status, reason) => {
    const answer = await getRaw(port, `/?ocdn-token=${token()}`, japan);
    expect([answer.status, answer.headers.get("x-opencdn-reason")]).toEqual([status, reason]);
    const [event] = await eventsOf(["REFUSED"], 1);
    expect(event).toMatchObject({ status, reason });
  });
});

describe("a token of another block", () => {
  it("gets one fresh redirect, by which it arrives", async () => {
    const token = tokenFor("133.11.7.8");
    const first = await getRaw(port, `/a?b=c&ocdn-token=${token}&d`, brazil);
    expect(first.status).toBe(302);
    expect(first.headers.get("location")).toBe(
      `http://127.0.0.1:${gatewayPort}/a?b=c&d&ocdn-retry=1`,
    );
    const second = await getRaw(gatewayPort, "/a?b=c&d&ocdn-retry=1", brazil);
    const back = second.headers.get("location") ?? "";
    expect(back).toMatch(
      new RegExp(`^http://127.0.0.1:${port}/a\\?b=c&d&ocdn-retry=1&ocdn-token=`),
    );
    const third = await getRaw(port, new URL(back).pathname + new URL(back).search, brazil);
    expect(third.status).toBe(200);
  });

  it("never loops, even where node and gateway see different addresses", async () => {
    let target = `/a?ocdn-token=${tokenFor("133.11.7.8")}`;
    const statuses: number[] = [];
    for (let hop = 0; hop < 10; hop++) {
      const atNode = await getRaw(port, target, brazil);
      statuses.push(atNode.status);
      if (atNode.status !== 302) break;
      const bootstrap = new URL(atNode.headers.get("location") ?? "");
      // The gateway sees the client in Japan, the node in Brazil.
      const atGateway = await getRaw(gatewayPort, bootstrap.pathname + bootstrap.search, japan);
      const fresh = new URL(atGateway.headers.get("location") ?? "");
      target = fresh.pathname + fresh.search;
    }
    expect(statuses).toEqual([302, 200]);
  });
});

describe("sessions", () => {
  it("need a token of this node and block, which POST /session gives", async () => {
    expect(await refusalOf("")).toEqual({ status: 401, reason: "NO_TOKEN" });
    expect(await refusalOf("?ocdn-token=AAAA")).toEqual({ status: 403, reason: "MALFORMED" });
    const token = tokenFor("133.11.7.8");
    expect(await refusalOf(`?ocdn-token=${token}`, brazil)).toEqual({
      status: 403,
      reason: "WRONG_BLOCK",
    });
    expect((await refusalOf("x")).status).toBe(404);
    const answer = await fetch(`http://127.0.0.1:${port}/session`, {
      method: "POST",
      headers: brazil,
    });
    const offer = (await answer.json()) as { url: string; block: string };
    expect(offer.block).toBe("200.160.0.0/20");
    expect(offer.url.startsWith(`ws://127.0.0.1:${port}/session?`)).toBe(true);
    const { welcome } = await openSession(offer.url.split("?")[1] ?? "", brazil);
    expect(welcome).toMatchObject({ type: "welcome", nodeId: "TYO", reconnected: false });
  });

  it("echo, and are recorded from beginning to end", async () => {
    const { socket, welcome } = await openSession(`ocdn-token=${tokenFor("133.11.7.8")}`);
    socket.send("ping me");
    const [text, isBinary] = (await once(socket, "message")) as [Buffer, boolean];
    expect([text.toString(), isBinary]).toEqual(["ping me", false]);
    socket.send(Buffer.from([1, 2, 3]));
    expect(((await once(socket, "message")) as [Buffer])[0]).toEqual(Buffer.from([1, 2, 3]));
    socket.close(1000);
    const events = await eventsOf(["CONNECTED", "CLOSED"], 2);
    const own = events.filter(({ sessionId }) => sessionId === welcome["sessionId"]);
    expect(own.map(({ action, status }) => [action, status])).toEqual([
      ["CONNECTED", 101],
      ["CLOSED", 1000],
    ]);
    expect(own[1]?.bytesSent).toBeGreaterThan(10);
  });

  it("count as reconnects when they follow a lost one of this fleet, once", async () => {
    const sinceMs = await eventually("an interval of its own", async () => {
      const all = await kit.readAll(nodeMetrics);
      return all.find(({ eventMs }) => eventMs > startMs)?.eventMs;
    });
    const query = `ocdn-token=${tokenFor("133.11.7.8")}`;
    const first = await openSession(query);
    const lostId = String(first.welcome["sessionId"]);
    first.socket.terminate();
    const second = await openSession(`${query}&ocdn-previous=${lostId}`);
    expect(second.welcome["reconnected"]).toBe(true);
    const again = await openSession(`${query}&ocdn-previous=${lostId}`);
    expect(again.welcome["reconnected"]).toBe(false);
    const forged = await openSession(
      `${query}&ocdn-previous=${"A".repeat(16)}.${key().id}.${"A".repeat(12)}`,
    );
    expect(forged.welcome["reconnected"]).toBe(false);
    const closedId = String(second.welcome["sessionId"]);
    second.socket.close(1000);
    await once(second.socket, "close");
    const fresh = await openSession(`${query}&ocdn-previous=${closedId}`);
    expect(fresh.welcome["reconnected"]).toBe(false);
    const events = await eventsOf(["CONNECTED", "RECONNECTED"], 5);
    expect(events.filter(({ action }) => action === "RECONNECTED").length).toBe(1);
    const sums = await eventually("the counts", async () => {
      const all = (await kit.readAll(nodeMetrics)).filter(({ eventMs }) => eventMs > sinceMs);
      const reconnects = all.reduce((sum, one) => sum + one.reconnects, 0);
      const connects = all.reduce((sum, one) => sum + one.connects, 0);
      return connects >= 4 ? { connects, reconnects } : undefined;
    });
    expect(sums).toEqual({ connects: 4, reconnects: 1 });
  });

  it("end when a message is too large or there are too many", async () => {
    const query = `ocdn-token=${tokenFor("133.11.7.8")}`;
    const large = await openSession(query);
    large.socket.send(Buffer.alloc(maxMessageBytes));
    expect(((await once(large.socket, "message")) as [Buffer])[0].length).toBe(maxMessageBytes);
    large.socket.send(Buffer.alloc(maxMessageBytes + 1));
    expect((await once(large.socket, "close"))[0]).toBe(1009);
    const many = await openSession(query);
    for (let message = 0; message < 3 * maxMessageRate; message++) many.socket.send("x");
    expect((await once(many.socket, "close"))[0]).toBe(1008);
  });

  it("are dropped when the peer no longer answers pings, and kept when it does", async () => {
    const query = `ocdn-token=${tokenFor("133.11.7.8")}`;
    const live = await openSession(query);
    const deaf = await openSession(query, japan, { autoPong: false });
    const [code] = await once(deaf.socket, "close");
    expect(code).toBe(1006);
    expect(live.socket.readyState).toBe(WebSocket.OPEN);
    const closed = await eventually("the event of the deaf one", async () => {
      const events = await eventsOf(["CLOSED"], 1);
      return events.find(({ sessionId }) => sessionId === deaf.welcome["sessionId"]);
    });
    expect(closed.status).toBe(1006);
  });
});

describe("metrics and health", () => {
  it("are written in short intervals", async () => {
    const [metrics] = await eventually("metrics", async () => {
      const all = await kit.readAll(nodeMetrics);
      return all.length > 0 ? all : undefined;
    });
    expect(metrics).toMatchObject({ nodeId: "TYO", synthetic: false });
    expect(metrics?.memoryRatio).toBeGreaterThan(0);
    expect(metrics?.intervalMs).toBeGreaterThan(0);
  });

  it("health is no client's request", async () => {
    const health = await getRaw(port, "/_opencdn/health");
    expect(JSON.parse(health.body)).toMatchObject({ status: "ok", nodeId: "TYO" });
    await getRaw(port, "/x", japan);
    const events = await eventsOf(["REQUESTED"], 1);
    expect(events.length).toBe(1);
  });
});
