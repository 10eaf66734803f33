import path from "node:path";
import { OpenCdnError } from "../../streams/errors.ts";
import {
  applySchemas,
  describeSchemaDifference,
  inspectSchemas,
  type RegistryState,
} from "../../streams/kafka/registry.ts";
import { RegistryClient } from "../../streams/kafka/registry-client.ts";
import { type RegistryConfig, registrySchema } from "../../streams/kafka/registry-config.ts";
import { saveIds } from "../../streams/kafka/schema-id-file.ts";
import { currentSchemas } from "../../streams/kafka/schema-ids.ts";
import { readConfig } from "../../streams/read-config.ts";
import { print, printJson } from "../output.ts";
import type { Settings } from "../settings.ts";

export interface SchemasOptions {
  /** URL of the registry; without it that of the settings. */
  readonly registry?: string | undefined;
  readonly json: boolean;
}

/** File in which the ids of schemas are kept, in a data folder. */
export function schemaIdFile(data: string): string {
  return path.join(data, "schema-ids.json");
}

/**
 * `opencdn schemas apply`: registers the schemas of this program, keeps their ids, and says what was done. Throws
 * OCDN_SCHEMA_REFUSED before anything is changed where one is incompatible.
 */
export async function applyRegistrySchemas(
  settings: Settings,
  options: SchemasOptions,
): Promise<void> {
  await withRegistry(settings, options, async (client, { url }) => {
    const state = await inspectSchemas(client, currentSchemas());
    const ids = await applySchemas(client, currentSchemas(), state);
    const file = schemaIdFile(settings.data);
    await saveIds(file, url, ids);
    if (options.json) {
      printJson({ ...jsonOf(state), applied: state.differences.length > 0, file });
      return;
    }
    for (const difference of state.differences) print(describeSchemaDifference(difference));
    const count = state.differences.length;
    print(count === 0 ? "nothing to change" : `${count} applied`);
    print(`the ids of ${ids.length} schemas are in ${file}`);
  });
}

/** `opencdn schemas check`: each difference on a line. Throws OCDN_CLUSTER_DIFFERS when there is one. */
export async function checkRegistrySchemas(
  settings: Settings,
  options: SchemasOptions,
): Promise<void> {
  await withRegistry(settings, options, async (client) => {
    const state = await inspectSchemas(client, currentSchemas());
    if (options.json) printJson(jsonOf(state));
    else for (const difference of state.differences) print(describeSchemaDifference(difference));
    const count = state.differences.length;
    if (count > 0)
      throw new OpenCdnError(
        "OCDN_CLUSTER_DIFFERS",
        `checking schemas: ${count} ${count === 1 ? "thing differs" : "things differ"}; \`opencdn schemas apply\` registers what is compatible`,
      );
    if (!options.json) print(`as wanted; ${state.ids.length} schemas are registered`);
  });
}

async function withRegistry(
  settings: Settings,
  options: SchemasOptions,
  work: (client: RegistryClient, config: RegistryConfig) => Promise<void>,
): Promise<void> {
  const url = options.registry ?? settings.registry["url"];
  if (url === undefined)
    throw new OpenCdnError(
      "OCDN_USAGE",
      "connecting to the registry: say --registry URL, or put registry.url into the settings",
    );
  const config = readConfig(registrySchema, { ...settings.registry, url }, "the registry");
  const client = await RegistryClient.open(config, process.env);
  try {
    await work(client, config);
  } finally {
    client.close();
  }
}

function jsonOf({ ids, differences }: RegistryState): object {
  return {
    ids: ids.map(({ subject, version, id }) => ({ subject, version, id })),
    differences,
  };
}
