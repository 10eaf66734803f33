import { z } from "zod";
import { MAX_TOKEN_LIFETIME_MS } from "../../domain/token.ts";
import {
  type GeoConfig,
  geoSchema,
  type KeyRingConfig,
  keyRingSchema,
  type ProxyConfig,
  proxySchema,
} from "../site/config.ts";
import { maxConnectionsPerAddress } from "./limits.ts";

type Optional<T> = { readonly [Key in keyof T]?: T[Key] | undefined };

/** What gateways and nodes have in common; see `siteShape` for meanings and defaults. */
export interface SiteConfig {
  readonly folder: string;
  readonly host: string;
  readonly port: number;
  readonly geo: GeoConfig;
  readonly keyRing: KeyRingConfig;
  readonly proxies: ProxyConfig;
  readonly defaultService?: string | undefined;
  readonly tokenLifetimeSeconds: number;
  readonly maxConnectionsPerAddress: number;
  readonly debugHeaders: boolean;
  readonly synthetic: boolean;
}

/** The parts that have defaults of their own. */
interface NestedInput {
  readonly geo?: Optional<GeoConfig> | undefined;
  readonly keyRing?: Optional<KeyRingConfig> | undefined;
  readonly proxies?: Optional<ProxyConfig> | undefined;
}

/** What must be given of a configuration, the rest optional. */
type InputOf<Config extends SiteConfig, Given extends keyof Config> = Pick<Config, Given> &
  Optional<Omit<Config, Given | keyof NestedInput>> &
  NestedInput;

/** Configuration of an access gateway. */
export interface EdgeConfig extends SiteConfig {
  readonly gatewayId: string;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly tablesFile?: string | undefined;
  readonly tablesEveryMs: number;
  readonly staleAfterMs: number;
}

export type EdgeInput = InputOf<EdgeConfig, "folder">;

/** Configuration of an edge node. */
export interface NodeConfig extends SiteConfig {
  readonly nodeId: string;
  readonly place: string;
  readonly publicUrl?: string | undefined;
  readonly bootstrapUrl: string;
  readonly metricsEveryMs: number;
  readonly metricsScope: "host" | "process";
  readonly heartbeatMs: number;
}

export type NodeInput = InputOf<NodeConfig, "folder" | "nodeId" | "bootstrapUrl">;

const name: z.ZodString = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/);
const port: z.ZodNumber = z.number().int().min(0).max(65_535);
function siteShape(defaultPort: number) {
  return {
    folder: z.string().min(1).describe("Data folder of the engine."),
    host: z.string().min(1).default("127.0.0.1").describe("Address to listen on."),
    port: port.default(defaultPort).describe("Port to listen on; 0: a free one."),
    geo: geoSchema.prefault({}),
    keyRing: keyRingSchema.prefault({}),
    proxies: proxySchema.prefault({}),
    defaultService: name
      .optional()
      .describe("Service of requests whose Host no policy names; none: they are refused."),
    tokenLifetimeSeconds: z
      .number()
      .int()
      .min(1)
      .max(MAX_TOKEN_LIFETIME_MS / 1_000)
      .default(300),
    maxConnectionsPerAddress: z.number().int().min(1).default(maxConnectionsPerAddress),
    debugHeaders: z
      .boolean()
      .default(false)
      .describe("Say node, cell, decision and reason in X-OpenCDN headers."),
    synthetic: z.boolean().default(false).describe("Events are of a demonstration."),
  };
}

export const edgeSchema: z.ZodType<EdgeConfig, EdgeInput> = z.strictObject({
  ...siteShape(8_080),
  gatewayId: name.default("edge-1").describe("Name of this gateway, unique in the fleet."),
  adminHost: z.string().min(1).default("127.0.0.1").describe("Address of the admin port."),
  adminPort: port.default(8_081).describe("Port of health, readiness and explanations."),
  tablesFile: z
    .string()
    .min(1)
    .optional()
    .describe("Where the tables are kept for a start without engine; by default in the folder."),
  tablesEveryMs: z.number().int().min(100).max(3_600_000).default(2_000),
  staleAfterMs: z
    .number()
    .int()
    .min(0)
    .max(86_400_000)
    .default(3_000)
    .describe("Without an engine for so long: the tables are flagged stale, and still used."),
});

export const nodeSchema: z.ZodType<NodeConfig, NodeInput> = z.strictObject({
  ...siteShape(0),
  nodeId: name.describe("Name of this node, as in the inventory."),
  place: z.string().max(100).default("").describe("Human name of the place."),
  publicUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("Origin under which clients reach this node; by default where it listens."),
  bootstrapUrl: z
    .url({ protocol: /^https?$/ })
    .describe("Origin of the access gateway, for clients whose token is of another block."),
  metricsEveryMs: z.number().int().min(100).max(600_000).default(10_000),
  metricsScope: z.enum(["host", "process"]).default("host"),
  heartbeatMs: z
    .number()
    .int()
    .min(100)
    .max(300_000)
    .default(15_000)
    .describe("A WebSocket session that leaves two pings unanswered is dead."),
});
