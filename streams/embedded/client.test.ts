import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defineSchema } from "../../schemas/event-schema.ts";
import { RecordBatch } from "../batch.ts";
import { type Chunk, RecordCursor } from "../chunk.ts";
import type { AppendResult, FollowRequest, Log } from "../log.ts";
import { MemoryOwner, type MemoryOwnerOptions } from "../testing/memory-owner.ts";
import { connectLog } from "./client.ts";
import { TopicNames } from "./protocol.ts";
import { encodeAnswer } from "./protocol-answers.ts";
import { encodeHello } from "./protocol-requests.ts";
import { type LogServer, serveLog } from "./server.ts";

const stream = "node.health.v1";
const table = "node.overlay.v1";
const topics = [
  { name: stream, kind: "stream" },
  { name: table, kind: "table" },
] as const;

let folder: string;
let socketPath: string;
let owner: MemoryOwner;
let server: LogServer | undefined;
const logs: Log[] = [];

async function serve(options: MemoryOwnerOptions = {}): Promise<void> {
  owner = new MemoryOwner({ tables: [table], ...options });
  server = await serveLog({ owner, socketPath, topics });
}

async function connect(timeoutMs = 1_500): Promise<Log> {
  const log = await connectLog({ folder, name: "test", socketPath, timeoutMs });
  logs.push(log);
  return log;
}

let sources = 0;
function append(log: Log, topic: string, ...keys: string[]): Promise<AppendResult> {
  const batch = new RecordBatch();
  for (const key of keys) {
    const bytes = Buffer.from(key);
    batch.add(topic, 0, bytes, 0, bytes.length, bytes, 0, bytes.length);
  }
  sources += 1;
  return log.append({ source: `s${sources}`, previous: undefined, position: "1", batch });
}

/** Notes what a follower is told, as text, and waits for a line. */
class Notes {
  readonly lines: string[] = [];
  #waiters: (() => void)[] = [];

  request(from: FollowRequest["from"], followed: readonly string[] = [stream]): FollowRequest {
    return {
      topics: followed,
      from,
      onChunk: (chunk, snapshot) => this.add(keysOf(chunk).join() + (snapshot ? "*" : "")),
      onCaughtUp: () => this.add("caught up"),
      onDropped: (count) => this.add(`dropped ${count}`),
      onState: (connected) => this.add(connected ? "up" : "down"),
    };
  }

  add(line: string): void {
    this.lines.push(line);
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  async until(line: string, times = 1): Promise<void> {
    while (this.lines.filter((each) => each === line).length < times) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }
}

function keysOf(chunk: Chunk): string[] {
  const cursor = new RecordCursor().open(chunk);
  const keys: string[] = [];
  while (cursor.next()) keys.push(cursor.buffer.toString("utf8", cursor.keyStart, cursor.keyEnd));
  return keys;
}

async function untilReachable(log: Log): Promise<void> {
  for (;;) {
    const reached = await log.status().then(
      () => true,
      () => false,
    );
    if (reached) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "ocdn-client-"));
  socketPath = path.join(folder, "owner.sock");
});

afterEach(async () => {
  for (const log of logs.splice(0)) await log.close();
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true });
});

