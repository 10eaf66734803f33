import type { ErrorCode } from "./errors.ts";

/**
 * What the runtime has to say about itself, as typed events: the log line and the metric both come from one. A
 * healthy system emits only `info`-less counters; everything else is worth a person's time.
 */
export type TelemetryEvent =
  | {
      readonly kind: "engine.ready";
      readonly tasks: number;
      readonly restoredEntries: number;
      readonly tookMs: number;
    }
  | {
      readonly kind: "engine.commit";
      readonly drafts: number;
      readonly appends: number;
      readonly tookMs: number;
    }
  | { readonly kind: "engine.commitFailed"; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: "engine.checkpointFailed"; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: "engine.fatal"; readonly code: ErrorCode; readonly message: string }
  | {
      readonly kind: "task.deadLetter";
      readonly processor: string;
      readonly slot: number;
      readonly count: number;
    };

export type Emit = (event: TelemetryEvent) => void;
