import { Decoder } from "../../schemas/codec.ts";
import { isFailure } from "../../schemas/failure.ts";
import { type Chunk, RecordCursor } from "../../streams/chunk.ts";
import { keyText } from "../../streams/identity.ts";
import type { Follower, Log } from "../../streams/log.ts";
import { slotOfKey, type Topic } from "../../streams/topic.ts";
import { SnapshotSweep } from "./snapshot-sweep.ts";

/** A view of one table that a follower keeps up to date. */
export interface TableView<T> {
  readonly topic: Topic<T>;
  readonly size: number;
  keys(): Iterable<string>;
  put(key: string, value: T): void;
  remove(key: string): void;
}

export interface TableFollowerOptions {
  readonly log: Log;
  readonly views: readonly TableView<never>[];
  /** The views equal the log's tables as they were a moment ago; called again after each re-connection. */
  readonly onCaughtUp?: () => void;
  readonly onState?: (connected: boolean) => void;
  /** The log was replaced by another; what the views hold is of the old one until the snapshots came. */
  readonly onReplaced?: () => void;
  /** Views changed; called once a chunk. */
  readonly onChanged?: () => void;
}

interface Lane {
  readonly view: TableView<unknown>;
  decoder: Decoder<unknown>;
  readonly sweep: SnapshotSweep;
}

const text = new TextEncoder();

/**
 * Follows tables of a log from their snapshots. Keys that a snapshot no longer has leave the view, so that a view
 * which was loaded from a file, or which missed records, becomes equal to the log.
 */
export class TableFollower {
  readonly #log: Log;
  readonly #lanes = new Map<string, Lane>();
  readonly #follower: Follower;
  readonly #cursor = new RecordCursor();
  #undecodable = 0;

  constructor(options: TableFollowerOptions) {
    const { log, onChanged, onCaughtUp, onState } = options;
    this.#log = log;
    for (const view of options.views as unknown as readonly TableView<unknown>[]) {
      const slotOf = (key: string): number => slotOfKey(view.topic, log.slots, text.encode(key));
      this.#lanes.set(view.topic.name, {
        view,
        decoder: new Decoder(view.topic.schema, log.schemas),
        sweep: new SnapshotSweep({ slots: log.slots, slotOf, view }),
      });
    }
    this.#follower = log.follow({
      topics: [...this.#lanes.keys()],
      from: "snapshot",
      onChunk: (chunk) => {
        this.#take(chunk);
        onChanged?.();
      },
      onSnapshot: (topic, slot, phase) => {
        const sweep = this.#lanes.get(topic)?.sweep;
        if (phase === "begins") sweep?.begin(slot);
        else sweep?.complete(slot);
      },
      onDropped: (count) => {
        // Nothing was skipped: the log was replaced by another, whose snapshots follow.
        if (count !== 0) return;
        options.onReplaced?.();
        for (const { sweep } of this.#lanes.values()) sweep.restart();
      },
      ...(onCaughtUp === undefined ? {} : { onCaughtUp }),
      ...(onState === undefined ? {} : { onState }),
    });
  }

  /** Records that could not be read; they are skipped, the engine has them as dead letters. */
  get undecodable(): number {
    return this.#undecodable;
  }

  close(): void {
    this.#follower.close();
  }

  #take(chunk: Chunk): void {
    const lane = this.#lanes.get(chunk.topic);
    if (lane === undefined) return;
    const { view, sweep } = lane;
    const decoder = this.#decoderOf(lane);
    const bytes = asBuffer(chunk.buffer);
    const cursor = this.#cursor.open(chunk);
    while (cursor.next()) {
      const key = keyText(bytes, cursor.keyStart, cursor.keyEnd);
      if (cursor.valueStart < 0) {
        sweep.removed(chunk.slot, key);
        view.remove(key);
        continue;
      }
      sweep.sent(chunk.slot, key);
      const value = decoder.decodeFrame(bytes, cursor.valueStart, cursor.valueEnd);
      if (isFailure(value)) this.#undecodable += 1;
      else view.put(key, value);
    }
  }

  /** A log that was replaced by another has another table of schemas. */
  #decoderOf(lane: Lane): Decoder<unknown> {
    const { schemas } = this.#log;
    if (lane.decoder.table !== schemas) {
      lane.decoder = new Decoder(lane.view.topic.schema, schemas);
    }
    return lane.decoder;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
