import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { z } from "zod";
import { parsePrefix } from "../domain/prefix.ts";
import type { NodeInventory, ServicePolicy } from "../schemas/generated/events.ts";
import { messageOf, OpenCdnError } from "../streams/errors.ts";
import type { Emitted } from "../streams/processor.ts";
import { readConfig } from "../streams/read-config.ts";

/** Largest fleet file; a node takes about 500 bytes, so this is some thousands of nodes. */
const maxFleetBytes = 4 * 1_048_576;

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, "letters, digits, dot, dash and underscore");
const country = z.string().regex(/^[A-Z]{2}$/, "two capital letters, ISO 3166-1");
const prefix = z.string().refine((text) => parsePrefix(text) !== undefined, "no prefix");

const nodeSchema = z.strictObject({
  place: z.string().max(100).describe("Human name of the place."),
  country: country.describe("Country of the machines."),
  region: z.string().max(60).default("").describe("Region inside the country."),
  latitude: z.number().min(-90).max(90),
  longitude: z.number().min(-180).max(180),
  baseUrl: z.url({ protocol: /^https?$/ }).describe("Origin that clients are redirected to."),
  capacityRps: z.number().positive().describe("Requests per second that the node can serve."),
  serviceTimeMs: z.number().positive().default(5),
  prefixes: z.array(prefix).max(1_000).default([]).describe("Prefixes announced for the node."),
  originAsns: z.array(z.number().int().min(1).max(4_294_967_295)).max(100).default([]),
  protocols: z.array(z.enum(["http", "ws", "quic"])).default(["http", "ws"]),
  jurisdiction: country.optional().describe("Legal jurisdiction; the country unless given."),
  synthetic: z.boolean().default(false).describe("A demonstration node."),
});

const serviceSchema = z.strictObject({
  hostnames: z.array(z.string().min(1).max(253)).max(1_000).default([]),
  permittedNodes: z.array(name).default([]).describe("Empty: all nodes."),
  forbiddenNodes: z.array(name).default([]),
  residency: z
    .array(
      z.strictObject({
        clientCountry: z.union([country, z.literal("*")]),
        jurisdictions: z.array(country).min(1),
      }),
    )
    .max(300)
    .default([]),
  nodeWeights: z.record(name, z.number().min(0).max(1_000)).default({}),
  floorNodes: z.number().int().min(0).default(1),
  ttlSeconds: z.number().int().min(0).max(86_400).default(30),
  maxStepRatio: z.number().min(0).max(1).default(0.25),
});

const fleetSchema = z.strictObject({
  nodes: z.record(name, nodeSchema),
  services: z.record(name, serviceSchema),
});

/** What a FLEET.yaml says, as the events that go on the log, by key. */
export interface Fleet {
  readonly nodes: ReadonlyMap<string, Emitted<NodeInventory>>;
  readonly services: ReadonlyMap<string, Emitted<ServicePolicy>>;
}

/** Reads a fleet file. Throws OCDN_BAD_INPUT where it is no YAML, OCDN_CONFIG with the place of what is not valid. */
export async function readFleet(file: string): Promise<Fleet> {
  let text: string;
  try {
    const bytes = await readFile(file);
    if (bytes.length > maxFleetBytes) throw new Error(`larger than ${maxFleetBytes} bytes`);
    text = bytes.toString("utf8");
  } catch (error) {
    throw new OpenCdnError("OCDN_BAD_INPUT", `reading the fleet ${file}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  return parseFleet(text, file);
}

/** The fleet in a YAML text; `file` is for messages only. Throws OCDN_CONFIG naming the place. */
export function parseFleet(text: string, file: string): Fleet {
  let raw: unknown;
  try {
    raw = parse(text, { maxAliasCount: 20 });
  } catch (error) {
    throw new OpenCdnError("OCDN_BAD_INPUT", `reading the fleet ${file}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const { nodes, services } = readConfig(fleetSchema, raw, `the fleet ${file}`);
  for (const [service, policy] of Object.entries(services)) {
    const named = [
      ...policy.permittedNodes,
      ...policy.forbiddenNodes,
      ...Object.keys(policy.nodeWeights),
    ];
    const missing = named.find((node) => !(node in nodes));
    if (missing !== undefined) {
      throw new OpenCdnError(
        "OCDN_BAD_INPUT",
        `reading the fleet ${file}: service ${service} names the node ${missing}, which the fleet has not`,
      );
    }
  }
  return {
    nodes: new Map(Object.entries(nodes).map(([id, node]) => [id, nodeEvent(id, node)])),
    services: new Map(
      Object.entries(services).map(([id, policy]) => [id, policyEvent(id, policy)]),
    ),
  };
}

function nodeEvent(nodeId: string, node: z.infer<typeof nodeSchema>): Emitted<NodeInventory> {
  return { ...node, nodeId, jurisdiction: node.jurisdiction ?? node.country };
}

function policyEvent(
  serviceId: string,
  policy: z.infer<typeof serviceSchema>,
): Emitted<ServicePolicy> {
  const { nodeWeights, ...rest } = policy;
  return {
    ...rest,
    serviceId,
    nodeWeights: Object.entries(nodeWeights).map(([nodeId, weight]) => ({ nodeId, weight })),
    version: 0,
  };
}
