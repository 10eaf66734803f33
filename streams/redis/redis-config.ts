import { z } from "zod";

/** How a Redis is reached; see `redisSchema` for meanings and defaults. */
export interface RedisConfig {
  readonly url?: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly socket?: string | undefined;
  readonly database: number;
  readonly username?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly passwordEnv?: string | undefined;
  readonly tls: boolean;
  readonly caFile?: string | undefined;
  readonly keyPrefix: string;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
}

export type RedisInput = { readonly [K in keyof RedisConfig]?: RedisConfig[K] | undefined };

const milliseconds = z.number().int().min(50).max(60_000);

const shape = {
  url: z
    .url({ protocol: /^rediss?$/ })
    .refine(hasNoCredentials, "holds credentials: use username, passwordFile or passwordEnv")
    .refine(namesDatabase, "has a path that is no number of a database")
    .optional()
    .describe("redis://HOST:PORT/DATABASE, or rediss:// for TLS, instead of host and port."),
  host: z.string().min(1).default("127.0.0.1").describe("Name or address of the server."),
  port: z.number().int().min(1).max(65_535).default(6_379).describe("Its port."),
  socket: z
    .string()
    .min(1)
    .optional()
    .describe("Path of its Unix socket, instead of host and port."),
  database: z.number().int().min(0).max(1_023).default(0).describe("Number of the database."),
  username: z.string().min(1).optional().describe("User of Redis's access lists."),
  passwordFile: z.string().min(1).optional().describe("File, mode 600, with the password."),
  passwordEnv: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
    .optional()
    .describe("Environment variable with the password."),
  tls: z.boolean().default(false).describe("Connect with TLS; the certificate is checked."),
  caFile: z.string().min(1).optional().describe("Certificates to trust instead of the system's."),
  keyPrefix: z
    .string()
    .max(100)
    .default("opencdn:")
    .describe("Begins every key; one prefix for each log."),
  connectTimeoutMs: milliseconds.default(2_000).describe("Longest wait for a connection."),
  commandTimeoutMs: milliseconds.default(1_000).describe("Longest wait for an answer."),
};

export const redisSchema: z.ZodType<RedisConfig, RedisInput> = z
  .strictObject(shape)
  .refine(({ url, socket }) => url === undefined || socket === undefined, {
    message: "give url or socket, not both",
  })
  .refine(({ passwordFile, passwordEnv }) => !passwordFile || !passwordEnv, {
    message: "give passwordFile or passwordEnv, not both",
  });

function hasNoCredentials(text: string): boolean {
  const { username, password } = new URL(text);
  return username === "" && password === "";
}

function namesDatabase(text: string): boolean {
  return /^\/?$|^\/[0-9]{1,4}$/.test(new URL(text).pathname);
}
