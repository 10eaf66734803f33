import { createHmac, type KeyObject } from "node:crypto";
import pRetry, { AbortError } from "p-retry";
import { messageOf, OpenCdnError } from "../../streams/errors.ts";

export interface WebhookOptions {
  /** May hold credentials, which are sent as basic authentication and never printed. */
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

/** An answer that no other try would change. */
class Refusal extends Error {}

/**
 * Posts one JSON body, with the event's id as `Idempotency-Key`, until it is answered with 2xx. Tries again on
 * time-outs, broken connections and 408, 425, 429 and 5xx, with growing pauses; other answers are final. Throws
 * OCDN_TIMEOUT when every try failed or `signal` ended them, OCDN_BAD_INPUT for a refusal; neither message holds the
 * URL's credentials or the secret.
 */
export async function postAlert(
  body: string,
  idempotencyKey: string,
  options: WebhookOptions,
  signal?: AbortSignal,
): Promise<void> {
  const { url, headers } = requestOf(body, idempotencyKey, options);
  const attempt = async (): Promise<void> => {
    const limit = AbortSignal.timeout(options.timeoutMs);
    const response = await fetch(url, {
      method: "POST",
      headers,
      body,
      redirect: "manual",
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    });
    await response.body?.cancel();
    if (response.ok) return;
    const answer = `answered ${response.status}`;
    throw passingStatus(response.status) ? new Error(answer) : new AbortError(new Refusal(answer));
  };
  try {
    await pRetry(attempt, {
      retries: options.retries,
      minTimeout: options.firstRetryMs,
      maxTimeout: longestRetryMs,
      randomize: true,
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    const code = error instanceof Refusal ? "OCDN_BAD_INPUT" : "OCDN_TIMEOUT";
    const text = `posting an alert to ${url.host}: ${reasonOf(error)}`;
    throw new OpenCdnError(code, text, { cause: error });
  }
}

/** Longest time that `postAlert` takes, ms. */
export function longestPostMs({ timeoutMs, retries, firstRetryMs }: WebhookOptions): number {
  let waits = 0;
  // Each pause is drawn from one to two times its size.
  for (let i = 0; i < retries; i++) waits += Math.min(longestRetryMs, 2 * firstRetryMs * 2 ** i);
  return (retries + 1) * timeoutMs + waits;
}

function requestOf(
  body: string,
  idempotencyKey: string,
  options: WebhookOptions,
): { readonly url: URL; readonly headers: Readonly<Record<string, string>> } {
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
    const signature = createHmac("sha256", options.secret).update(body).digest("hex");
    headers["X-OpenCDN-Signature"] = `sha256=${signature}`;
  }
  return { url, headers };
}

/** fetch hides the reason in the cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return messageOf(cause instanceof Error ? cause : error);
}
