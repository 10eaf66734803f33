import { z } from "zod";
import { parseCell } from "../../domain/cell.ts";
import { checkIntervalMs, checkTimeoutMs, roundIntervalMs } from "./limits.ts";

/** The delay-and-loss proxy of the demonstration and this process's part of its places. */
export interface DemonstrationOptions {
  readonly seed: number;
  readonly part: number;
  readonly parts: number;
}

/** Configuration of one vantage process; see `vantageSchema` for meanings and defaults. */
export interface VantageConfig {
  readonly folder: string;
  readonly name: string;
  readonly cell: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly canaries: readonly string[];
  readonly checkIntervalMs: number;
  readonly checkTimeoutMs: number;
  readonly pathIntervalMs: number;
  readonly demonstration?: DemonstrationOptions | undefined;
}

type Given = "folder" | "name" | "canaries";
type Optional<T> = { readonly [Key in keyof T]?: T[Key] | undefined };

/** What must be given; the rest has defaults. */
export type VantageInput = Pick<VantageConfig, Given> &
  Optional<Omit<VantageConfig, Given | "demonstration">> & {
    readonly demonstration?: Optional<DemonstrationOptions> | undefined;
  };

const demonstrationSchema = z.strictObject({
  seed: z.number().int().min(0).max(0xffff_ffff).default(1).describe("Seed of the latency model."),
  part: z.number().int().min(0).max(63).default(0).describe("Which part of the places, from 0."),
  parts: z.number().int().min(1).max(64).default(3).describe("In how many parts they are divided."),
});

export const vantageSchema: z.ZodType<VantageConfig, VantageInput> = z
  .strictObject({
    folder: z.string().min(1).describe("Data folder of the engine."),
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/)
      .describe("Name of this vantage point, unique in the fleet."),
    cell: z
      .string()
      .refine((text) => parseCell(text) !== undefined, "is no cell")
      .default("ZZ")
      .describe("Cell that this process lies in."),
    latitude: z.number().min(-90).max(90).default(50.1),
    longitude: z.number().min(-180).max(180).default(8.7),
    canaries: z
      .array(z.url({ protocol: /^https?$/ }))
      .min(1)
      .max(16)
      .describe("URLs of servers that are no nodes and always answer; all silent: perhaps blind."),
    checkIntervalMs: z.number().int().min(100).max(60_000).default(checkIntervalMs),
    checkTimeoutMs: z.number().int().min(50).max(60_000).default(checkTimeoutMs),
    pathIntervalMs: z.number().int().min(200).max(600_000).default(roundIntervalMs),
    demonstration: demonstrationSchema
      .optional()
      .describe("Present: all traffic passes the delay proxy and samples are synthetic."),
  })
  .refine(({ demonstration: demo }) => demo === undefined || demo.part < demo.parts, {
    path: ["demonstration", "part"],
    message: "must be below parts",
  });
