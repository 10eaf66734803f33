import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { z } from "zod";
import { messageOf, OpenCdnError } from "../streams/errors.ts";
import { maxSlots } from "../streams/limits.ts";
import { readConfig } from "../streams/read-config.ts";
import { type TopologyInput, type TopologyOptions, topologySchema } from "./topology.ts";

const maxFileBytes = 1_048_576;
const port = z.number().int().min(0).max(65_535);
/** Options of a part that its own process checks, before it starts and again when it reads them. */
const part = z.record(z.string(), z.unknown()).default({});

/** Configuration of everything that `opencdn up` starts; see `settingsSchema` for meanings and defaults. */
export interface Settings {
  readonly data: string;
  readonly slots: number;
  readonly retentionHours: number;
  readonly port: number;
  readonly fleet?: string | undefined;
  readonly processors: TopologyOptions;
  readonly edge: Readonly<Record<string, unknown>>;
  readonly sinks: Readonly<Record<string, unknown>>;
  readonly kafka: Readonly<Record<string, unknown>>;
  readonly registry: Readonly<Record<string, unknown>>;
  readonly demonstration: {
    readonly nodes: boolean;
    readonly seed: number;
    readonly downSeconds: number;
  };
}

export interface SettingsInput {
  readonly data?: string | undefined;
  readonly slots?: number | undefined;
  readonly retentionHours?: number | undefined;
  readonly port?: number | undefined;
  readonly fleet?: string | undefined;
  readonly processors?: TopologyInput | undefined;
  readonly edge?: Record<string, unknown> | undefined;
  readonly sinks?: Record<string, unknown> | undefined;
  readonly kafka?: Record<string, unknown> | undefined;
  readonly registry?: Record<string, unknown> | undefined;
  readonly demonstration?:
    | {
        readonly nodes?: boolean | undefined;
        readonly seed?: number | undefined;
        readonly downSeconds?: number | undefined;
      }
    | undefined;
}

export const settingsSchema: z.ZodType<Settings, SettingsInput> = z.strictObject({
  data: z.string().min(1).default(".opencdn").describe("Folder of everything that is kept."),
  slots: z.number().int().min(1).max(maxSlots).default(16).describe("Slots of a new log."),
  retentionHours: z
    .number()
    .min(1)
    .default(168)
    .describe("How long streams and the journal are kept."),
  port: port
    .default(8_080)
    .describe(
      "Port of the access gateway; the admin port, metrics and the demonstration's nodes follow it. 0: free ones.",
    ),
  fleet: z.string().min(1).optional().describe("Fleet file that is applied at every start."),
  processors: topologySchema.prefault({}).describe("Options of the processors, by name."),
  edge: part.describe("Options of the access gateway."),
  sinks: part.describe("Options of scores, metrics and alerts."),
  kafka: part.describe("Connection to Kafka, for the commands that administer it."),
  registry: part.describe("Connection to the schema registry."),
  demonstration: z
    .strictObject({
      nodes: z.boolean().default(true).describe("Start the demonstration fleet of four nodes."),
      seed: z
        .number()
        .int()
        .min(0)
        .max(0xffff_ffff)
        .default(1)
        .describe("Seed of the latency model."),
      downSeconds: z.number().min(0).default(30).describe("How long a killed node stays down."),
    })
    .prefault({}),
});

/** Folder of the installed package: where package.json is. */
export function packageFolder(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, "package.json"))) {
    const parent = path.dirname(folder);
    if (parent === folder)
      throw new OpenCdnError("OCDN_CONFIG", "looking for package.json: none above the program");
    folder = parent;
  }
  return folder;
}

/**
 * The settings of `file` (YAML; `opencdn.yaml` in the working folder when it exists and no other is named), with what
 * the command line says on top. Throws OCDN_CONFIG naming the key.
 */
export async function readSettings(
  file: string | undefined,
  overrides: { readonly [K in keyof SettingsInput]?: SettingsInput[K] | undefined },
): Promise<Settings> {
  const named = file ?? (existsSync("opencdn.yaml") ? "opencdn.yaml" : undefined);
  const written = named === undefined ? {} : await readYaml(named);
  const given = Object.fromEntries(
    Object.entries(overrides).filter(([, value]) => value !== undefined),
  );
  const settings = readConfig(settingsSchema, { ...written, ...given }, named ?? "the settings");
  return { ...settings, data: path.resolve(settings.data) };
}

async function readYaml(file: string): Promise<Record<string, unknown>> {
  try {
    const bytes = await readFile(file);
    if (bytes.length > maxFileBytes) throw new Error(`larger than ${maxFileBytes} bytes`);
    const value: unknown = parse(bytes.toString("utf8"), { maxAliasCount: 20 });
    if (value === null) return {};
    if (typeof value !== "object" || Array.isArray(value)) throw new Error("not a mapping of keys");
    return value as Record<string, unknown>;
  } catch (error) {
    throw new OpenCdnError("OCDN_CONFIG", `reading the settings ${file}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Where things lie in a data folder. */
export function places(data: string): {
  readonly log: string;
  readonly geo: string;
  readonly keys: string;
  readonly run: string;
  readonly control: string;
  readonly namedLog: (name: string) => string;
} {
  return {
    log: path.join(data, "log"),
    geo: path.join(data, "geo"),
    keys: path.join(data, "keys.json"),
    run: path.join(data, "run"),
    control: path.join(data, "run", "up.sock"),
    namedLog: (name) => path.join(data, "logs", name),
  };
}
