import type { Client, SchemaRegistryClient } from "@confluentinc/schemaregistry";
import { within } from "../backoff.ts";
import { OpenCdnError } from "../errors.ts";
import { maxRequestRetries, maxSchemaVersions } from "./limits.ts";
import type { RegistryConfig } from "./registry-config.ts";
import { registryError, statusOf } from "./registry-error.ts";
import { type Environment, readPassword } from "./secret.ts";

/** What every subject of ours is held to. */
export const requiredLevel = "FULL_TRANSITIVE";

/** One version of a subject as the registry has it. */
export interface RegisteredSchema {
  readonly version: number;
  readonly id: number;
  readonly text: string;
}

/**
 * The registry as the control path uses it. Every call ends within `operationMs` with an OpenCdnError:
 * OCDN_DISCONNECTED, OCDN_TIMEOUT, OCDN_ACCESS, OCDN_SCHEMA_REFUSED or OCDN_REGISTRY. Confluent's client is loaded
 * with the first one that is opened: it is large, and no process that has its ids needs it.
 */
export class RegistryClient {
  readonly url: string;
  readonly #client: Client;
  readonly #operationMs: number;

  private constructor(config: RegistryConfig, client: Client) {
    this.url = config.url;
    this.#client = client;
    this.#operationMs = config.operationMs;
  }

  /** Reads the password and loads the client; nothing is asked yet. */
  static async open(config: RegistryConfig, environment: Environment): Promise<RegistryClient> {
    const { basic, url, requestMs } = config;
    const password =
      basic === undefined ? "" : await readPassword(basic, "the registry's user", environment);
    const { SchemaRegistryClient } = await import("@confluentinc/schemaregistry");
    const client: SchemaRegistryClient = new SchemaRegistryClient({
      baseURLs: [url],
      createAxiosDefaults: { timeout: requestMs, maxContentLength: 16_777_216, maxRedirects: 0 },
      maxRetries: maxRequestRetries,
      retriesWaitMs: 100,
      retriesMaxWaitMs: 1_000,
      ...(basic === undefined
        ? {}
        : {
            basicAuthCredentials: {
              credentialsSource: "USER_INFO" as const,
              userInfo: `${basic.username}:${password}`,
            },
          }),
    });
    return new RegistryClient(config, client);
  }

  /** Every version of a subject, oldest first; none for a subject that is not there. */
  async versions(subject: string): Promise<RegisteredSchema[]> {
    const doing = `reading the versions of ${subject}`;
    const numbers = await this.#found(doing, (client) => client.getAllVersions(subject));
    if (numbers === undefined) return [];
    if (numbers.length > maxSchemaVersions)
      throw new OpenCdnError(
        "OCDN_LIMIT",
        `${doing}: ${numbers.length}, more than ${maxSchemaVersions}`,
      );
    const found: RegisteredSchema[] = [];
    for (const version of [...numbers].sort((a, b) => a - b)) {
      const entry = await this.#found(doing, (client) =>
        client.getSchemaMetadata(subject, version, false),
      );
      // Removed between the two requests.
      if (entry?.id === undefined) continue;
      found.push({ version, id: entry.id, text: entry.schema });
    }
    return found;
  }

  /** The level that holds for a subject, the registry's own where it has none. */
  async level(subject: string): Promise<string> {
    const doing = `reading the compatibility level of ${subject}`;
    const own = await this.#found(doing, (client) => client.getCompatibility(subject));
    return own ?? (await this.#run(doing, (client) => client.getDefaultCompatibility()));
  }

  /** Holds a subject, also one that does not exist yet, to FULL_TRANSITIVE. */
  async require(subject: string): Promise<void> {
    type Level = Parameters<Client["updateCompatibility"]>[1];
    await this.#run(`setting the compatibility level of ${subject}`, (client) =>
      client.updateCompatibility(subject, requiredLevel as Level),
    );
  }

  /** Id of a schema under a subject, undefined where it is not registered there. */
  idOf(subject: string, text: string): Promise<number | undefined> {
    return this.#found(`looking up a schema of ${subject}`, (client) =>
      client.getId(subject, { schema: text, schemaType: "AVRO" }, false),
    );
  }

  /** Whether the registry would take a schema as the next version; true for a new subject. */
  async accepts(subject: string, text: string): Promise<boolean> {
    const answer = await this.#found(`checking a schema of ${subject}`, (client) =>
      client.testSubjectCompatibility(subject, { schema: text, schemaType: "AVRO" }),
    );
    return answer ?? true;
  }

  /** Registers a schema and gives its id; the same one again gives the same. OCDN_SCHEMA_REFUSED when it may not be. */
  register(subject: string, text: string): Promise<number> {
    return this.#run(`registering the schema of ${subject}`, (client) =>
      client.register(subject, { schema: text, schemaType: "AVRO" }, false),
    );
  }

  /** Text of the schema with an id that was met on a subject's topic, undefined where the registry knows none. */
  async textOf(subject: string, id: number): Promise<string | undefined> {
    const found = await this.#found(`looking up schema ${id} of ${subject}`, (client) =>
      client.getBySubjectAndId(subject, id),
    );
    return found?.schema;
  }

  close(): void {
    this.#client.close();
  }

  async #run<T>(doing: string, work: (client: Client) => Promise<T>): Promise<T> {
    return await this.#bounded(this.#place(doing), work).catch((error: unknown) => {
      throw registryError(this.#place(doing), error);
    });
  }

  /** As `#run`, but "there is none" is undefined. */
  async #found<T>(doing: string, work: (client: Client) => Promise<T>): Promise<T | undefined> {
    return await this.#bounded(this.#place(doing), work).catch((error: unknown) => {
      if (statusOf(error) === 404) return undefined;
      throw registryError(this.#place(doing), error);
    });
  }

  #place(doing: string): string {
    return `${doing} (${this.url})`;
  }

  #bounded<T>(doing: string, work: (client: Client) => Promise<T>): Promise<T> {
    const waitMs = this.#operationMs;
    return within(
      work(this.#client),
      waitMs,
      () => new OpenCdnError("OCDN_TIMEOUT", `${doing}: no answer within ${waitMs} ms`),
    );
  }
}
