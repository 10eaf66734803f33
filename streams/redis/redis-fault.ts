import { messageOf, OpenCdnError } from "../errors.ts";

const longestReason = 200;

/**
 * One of our errors for what a Redis client threw. The client's error is not kept as the cause: it carries the
 * arguments of the command, the password of AUTH among them.
 */
export function redisFault(doing: string, error: unknown): OpenCdnError {
  if (error instanceof OpenCdnError) return error;
  const text = messageOf(error);
  if (/\bOOM\b/.test(text)) {
    const advice = "Redis is out of memory; raise its maxmemory or free some";
    return new OpenCdnError("OCDN_STORAGE", `${doing}: ${advice}`);
  }
  if (/^(NOAUTH|WRONGPASS|NOPERM|ERR AUTH|ERR invalid password)/.test(text)) {
    const advice = "Redis refuses the user; correct username, password or its access list";
    return new OpenCdnError("OCDN_CONFIG", `${doing}: ${advice}`);
  }
  if (/isn't writeable/.test(text)) return away(doing, "not connected");
  // The client's words for a command that was under way when the connection ended.
  if (isEndOfConnection(text)) return away(doing, "the connection ended");
  if (/Socket|ECONN|EPIPE|ENOENT|ETIMEDOUT/.test(text)) return away(doing, text);
  return new OpenCdnError("OCDN_STORAGE", `${doing}: ${text.slice(0, longestReason)}`);
}

/** Whether the client says nothing but that the connection is no more; why was told before. */
export function isEndOfConnection(text: string): boolean {
  return /Connection is closed|max retries per request/.test(text);
}

function away(doing: string, reason: string): OpenCdnError {
  return new OpenCdnError("OCDN_DISCONNECTED", `${doing}: Redis cannot be reached (${reason})`);
}
