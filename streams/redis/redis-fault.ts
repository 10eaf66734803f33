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
  if (/isn't writeable|Connection is closed|Socket|ECONN|EPIPE|ENOENT|ETIMEDOUT/.test(text)) {
    const reason = text.includes("isn't writeable") ? "not connected" : text;
    return new OpenCdnError("OCDN_DISCONNECTED", `${doing}: Redis cannot be reached (${reason})`);
  }
  return new OpenCdnError("OCDN_STORAGE", `${doing}: ${text.slice(0, longestReason)}`);
}
