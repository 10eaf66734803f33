import type { Socket } from "node:net";
import type { Chunk } from "../chunk.ts";
import { codeOf, type ErrorCode, messageOf } from "../errors.ts";
import type { Position } from "../log.ts";
import { Feed, type FeedOutput } from "./feed.ts";
import { type BadFrame, type Frame, FrameReader } from "./frame.ts";
import type { Owner } from "./log-owner.ts";
import type { TopicNames } from "./protocol.ts";
import {
  type Answer,
  encodeAnswer,
  encodeChunkHead,
  encodeChunks,
  encodeSchemas,
  encodeWelcome,
} from "./protocol-answers.ts";
import {
  type AppendMessage,
  type FollowMessage,
  parseHello,
  parseRequest,
  type Request,
} from "./protocol-requests.ts";
import {
  helloTimeoutMs,
  maxAnswerBytes,
  maxAppendBytesInFlight,
  maxAppendsInFlight,
  maxFrameBytes,
  maxHelloBytes,
  protocolVersion,
} from "./socket-limits.ts";
import { trimChunk } from "./trim-chunk.ts";
import type { Turns } from "./turns.ts";

/** What the owner's socket has to tell; nothing while all is well. */
export type ServerNotice =
  | { readonly kind: "socket.refused"; readonly peer: string; readonly message: string }
  | { readonly kind: "follower.dropped"; readonly peer: string; readonly count: number }
  | { readonly kind: "follower.stalled"; readonly peer: string };

export interface ConnectionOptions {
  readonly socket: Socket;
  readonly owner: Owner;
  readonly topics: TopicNames;
  readonly turns: Turns;
  readonly onNotice: (notice: ServerNotice) => void;
}

/** Records below this size are copied behind their head: one small write costs less than two. */
const joinBelowBytes = 4_096;
/** Time for the reason of a refusal to reach the peer. */
const lingerMs = 1_000;

type EncodableAnswer = Exclude<Answer, { readonly kind: "chunk" | "chunks" | "schemas" }>;

/** One client on the owner's socket. What it sends is checked; what it asks for at once is bounded. */
export class ServerConnection {
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #greeting: NodeJS.Timeout;
  #peer = "";
  #greeted = false;
  #ended = false;
  #appends = 0;
  #appendBytes = 0;
  #schemas = 0;
  #feed: Feed | undefined;
  #takenBytes = 0;
  #takenAtMs = performance.now();

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { socket } = options;
    this.#socket = socket;
    this.#reader = new FrameReader(() => (this.#greeted ? maxFrameBytes : maxHelloBytes));
    this.#greeting = setTimeout(() => this.#refuse("no hello came"), helloTimeoutMs);
    socket.on("data", (piece: Buffer) => {
      if (this.#ended) return;
      this.#reader.push(piece);
      this.#take();
    });
    socket.on("drain", () => {
      this.#take();
      this.#feed?.pump();
    });
    // A broken connection ends as a closed one.
    socket.on("error", () => undefined);
    socket.on("close", () => this.#closed());
  }

  /** Ends the connection after what was written has left, or after a moment when it does not. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#closeFeed();
    this.#socket.destroySoon();
    const timer = setTimeout(() => this.#socket.destroy(), lingerMs);
    timer.unref();
  }

  /** Closes a peer that took nothing of what waits for it for `stalledMs`. */
  closeStalled(stalledMs: number): void {
    const takenBytes = this.#socket.bytesWritten - this.#socket.writableLength;
    const now = performance.now();
    if (this.#socket.writableLength === 0 || takenBytes !== this.#takenBytes) {
      this.#takenBytes = takenBytes;
      this.#takenAtMs = now;
    } else if (now - this.#takenAtMs >= stalledMs) {
      this.#options.onNotice({ kind: "follower.stalled", peer: this.#peer });
      this.#closed();
      this.#socket.destroy();
    }
  }

  #closed(): void {
    this.#ended = true;
    clearTimeout(this.#greeting);
    this.#closeFeed();
  }

  #closeFeed(): void {
    this.#feed?.close();
    this.#feed = undefined;
  }

