import { defineSchema } from "../../../schemas/event-schema.ts";
import { RecordCursor } from "../../chunk.ts";
import { type Context, keyed } from "../../processor.ts";
import type { StoreSpec } from "../../store.ts";
import { chunkOf, TestDriver } from "../../testing/test-driver.ts";
import type { Topic } from "../../topic.ts";
import type { LateRecord, Window, WindowOptions } from "../window.ts";

interface Measure {
  readonly eventId: Uint8Array;
  readonly eventMs: number;
  readonly logicVersion: number;
  readonly amount: number;
}

const schema = defineSchema<Measure>(
  JSON.stringify({
    type: "record",
    name: "Measure",
    namespace: "test",
    fields: [
      { name: "eventId", type: { type: "fixed", name: "EventId", size: 16 } },
      { name: "eventMs", type: "long" },
      { name: "logicVersion", type: "int" },
      { name: "amount", type: "double" },
    ],
  }),
);

/** The input of every driven window. */
export const measures: Topic<Measure> = {
  name: "measures",
  kind: "stream",
  slotPart: "whole",
  schema,
  doc: "",
};

/** What the three kinds of window have in common. */
export interface DrivenWindow {
  readonly stores: readonly StoreSpec[];
  add(
    context: Context,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    eventMs: number,
    value: number,
  ): boolean;
  onTimer(key: string, atMs: number, context: Context): boolean;
}

export interface Measured {
  readonly key: string;
  readonly eventMs: number;
  readonly amount: number;
}

export interface ClosedCopy {
  readonly key: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly count: number;
  readonly sum: number;
  readonly min: number | undefined;
  readonly max: number | undefined;
}

export function copyOf({ key, startMs, endMs, count, sum, min, max }: Window): ClosedCopy {
  return { key, startMs, endMs, count, sum, min, max };
}

/** For tests: runs a window in a real task and keeps what it closed and what came late. */
export class WindowDriver {
  readonly closed: ClosedCopy[] = [];
  readonly late: LateRecord[] = [];
  readonly driver: TestDriver;
  readonly #store: string;

  constructor(
    make: (hooks: Pick<WindowOptions, "input" | "onClose" | "onLate">) => DrivenWindow,
    seen?: (context: Context, measured: Measured, window: DrivenWindow) => void,
  ) {
    const window = make({
      input: measures,
      onClose: (closed) => {
        this.closed.push(copyOf(closed));
      },
      onLate: (late) => {
        this.late.push(late);
      },
    });
    this.#store = window.stores[0]?.name ?? "";
    this.driver = new TestDriver({
      name: "windowed",
      logicVersion: 1,
      inputs: [
        keyed(measures, (event, context) => {
          const { keyBytes, keyStart, keyEnd, eventMs, key } = event;
          const amount = event.value?.amount ?? 0;
          window.add(context, keyBytes, keyStart, keyEnd, eventMs, amount);
          seen?.(context, { key, eventMs, amount }, window);
        }),
      ],
      outputs: [],
      stores: window.stores,
      onTimer: (key, atMs, context) => {
        if (!window.onTimer(key, atMs, context)) throw new Error(`a timer of nobody: ${key}`);
      },
    });
  }

  /** Hands over a record; ingestion time is its own, or `streamMs` of a late one. */
  send({ key, eventMs, amount }: Measured): void {
    this.driver.send(measures, key, { amount }, { eventMs });
  }

  /** Moves stream time to `atMs` with a record of a key of its own. */
  advance(atMs: number): void {
    this.send({ key: "~", eventMs: atMs, amount: 0 });
  }

  /** Number of entries left in the window's store, from the changes of all commits. */
  entries(): number {
    this.driver.commit();
    const entries = new Set<string>();
    for (const draft of this.driver.drafts) {
      for (const { store, count, length, bytes } of draft.stores) {
        if (store !== this.#store) continue;
        const section = { topic: "", slot: 0, count, length, bytes };
        const cursor = new RecordCursor().open(chunkOf(section as never, 0, 0));
        while (cursor.next()) {
          const key = cursor.buffer.toString("hex", cursor.keyStart, cursor.keyEnd);
          if (cursor.valueStart < 0) entries.delete(key);
          else entries.add(key);
        }
      }
    }
    return entries.size;
  }
}
