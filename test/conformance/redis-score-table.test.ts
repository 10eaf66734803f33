import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scoreScripts } from "../../sinks/scores/redis-score-scripts.ts";
import { RedisScoreTable } from "../../sinks/scores/redis-score-table.ts";
import type { RedisConnection } from "../../streams/redis/redis-connection.ts";
import { hasRedis, RedisServer } from "../kits/redis.ts";
import { scoreOf } from "./score-of.ts";
import { describeScoreTable } from "./score-table.ts";

// Several connections, as several processes have them; each case empties the server.
describe.skipIf(!hasRedis)(
  `a real redis-server${hasRedis ? "" : " (skipped: needs redis-server)"}`,
  () => {
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

    it("remembers the latest removals, and no more than it may", async () => {
      const [connection] = connections;
      if (connection === undefined) throw new Error("no connection");
      await connection.client.flushall();
      const table = new RedisScoreTable(connection, { maxRemoved: 2 });
      for (const [i, node] of ["A", "B", "C", "D"].entries()) await table.remove(node, 10 + i);
      expect(await connection.client.zrange("scores:removed", 0, "-1")).toEqual(["C", "D"]);
      expect(await table.put("D", scoreOf("D", 0.5), 12)).toBe(false);
      expect(await table.put("C", scoreOf("C", 0.5), 12)).toBe(true);
      expect(await connection.client.zrange("scores:removed", 0, "-1")).toEqual(["D"]);
    });
  },
);
