import { type ErrorCode, messageOf, OpenCdnError } from "../errors.ts";

interface KafkaLike {
  readonly name?: string;
  readonly type?: string;
  readonly cause?: unknown;
  readonly errors?: readonly unknown[];
  readonly topic?: string;
}

const disconnected: ReadonlySet<string> = new Set([
  "KafkaJSConnectionError",
  "KafkaJSConnectionClosedError",
  "KafkaJSBrokerNotFound",
  "KafkaJSMetadataNotLoaded",
  "KafkaJSTopicMetadataNotLoaded",
  "KafkaJSGroupCoordinatorNotFound",
]);
const late: ReadonlySet<string> = new Set([
  "KafkaJSRequestTimeoutError",
  "KafkaJSTimeout",
  "KafkaJSLockTimeout",
]);
const maxDepth = 8;
const maxCharacters = 300;

/** What kafkajs threw while `doing` something, as one sentence with a code of ours; our own errors pass. */
export function kafkaError(doing: string, error: unknown): OpenCdnError {
  if (error instanceof OpenCdnError) return error;
  const root = rootOf(error);
  const { topic } = root as KafkaLike;
  const about = topic === undefined ? "" : `${topic}: `;
  const reason = messageOf(root).replace(/\s+/g, " ").trim().slice(0, maxCharacters);
  const advice = adviceOf(root as KafkaLike);
  return new OpenCdnError(kafkaCodeOf(root), `${doing}: ${about}${reason}${advice}`, {
    cause: error,
  });
}

/** The code of ours for an error of kafkajs. */
export function kafkaCodeOf(error: unknown): ErrorCode {
  const { name = "", type = "" } = rootOf(error) as KafkaLike;
  if (name === "KafkaJSSASLAuthenticationError" || type.endsWith("_AUTHORIZATION_FAILED"))
    return "OCDN_ACCESS";
  if (disconnected.has(name)) return "OCDN_DISCONNECTED";
  if (late.has(name) || type === "REQUEST_TIMED_OUT") return "OCDN_TIMEOUT";
  if (type === "INVALID_PRODUCER_EPOCH" || type === "PRODUCER_FENCED") return "OCDN_FENCED";
  return "OCDN_KAFKA";
}

/** True for the answer of a broker that is not a partition's leader (yet): it did nothing, and may be asked again. */
export function isLeaderless(error: unknown): boolean {
  const { type } = rootOf(error) as KafkaLike;
  return type === "NOT_LEADER_FOR_PARTITION" || type === "LEADER_NOT_AVAILABLE";
}

function adviceOf({ type, name }: KafkaLike): string {
  if (type === "SECURITY_DISABLED")
    return "; set authorizer.class.name on the brokers, or leave --acls out";
  if (name === "KafkaJSSASLAuthenticationError") return "; check sasl.username and its password";
  return "";
}

/** The first error below retries and aggregates: what really happened. */
function rootOf(error: unknown): object {
  let at: unknown = error;
  for (let depth = 0; depth < maxDepth; depth += 1) {
    if (typeof at !== "object" || at === null) break;
    const { name, cause, errors } = at as KafkaLike;
    if (Array.isArray(errors) && errors.length > 0) at = errors[0];
    else if (name === "KafkaJSNumberOfRetriesExceeded" && cause !== undefined) at = cause;
    else if (name === "KafkaJSCreateTopicError" && cause !== undefined) at = cause;
    else break;
  }
  return typeof at === "object" && at !== null ? at : new Error(String(at));
}