  #full(): boolean {
    return (
      this.#appends >= maxAppendsInFlight ||
      this.#appendBytes >= maxAppendBytesInFlight ||
      this.#socket.writableLength >= maxAnswerBytes
    );
  }

  /** Takes requests until there is none or the peer has enough under way; then its socket is not read. */
  #take(): void {
    while (!this.#ended && !this.#full()) {
      const frame = this.#reader.next();
      if (frame === undefined) break;
      if ("kind" in frame) this.#refuse(frame.message);
      else this.#handle(frame);
    }
    if (this.#ended) return;
    if (this.#full()) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  #handle(frame: Frame): void {
    if (!this.#greeted) {
      this.#greet(frame);
      return;
    }
    const { topics, owner } = this.#options;
    const request = parseRequest(frame, { topics, slots: owner.log.slots });
    if (request.kind === "badFrame") {
      this.#refuse((request as BadFrame).message);
      return;
    }
    try {
      this.#answerRequest(frame.request, request as Request);
    } catch (error) {
      this.#answerError(frame.request, codeOf(error), messageOf(error));
    }
  }

  #greet(frame: Frame): void {
    const hello = parseHello(frame);
    if ("kind" in hello) {
      this.#refuse(hello.message);
      return;
    }
    if (hello.version !== protocolVersion) {
      this.#refuse(
        `the engine speaks version ${protocolVersion} of the socket's protocol and the client ${hello.version}: run the same version of both`,
      );
      return;
    }
    clearTimeout(this.#greeting);
    this.#greeted = true;
    this.#peer = hello.name;
    const { log } = this.#options.owner;
    const { logId, slots, historical, schemas } = log;
    this.#schemas = schemas.size;
    const { topics } = this.#options;
    try {
      this.#socket.write(encodeWelcome({ logId, slots, historical, schemas, topics }));
    } catch (error) {
      this.#refuse(messageOf(error));
    }
  }

  #answerRequest(id: number, request: Request): void {
    const { log } = this.#options.owner;
    switch (request.kind) {
      case "append":
        this.#append(id, request);
        break;
      case "sourcePosition":
        this.#answer(id, { kind: "position", position: log.sourcePosition(request.source) });
        break;
      case "read": {
        const { topic, slot, offset, maxBytes } = request;
        const chunks = log.read(topic, slot, offset, maxBytes);
        this.#sendSchemas();
        const trimmed = chunks.map((chunk) => trimChunk(chunk, offset));
        this.#socket.write(encodeChunks(id, this.#options.topics, trimmed));
        break;
      }
      case "status":
        this.#answer(id, { kind: "topics", topics: log.topics() });
        break;
      case "follow":
        this.#follow(id, request);
        break;
      case "unfollow":
        this.#closeFeed();
        this.#answer(id, { kind: "unfollowed" });
        break;
    }
  }

  #append(id: number, { source, previous, position, sections }: AppendMessage): void {
    let sizeBytes = 0;
    for (const section of sections) sizeBytes += section.length;
    this.#appends += 1;
    this.#appendBytes += sizeBytes;
    this.#options.owner
      .submit({ source, previous, position, sections })
      .then(
        (outcome) => {
          const held = outcome.kind === "conflict" ? outcome.position : undefined;
          this.#answer(id, { kind: "appended", outcome: outcome.kind, position: held });
        },
        (error: unknown) => this.#answerError(id, codeOf(error), messageOf(error)),
      )
      .finally(() => {
        this.#appends -= 1;
        this.#appendBytes -= sizeBytes;
        this.#take();
      });
  }

  #follow(id: number, request: FollowMessage): void {
    if (this.#feed !== undefined) {
      this.#refuse("a connection follows once at a time");
      return;
    }
    const { owner, topics, turns } = this.#options;
    const feed = new Feed({
      log: owner.log,
      turns,
      output: this.#output(id),
      isTable: (topic) => topics.kindOf(topic) === "table",
      request,
    });
    this.#feed = feed;
    this.#answer(id, { kind: "following", positions: feed.positions() });
    feed.pump();
  }

  #output(id: number): FeedOutput {
    const socket = this.#socket;
    const { onNotice, topics } = this.#options;
    const tell = (answer: EncodableAnswer): void => this.#answer(id, answer);
    return {
      get waitingBytes(): number {
        return socket.writableLength;
      },
      chunk: (chunk, snapshot) => {
        this.#sendSchemas();
        if (this.#ended) return;
        writeChunk(socket, id, topics.idOf(chunk.topic) ?? 0xffff, chunk, snapshot);
      },
      snapshot: (phase: "begins" | "complete", position: Position) =>
        tell({ kind: "snapshot", phase, position }),
      caughtUp: () => tell({ kind: "caughtUp" }),
      dropped: (count) => {
        onNotice({ kind: "follower.dropped", peer: this.#peer, count });
        tell({ kind: "dropped", count });
      },
      failed: (error) => {
        this.#answerError(id, codeOf(error), messageOf(error));
        this.end();
      },
      hold: () => socket.cork(),
      flush: () => socket.uncork(),
    };
  }

  #answer(id: number, answer: EncodableAnswer): void {
    if (this.#ended) return;
    this.#socket.write(encodeAnswer(id, this.#options.topics, answer));
  }

  #answerError(id: number, code: ErrorCode, message: string): void {
    this.#answer(id, { kind: "error", code, message });
  }

  /** The schemas that were registered since, before anything that may need them. */
  #sendSchemas(): void {
    const { schemas } = this.#options.owner.log;
    if (schemas.size === this.#schemas) return;
    this.#schemas = schemas.size;
    try {
      this.#socket.write(encodeSchemas(schemas));
    } catch (error) {
      this.#refuse(messageOf(error));
    }
  }

  #refuse(message: string): void {
    this.#options.onNotice({ kind: "socket.refused", peer: this.#peer, message });
    this.#answerError(0, "OCDN_BAD_INPUT", `the engine closes this connection: ${message}`);
    this.end();
  }
}

function writeChunk(
  socket: Socket,
  id: number,
  topicId: number,
  chunk: Chunk,
  snapshot: boolean,
): void {
  const head = encodeChunkHead(id, topicId, chunk, snapshot);
  const records = chunk.buffer.subarray(chunk.start, chunk.end);
  if (records.length < joinBelowBytes) {
    socket.write(Buffer.concat([head, records]));
  } else {
    socket.write(head);
    socket.write(records);
  }
}
