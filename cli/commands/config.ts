import { Document, isMap, isScalar, type YAMLMap } from "yaml";
import { z } from "zod";
import { edgeSchema } from "../../gateways/edge/config.ts";
import { sinksSchema } from "../../sinks/config.ts";
import { kafkaSchema } from "../../streams/kafka/config.ts";
import { registrySchema } from "../../streams/kafka/registry-config.ts";
import { readConfig } from "../../streams/read-config.ts";
import { print, printJson } from "../output.ts";
import { places, type Settings, settingsSchema } from "../settings.ts";

interface JsonSchema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly default?: unknown;
}

/**
 * `opencdn config`: the settings in force as YAML that can be put into opencdn.yaml, each with its meaning; `--json`
 * gives the values alone. Throws OCDN_CONFIG for an option of a part that it does not have.
 */
export function printConfig(settings: Settings, options: { readonly json: boolean }): void {
  const folder = places(settings.data).log;
  readConfig(edgeSchema, { folder, ...settings.edge }, "the access gateway (edge)");
  readConfig(sinksSchema, { folder, ...settings.sinks }, "the sinks");
  if (Object.keys(settings.kafka).length > 0)
    readConfig(kafkaSchema, { brokers: "127.0.0.1:9092", ...settings.kafka }, "Kafka (kafka)");
  if (Object.keys(settings.registry).length > 0)
    readConfig(registrySchema, { url: "http://127.0.0.1", ...settings.registry }, "the registry");
  if (options.json) {
    printJson(settings);
    return;
  }
  const document = new Document(settings);
  document.commentBefore =
    " Settings in force. Put what you change into opencdn.yaml; unknown keys are refused.";
  if (isMap(document.contents)) describe(document.contents as YAMLMap, schemaOf(settingsSchema));
  print(document.toString({ lineWidth: 0, flowCollectionPadding: false }).trimEnd());
  printOptions("edge", schemaOf(edgeSchema));
  printOptions("sinks", schemaOf(sinksSchema));
  printOptions("kafka", schemaOf(kafkaSchema));
  printOptions("registry", schemaOf(registrySchema));
}

function schemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
}

/** Puts each key's meaning in a comment above it. */
function describe(map: YAMLMap, schema: JsonSchema): void {
  for (const { key, value } of map.items) {
    if (!isScalar(key)) continue;
    const of = schema.properties?.[String(key.value)];
    if (of?.description !== undefined) key.commentBefore = ` ${of.description}`;
    if (isMap(value) && of !== undefined) describe(value, of);
  }
}

/** The options that a part takes, with their defaults, as comments. */
function printOptions(part: string, schema: JsonSchema): void {
  print(`# Options under ${part}, with their defaults:`);
  for (const [key, option] of Object.entries(schema.properties ?? {})) {
    if (key === "folder") continue;
    const normal = option.default === undefined ? "" : ` (${JSON.stringify(option.default)})`;
    print(`#   ${key}${normal}: ${option.description ?? ""}`.trimEnd());
  }
}
