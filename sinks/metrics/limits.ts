/** Most values of one label, so that no input can grow the registry: 1,000 nodes times some 20 gauges are 2 MB of text. */
export const maxLabelValues = 1_000;
/** Longest label value. */
export const maxLabelCharacters = 128;
/** Connections to the endpoint at once: a few Prometheus servers and a person. */
export const maxConnections = 32;
export const requestTimeoutMs = 10_000;
/** A connection that neither reads nor writes for this long is ended. */
export const stallMs = 30_000;
/** Most nodes that `/scores` names. */
export const maxScores = 1_000;
