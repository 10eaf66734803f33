import { createServer, type Server } from "node:http";
import { maxConnections, requestTimeoutMs } from "./limits.ts";

export interface EndpointOptions {
  readonly host: string;
  readonly port: number;
  /** The text of `GET /metrics` and its content type. */
  readonly metrics: () => Promise<{ readonly text: string; readonly contentType: string }>;
  /** Whether the views equal the log: `GET /healthz` answers 200 or 503. */
  readonly healthy: () => boolean;
}

/** Serves the metrics over HTTP until the server is closed; GET only. */
export async function serveMetrics(
  options: EndpointOptions,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer(
    { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs, keepAliveTimeout: 5_000 },
    (request, response) => {
      const send = (status: number, contentType: string, text: string): void => {
        response.writeHead(status, {
          "Content-Type": contentType,
          "Content-Length": Buffer.byteLength(text),
        });
        response.end(request.method === "HEAD" ? undefined : text);
      };
      if (request.method !== "GET" && request.method !== "HEAD") {
        send(405, "text/plain", "only GET\n");
      } else if (request.url === "/metrics") {
        options.metrics().then(
          ({ text, contentType }) => send(200, contentType, text),
          () => send(500, "text/plain", "the metrics could not be collected\n"),
        );
      } else if (request.url === "/healthz") {
        const healthy = options.healthy();
        send(healthy ? 200 : 503, "text/plain", healthy ? "ok\n" : "away from the log\n");
      } else {
        send(404, "text/plain", "there is /metrics and /healthz\n");
      }
    },
  );
  server.maxConnections = maxConnections;
  await listen(server, options);
  return {
    port: (server.address() as { port: number }).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, { host, port }: EndpointOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}
