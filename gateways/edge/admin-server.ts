import type { IncomingMessage, ServerResponse } from "node:http";
import { type Address, parseAddress } from "../../domain/address.ts";
import type { Explanation } from "./explain.ts";
import { refuse } from "./redirector.ts";

/** What the admin port can ask the gateway. */
export interface AdminQuestions {
  readonly health: () => Readonly<Record<string, unknown>>;
  readonly isReady: () => boolean;
  /** Undefined: no service was given and there is no default. */
  readonly serviceOf: (service: string | undefined) => string | undefined;
  readonly explain: (serviceId: string, address: Address) => Explanation;
}

const names = new Set(["ip", "service"]);

/**
 * Answers the admin port, which listens on loopback: `/_opencdn/health`, `/_opencdn/ready` (200 or 503) and
 * `/_opencdn/route?ip=…&service=…`, the explanation of a route. GET only.
 */
export function answerAdmin(
  request: IncomingMessage,
  response: ServerResponse,
  questions: AdminQuestions,
): void {
  if (request.method !== "GET") {
    refuse(response, 405, "METHOD", ["Allow", "GET"]);
    return;
  }
  const target = request.url ?? "";
  const mark = target.indexOf("?");
  switch (mark < 0 ? target : target.slice(0, mark)) {
    case "/_opencdn/health":
      sendJson(response, 200, questions.health());
      break;
    case "/_opencdn/ready": {
      const ready = questions.isReady();
      sendJson(response, ready ? 200 : 503, { ready });
      break;
    }
    case "/_opencdn/route":
      answerRoute(new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1)), response, questions);
      break;
    default:
      refuse(response, 404, "NOT_FOUND");
  }
}

function answerRoute(
  query: URLSearchParams,
  response: ServerResponse,
  questions: AdminQuestions,
): void {
  const odd = [...query.keys()].find((name) => !names.has(name));
  if (odd !== undefined) {
    sendJson(response, 400, {
      error: "UNKNOWN_PARAMETER",
      message: `there is no parameter ${odd.slice(0, 40)}; there are ip and service`,
    });
    return;
  }
  const text = query.get("ip") ?? "";
  const address = parseAddress(text);
  if (address === undefined) {
    const message = `${JSON.stringify(text.slice(0, 60))} is no IP address; give one as ip=…`;
    sendJson(response, 400, { error: "BAD_ADDRESS", message });
    return;
  }
  const serviceId = questions.serviceOf(query.get("service") ?? undefined);
  if (serviceId === undefined) {
    const message = "no service is given and the gateway has no default; give one as service=…";
    sendJson(response, 400, { error: "UNKNOWN_SERVICE", message });
    return;
  }
  sendJson(response, 200, questions.explain(serviceId, address));
}

/** Answers with JSON that no cache keeps. */
export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = `${JSON.stringify(value)}\n`;
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
  });
  response.end(body);
}