describe("connectLog", () => {
  it("gives up when no owner comes in time, or at once where it should not wait", async () => {
    const away = { code: "OCDN_DISCONNECTED", message: expect.stringContaining("ENOENT") };
    await expect(connect(60)).rejects.toMatchObject(away);
    const once = { folder, name: "test", socketPath, timeoutMs: 60_000, once: true };
    await expect(connectLog(once)).rejects.toMatchObject(away);
  });

  it("waits for an owner that comes", async () => {
    const connecting = connect();
    await serve({ historical: true });
    const log = await connecting;
    expect(log).toMatchObject({ logId: "memory-log", slots: 2, historical: true });
  });

  it("tells at once why an engine refuses it, and takes no stranger for one", async () => {
    const refusal = {
      kind: "error",
      code: "OCDN_BAD_INPUT",
      message: "run the same version",
    } as const;
    const says = [encodeAnswer(0, new TopicNames([]), refusal), encodeHello("odd")];
    const other = createServer((socket) => {
      socket.on("error", () => undefined).resume();
      socket.end(says.shift() ?? "");
    });
    await new Promise<void>((resolve) => other.listen(socketPath, resolve));
    await expect(connect(60_000)).rejects.toMatchObject({
      code: "OCDN_BAD_INPUT",
      message: expect.stringContaining("run the same version"),
    });
    const once = { folder, name: "test", socketPath, once: true };
    await expect(connectLog(once)).rejects.toMatchObject({
      code: "OCDN_DISCONNECTED",
      message: expect.stringContaining("no welcome"),
    });
    await new Promise((resolve) => other.close(resolve));
  });

  it("fails calls with a code while the engine is away, and works again after it", async () => {
    await serve();
    const log = await connect();
    owner.held = true;
    const lost = append(log, stream, "a");
    const failed = expect(lost).rejects.toMatchObject({ code: "OCDN_DISCONNECTED" });
    while (owner.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    await server?.close();
    await failed;
    await expect(append(log, stream, "b")).rejects.toMatchObject({ code: "OCDN_DISCONNECTED" });
    await expect(log.read(stream, 0, 0, 1)).rejects.toMatchObject({ code: "OCDN_DISCONNECTED" });
    await expect(log.status()).rejects.toMatchObject({ code: "OCDN_DISCONNECTED" });
    await serve();
    await untilReachable(log);
    expect(await append(log, stream, "c")).toEqual({ duplicate: false });
  });

  it("does not wait for an answer for ever, and ignores one that comes later", async () => {
    await serve();
    const log = await connectLog({ folder, name: "test", socketPath, requestMs: 80 });
    logs.push(log);
    owner.held = true;
    await expect(append(log, stream, "a")).rejects.toMatchObject({ code: "OCDN_TIMEOUT" });
    owner.held = false;
    owner.commit();
    expect(await append(log, stream, "b")).toEqual({ duplicate: false });
    expect(owner.log.endOffset(stream, 0)).toBe(2);
  });

  it("hands on the owner's errors with their codes", async () => {
    await serve();
    const log = await connect();
    owner.failure = Object.assign(new Error("too much waits"), { code: "unused" });
    await expect(append(log, stream, "a")).rejects.toMatchObject({ message: "too much waits" });
  });

  it("learns schemas that are registered later before the records that need them", async () => {
    await serve();
    const log = await connect();
    const schema = defineSchema<unknown>('{"type":"record","name":"Late","fields":[]}');
    const known: (number | undefined)[] = [];
    const notes = new Notes();
    const request = notes.request("latest");
    log.follow({
      ...request,
      onChunk: (chunk, snapshot) => {
        known.push(log.schemas.idOf(schema));
        return request.onChunk(chunk, snapshot);
      },
    });
    await notes.until("caught up");
    expect(log.schemas.idOf(schema)).toBeUndefined();
    owner.schemas.register(schema);
    await append(log, stream, "a");
    await notes.until("a");
    expect(known).toEqual([1]);
  });

  it("begins anew when the folder holds another log", async () => {
    await serve({ logId: "first" });
    const log = await connect();
    const { schemas } = log;
    await append(log, stream, "a", "b");
    await append(log, table, "t");
    const notes = new Notes();
    log.follow(notes.request("latest", [stream, table]));
    await notes.until("caught up");
    await server?.close();
    await serve({ logId: "second" });
    await untilReachable(log);
    await append(log, stream, "c");
    await append(log, table, "u");
    await notes.until("caught up", 2);
    await Promise.race([notes.until("u"), notes.until("u*")]);
    expect(notes.lines.slice(0, 5)).toEqual(["up", "caught up", "down", "dropped 0", "up"]);
    expect(notes.lines).toContain("c");
    expect(log.logId).toBe("second");
    expect(log.schemas).not.toBe(schemas);
  });

  it("connects again when the engine sends what it should not", async () => {
    await serve();
    const log = await connect();
    const notes = new Notes();
    log.follow(notes.request("earliest"));
    await notes.until("caught up");
    await append(log, stream, "z");
    await notes.until("z");
    await server?.close();
    let connections = 0;
    const odd = createServer((socket) => {
      connections += 1;
      socket.on("error", () => undefined).resume();
      socket.write(Buffer.alloc(64, connections));
    });
    await new Promise<void>((resolve) => odd.listen(socketPath, resolve));
    while (connections < 4) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise<void>((resolve) => {
      odd.close(() => resolve());
    });
    server = await serveLog({ owner, socketPath, topics });
    await untilReachable(log);
    await notes.until("caught up", 2);
    await append(log, stream, "a");
    await notes.until("a");
    expect(notes.lines).toEqual(["up", "caught up", "z", "down", "up", "caught up", "a"]);
  });

  it("ends what is under way when it is closed", async () => {
    await serve();
    const log = await connect();
    owner.held = true;
    const waiting = append(log, stream, "a");
    const ended = expect(waiting).rejects.toMatchObject({ code: "OCDN_DISCONNECTED" });
    const notes = new Notes();
    log.follow(notes.request("latest"));
    await notes.until("caught up");
    await log.close();
    await ended;
    await expect(append(log, stream, "b")).rejects.toMatchObject({ code: "OCDN_DISCONNECTED" });
    expect(() => log.follow(notes.request("latest"))).toThrow(/closed/);
    while ((server?.connections ?? 0) > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(owner.listeners).toBe(0);
  });
});
