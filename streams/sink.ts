import type { Recorded } from "./processor.ts";
import type { Topic } from "./topic.ts";

export interface SinkInput<T> {
  readonly topic: Topic<T>;
  /**
   * Takes one event. Resolves when its effect is acknowledged; the position moves after that, so an effect
   * happens at least once and carries the event's id as idempotency key.
   */
  readonly on: (event: Recorded<T>) => Promise<void> | void;
}

/** A sink: carries what the log says to another system. Bounded, can be paused, and is never ahead of its position. */
export interface Sink {
  readonly name: string;
  readonly inputs: readonly SinkInput<never>[];
  /**
   * `snapshot`: rebuilds a view from the tables' latest values, and is told by a null value of every key that left;
   * `committed`: goes on at its position.
   */
  readonly from: "snapshot" | "committed";
  /**
   * The sink was handed everything that was on the log when it asked; again after each re-connection, and for each
   * other log that takes the place of the first.
   */
  readonly onCaughtUp?: (logId: string) => void;
  /** Waits until everything taken so far is acknowledged. */
  flush(): Promise<void>;
}

/** An input of a sink, typed by its topic. */
export function sinkInput<T>(
  topic: Topic<T>,
  on: (event: Recorded<T>) => Promise<void> | void,
): SinkInput<never> {
  return { topic, on } as unknown as SinkInput<never>;
}
