/** Largest frame or body in bytes that is encoded or decoded; Kafka's own default for one record. */
export const MAX_FRAME_BYTES = 1_048_576;

/** Deepest nesting of a record inside itself. Ours nest at most once; 64 leaves room for foreign trees. */
export const MAX_RECURSION_DEPTH = 64;

/**
 * Elements of zero bytes (`null`, `fixed(0)`, empty records) in one frame. They cost nothing on the
 * wire, so the bytes that remain do not bound them.
 */
export const MAX_ZERO_BYTE_ELEMENTS = 4_096;

/** Longest text of one schema in bytes; our largest one is under 8 KiB. */
export const MAX_SCHEMA_BYTES = 262_144;

/** Types in one schema, counted with every use; bounds what is compiled from a foreign schema. */
export const MAX_SCHEMA_NODES = 4_096;

/** Fields of one schema when each use of a record is written out; bounds defaults and code. */
export const MAX_EXPANDED_FIELDS = 16_384;

/** Deepest nesting of types in the text of one schema. */
export const MAX_SCHEMA_DEPTH = 32;

/** Schemas in the table of one log. */
export const MAX_TABLE_SCHEMAS = 65_536;

/** Plans (writer to reader) a decoder keeps; a log with more schema versions rebuilds some. */
export const MAX_CACHED_PLANS = 1_024;

/** Bytes before the body of a frame: the magic byte 0 and a big-endian schema id. */
export const FRAME_HEADER_BYTES = 5;

/** First byte of every Confluent frame. */
export const FRAME_MAGIC = 0;

/** Names that reach an object's prototype; neither a map key nor a field may be called so. */
export const FORBIDDEN_KEYS: readonly string[] = ["__proto__", "constructor", "prototype"];
