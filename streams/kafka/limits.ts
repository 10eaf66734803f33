/** Bounds of administration, each with its reason. The data plane has its own. */

/** One request to a broker. */
export const defaultRequestMs: number = 10_000;
/** Opening a connection: loopback and a data centre take milliseconds, a wrong address takes for ever. */
export const defaultConnectMs: number = 3_000;
/** One whole operation with its retries: long enough for a controller to be elected. */
export const defaultOperationMs: number = 30_000;
/** Attempts of one request. */
export const maxRequestRetries: number = 4;
/** Time that topics and settings take to be seen by every broker after they were accepted. */
export const settleMs: number = 10_000;
export const settlePauseMs: number = 100;
/** Brokers that are named to begin with; the rest are learned from them. */
export const maxBrokers: number = 64;
/** Groups shown by `lag`: the roles of a fleet, not every consumer of a shared cluster. */
export const maxGroups: number = 256;
/** A file of certificates, or a key of TLS. */
export const maxCertificateBytes: number = 1_048_576;
/** Kafka's own default for one batch; producers fill batches up to it whatever the size of a record. */
export const kafkaBatchBytes: number = 1_048_588;
/** What a batch of one record adds to key and value: batch header 61, lengths and headers of the record. */
export const batchOverheadBytes: number = 512;
/** Versions of one subject that are loaded, newest last; more are a sign of a generator gone wild. */
export const maxSchemaVersions: number = 1_000;
/** File of ids: 23 schemas of 8 KiB with a few versions each take under 1 MiB. */
export const maxIdFileBytes: number = 64 * 1_048_576;
