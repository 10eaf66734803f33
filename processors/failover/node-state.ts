import { defineSchema, type EventSchema } from "../../schemas/event-schema.ts";
import type { FailoverOptions } from "./config.ts";
import { judge, mayReturn, type VantageVerdict, withVerdict } from "./quorum.ts";

/** What failover knows of one node. A node without a state is alive: the unknown never masks. */
export interface NodeState {
  readonly alive: boolean;
  readonly draining: boolean;
  /** Index in `rampMultipliers`; the last one means that the ramp is over. */
  readonly rampStep: number;
  readonly rampStepMs: number;
  readonly reason: string;
  readonly verdicts: readonly VantageVerdict[];
  /** False until a quorum has spoken or somebody asked for a drain. */
  readonly written: boolean;
  readonly epoch: number;
  readonly sequence: number;
}

/** Avro shape of `NodeState` in its store. */
export const nodeStateSchema: EventSchema<NodeState> = defineSchema<NodeState>(
  JSON.stringify({
    type: "record",
    name: "NodeState",
    namespace: "opencdn.failover",
    fields: [
      { name: "alive", type: "boolean" },
      { name: "draining", type: "boolean" },
      { name: "rampStep", type: "int" },
      { name: "rampStepMs", type: "long" },
      { name: "reason", type: "string" },
      {
        name: "verdicts",
        type: {
          type: "array",
          items: {
            type: "record",
            name: "VantageVerdict",
            fields: [
              { name: "vantage", type: "string" },
              { name: "healthy", type: "boolean" },
              { name: "receivedMs", type: "long" },
              { name: "goodChecks", type: "int" },
            ],
          },
        },
      },
      { name: "written", type: "boolean" },
      { name: "epoch", type: "long" },
      { name: "sequence", type: "long" },
    ],
  }),
);

/** Why an overlay entry is as it is. */
export const overlayReasons = {
  seen: "SEEN_ALIVE",
  dead: "DEAD_BY_QUORUM",
  ramp: "RETURNING_BY_RAMP",
  recovered: "RECOVERED",
  draining: "DRAINING",
  drainEnded: "DRAIN_ENDED",
} as const;

/** A node nobody has spoken of: alive, with all of its clients. */
export function unknownNode(epoch: number, options: FailoverOptions): NodeState {
  return {
    alive: true,
    draining: false,
    rampStep: options.rampMultipliers.length - 1,
    rampStepMs: 0,
    reason: "",
    verdicts: [],
    written: false,
    epoch,
    sequence: 0,
  };
}

/** The state after a verdict that reached the log at `receivedMs`. */
export function afterVerdict(
  state: NodeState,
  verdict: Pick<VantageVerdict, "vantage" | "healthy" | "receivedMs">,
  options: FailoverOptions,
): NodeState {
  const verdicts = withVerdict(state.verdicts, verdict, options);
  const nowMs = verdict.receivedMs;
  const judgement = judge(verdicts, nowMs, options);
  const next = { ...state, verdicts };
  if (judgement === "dead") return state.alive ? died(next) : next;
  if (judgement === "unknown") return next;
  if (!state.alive) return mayReturn(verdicts, nowMs, options) ? returns(next, nowMs) : next;
  if (!state.written) return changed({ ...next, reason: overlayReasons.seen }, true);
  return climbs(next, nowMs, options);
}

/** The state after a request to drain, or to end the drain. */
export function afterDrain(state: NodeState, draining: boolean): NodeState {
  if (state.draining === draining && state.written) return state;
  const reason = draining ? overlayReasons.draining : overlayReasons.drainEnded;
  return changed({ ...state, draining, reason }, true);
}

/** 0..1: 0 for a dead node, below 1 while a node returns. */
export function multiplierOf(state: NodeState, options: FailoverOptions): number {
  if (!state.alive) return 0;
  const { rampMultipliers } = options;
  return rampMultipliers[Math.min(state.rampStep, rampMultipliers.length - 1)] as number;
}

function died(state: NodeState): NodeState {
  return changed({ ...state, alive: false, rampStep: 0, reason: overlayReasons.dead }, true);
}

function returns(state: NodeState, nowMs: number): NodeState {
  const reason = overlayReasons.ramp;
  return changed({ ...state, alive: true, rampStep: 0, rampStepMs: nowMs, reason }, true);
}

/** One step up the ramp when its time has come; only while a quorum sees the node healthy. */
function climbs(state: NodeState, nowMs: number, options: FailoverOptions): NodeState {
  const top = options.rampMultipliers.length - 1;
  if (state.rampStep >= top || nowMs - state.rampStepMs < options.rampStepMs) return state;
  const rampStep = state.rampStep + 1;
  const reason = rampStep === top ? overlayReasons.recovered : overlayReasons.ramp;
  return changed({ ...state, rampStep, rampStepMs: nowMs, reason }, true);
}

/** A change that gateways must see raises the sequence. */
function changed(state: NodeState, visible: boolean): NodeState {
  return visible ? { ...state, written: true, sequence: state.sequence + 1 } : state;
}
