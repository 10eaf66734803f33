/** Bounds of the access gateway and of the edge nodes, each with its reason. Relations are asserted at the end. */

/** Request line and headers together: a browser sends 1 to 2 KiB; above it node answers 431. */
export const maxHeaderBytes: number = 8_192;
/** Header fields of one request; more is a flood, answered with 431. Node drops what exceeds its own count. */
export const maxHeaderFields: number = 64;
/** Path and query of a request that is redirected: Location repeats them beside a token. */
export const maxTargetLength: number = 4_096;
/** Time for all headers of a request to arrive: a slow-header client holds a socket no longer. */
export const headersTimeoutMs: number = 5_000;
/** Time for a whole request; bodies are at most `maxBodyBytes`. */
export const requestTimeoutMs: number = 10_000;
/** How often node looks for connections over the two times above. */
export const connectionsCheckMs: number = 1_000;
/** An idle kept-alive connection is closed after this. */
export const keepAliveTimeoutMs: number = 10_000;
/** Requests on one connection before it is closed: spreads long-lived clients over restarts and new keys. */
export const maxRequestsPerSocket: number = 10_000;
/** Requests a second on one connection that does not come from a configured proxy; more gets 429 and the end. */
export const maxRequestRatePerSocket: number = 1_000;
/** Open connections of the whole process: below the usual 16 k descriptors that an operator allows. */
export const maxConnections: number = 10_000;
/** Open connections of one client address (an IPv6 client is its /64) that is no configured proxy. */
export const maxConnectionsPerAddress: number = 64;
/** New connections a second of one such address: a page opens 6, a proxy without a name a few dozen. */
export const maxConnectionRatePerAddress: number = 200;
/** Body of a request: only `POST /session` has one, and it is ignored. */
export const maxBodyBytes: number = 1_024;
/** Host header values whose service is remembered. */
export const maxCachedHosts: number = 1_024;

/** Cells with requests in one second of one gateway; what does not fit is summed under the cell's country. */
export const maxCellsPerSecond: number = 20_000;
/** Nodes, services and decisions of the tables; a log with more is refused record by record, counted. */
export const maxNodes: number = 65_535;
export const maxServices: number = 1_024;
export const maxDecisions: number = 2_000_000;
export const maxCandidates: number = 255;
/** Wait between two attempts to reach the engine at start. */
export const connectRetryMs: number = 250;
export const connectTimeoutMs: number = 2_000;

/** WebSocket message of a client; larger ones close the session with 1009. */
export const maxMessageBytes: number = 65_536;
/** Bytes waiting to be sent to one slow client before its session is closed. */
export const maxSocketBacklogBytes: number = 1_048_576;
/** Open sessions of a node. */
export const maxSessions: number = 10_000;
/** Messages a second of one session; more closes it with 1008. */
export const maxMessageRate: number = 200;
/** Session ids that a node remembers as closed in an orderly way. */
export const maxClosedSessions: number = 10_000;
/** Bytes of generated objects that a node keeps. */
export const maxContentCacheBytes: number = 16 * 1_048_576;
/** Time that edge events gather before they leave: the log's owner then has 25 commits a second of a gateway. */
export const batchMs: number = 40;
/** Wait for the log to take the last events at an orderly stop. */
export const flushMs: number = 2_000;
/** Wait for open requests at an orderly stop; after it they are cut. */
export const stopTimeoutMs: number = 3_000;

if (maxTargetLength + 1_024 > maxHeaderBytes) {
  throw new Error("limits: a redirected target and its token must fit the next server's headers");
}
if (maxConnectionsPerAddress > maxConnections) {
  throw new Error("limits: one address may not be allowed more connections than the process");
}
if (headersTimeoutMs > requestTimeoutMs) {
  throw new Error("limits: headers may not be given more time than the request");
}
