import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAddress } from "../../domain/address.ts";
import { cellKey } from "../../domain/cell.ts";
import { verifyToken } from "../../domain/token.ts";
import { type EdgeInput, edgeSchema } from "../../gateways/edge/config.ts";
import { EdgeGateway } from "../../gateways/edge/gateway.ts";
import { parameterOf, tokenParameter } from "../../gateways/edge/request-target.ts";
import { connectLog } from "../../streams/embedded/client.ts";
import { LogLink } from "../../streams/log-link.ts";
import {
  cellRequests,
  edgeEvents,
  nodeInventory,
  nodeOverlay,
  routeDecisions,
  servicePolicies,
} from "../../streams/topics.ts";
import { EdgeKit, eventually } from "../kits/edge-site.ts";
import { decisionOf, nodeOf, overlayOf, policyOf } from "../kits/fleet.ts";
import { getRaw, parseRaw, type RawAnswer, sendRaw } from "../kits/raw-http.ts";

const japan = { "X-Forwarded-For": "133.11.7.8" };
const brazil = { "X-Forwarded-For": "200.160.1.2" };

let kit: EdgeKit;
let running: { gateway: EdgeGateway; link: LogLink; port: number; adminPort: number };

async function start(): Promise<typeof running> {
  const input: EdgeInput = {
    folder: kit.data,
    port: 0,
    adminPort: 0,
    defaultService: "web",
    debugHeaders: true,
    tablesFile: `${kit.folder}/tables.bin`,
    tablesEveryMs: 100,
    proxies: { trusted: ["127.0.0.1/32"] },
  };
  const gateway = new EdgeGateway(edgeSchema.parse(input), kit.site, kit.logger);
  const ports = await gateway.start();
  const link = new LogLink({
    connect: () => connectLog({ folder: kit.data, name: "edge-test", timeoutMs: 500 }),
    onLog: (log) => gateway.attach(log),
  });
  return { gateway, link, ...ports };
}

async function stop(): Promise<void> {
  await running.gateway.close();
  await running.link.close();
}

async function admin(path: string): Promise<{ status: number; json: Record<string, unknown> }> {
  const { status, body } = await getRaw(running.adminPort, path);
  return { status, json: JSON.parse(body) };
}

async function untilHealth(field: string, value: unknown): Promise<void> {
  await eventually(`${field} ${value}`, async () => {
    const { json } = await admin("/_opencdn/health");
    return json[field] === value ? true : undefined;
  });
}

const location = (answer: RawAnswer): string => answer.headers.get("location") ?? "";

beforeAll(async () => {
  kit = await EdgeKit.open();
  await kit.startEngine();
  await kit.write([
    [nodeInventory as never, "TYO", nodeOf("TYO", { jurisdiction: "JP" })],
    [nodeInventory as never, "SAO", nodeOf("SAO", { jurisdiction: "BR" })],
    [servicePolicies as never, "web", policyOf("web", { hostnames: ["www.example"] })],
    [
      servicePolicies as never,
      "bank",
      policyOf("bank", { hostnames: ["bank.example"], forbiddenNodes: ["TYO", "SAO"] }),
    ],
    [
      routeDecisions as never,
      cellKey("JP", "web"),
      decisionOf("JP", { TYO: 1, SAO: 0 }, { version: 5 }),
    ],
    [
      routeDecisions as never,
      cellKey("BR", "web"),
      decisionOf("BR", { SAO: 1, TYO: 0 }, { version: 6 }),
    ],
  ]);
  running = await start();
  await untilHealth("stale", false);
});

afterAll(async () => {
  await stop();
  await kit.close();
});

