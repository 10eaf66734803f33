import { type Sink, sinkInput } from "../../streams/sink.ts";
import { nodeScores } from "../../streams/topics.ts";
import type { ScoreTable } from "./score-table.ts";

/** Keeps a score table equal to `node.scores.v1`: rebuilt from the log at every start, since it is only a view. */
export function scoreSink(table: ScoreTable): Sink {
  return {
    name: "scores",
    from: "snapshot",
    inputs: [
      sinkInput(nodeScores, async ({ key, value, eventMs }) => {
        if (value === null) await table.remove(key, eventMs);
        else await table.put(key, value, eventMs);
      }),
    ],
    flush: () => Promise.resolve(),
  };
}
