import { z } from "zod";
import { defaultConnectMs, defaultOperationMs, defaultRequestMs, maxBrokers } from "./limits.ts";

/** Where a password is; the password itself never stands in a configuration. */
export interface PasswordPlace {
  readonly passwordFile?: string | undefined;
  readonly passwordVariable?: string | undefined;
}

/** Connection to a Kafka cluster; see `kafkaSchema` for meanings and defaults. */
export interface KafkaConfig {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly sasl?:
    | (PasswordPlace & {
        readonly mechanism: "scram-sha-256" | "scram-sha-512";
        readonly username: string;
      })
    | undefined;
  readonly tls?:
    | {
        readonly caFile?: string | undefined;
        readonly certificateFile?: string | undefined;
        readonly keyFile?: string | undefined;
        readonly serverName?: string | undefined;
      }
    | undefined;
  readonly replicationFactor: number;
  readonly connectMs: number;
  readonly requestMs: number;
  readonly operationMs: number;
}

export interface KafkaInput {
  readonly brokers: string | readonly string[];
  readonly clientId?: string | undefined;
  readonly sasl?:
    | (PasswordPlace & {
        readonly mechanism?: "scram-sha-256" | "scram-sha-512" | undefined;
        readonly username: string;
      })
    | undefined;
  readonly tls?: KafkaConfig["tls"];
  readonly replicationFactor?: number | undefined;
  readonly connectMs?: number | undefined;
  readonly requestMs?: number | undefined;
  readonly operationMs?: number | undefined;
}

const file = z.string().min(1).max(4_096);
const waitMs = z.number().int().min(100).max(600_000);
const broker = z
  .string()
  .regex(
    /^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}$/,
    "a broker is named HOST:PORT, like 127.0.0.1:9092",
  );

/** The two ways to say where a password is, of which exactly one is used. */
export const passwordFields: {
  readonly passwordFile: z.ZodOptional<z.ZodString>;
  readonly passwordVariable: z.ZodOptional<z.ZodString>;
} = {
  passwordFile: file.optional().describe("File of the password, which only its owner may read."),
  passwordVariable: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "a name of an environment variable is wanted")
    .optional()
    .describe("Environment variable of the password, instead of a file."),
};

/** True when exactly one place of the password is given. */
export function onePassword(place: PasswordPlace): boolean {
  return (place.passwordFile === undefined) !== (place.passwordVariable === undefined);
}

export const kafkaSchema: z.ZodType<KafkaConfig, KafkaInput> = z.strictObject({
  brokers: z
    .preprocess(
      (value) => (typeof value === "string" ? value.split(",").map((part) => part.trim()) : value),
      z.array(broker).min(1).max(maxBrokers),
    )
    .describe("Brokers to begin with, HOST:PORT, a list or separated by commas."),
  clientId: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,128}$/, "letters, digits, dot, dash and underscore are wanted")
    .default("opencdn")
    .describe("Name by which brokers log this client."),
  sasl: z
    .strictObject({
      mechanism: z.enum(["scram-sha-256", "scram-sha-512"]).default("scram-sha-512"),
      username: z.string().min(1).max(256),
      ...passwordFields,
    })
    .refine(onePassword, "either passwordFile or passwordVariable is wanted")
    .optional()
    .describe("Principal of this client; without it the connection is anonymous."),
  tls: z
    .strictObject({
      caFile: file.optional(),
      certificateFile: file.optional(),
      keyFile: file.optional(),
      serverName: z.string().min(1).max(253).optional(),
    })
    .refine(
      (tls) => (tls.certificateFile === undefined) === (tls.keyFile === undefined),
      "certificateFile and keyFile go together",
    )
    .optional()
    .describe("Encryption; {} trusts the system's certificates."),
  replicationFactor: z
    .number()
    .int()
    .min(1)
    .max(15)
    .default(1)
    .describe("Copies of each topic; from 3 on a write waits for two of them."),
  connectMs: waitMs.default(defaultConnectMs).describe("Longest wait for a connection."),
  requestMs: waitMs.default(defaultRequestMs).describe("Longest wait for one answer."),
  operationMs: waitMs
    .default(defaultOperationMs)
    .describe("Longest wait for one operation with its retries."),
}) as z.ZodType<KafkaConfig, KafkaInput>;
