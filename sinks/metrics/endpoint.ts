import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { maxConnections, requestTimeoutMs, stallMs } from "./limits.ts";

export interface Page {
  readonly status?: number;
  readonly contentType: string;
  readonly text: string;
}

export interface EndpointOptions {
  readonly host: string;
  readonly port: number;
  /** What is served, by path. A page that fails is answered with 500. */
  readonly pages: ReadonlyMap<string, (query: URLSearchParams) => Promise<Page> | Page>;
}

export interface Endpoint {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves pages over HTTP until it is closed: GET and HEAD, a bounded number of connections, none for ever. */
export async function servePages(options: EndpointOptions): Promise<Endpoint> {
  const { pages } = options;
  const server = createServer(
    { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs, keepAliveTimeout: 5_000 },
    (request, response) => {
      const send = (page: Page): void => answer(request, response, page);
      pageFor(pages, request).then(send, () => send(plain(500, "the page could not be made")));
    },
  );
  server.maxConnections = maxConnections;
  server.timeout = stallMs;
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

async function pageFor(pages: EndpointOptions["pages"], request: IncomingMessage): Promise<Page> {
  if (request.method !== "GET" && request.method !== "HEAD") return plain(405, "only GET");
  const [path = "", query = ""] = (request.url ?? "").split("?", 2);
  const page = pages.get(path);
  if (page === undefined) return plain(404, `there is ${[...pages.keys()].join(", ")}`);
  return await page(new URLSearchParams(query));
}

function answer(request: IncomingMessage, response: ServerResponse, page: Page): void {
  response.writeHead(page.status ?? 200, {
    "Content-Type": page.contentType,
    "Content-Length": Buffer.byteLength(page.text),
    "Cache-Control": "no-store",
  });
  response.end(request.method === "HEAD" ? undefined : page.text);
}

/** A page of one line. */
export function plain(status: number, line: string): Page {
  return { status, contentType: "text/plain; charset=utf-8", text: `${line}\n` };
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
