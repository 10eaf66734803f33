import type { EventSchema } from "../../schemas/event-schema.ts";
import { readSchema } from "../../schemas/event-schema.ts";
import { isFailure } from "../../schemas/failure.ts";
import { SchemaTable } from "../../schemas/schema-table.ts";
import { OpenCdnError } from "../errors.ts";
import { allTopics } from "../topics.ts";

/** The current schema of one topic. */
export interface TopicSchema {
  readonly subject: string;
  readonly schema: EventSchema<unknown>;
}

/** A schema under the id that the registry gave it. */
export interface SchemaId {
  readonly subject: string;
  readonly version: number;
  readonly id: number;
  readonly schema: EventSchema<unknown>;
}

/** Subject of a topic's values under Confluent's TOPIC strategy. */
export function subjectOf(topic: string): string {
  return `${topic}-value`;
}

/** The current schemas of the catalogue. */
export function currentSchemas(): TopicSchema[] {
  return allTopics.map(({ name, schema }) => ({ subject: subjectOf(name), schema }));
}

/** The fingerprint as it stands in files: 16 hexadecimal digits. */
export function fingerprintOf(schema: EventSchema<unknown>): string {
  return schema.fingerprint.toString(16).padStart(16, "0");
}

/** Reads a registered text. Throws OCDN_SCHEMA_REFUSED for one that is no schema of ours to read. */
export function readRegistered(subject: string, version: number, text: string): SchemaId["schema"] {
  const schema = readSchema(text);
  if (!isFailure(schema)) return schema;
  throw new OpenCdnError(
    "OCDN_SCHEMA_REFUSED",
    `reading version ${version} of ${subject}: ${schema.message}`,
  );
}

/** The first of `schemas` that has no id among `ids`. */
export function firstWithoutId(
  schemas: readonly TopicSchema[],
  ids: readonly SchemaId[],
): TopicSchema | undefined {
  const known = new Set(ids.map(({ subject, schema }) => `${subject} ${fingerprintOf(schema)}`));
  return schemas.find(({ subject, schema }) => !known.has(`${subject} ${fingerprintOf(schema)}`));
}

/** A table whose ids are the registry's. Throws OCDN_SCHEMA_REFUSED where two schemas share an id. */
export function tableOf(ids: readonly SchemaId[]): SchemaTable {
  const table = new SchemaTable();
  for (const { subject, version, id, schema } of ids) {
    const failure = table.set(id, schema);
    if (failure !== undefined)
      throw new OpenCdnError(
        "OCDN_SCHEMA_REFUSED",
        `taking version ${version} of ${subject} into the table: ${failure.message}`,
      );
  }
  return table;
}