describe("redirects", () => {
  it("lead two countries to two nodes, with path and query kept and a token for the client's block", async () => {
    const answer = await getRaw(running.port, "/a/b%20c?d=e&f", japan);
    expect(answer.status).toBe(302);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("x-opencdn-node")).toBe("TYO");
    expect(answer.headers.get("x-opencdn-decision")).toBe("JP 5");
    expect(location(answer).startsWith("http://tyo.example/a/b%20c?d=e&f&ocdn-token=")).toBe(true);
    const token = parameterOf(location(answer), tokenParameter) ?? "";
    const context = { nodeId: "TYO", serviceId: "web", keys: kit.keys.keys, nowMs: Date.now() };
    const near = parseAddress("133.11.200.1");
    const far = parseAddress("133.12.0.1");
    if (near === undefined || far === undefined) throw new Error("addresses");
    expect(verifyToken(token, { ...context, client: near }).kind).toBe("accepted");
    expect(verifyToken(token, { ...context, client: far })).toMatchObject({ code: "WRONG_BLOCK" });
    expect(location(await getRaw(running.port, "/", brazil))).toMatch(/^http:\/\/sao\.example\/\?/);
  });

  it("read the address from the socket unless a configured proxy is there", async () => {
    const own = await getRaw(running.port, "/");
    expect(own.headers.get("x-opencdn-cell")).toBe("ZZ");
    const forged = await getRaw(running.port, "/", {
      "X-Forwarded-For": "133.11.7.8, 200.160.1.2",
    });
    expect(forged.headers.get("x-opencdn-node")).toBe("SAO");
    const standard = await getRaw(running.port, "/", { Forwarded: "for=133.11.7.8" });
    expect(standard.headers.get("x-opencdn-node")).toBe("TYO");
  });

  it("refuse with the reason where nobody may serve, and know hosts", async () => {
    const refused = await getRaw(running.port, "/", { ...japan, Host: "bank.example:80" });
    expect(refused.status).toBe(503);
    expect(refused.headers.get("x-opencdn-reason")).toBe("NO_PERMITTED_NODE");
    expect(JSON.parse(refused.body)).toEqual({ error: "NO_PERMITTED_NODE" });
    expect((await getRaw(running.port, "/", { ...japan, Host: "unknown.example" })).status).toBe(
      302,
    );
  });

  it("never take a Location from the request", async () => {
    for (const target of [
      "//evil.example/",
      "/\\evil.example/",
      "http://evil.example/",
      "/a\\..",
      "/%0d%0aX:y",
    ]) {
      const answer = await getRaw(running.port, target, japan);
      if (answer.status === 302)
        expect(location(answer)).toMatch(/^http:\/\/tyo\.example\/%0d%0aX:y\?/);
      else expect(answer.status).toBe(400);
    }
    const host = await getRaw(running.port, "/", {
      ...japan,
      Host: "evil.example",
      "X-Forwarded-Host": "evil.example",
    });
    expect(location(host)).toMatch(/^http:\/\/tyo\.example\//);
  });

  it("stop a loop: a good token that comes back to the gateway", async () => {
    const first = await getRaw(running.port, "/x?y", japan);
    const target = location(first).slice("http://tyo.example".length);
    const second = await getRaw(running.port, target, japan);
    expect(second.status).toBe(508);
    const forged = await getRaw(running.port, "/x?ocdn-token=AAAA&y", japan);
    expect(forged.status).toBe(302);
    expect(location(forged)).toMatch(/^http:\/\/tyo\.example\/x\?y&ocdn-token=[\w-]{60,}$/);
  });

  it("answer HEAD, and only GET, HEAD and POST /session", async () => {
    const head = parseRaw(
      await sendRaw(running.port, "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
    );
    expect(head.status).toBe(302);
    const post = await sendRaw(
      running.port,
      "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
    expect(parseRaw(post).status).toBe(405);
    const session = await fetch(`http://127.0.0.1:${running.port}/session`, {
      method: "POST",
      headers: brazil,
    });
    const json = (await session.json()) as Record<string, string>;
    expect(json).toMatchObject({ nodeId: "SAO", serviceId: "web", block: "200.160.0.0/20" });
    expect(json["url"]).toMatch(/^ws:\/\/sao\.example\/session\?ocdn-token=/);
  });

  it("follow the overlay at once", async () => {
    await kit.write([
      [nodeOverlay as never, "SAO", overlayOf("SAO", { alive: false, sequence: 2 })],
    ]);
    const reason = await eventually("SAO is avoided", async () => {
      const answer = await getRaw(running.port, "/", brazil);
      const avoided = answer.headers.get("x-opencdn-node") === "TYO";
      return avoided ? answer.headers.get("x-opencdn-reason") : undefined;
    });
    expect(reason).toBe("STANDBY");
    await kit.write([[nodeOverlay as never, "SAO", overlayOf("SAO", { sequence: 3 })]]);
    await eventually("SAO is back", async () => {
      const answer = await getRaw(running.port, "/", brazil);
      return answer.headers.get("x-opencdn-node") === "SAO" ? true : undefined;
    });
  });
});

describe("the admin port", () => {
  it("explains a route", async () => {
    const { status, json } = await admin("/_opencdn/route?ip=133.11.7.8");
    expect(status).toBe(200);
    expect(json).toMatchObject({
      serviceId: "web",
      block: "133.11.0.0/16",
      cell: "JP/13/2516",
      decision: { cell: "JP", version: 5, flagged: false },
      pick: { nodeId: "TYO", reason: "FRACTION", origin: "http://tyo.example" },
      stale: false,
    });
    expect(json["fallbacks"]).toEqual([
      { cell: "JP/13/2516", decided: false },
      { cell: "JP/13", decided: false },
      { cell: "JP", decided: true },
      { cell: "@AS", decided: false },
      { cell: "ZZ", decided: false },
    ]);
    expect(json["candidates"]).toMatchObject([
      { nodeId: "TYO", fraction: 1, effectiveFraction: 1, alive: true, prohibition: "" },
      { nodeId: "SAO", fraction: 0, effectiveFraction: 0 },
    ]);
    const bank = await admin("/_opencdn/route?ip=133.11.7.8&service=bank");
    expect(bank.json).toMatchObject({ pick: { nodeId: "", reason: "NO_PERMITTED_NODE" } });
    expect(bank.json["candidates"]).toMatchObject([
      { prohibition: "FORBIDDEN" },
      { prohibition: "FORBIDDEN" },
    ]);
  });

  it("says in a sentence what is wrong with a question", async () => {
    expect((await admin("/_opencdn/route?ip=1.2.3")).json["message"]).toContain("is no IP address");
    expect((await admin("/_opencdn/route?ipp=1.2.3.4")).json["message"]).toContain(
      "no parameter ipp",
    );
    expect((await admin("/_opencdn/ready")).status).toBe(200);
    expect((await admin("/nothing")).status).toBe(404);
  });

  it("is not reachable through the public port", async () => {
    expect((await getRaw(running.port, "/_opencdn/route?ip=1.2.3.4")).status).toBe(404);
    expect((await getRaw(running.port, "/_opencdn/health")).status).toBe(200);
  });
});

describe("events", () => {
  it("one a redirect, without a full address, and sums a second", async () => {
    const startMs = Date.now();
    for (let request = 0; request < 5; request++) await getRaw(running.port, "/", japan);
    const events = await eventually("five events", async () => {
      const all = await kit.readAll(edgeEvents);
      return all.filter(({ eventMs }) => eventMs >= startMs).length >= 5 ? all : undefined;
    });
    expect(events.filter(({ eventMs }) => eventMs >= startMs).length).toBe(5);
    const redirected = events.filter(
      (event) => event.action === "REDIRECTED" && event.nodeId === "TYO",
    );
    expect(redirected.at(-1)).toMatchObject({
      gatewayId: "edge-1",
      serviceId: "web",
      cell: "JP/13/2516",
      block: "133.11.0.0/16",
      decisionVersion: 5,
      reason: "FRACTION",
      status: 302,
      stale: false,
    });
    expect(new Set(events.map((event) => event.sessionId)).size).toBe(events.length);
    expect(JSON.stringify(events)).not.toContain("133.11.7.8");
    const sums = await eventually("sums", async () => {
      const all = await kit.readAll(cellRequests);
      const total = all.flatMap(({ nodes }) => nodes).reduce((sum, node) => sum + node.requests, 0);
      const expected = events.filter((event) => event.action === "REDIRECTED").length;
      return total === expected ? all : undefined;
    });
    expect(new Set(sums.map(({ cell }) => cell))).toContain("JP");
  });
});

describe("a start without the engine", () => {
  it("gives the same answers, flagged stale, and follows again when the engine is back", async () => {
    const addresses = Array.from({ length: 40 }, (_, index) =>
      index % 2 ? `133.11.${index}.1` : `10.${index}.0.1`,
    );
    const nodesOf = async (): Promise<(string | undefined)[]> => {
      const nodes = [];
      for (const address of addresses) {
        const answer = await getRaw(running.port, "/", { "X-Forwarded-For": address });
        nodes.push(answer.headers.get("x-opencdn-node"));
      }
      return nodes;
    };
    const before = await nodesOf();
    expect(new Set(before).size).toBe(2);
    await kit.stopEngine();
    await stop();
    running = await start();
    expect(await nodesOf()).toEqual(before);
    const answer = await getRaw(running.port, "/", japan);
    expect(answer.headers.get("x-opencdn-stale")).toBe("1");
    expect(answer.headers.get("x-opencdn-decision")).toBe("JP 5");
    expect((await admin("/_opencdn/health")).json).toMatchObject({ stale: true, engine: "away" });
    await kit.startEngine();
    await untilHealth("stale", false);
    expect(await nodesOf()).toEqual(before);
  });

  it("keeps the events of a time without it, flagged stale, until it is back", async () => {
    await kit.stopEngine();
    await untilHealth("stale", true);
    const startMs = Date.now();
    await getRaw(running.port, "/", japan);
    await kit.startEngine();
    const [event] = await eventually("the event", async () => {
      const all = await kit.readAll(edgeEvents);
      const since = all.filter(({ eventMs }) => eventMs >= startMs);
      return since.length > 0 ? since : undefined;
    });
    expect(event).toMatchObject({ nodeId: "TYO", status: 302, stale: true });
    await untilHealth("stale", false);
  });

  it("logs nothing that is secret", () => {
    for (const key of kit.keys.keys) {
      const secret = key.secret.export();
      for (const text of [
        secret.toString("base64"),
        secret.toString("hex"),
        secret.toString("base64url"),
      ]) {
        expect(kit.lines.join("")).not.toContain(text);
      }
    }
    expect(kit.lines).toEqual([]);
  });
});
