import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RecordBatch } from "../batch.ts";
import { MemoryOwner } from "../testing/memory-owner.ts";
import { type Frame, FrameReader } from "./frame.ts";
import { TopicNames } from "./protocol.ts";
import { parseAnswer, parseWelcome } from "./protocol-answers.ts";
import { encodeAppend, encodeHello, encodeRequest } from "./protocol-requests.ts";
import { type LogServer, serveLog } from "./server.ts";
import type { ServerNotice } from "./server-connection.ts";
import { maxAppendsInFlight, maxFrameBytes, protocolVersion } from "./socket-limits.ts";

const topics = [
  { name: "node.health.v1", kind: "stream" },
  { name: "node.overlay.v1", kind: "table" },
] as const;
const names = new TopicNames(topics);

let folder: string;
let socketPath: string;
let owner: MemoryOwner;
let server: LogServer;
let notices: ServerNotice[];
const peers: Peer[] = [];

/** A peer that writes what it likes. */
class Peer {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  readonly closed: Promise<void>;
  #waiters: (() => void)[] = [];

  constructor() {
    this.socket = createConnection({ path: socketPath });
    const reader = new FrameReader(() => maxFrameBytes);
    this.socket.on("data", (piece: Buffer) => {
      reader.push(piece);
      for (let next = reader.next(); next !== undefined; next = reader.next()) {
        if (!("kind" in next)) this.frames.push(next);
      }
      for (const waiter of this.#waiters.splice(0)) waiter();
    });
    this.socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => this.socket.on("close", () => resolve()));
    peers.push(this);
  }

  async frame(index: number): Promise<Frame> {
    while (this.frames.length <= index) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
    return this.frames[index] as Frame;
  }

  /** The answer that comes as frame `index`, the welcome being 0. */
  async answer(index: number): Promise<ReturnType<typeof parseAnswer>> {
    return parseAnswer(await this.frame(index), { topics: names, slots: 2 });
  }
}

async function greeted(): Promise<Peer> {
  const peer = new Peer();
  peer.socket.write(encodeHello("peer"));
  await peer.frame(0);
  return peer;
}

function appendFrame(id: number, valueBytes = 10): Buffer {
  const batch = new RecordBatch();
  batch.add(
    "node.health.v1",
    0,
    new Uint8Array(1),
    0,
    1,
    new Uint8Array(valueBytes),
    0,
    valueBytes,
  );
  const sections = batch.sections();
  return encodeAppend(id, names, {
    source: `s${id}`,
    previous: undefined,
    position: "1",
    sections,
  });
}

const status = encodeRequest(1, names, { kind: "status" });

beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), "ocdn-server-"));
  socketPath = path.join(folder, "owner.sock");
  owner = new MemoryOwner({ tables: ["node.overlay.v1"] });
  notices = [];
  const onNotice = (notice: ServerNotice): unknown => notices.push(notice);
  server = await serveLog({ owner, socketPath, topics, onNotice });
});

afterEach(async () => {
  for (const peer of peers.splice(0)) peer.socket.destroy();
  await server.close();
  rmSync(folder, { recursive: true });
});

