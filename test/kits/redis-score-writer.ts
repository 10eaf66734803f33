/**
 * A process that writes one node's score to Redis: SOCKET NODE MOMENT SCORE, or no score for a removal. Prints whether
 * the write stands.
 */
import { scoreScripts } from "../../sinks/scores/redis-score-scripts.ts";
import { RedisScoreTable } from "../../sinks/scores/redis-score-table.ts";
import { redisSchema } from "../../streams/redis/redis-config.ts";
import { openRedis } from "../../streams/redis/redis-connection.ts";
import { scoreOf } from "../conformance/score-of.ts";

const [socket, node = "", moment, score] = process.argv.slice(2);
const config = redisSchema.parse({ socket });
await new Promise<void>((resolve, reject) => {
  const opened = openRedis({
    config,
    scripts: scoreScripts,
    onState: ({ kind }) => {
      opened
        .then(async (connection) => {
          if (kind !== "ready") throw new Error("Redis is away");
          const table = new RedisScoreTable(connection);
          const atMs = Number(moment);
          const stands =
            score === undefined
              ? await table.remove(node, atMs)
              : await table.put(node, scoreOf(node, Number(score)), atMs);
          process.stdout.write(String(stands));
          connection.close();
        })
        .then(resolve, reject);
    },
  });
});
