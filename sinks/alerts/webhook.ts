import { createHmac, type KeyObject } from "node:crypto";
import pRetry, { AbortError } from "p-retry";
import { messageOf, OpenCdnError } from "../../streams/errors.ts";

export interface WebhookOptions {
  readonly url: string;
  /** Signs the body: `X-OpenCDN-Signature: sha256=<hex>`. */
  readonly secret?: KeyObject | undefined;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly firstRetryMs: number;
}

/** Longest wait between two tries. */
const longestRetryMs = 8_000;
/** Answers that another try may change: too early, too many, or the other side's fault. */
const passingStatus = (status: number): boolean =>
  status === 408 || status === 425 || status === 429 || status >= 500;

/**
 * Posts one JSON body, with the event's id as `Idempotency-Key`, until it is answered with 2xx. Tries again on time-outs,
 * broken connections and 408, 425, 429 and 5xx, with growing pauses; other answers are final. Throws OCDN_TIMEOUT or
 * OCDN_BAD_INPUT; neither holds the URL's credentials or the secret.
 */
export async function postAlert(
  body: string,
  idempotencyKey: string,
  options: WebhookOptions,
  signal?: AbortSignal,
): Promise<void> {
  const headers: Record<string, string> = {
    "Content-Type": "application/json",
    "Idempotency-Key": idempotencyKey,
    "User-Agent": "opencdn",
  };
  const url = new URL(options.url);
  if (url.username !== "" || url.password !== "") {
    // fetch refuses credentials in a URL, and would print them in its message.
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers["Authorization"] = `Basic ${Buffer.from(credentials).toString("base64")}`;
    url.username = "";
    url.password = "";
  }
  if (options.secret !== undefined) {
    headers["X-OpenCDN-Signature"] =
      `sha256=${createHmac("sha256", options.secret).update(body).digest("hex")}`;
  }
  const attempt = async (): Promise<void> => {
    const limit = AbortSignal.timeout(options.timeoutMs);
    const response = await fetch(url, {
      method: "POST",
      headers,
      body,
      redirect: "error",
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    });
    await response.body?.cancel();
    if (response.ok) return;
    const error = new Error(`answered ${response.status}`);
    throw passingStatus(response.status) ? error : new AbortError(error);
  };
  try {
    await pRetry(attempt, {
      retries: options.retries,
      minTimeout: options.firstRetryMs,
      maxTimeout: longestRetryMs,
      randomize: true,
      // fetch says TypeError for a refused connection, which p-retry would take for a bug.
      shouldRetry: () => signal?.aborted !== true,
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    const text = `posting an alert to ${url.host}: ${causeOf(error)}`;
    const final = /answered 4/.test(messageOf(error));
    throw new OpenCdnError(final ? "OCDN_BAD_INPUT" : "OCDN_TIMEOUT", text, { cause: error });
  }
}

/** fetch hides the reason in the cause. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error ? cause.message : messageOf(error);
}
