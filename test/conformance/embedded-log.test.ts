import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { EventSchema } from "../../schemas/event-schema.ts";
import { AppendQueue } from "../../streams/embedded/append-queue.ts";
import { connectLog } from "../../streams/embedded/client.ts";
import { openDirectLog } from "../../streams/embedded/direct-log.ts";
import { EmbeddedLog } from "../../streams/embedded/embedded-log.ts";
import { ownerSocketPath } from "../../streams/embedded/owner.ts";
import { type LogServer, serveLog } from "../../streams/embedded/server.ts";
import { allTopics, tableNames } from "../../streams/topics.ts";
import type { LogUnderTest } from "./log-kit.ts";
import { describeLog } from "./log-port.ts";

const dayMs = 86_400_000;
// Small segments, so that retention has whole ones to unlink.
const settings = { slots: 2, segmentBytes: 1_048_576, retentionMs: dayMs, sync: false } as const;

function newFolder(): string {
  return mkdtempSync(path.join(os.tmpdir(), "ocdn-log-"));
}

/** A served log in this process, which can be closed and opened again. */
class Served {
  readonly folder = newFolder();
  log!: EmbeddedLog;
  #queue!: AppendQueue;
  #server!: LogServer;

  async open(): Promise<void> {
    const { folder } = this;
    const options = { folder, ...settings, tables: tableNames, nowMs: Date.now };
    const log = await EmbeddedLog.open(options);
    await log.registerSchemas(allTopics.map(({ schema }) => schema as EventSchema<never>));
    const queue = new AppendQueue(log);
    this.log = log;
    this.#queue = queue;
    this.#server = await serveLog({
      owner: { log, submit: (append) => queue.submit(append) },
      socketPath: ownerSocketPath(folder),
    });
  }

  async close(): Promise<void> {
    await this.#server.close();
    await this.#queue.close();
    await this.log.close();
  }
}

async function openServed(): Promise<LogUnderTest> {
  const served = new Served();
  await served.open();
  const log = await connectLog({ folder: served.folder, name: "conformance" });
  return {
    log,
    restart: async () => {
      await served.close();
      await served.open();
    },
    forget: async () => {
      await served.log.retain(Date.now() + 2 * dayMs);
    },
    dispose: async () => {
      await log.close();
      await served.close();
      rmSync(served.folder, { recursive: true });
    },
  };
}

/** The storage behind a direct log, so that a test can make it forget. */
async function openDirect(): Promise<LogUnderTest> {
  const folder = newFolder();
  let storage: EmbeddedLog | undefined;
  const openStorage = EmbeddedLog.open.bind(EmbeddedLog);
  EmbeddedLog.open = async (...given) => {
    storage = await openStorage(...given);
    return storage;
  };
  const log = await openDirectLog({ folder, ...settings, nowMs: Date.now }).finally(() => {
    EmbeddedLog.open = openStorage;
  });
  return {
    log,
    forget: async () => {
      await storage?.retain(Date.now() + 2 * dayMs);
    },
    dispose: async () => {
      await log.close();
      rmSync(folder, { recursive: true });
    },
  };
}

describeLog("an embedded log through its owner's socket", openServed);
describeLog("an embedded log opened directly", openDirect);
