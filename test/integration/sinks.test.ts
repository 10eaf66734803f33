import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Alert, NodeScore } from "../../schemas/generated/events.ts";
import { run } from "../../sinks/main.ts";
import { hex16 } from "../../streams/identity.ts";
import type { Running } from "../../streams/process-shell.ts";
import { alerts, deadLetters, nodeOverlay, nodeScores } from "../../streams/topics.ts";
import { scoreOf } from "../conformance/score-of.ts";
import { EdgeKit, eventually } from "../kits/edge-site.ts";

interface Delivery {
  readonly key: string;
  readonly body: Alert & { readonly id: string };
}

/** A receiver of webhooks that answers as the test says; undefined: not at all. */
class Receiver {
  readonly deliveries: Delivery[] = [];
  answer: (delivery: Delivery, count: number) => number | undefined = () => 204;
  port = 0;
  #server: Server | undefined;

  async listen(): Promise<void> {
    const server = createServer((request, response) => {
      void bodyOf(request).then((text) => {
        const key = String(request.headers["idempotency-key"]);
        const delivery = { key, body: JSON.parse(text) as Delivery["body"] };
        this.deliveries.push(delivery);
        const status = this.answer(delivery, this.deliveries.length);
        if (status !== undefined) response.writeHead(status).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(this.port, "127.0.0.1", resolve));
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  /** States delivered for a subject, in order. */
  of(subject: string): string[] {
    return this.deliveries
      .filter(({ body }) => body.subject === subject)
      .map(({ body }) => `${body.state} ${body.value}`);
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const piece of request) text += String(piece);
  return text;
}

let kit: EdgeKit;
let receiver: Receiver;
let sinks: Running | undefined;

beforeEach(async () => {
  kit = await EdgeKit.open();
  receiver = new Receiver();
  await receiver.listen();
  await kit.startEngine();
});

afterEach(async () => {
  await stop();
  await receiver.close();
  await kit.close();
});

async function start(webhook: object = {}): Promise<void> {
  const url = `http://127.0.0.1:${receiver.port}/hook`;
  sinks = await run(
    {
      folder: kit.data,
      metricsPort: 0,
      attribution: "by X",
      webhook: { url, timeoutMs: 500, retries: 3, firstRetryMs: 10, ...webhook },
    },
    kit.logger,
  );
}

async function stop(): Promise<void> {
  await sinks?.close();
  sinks = undefined;
}

const page = (path: string): Promise<Response> =>
  fetch(`http://127.0.0.1:${sinks?.ready["metricsPort"]}${path}`);

type Written = readonly [typeof alerts | typeof nodeScores | typeof nodeOverlay, string, unknown];
const write = (...events: Written[]): Promise<void> =>
  kit.write(events as unknown as Parameters<EdgeKit["write"]>[0]);

function alert(subject: string, value: number, state: Alert["state"] = "FIRING"): Written {
  const rule = "node-cpu";
  const event = { rule, subject, state, severity: "WARNING", startedMs: 1, resolvedMs: 0, value };
  const rest = { threshold: 0.8, unit: "ratio", samples: 30, summary: `${subject} is busy.` };
  return [alerts, `${rule}|${subject}`, { ...event, ...rest }];
}

function score(nodeId: string, staticScore: number): Written {
  return [nodeScores, nodeId, scoreOf(nodeId, staticScore)];
}

const delivered = (count: number): Promise<true> =>
  eventually(`${count} deliveries`, () => (receiver.deliveries.length >= count ? true : undefined));

/** A first start shows the latest state of each alert; what follows it is delivered change by change. */
async function startFollowing(webhook: object = {}): Promise<void> {
  await start(webhook);
  await write(alert("FRA", 0));
  await delivered(1);
  receiver.deliveries.length = 0;
}

describe("alerts by webhook", () => {
  it("are tried again until they are taken, with the event's id as key, in order for each alert", async () => {
    await startFollowing();
    receiver.answer = (_, count) => (count <= 2 ? 503 : 204);
    await write(alert("FRA", 1), alert("FRA", 2), alert("FRA", 3, "RESOLVED"));
    await delivered(5);
    expect(receiver.of("FRA")).toEqual([
      "FIRING 1",
      "FIRING 1",
      "FIRING 1",
      "FIRING 2",
      "RESOLVED 3",
    ]);
    const written = (await kit.readAll(alerts)).slice(1).map(({ eventId }) => hex16(eventId));
    const keys = [...new Set(receiver.deliveries.map(({ key }) => key))];
    expect(keys).toEqual(written);
    expect(receiver.deliveries.every(({ key, body }) => body.id === key)).toBe(true);
    expect(await kit.readAll(deadLetters)).toEqual([]);
  });

  it("that one receiver never answers do not hold up the others, and end as a dead letter", async () => {
    await startFollowing({ timeoutMs: 100, retries: 1 });
    receiver.answer = ({ body }) => (body.subject === "FRA" ? undefined : 204);
    await write(alert("FRA", 1), alert("FRA", 2), alert("TYO", 1), alert("SAO", 1));
    await eventually("a dead letter each", async () =>
      (await kit.readAll(deadLetters)).length === 2 ? true : undefined,
    );
    expect([...receiver.of("TYO"), ...receiver.of("SAO")]).toEqual(["FIRING 1", "FIRING 1"]);
    expect(receiver.of("FRA")).toEqual(["FIRING 1", "FIRING 1", "FIRING 2", "FIRING 2"]);
    const others = receiver.deliveries.findIndex(({ body }) => body.subject === "SAO");
    expect(others).toBeLessThan(receiver.deliveries.length - 1);
    const letters = await kit.readAll(deadLetters);
    for (const letter of letters) {
      expect(letter).toMatchObject({
        sourceTopic: "alerts.v1",
        processor: "sink/alerts",
        code: "OCDN_TIMEOUT",
      });
      expect(Buffer.from(letter.recordKey).toString()).toBe("node-cpu|FRA");
    }
    await write(alert("TYO", 2, "RESOLVED"));
    await eventually("the next alert", () =>
      receiver.of("TYO").includes("RESOLVED 2") ? true : undefined,
    );
  });

  it("become dead letters while the receiver is down, once each, and go on when it is back", async () => {
    await receiver.close();
    await start({ retries: 1 });
    await write(alert("FRA", 1), alert("TYO", 1));
    await eventually("both dead letters", async () =>
      (await kit.readAll(deadLetters)).length === 2 ? true : undefined,
    );
    await receiver.listen();
    await write(alert("FRA", 2, "RESOLVED"));
    await delivered(1);
    expect(receiver.of("FRA")).toEqual(["RESOLVED 2"]);
    await stop();
    expect(await kit.readAll(deadLetters)).toHaveLength(2);
  });

  it("go on at their position after a stop, with what came meanwhile and what was under way", async () => {
    receiver.answer = ({ body }) => (body.subject === "TYO" ? undefined : 204);
    await start({ timeoutMs: 20_000 });
    await write(alert("FRA", 1), alert("TYO", 1));
    await delivered(2);
    await stop();
    const before = receiver.deliveries.splice(0);
    receiver.answer = () => 204;
    await write(alert("FRA", 2), alert("SAO", 1));
    await start();
    await delivered(3);
    await stop();
    expect([receiver.of("FRA"), receiver.of("TYO"), receiver.of("SAO")]).toEqual([
      ["FIRING 2"],
      ["FIRING 1"],
      ["FIRING 1"],
    ]);
    const again = receiver.deliveries.find(({ body }) => body.subject === "TYO");
    expect(before.map(({ key }) => key)).toContain(again?.key);
    expect(await kit.readAll(deadLetters)).toEqual([]);
  });
});

describe("scores and metrics", () => {
  it("show what is on the log, follow it, and say when the engine is away", async () => {
    const now = { epoch: 1, sequence: 1, reason: "" };
    await write(
      score("FRA", 0.5),
      score("TYO", 0.9),
      [nodeOverlay, "FRA", { nodeId: "FRA", alive: true, draining: false, multiplier: 1, ...now }],
      alert("FRA", 1),
    );
    await start();
    const best = await eventually("the scores", async () => {
      const got = (await (await page("/scores?top=1")).json()) as NodeScore[];
      return got.length === 1 ? got : undefined;
    });
    expect(best).toMatchObject([{ nodeId: "TYO", staticScore: 0.9 }]);
    await write(score("FRA", 0.95));
    await eventually("the new best", async () => {
      const [first] = (await (await page("/scores")).json()) as NodeScore[];
      return first?.nodeId === "FRA" ? true : undefined;
    });
    const text = await eventually("the metrics", async () => {
      const got = await (await page("/metrics")).text();
      return got.includes('static_score{node="FRA"} 0.95') ? got : undefined;
    });
    for (const line of [
      'opencdn_node_alive{node="FRA"} 1',
      'opencdn_alerts_firing{rule="node-cpu",severity="WARNING"} 1',
      'opencdn_info{geo_attribution="by X"} 1',
      "opencdn_log_connected 1",
    ]) {
      expect(text).toContain(line);
    }
    expect((await page("/healthz")).status).toBe(200);
    expect((await page("/scores?top=99999")).status).toBe(400);
    await kit.stopEngine();
    await eventually("the outage", async () =>
      (await page("/healthz")).status === 503 ? true : undefined,
    );
    expect(await (await page("/metrics")).text()).toContain("opencdn_log_connected 0");
    expect(await (await page("/scores?top=1")).json()).toMatchObject([{ nodeId: "FRA" }]);
    await kit.startEngine();
    await eventually("the return", async () =>
      (await page("/healthz")).status === 200 ? true : undefined,
    );
  });

  it("answer before there is an engine", async () => {
    await kit.stopEngine();
    await start();
    expect((await page("/healthz")).status).toBe(503);
    expect((await page("/metrics")).status).toBe(200);
    await kit.startEngine();
    await eventually("the engine", async () =>
      (await page("/healthz")).status === 200 ? true : undefined,
    );
  });
});
