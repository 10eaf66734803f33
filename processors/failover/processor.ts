import type { Context, Processor } from "../../streams/processor.ts";
import { keyed } from "../../streams/processor.ts";
import { recordStoreSpec, storeSpec } from "../../streams/store.ts";
import { nodeDrains, nodeHealth, nodeOverlay } from "../../streams/topics.ts";
import { type FailoverInput, type FailoverOptions, failoverOptions } from "./config.ts";
import {
  afterDrain,
  afterVerdict,
  multiplierOf,
  type NodeState,
  nodeStateSchema,
  unknownNode,
} from "./node-state.ts";

const nodes = recordStoreSpec("nodes", nodeStateSchema);
const epochs = storeSpec("epoch");
const epochKey = new TextEncoder().encode("epoch");

/**
 * The health quorum: the only writer of node.overlay.v1. It acts on each verdict at once, so a dead node
 * leaves within the checks that find it; it needs no clock beside the times at which verdicts reached the log.
 */
export function failoverProcessor(options: FailoverInput = {}): Processor {
  const settings = failoverOptions.parse(options);
  return {
    name: "failover",
    logicVersion: 1,
    inputs: [
      keyed(nodeHealth, ({ value, key, timestampMs }, context) => {
        if (value === null) return;
        const { vantage, healthy } = value;
        change(context, key, timestampMs, settings, (state) =>
          afterVerdict(state, { vantage, healthy, receivedMs: timestampMs }, settings),
        );
      }),
      keyed(nodeDrains, ({ value, key, timestampMs }, context) => {
        const draining = value?.draining ?? false;
        change(context, key, timestampMs, settings, (state) => afterDrain(state, draining));
      }),
    ],
    outputs: [nodeOverlay],
    stores: [nodes, epochs],
  };
}

function change(
  context: Context,
  nodeId: string,
  nowMs: number,
  options: FailoverOptions,
  evolve: (state: NodeState) => NodeState,
): void {
  const store = context.records(nodes);
  const before = store.get(nodeId) ?? unknownNode(epochOf(context, nowMs), options);
  const after = evolve(before);
  store.put(nodeId, after);
  if (after.sequence === before.sequence) return;
  context.emit(nodeOverlay, nodeId, {
    nodeId,
    alive: after.alive,
    draining: after.draining,
    multiplier: multiplierOf(after, options),
    epoch: after.epoch,
    sequence: after.sequence,
    reason: after.reason,
  });
}

/**
 * The epoch of this task's history: the time at which its first record reached the log. A writer that lost
 * its stores begins later, so its epoch is higher and its sequence may begin again.
 */
function epochOf(context: Context, nowMs: number): number {
  const store = context.packed(epochs);
  if (store.find(epochKey, 0, epochKey.length)) return store.view.getFloat64(store.valueStart);
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, nowMs);
  store.put(epochKey, 0, epochKey.length, bytes, 0, bytes.length);
  return nowMs;
}
