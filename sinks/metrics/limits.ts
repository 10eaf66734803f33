/** Most values of one label: beyond it everything is counted under `other`, so that no input can grow the registry. */
export const maxLabelValues = 1_000;
/** Longest label value. */
export const maxLabelCharacters = 128;
/** Connections to the endpoint at once: a few Prometheus servers and a person. */
export const maxConnections = 32;
export const requestTimeoutMs = 10_000;
