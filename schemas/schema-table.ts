import { type EventSchema, readSchema } from "./event-schema.ts";
import { CodecFailure } from "./failure.ts";
import { MAX_TABLE_SCHEMAS } from "./limits.ts";

const MAX_ID = 0x7fff_ffff;

/** One row of a table as it is stored in a log or a bundle. */
export interface SchemaTableRow {
  readonly id: number;
  /** Unsigned, 16 hexadecimal digits. */
  readonly fingerprint: string;
  readonly schema: string;
}

/**
 * The schemas of one log: 32-bit frame ids to schemas and back. Identity is the fingerprint of the
 * canonical form, so schemas that differ only in docs, defaults or aliases share the first one's id.
 */
export class SchemaTable {
  readonly #byId = new Map<number, EventSchema<unknown>>();
  readonly #ids = new Map<bigint, number>();
  #lastId = 0;

  /** How many schemas the table holds. */
  get size(): number {
    return this.#byId.size;
  }

  /**
   * The id of `schema`, given now (1, 2, 3 and on) when it has none. Throws RangeError when the
   * table is full and when two different schemas meet in one fingerprint.
   */
  register(schema: EventSchema<unknown>): number {
    const known = this.idOf(schema);
    if (known !== undefined) {
      return known;
    }
    const id = this.#lastId + 1;
    const failure = this.set(id, schema);
    if (failure !== undefined) {
      throw new RangeError(failure.message);
    }
    return id;
  }

  /** Enters `schema` under an id that somebody else gave (a registry, a stored table). */
  set(id: number, schema: EventSchema<unknown>): CodecFailure | undefined {
    if (!Number.isInteger(id) || id < 0 || id > MAX_ID) {
      return new CodecFailure("BAD_SCHEMA", `schema id ${id} is not between 0 and ${MAX_ID}`);
    }
    const present = this.#byId.get(id);
    if (present !== undefined) {
      return present.canonical === schema.canonical
        ? undefined
        : new CodecFailure("BAD_SCHEMA", `schema id ${id} is ${present.name}, not ${schema.name}`);
    }
    if (this.#byId.size >= MAX_TABLE_SCHEMAS) {
      return new CodecFailure("TOO_LARGE", `a table holds at most ${MAX_TABLE_SCHEMAS} schemas`);
    }
    const twin = this.#byId.get(this.#ids.get(schema.fingerprint) ?? -1);
    if (twin !== undefined && twin.canonical !== schema.canonical) {
      return new CodecFailure(
        "BAD_SCHEMA",
        `${schema.name} and ${twin.name} have the same fingerprint`,
      );
    }
    this.#byId.set(id, schema);
    if (twin === undefined) {
      this.#ids.set(schema.fingerprint, id);
    }
    this.#lastId = Math.max(this.#lastId, id);
    return undefined;
  }

  /** The id that frames of `schema` carry, if it is in the table. */
  idOf(schema: EventSchema<unknown>): number | undefined {
    const id = this.#ids.get(schema.fingerprint);
    return id !== undefined && this.#byId.get(id)?.canonical === schema.canonical ? id : undefined;
  }

  /** The schema that frames with `id` were written with. */
  schemaOf(id: number): EventSchema<unknown> | undefined {
    return this.#byId.get(id);
  }

  /** Rows in the order of ids, for `JSON.stringify`. */
  toJSON(): SchemaTableRow[] {
    return [...this.#byId]
      .sort(([a], [b]) => a - b)
      .map(([id, schema]) => ({
        id,
        fingerprint: schema.fingerprint.toString(16).padStart(16, "0"),
        schema: schema.json,
      }));
  }

  /** A table from what `toJSON` gave; a failure for rows that are malformed or contradict. */
  static fromJSON(rows: unknown): SchemaTable | CodecFailure {
    if (!Array.isArray(rows) || rows.length > MAX_TABLE_SCHEMAS) {
      return new CodecFailure("BAD_SCHEMA", "a schema table must be a list of rows");
    }
    const table = new SchemaTable();
    for (const [index, row] of rows.entries()) {
      const failure = table.#enter(row);
      if (failure !== undefined) {
        return new CodecFailure(failure.code, `row ${index} of a schema table: ${failure.message}`);
      }
    }
    return table;
  }

  #enter(row: Partial<SchemaTableRow> | null): CodecFailure | undefined {
    if (typeof row?.id !== "number" || typeof row.schema !== "string") {
      return new CodecFailure("BAD_SCHEMA", "no id or no schema");
    }
    const schema = readSchema(row.schema);
    if (schema instanceof CodecFailure) {
      return schema;
    }
    if (schema.fingerprint.toString(16).padStart(16, "0") !== row.fingerprint) {
      return new CodecFailure("BAD_SCHEMA", `the fingerprint is not the one of ${schema.name}`);
    }
    return this.set(row.id, schema);
  }
}
