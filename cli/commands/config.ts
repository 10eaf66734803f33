import { stringify } from "yaml";
import { z } from "zod";
import { edgeSchema } from "../../gateways/edge/config.ts";
import { print, printJson } from "../output.ts";
import { type Settings, settingsSchema } from "../settings.ts";

interface JsonSchema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly default?: unknown;
}

/** `opencdn config`: the settings in force, each with its meaning; `--json` gives the values alone. */
export function printConfig(settings: Settings, options: { readonly json: boolean }): void {
  if (options.json) {
    printJson(settings);
    return;
  }
  const schema = z.toJSONSchema(settingsSchema, {
    io: "input",
    unrepresentable: "any",
  }) as JsonSchema;
  print("# Settings in force. Put what you change into opencdn.yaml; unknown keys are refused.");
  for (const [key, value] of Object.entries(settings)) {
    printEntry(key, value, schema.properties?.[key], 0);
  }
  print("# Options of the access gateway (edge:), with their defaults:");
  const edge = z.toJSONSchema(edgeSchema, { io: "input", unrepresentable: "any" }) as JsonSchema;
  for (const [key, option] of Object.entries(edge.properties ?? {})) {
    const normal = option.default === undefined ? "" : ` (${JSON.stringify(option.default)})`;
    print(`#   ${key}${normal}: ${option.description ?? ""}`.trimEnd());
  }
}

function printEntry(
  key: string,
  value: unknown,
  schema: JsonSchema | undefined,
  depth: number,
): void {
  const indent = "  ".repeat(depth);
  const words = schema?.description === undefined ? "" : `  # ${schema.description}`;
  const nested = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!nested || Object.keys(value).length === 0) {
    print(
      `${indent}${stringify({ [key]: value ?? null }, { lineWidth: 0, flowCollectionPadding: false }).trim()}${words}`,
    );
    return;
  }
  print(`${indent}${key}:${words}`);
  for (const [name, entry] of Object.entries(value)) {
    printEntry(name, entry, schema?.properties?.[name], depth + 1);
  }
}
