import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "../../sinks/main.ts";
import { openDirectLog } from "../../streams/embedded/direct-log.ts";
import type { Log } from "../../streams/log.ts";
import type { Running } from "../../streams/process-shell.ts";
import { EventProducer } from "../../streams/producer.ts";
import { readTable } from "../../streams/table-reader.ts";
import {
  alerts,
  deadLetters,
  edgeEvents,
  nodeOverlay,
  nodeScores,
  routeDecisions,
} from "../../streams/topics.ts";

/** The sinks' process in this one, on a real log behind its socket, with a real webhook server. */
describe("the sinks", () => {
  let folder = "";
  let log: Log;
  let sinks: Running | undefined;
  let hook: Server;
  let hookPort = 0;
  let status = 204;
  let posted: { id: string; state: string; key: string | undefined }[] = [];

  beforeEach(async () => {
    folder = path.join(mkdtempSync(path.join(tmpdir(), "opencdn-sinks-")), "log");
    log = await openDirectLog({ folder, slots: 2, nowMs: Date.now, serve: true, sync: false });
    posted = [];
    status = 204;
    hook = createServer((request, response) => {
      let body = "";
      request.on("data", (piece: Buffer) => {
        body += piece.toString();
      });
      request.on("end", () => {
        const { id, state } = JSON.parse(body) as { id: string; state: string };
        posted.push({ id, state, key: request.headers["idempotency-key"] as string | undefined });
        response.writeHead(status).end();
      });
    });
    await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve));
    hookPort = (hook.address() as { port: number }).port;
  });

  afterEach(async () => {
    await sinks?.close();
    sinks = undefined;
    await log.close();
    hook.closeAllConnections();
    await new Promise((resolve) => hook.close(resolve));
    rmSync(path.dirname(folder), { recursive: true, force: true });
  });

  async function start(): Promise<void> {
    const webhook = {
      url: `http://127.0.0.1:${hookPort}/`,
      timeoutMs: 500,
      retries: 1,
      firstRetryMs: 10,
    };
    sinks = await run(
      { folder, metricsPort: 0, attribution: "somebody", webhook },
      pino({ level: "silent" }),
    );
  }

  async function write(send: (producer: EventProducer) => void): Promise<void> {
    const producer = new EventProducer({ log, name: "test" });
    send(producer);
    await producer.flush();
    await producer.close();
  }

  const alert = (state: "FIRING" | "RESOLVED"): Parameters<typeof writeAlert>[1] => ({
    rule: "node-cpu",
    subject: "FRA",
    state,
    severity: "WARNING",
    startedMs: 1,
    resolvedMs: state === "FIRING" ? 0 : 2,
    value: 0.9,
    threshold: 0.8,
    unit: "ratio",
    samples: 27,
    summary: "s",
  });

  function writeAlert(
    producer: EventProducer,
    value: Omit<
      import("../../schemas/generated/events.ts").Alert,
      "eventId" | "eventMs" | "logicVersion"
    >,
  ): void {
    producer.send(alerts, "node-cpu|FRA", value, Date.now());
  }

  async function scrape(): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${sinks?.ready["metricsPort"]}/metrics`);
    return await response.text();
  }

  it("show what the log says as metrics", async () => {
    await write((producer) => {
      producer.send(
        nodeScores,
        "FRA",
        {
          nodeId: "FRA",
          staticScore: 0.75,
          liveCostMs: 5,
          learnedCorrectionMs: 0,
          latencyMs: 20,
          lossRatio: 0,
          loadRatio: 0.2,
          alive: true,
        },
        Date.now(),
      );
      producer.send(
        nodeOverlay,
        "FRA",
        {
          nodeId: "FRA",
          alive: false,
          draining: false,
          multiplier: 1,
          epoch: 1,
          sequence: 1,
          reason: "DEAD",
        },
        Date.now(),
      );
      producer.send(
        routeDecisions,
        "DE|web",
        {
          serviceId: "web",
          cell: "DE",
          version: 1,
          candidates: [],
          flagged: true,
          reason: "",
          ttlSeconds: 30,
        },
        Date.now(),
      );
      writeAlert(producer, alert("FIRING"));
    });
    await start();
    await expect
      .poll(scrape, { timeout: 5_000 })
      .toContain('opencdn_node_static_score{node="FRA"} 0.75');
    await write((producer) => {
      for (let i = 0; i < 3; i++) {
        producer.send(
          edgeEvents,
          `s${i}`,
          {
            sessionId: `s${i}`,
            action: "REDIRECTED",
            gatewayId: "g",
            nodeId: "FRA",
            serviceId: "web",
            cell: "DE",
            block: "",
            decisionVersion: 1,
            overlaySequence: 1,
            geoHash: "",
            reason: "FRACTION",
            status: 302,
            bytesSent: 0,
            durationMs: 1,
            stale: true,
            synthetic: true,
          },
          Date.now(),
        );
      }
    });
    await expect
      .poll(scrape, { timeout: 5_000 })
      .toContain('opencdn_edge_events_total{node="FRA",action="REDIRECTED"} 3');
    const text = await scrape();
    for (const line of [
      'opencdn_node_alive{node="FRA"} 0',
      "opencdn_decisions 1",
      "opencdn_decisions_flagged 1",
      'opencdn_alerts_firing{rule="node-cpu",severity="WARNING"} 1',
      "opencdn_edge_events_stale_total 3",
      'opencdn_info{geo_attribution="somebody"} 1',
    ]) {
      expect(text).toContain(line);
    }
    const health = await fetch(`http://127.0.0.1:${sinks?.ready["metricsPort"]}/healthz`);
    expect(health.status).toBe(200);
  });

  it("post each change of an alert once, in order, also over a restart", async () => {
    await write((producer) => writeAlert(producer, alert("FIRING")));
    await start();
    await expect.poll(() => posted.length, { timeout: 5_000 }).toBe(1);
    await sinks?.close();
    await write((producer) => writeAlert(producer, alert("RESOLVED")));
    await start();
    await expect
      .poll(() => posted.map((post) => post.state), { timeout: 5_000 })
      .toEqual(["FIRING", "RESOLVED"]);
    expect(posted.every((post) => post.key === post.id)).toBe(true);
  });

  it("make a dead letter of an alert that nobody takes, and go on with the next", async () => {
    status = 400;
    await start();
    await write((producer) => writeAlert(producer, alert("FIRING")));
    const letters = async (): Promise<number> => {
      const counts = (await log.status()).filter((entry) => entry.topic === deadLetters.name);
      return counts.reduce((sum, entry) => sum + entry.endOffset, 0);
    };
    await expect.poll(letters, { timeout: 10_000 }).toBe(1);
    status = 204;
    posted = [];
    await write((producer) => writeAlert(producer, alert("RESOLVED")));
    await expect
      .poll(() => posted.map((post) => post.state), { timeout: 5_000 })
      .toEqual(["RESOLVED"]);
    expect((await readTable(log, alerts)).size).toBe(1);
  });
});
