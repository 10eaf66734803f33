import { afterAll, beforeAll, describe } from "vitest";
import { scoreScripts } from "../../sinks/scores/redis-score-scripts.ts";
import { RedisScoreTable } from "../../sinks/scores/redis-score-table.ts";
import type { RedisConnection } from "../../streams/redis/redis-connection.ts";
import { hasRedis, RedisServer } from "../kits/redis.ts";
import { describeScoreTable } from "./score-table.ts";

// Several connections, as several processes have them; each case empties the server.
describe.skipIf(!hasRedis)("a real redis-server", () => {
  let server: RedisServer;
  let connections: RedisConnection[];

  beforeAll(async () => {
    server = await RedisServer.open();
    connections = await Promise.all([0, 1, 2].map(() => server.connect(scoreScripts)));
  });

  afterAll(async () => {
    for (const connection of connections) connection.close();
    await server.close();
  });

  describeScoreTable("redis", async ({ views = 1, maxNodes } = {}) => {
    await connections[0]?.client.flushall();
    const options = maxNodes === undefined ? {} : { maxNodes };
    const [first, ...rest] = connections
      .slice(0, views)
      .map((connection) => new RedisScoreTable(connection, options));
    if (first === undefined) throw new Error("no connection");
    return [first, ...rest];
  });
});
