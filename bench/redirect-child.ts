import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { giveWay } from "../cli/give-way.ts";
import { openMrtSource } from "../gateways/bgp/mrt-source.ts";
import type { EdgeInput } from "../gateways/edge/config.ts";
import { run as runEdge } from "../gateways/edge/main.ts";
import { openDirectLog } from "../streams/embedded/direct-log.ts";
import { runSource } from "../streams/source-runner.ts";

/** What a child of the bench is started as. */
export type ChildRole =
  | { readonly kind: "bare"; readonly location: string }
  | { readonly kind: "edge"; readonly config: EdgeInput }
  | { readonly kind: "engine"; readonly folder: string }
  | { readonly kind: "ingest"; readonly files: readonly string[] };

/** What it says when asked. */
export interface ChildReport {
  readonly cpuSeconds: number;
  readonly rssMb: number;
  /** Ports where it listens, or records that it ingested. */
  readonly facts: Readonly<Record<string, number>>;
}

const facts: Record<string, number> = {};

async function start(role: ChildRole): Promise<() => Promise<void>> {
  switch (role.kind) {
    case "bare":
      return startBare(role.location);
    case "edge": {
      const running = await runEdge(role.config, pino({ level: "error" }, pino.destination(2)));
      Object.assign(facts, running.ready);
      return () => running.close();
    }
    case "engine": {
      const log = await openDirectLog({ folder: role.folder, serve: true, nowMs: Date.now });
      return () => log.close();
    }
    case "ingest":
      return startIngest(role.files);
  }
}

/** The rival: the shortest server that answers a constant 302 of the same length. */
async function startBare(location: string): Promise<() => Promise<void>> {
  const server = createServer((_, response) => {
    response.writeHead(302, {
      Location: location,
      "Cache-Control": "no-store",
      "Content-Length": 0,
    });
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  facts["port"] = (server.address() as AddressInfo).port;
  return async () => {
    server.closeAllConnections();
    server.close();
  };
}

/**
 * Reads MRT files into a log of its own, over and over: what `ingest mrt` does to a machine. It gives way as the
 * command does.
 */
function startIngest(files: readonly string[]): () => Promise<void> {
  giveWay();
  const stop = new AbortController();
  facts["records"] = 0;
  const done = (async () => {
    while (!stop.signal.aborted) {
      const folder = mkdtempSync(join(tmpdir(), "opencdn-bench-ingest-"));
      const log = await openDirectLog({ folder, historical: true, nowMs: Date.now });
      for (const path of files) {
        const before = facts["records"] ?? 0;
        await runSource({
          log,
          source: await openMrtSource({ path, collector: "bench" }),
          signal: stop.signal,
          onProgress: ({ appended }) => {
            facts["records"] = before + appended;
          },
        });
      }
      await log.close();
      rmSync(folder, { recursive: true });
    }
  })();
  return async () => {
    stop.abort();
    await done;
  };
}

process.once("message", (role: ChildRole) => {
  start(role).then(
    (stop) => {
      process.on("message", (word) => {
        if (word === "report") process.send?.(report());
        else void stop().then(() => process.exit(0));
      });
      process.on("disconnect", () => process.exit(1));
      process.send?.(report());
    },
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
      process.exit(1);
    },
  );
});

function report(): ChildReport {
  const { user, system } = process.cpuUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    rssMb: Math.round(process.memoryUsage.rss() / 1e6),
    facts,
  };
}
