import { type Sink, sinkInput } from "../../streams/sink.ts";
import { nodeScores } from "../../streams/topics.ts";
import type { MemoryScoreTable } from "./score-table.ts";

/** Who keeps another table equal to the one in memory. */
export interface ScoreFollower {
  changed(nodeId: string): void;
  caughtUp(logId: string): void;
}

/**
 * Keeps a score table equal to `node.scores.v1`: rebuilt from the log at every start, since it is only a view. The
 * records of a node come in the order of the log, so a clock that went back does not hold the later one off.
 */
export function scoreSink(table: MemoryScoreTable, follower?: ScoreFollower): Sink {
  return {
    name: "scores",
    from: "snapshot",
    inputs: [
      sinkInput(nodeScores, ({ key, value, eventMs }) => {
        const atMs = Math.max(eventMs, table.known(key)?.atMs ?? eventMs);
        if (value === null) table.remove(key, atMs);
        else table.put(key, value, atMs);
        follower?.changed(key);
      }),
    ],
    onCaughtUp: (logId) => follower?.caughtUp(logId),
    flush: () => Promise.resolve(),
  };
}
