import { type ErrorCode, messageOf, OpenCdnError } from "../errors.ts";

interface RegistryLike {
  readonly status?: unknown;
  readonly code?: unknown;
  readonly response?: unknown;
}

const maxCharacters = 300;
const lateCodes: ReadonlySet<string> = new Set(["ECONNABORTED", "ETIMEDOUT", "ERR_CANCELED"]);

/**
 * What the registry's client threw while `doing` something, as one sentence with a code of ours. The client's own
 * error is not kept as the cause: it holds the request with its credentials.
 */
export function registryError(doing: string, error: unknown): OpenCdnError {
  if (error instanceof OpenCdnError) return error;
  return new OpenCdnError(registryCodeOf(error), `${doing}: ${reasonOf(error)}`);
}

/** The code of ours: by HTTP status where there was an answer, by what became of the connection otherwise. */
export function registryCodeOf(error: unknown): ErrorCode {
  const status = statusOf(error);
  if (status === undefined) {
    const { code } = (error ?? {}) as RegistryLike;
    return lateCodes.has(String(code)) ? "OCDN_TIMEOUT" : "OCDN_DISCONNECTED";
  }
  if (status === 401 || status === 403) return "OCDN_ACCESS";
  if (status === 404) return "OCDN_NOT_FOUND";
  if (status === 409 || status === 422) return "OCDN_SCHEMA_REFUSED";
  return "OCDN_REGISTRY";
}

/** HTTP status of an answer, undefined where none came. */
export function statusOf(error: unknown): number | undefined {
  const { status } = (error ?? {}) as RegistryLike;
  return typeof status === "number" ? status : undefined;
}

/** The registry's words on one line, without the Java class before them. */
function reasonOf(error: unknown): string {
  const { code } = (error ?? {}) as RegistryLike;
  const text = messageOf(error)
    .replace(/\s+/g, " ")
    .replace(/^(?:[a-z]\w*\.)+[A-Z]\w*: /, "")
    .trim();
  const words = text === "" && typeof code === "string" ? code : text;
  return words === "" ? "it cannot be reached" : words.slice(0, maxCharacters);
}
