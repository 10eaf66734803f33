import { checkFullTransitive } from "../../schemas/compatibility.ts";
import type { SchemaTable } from "../../schemas/schema-table.ts";
import { codeOf, messageOf, OpenCdnError } from "../errors.ts";
import { RegistryClient, requiredLevel } from "./registry-client.ts";
import type { RegistryConfig } from "./registry-config.ts";
import { loadIds, saveIds } from "./schema-id-file.ts";
import {
  firstWithoutId,
  readRegistered,
  type SchemaId,
  type TopicSchema,
  tableOf,
} from "./schema-ids.ts";
import type { Environment } from "./secret.ts";

/** One way in which the registry is not as the code wants it. */
export type SchemaDifference =
  | { readonly kind: "unregistered"; readonly subject: string }
  | { readonly kind: "level"; readonly subject: string; readonly found: string }
  | { readonly kind: "incompatible"; readonly subject: string; readonly reason: string };

/** The registry beside the code. */
export interface RegistryState {
  readonly ids: readonly SchemaId[];
  readonly differences: readonly SchemaDifference[];
}

/**
 * Reads every subject and compares; changes nothing. Compatibility is checked against every version here, with the
 * place in the schema, and asked of the registry too.
 */
export async function inspectSchemas(
  client: RegistryClient,
  schemas: readonly TopicSchema[],
): Promise<RegistryState> {
  const ids: SchemaId[] = [];
  const differences: SchemaDifference[] = [];
  for (const wanted of schemas) {
    const { subject, schema } = wanted;
    const known = (await client.versions(subject)).map(({ version, id, text }) => ({
      subject,
      version,
      id,
      schema: readRegistered(subject, version, text),
    }));
    ids.push(...known);
    const found = await client.level(subject);
    if (found !== requiredLevel) differences.push({ kind: "level", subject, found });
    const reason = await incompatibility(client, wanted, known);
    if (reason !== undefined) differences.push({ kind: "incompatible", subject, reason });
    else if (known.length === 0 || (await client.idOf(subject, schema.json)) === undefined)
      differences.push({ kind: "unregistered", subject });
  }
  return { ids, differences };
}

/** Why a schema may not follow the versions before it; undefined when it may. */
async function incompatibility(
  client: RegistryClient,
  { subject, schema }: TopicSchema,
  known: readonly SchemaId[],
): Promise<string | undefined> {
  const [first] = checkFullTransitive(schema, known);
  if (first !== undefined)
    return `it breaks ${first.direction} compatibility with version ${first.version} at ${first.path}: ${first.message}`;
  if (known.length > 0 && !(await client.accepts(subject, schema.json)))
    return "the registry refuses it as the next version";
  return undefined;
}

/** A difference as one line. */
export function describeSchemaDifference(difference: SchemaDifference): string {
  const { subject } = difference;
  switch (difference.kind) {
    case "unregistered":
      return `${subject} has not this program's schema`;
    case "level":
      return `${subject} is held to ${difference.found}, not to ${requiredLevel}`;
    case "incompatible":
      return `${subject} cannot take this program's schema: ${difference.reason}`;
  }
}

/**
 * Registers what is missing: levels first, so that nothing slips in, then schemas. Nothing is changed where any schema
 * is incompatible: throws OCDN_SCHEMA_REFUSED with the reason. Returns every version with its id.
 */
export async function applySchemas(
  client: RegistryClient,
  schemas: readonly TopicSchema[],
  { ids, differences }: RegistryState,
): Promise<readonly SchemaId[]> {
  const refused = differences.filter(({ kind }) => kind === "incompatible");
  const [first] = refused;
  if (first !== undefined) {
    const more = refused.length > 1 ? ` (and ${refused.length - 1} more)` : "";
    throw new OpenCdnError(
      "OCDN_SCHEMA_REFUSED",
      `registering schemas: ${describeSchemaDifference(first)}${more}`,
    );
  }
  for (const { kind, subject } of differences) if (kind === "level") await client.require(subject);
  const missing = new Set(
    differences.filter(({ kind }) => kind === "unregistered").map(({ subject }) => subject),
  );
  const registered: SchemaId[] = [...ids];
  for (const { subject, schema } of schemas) {
    if (!missing.has(subject)) continue;
    const id = await client.register(subject, schema.json);
    const version = 1 + registered.filter((entry) => entry.subject === subject).length;
    registered.push({ subject, version, id, schema });
  }
  return registered;
}

/** Where a process gets the ids of its schemas from. */
export interface SchemaSource {
  readonly config: RegistryConfig;
  readonly environment: Environment;
  /** File of ids, kept from the last time. */
  readonly file: string;
  readonly schemas: readonly TopicSchema[];
}

/**
 * The table of a process that starts: from the file when it has every schema of this program, so that neither the
 * registry nor its client is needed; otherwise from the registry, and the file is written. Nothing is registered:
 * throws OCDN_NOT_FOUND for a schema that is not, and what the registry's client throws.
 */
export async function openSchemaTable(source: SchemaSource): Promise<SchemaTable> {
  const { config, environment, file, schemas } = source;
  const kept = await loadIds(file, config.url);
  const complete = kept.kind === "ids" && firstWithoutId(schemas, kept.ids) === undefined;
  if (complete) return tableOf(kept.ids);
  const client = await RegistryClient.open(config, environment);
  try {
    const ids = await readIds(client, schemas);
    const table = tableOf(ids);
    await saveIds(file, config.url, ids);
    return table;
  } catch (error) {
    const reason = kept.kind === "none" ? kept.reason : "it lacks schemas of this program";
    throw new OpenCdnError(
      codeOf(error),
      `${messageOf(error)}; the ids kept in ${file} do not help: ${reason}`,
      { cause: error },
    );
  } finally {
    client.close();
  }
}

async function readIds(
  client: RegistryClient,
  schemas: readonly TopicSchema[],
): Promise<SchemaId[]> {
  const ids: SchemaId[] = [];
  for (const { subject } of schemas)
    for (const { version, id, text } of await client.versions(subject))
      ids.push({ subject, version, id, schema: readRegistered(subject, version, text) });
  const missing = firstWithoutId(schemas, ids);
  if (missing === undefined) return ids;
  throw new OpenCdnError(
    "OCDN_NOT_FOUND",
    `reading schema ids: ${missing.subject} has not this program's schema; run \`opencdn schemas apply\``,
  );
}
