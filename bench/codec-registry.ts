import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A schema registry with one Avro schema, enough to warm a client's caches. */
export interface OneSchemaRegistry {
  readonly url: string;
  readonly close: () => void;
}

/**
 * Serves `schema` as id and version 1 of `subject` on a free port of the loopback address. The
 * rival's own mock client is not used: it searches and parses JSON at every call, which the real
 * client with warm caches does not.
 */
export async function serveSchema(subject: string, schema: string): Promise<OneSchemaRegistry> {
  const server: Server = createServer((request, response) => {
    const known = request.url?.includes("/versions/latest") || request.url?.includes("/ids/1");
    response.writeHead(known ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify({ subject, version: 1, id: 1, schemaType: "AVRO", schema }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