describe("serveLog", () => {
  it("makes a socket that only this user can open, over a file that was left behind", async () => {
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
    await server.close();
    writeFileSync(socketPath, "");
    server = await serveLog({ owner, socketPath, topics });
    const welcome = parseWelcome(await (await greeted()).frame(0));
    expect(welcome).toMatchObject({ logId: "memory-log", slots: 2, historical: false });
  });

  it("says what is wrong where it cannot listen", async () => {
    const nowhere = path.join(folder, "missing", "owner.sock");
    await expect(serveLog({ owner, socketPath: nowhere, topics })).rejects.toMatchObject({
      code: "OCDN_STORAGE",
      message: expect.stringContaining(nowhere),
    });
  });

  it("closes a connection that breaks the protocol, with the reason, and no other", async () => {
    const good = await greeted();
    const later = encodeHello("later");
    later.writeUInt16LE(protocolVersion + 1, 13);
    const unknown = Buffer.from(status);
    unknown[4] = 99;
    const huge = Buffer.from(status);
    huge.writeUInt32LE(maxFrameBytes + 1);
    const cases: [boolean, Buffer, RegExp][] = [
      [false, Buffer.from("GET / HTTP/1.1\r\n\r\n"), /a frame of \d+ bytes/],
      [false, status, /no hello/],
      [false, later, /run the same version/],
      [true, unknown, /type 99 is unknown/],
      [true, huge, /a frame of \d+ bytes/],
      [true, encodeHello("again"), /type 1 is unknown/],
    ];
    for (const [welcomed, bytes, reason] of cases) {
      const bad = welcomed ? await greeted() : new Peer();
      bad.socket.write(bytes);
      const answer = await bad.answer(welcomed ? 1 : 0);
      expect(answer).toMatchObject({ kind: "error", code: "OCDN_BAD_INPUT" });
      expect(answer).toMatchObject({ message: expect.stringMatching(reason) });
      await bad.closed;
      expect(notices.at(-1)).toMatchObject({ kind: "socket.refused" });
    }
    expect(notices).toHaveLength(cases.length);
    good.socket.write(status);
    expect(await good.answer(1)).toEqual({ kind: "topics", topics: [] });
  });

  it("lives through random bytes", async () => {
    for (let i = 0; i < 100; i++) {
      const peer = i % 2 === 0 ? new Peer() : await greeted();
      const bytes = randomBytes(1 + ((i * 37) % 400));
      if (i % 4 === 1) bytes.writeUInt32LE(Math.min(bytes.length, 60), 0);
      peer.socket.end(bytes);
      await peer.closed;
    }
    const good = await greeted();
    good.socket.write(status);
    expect(await good.answer(1)).toEqual({ kind: "topics", topics: [] });
    expect(server.connections).toBe(1);
  });

  it("takes a bounded number of appends of one connection at a time", async () => {
    owner.held = true;
    const peer = await greeted();
    const most = 3 * maxAppendsInFlight;
    const frames = Array.from({ length: most }, (_, i) => appendFrame(i + 1));
    peer.socket.write(Buffer.concat(frames));
    const other = await greeted();
    other.socket.write(status);
    await other.frame(1);
    expect(owner.waiting).toBe(maxAppendsInFlight);
    owner.held = false;
    owner.commit();
    await peer.frame(most);
    const answers = peer.frames.slice(1);
    expect(answers.map(({ request }) => request)).toEqual(frames.map((_, i) => i + 1));
    expect(owner.log.endOffset("node.health.v1", 0)).toBe(most);
  });

  it("answers a failed append with its code and goes on", async () => {
    const peer = await greeted();
    owner.failure = Object.assign(new Error("odd"), {});
    peer.socket.write(appendFrame(1));
    expect(await peer.answer(1)).toMatchObject({ kind: "error", message: "odd" });
    owner.failure = undefined;
    peer.socket.write(appendFrame(2));
    expect(await peer.answer(2)).toMatchObject({ kind: "appended", outcome: "appended" });
  });

  it("follows once on a connection, and again after an unfollow", async () => {
    const peer = await greeted();
    const follow = (id: number): Buffer =>
      encodeRequest(id, names, {
        kind: "follow",
        topics: ["node.health.v1"],
        start: "latest",
        positions: [],
      });
    peer.socket.write(follow(1));
    expect(await peer.answer(1)).toMatchObject({ kind: "following" });
    expect(await peer.answer(2)).toEqual({ kind: "caughtUp" });
    peer.socket.write(encodeRequest(2, names, { kind: "unfollow" }));
    expect(await peer.answer(3)).toEqual({ kind: "unfollowed" });
    expect(owner.listeners).toBe(0);
    peer.socket.write(follow(3));
    expect(await peer.answer(4)).toMatchObject({ kind: "following" });
    peer.socket.write(follow(4));
    await peer.closed;
    expect(owner.listeners).toBe(0);
  });

  it("refuses connections beyond its bound", async () => {
    await server.close();
    server = await serveLog({ owner, socketPath, topics, maxConnections: 2 });
    const first = await greeted();
    await greeted();
    const third = new Peer();
    await third.closed;
    expect(third.frames).toEqual([]);
    first.socket.write(status);
    expect(await first.answer(1)).toEqual({ kind: "topics", topics: [] });
  });

  it("closes a follower that takes nothing, and bounds what waits for it until then", async () => {
    await server.close();
    const onNotice = (notice: ServerNotice): unknown => notices.push(notice);
    server = await serveLog({ owner, socketPath, topics, onNotice, stalledMs: 200 });
    const peer = await greeted();
    peer.socket.write(
      encodeRequest(1, names, {
        kind: "follow",
        topics: ["node.health.v1"],
        start: "latest",
        positions: [],
      }),
    );
    await peer.frame(2);
    peer.socket.pause();
    const writer = await greeted();
    for (let i = 1; i <= 60; i++) {
      writer.socket.write(appendFrame(i, 250_000));
      await writer.frame(i);
    }
    while (notices.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(notices).toEqual([{ kind: "follower.stalled", peer: "peer" }]);
    expect(owner.listeners).toBe(0);
    while (server.connections > 1) await new Promise((resolve) => setImmediate(resolve));
    writer.socket.write(status);
    expect(await writer.answer(61)).toMatchObject({ kind: "topics" });
  });
});
