import { type Address, parseAddress } from "../../domain/address.ts";
import { cellKey } from "../../domain/cell.ts";
import { type Explanation, explain } from "../../gateways/edge/explain.ts";
import { Router } from "../../gateways/edge/router.ts";
import { Tables } from "../../gateways/edge/tables.ts";
import { geoOptions, geoSchema } from "../../gateways/site/config.ts";
import { openGeo } from "../../gateways/site/geo-loader.ts";
import { Decoder } from "../../schemas/codec.ts";
import { isFailure } from "../../schemas/failure.ts";
import type { RouteExplanation } from "../../schemas/generated/events.ts";
import { RecordCursor } from "../../streams/chunk.ts";
import { OpenCdnError } from "../../streams/errors.ts";
import type { Log } from "../../streams/log.ts";
import { readTable } from "../../streams/table-reader.ts";
import { slotOfKey } from "../../streams/topic.ts";
import {
  nodeInventory,
  nodeOverlay,
  routeDecisions,
  routeExplanations,
  servicePolicies,
} from "../../streams/topics.ts";
import { print, printJson, printTable } from "../output.ts";
import { places } from "../settings.ts";

export interface RouteOptions {
  readonly ip: string;
  readonly service: string | undefined;
  readonly data: string;
  readonly json: boolean;
}

const readBytes = 1_048_576;

/** `opencdn route --ip ADDRESS`: which node a client gets and why, by the code that the gateway runs, from the log. */
export async function explainRoute(log: Log, options: RouteOptions): Promise<void> {
  const address = addressOf(options.ip);
  const tables = await readTables(log);
  const serviceId = serviceOf(tables, options.service);
  const geo = await openGeo(
    geoOptions(geoSchema.parse({ cacheFolder: places(options.data).geo }), options.data),
  );
  try {
    const router = new Router(tables, geo.table);
    const explanation = explain(router, tables, { serviceId, address, stale: false });
    const why = await explanationOf(log, explanation);
    if (options.json) printJson({ ...explanation, why: why ?? null });
    else printExplanation(options.ip, explanation, why);
  } finally {
    geo.close();
  }
}

function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) {
    throw new OpenCdnError(
      "OCDN_USAGE",
      `finding the route: ${text.slice(0, 60)} is no IP address; give one like 200.160.2.3 or 2001:db8::1`,
    );
  }
  return address;
}

async function readTables(log: Log): Promise<Tables> {
  const tables = new Tables();
  for (const [key, value] of await readTable(log, nodeInventory)) tables.nodes.put(key, value);
  for (const [key, value] of await readTable(log, servicePolicies)) tables.policies.put(key, value);
  for (const [key, value] of await readTable(log, nodeOverlay)) tables.overlay.put(key, value);
  for (const [key, value] of await readTable(log, routeDecisions)) tables.decisions.put(key, value);
  return tables;
}

function serviceOf(tables: Tables, wanted: string | undefined): string {
  const services = [...tables.policies.keys()].sort();
  if (services.length === 0) {
    throw new OpenCdnError(
      "OCDN_NOT_FOUND",
      "finding the route: the log has no service; apply a fleet first: opencdn apply FLEET.yaml",
    );
  }
  if (wanted === undefined) {
    if (services.length === 1) return services[0] as string;
    throw new OpenCdnError(
      "OCDN_USAGE",
      `finding the route: say --service, one of ${services.slice(0, 10).join(", ")}`,
    );
  }
  if (!services.includes(wanted)) {
    throw new OpenCdnError(
      "OCDN_NOT_FOUND",
      `finding the route: no service is called ${wanted.slice(0, 60)}; there is ${services.slice(0, 10).join(", ")}`,
    );
  }
  return wanted;
}

/** The processor's own explanation of the decision that was used, from the log; undefined when it is past the retention. */
async function explanationOf(
  log: Log,
  explanation: Explanation,
): Promise<RouteExplanation | undefined> {
  const { decision, serviceId } = explanation;
  if (decision === undefined) return undefined;
  const key = Buffer.from(cellKey(decision.cell, serviceId));
  const slot = slotOfKey(routeExplanations, log.slots, key);
  const decoder = new Decoder(routeExplanations.schema, log.schemas);
  const cursor = new RecordCursor();
  let offset = 0;
  let found: RouteExplanation | undefined;
  for (;;) {
    const chunks = await log.read(routeExplanations.name, slot, offset, readBytes);
    if (chunks.length === 0) return found;
    for (const chunk of chunks) {
      cursor.open(chunk, offset);
      while (cursor.next()) {
        offset = cursor.offset + 1;
        const { buffer, keyStart, keyEnd, valueStart, valueEnd } = cursor;
        if (buffer.compare(key, 0, key.length, keyStart, keyEnd) !== 0) continue;
        const value = decoder.decodeFrame(buffer, valueStart, valueEnd);
        if (!isFailure(value) && value.version === decision.version) found = value;
      }
    }
  }
}

function printExplanation(
  ip: string,
  explanation: Explanation,
  why: RouteExplanation | undefined,
): void {
  const { pick, decision, block, cell, candidates, serviceId } = explanation;
  const chosen = pick.nodeId === "" ? "no node" : `${pick.nodeId} (${pick.origin ?? "no origin"})`;
  print(`${ip} -> ${chosen}: ${pick.reason}`);
  print(
    `service ${serviceId}, block ${block}, cell ${cell}, geo table ${explanation.geoHash.slice(0, 16)}`,
  );
  if (decision === undefined) {
    print(
      `nothing is decided for ${explanation.fallbacks.map((entry) => entry.cell).join(", ")}: by capacity`,
    );
  } else {
    const flagged = decision.flagged ? ", flagged: the last good one was kept" : "";
    print(
      `decision ${decision.cell}|${serviceId} version ${decision.version}${flagged}, TTL ${decision.ttlSeconds} s`,
    );
  }
  print();
  const causes = new Map((why?.candidates ?? []).map((candidate) => [candidate.nodeId, candidate]));
  const names = [
    ...new Set([...candidates.map((candidate) => candidate.nodeId), ...causes.keys()]),
  ].sort();
  const shown = new Map(candidates.map((candidate) => [candidate.nodeId, candidate]));
  const round = (value: number | undefined, digits: number): number | string =>
    value === undefined ? "" : Number(value.toFixed(digits));
  printTable(
    [
      "node",
      "share",
      "now",
      "alive",
      "cost ms",
      "RTT ms",
      "loss",
      "queue ms",
      "price ms",
      "static score",
      "reasons",
    ],
    names.map((name) => {
      const candidate = shown.get(name);
      const cause = causes.get(name);
      const reasons = [
        ...(cause?.reasons ?? []),
        ...(candidate?.draining === true ? ["DRAINING"] : []),
        ...(candidate !== undefined && candidate.prohibition !== "" && cause === undefined
          ? [candidate.prohibition]
          : []),
      ];
      return [
        name,
        round(candidate?.fraction ?? 0, 4),
        round(candidate?.effectiveFraction ?? 0, 4),
        candidate === undefined || candidate.alive ? "yes" : "no",
        round(cause?.costMs, 1),
        round(cause?.rttMs, 1),
        round(cause?.lossRatio, 4),
        round(cause?.queueMs, 1),
        round(cause?.priceMs, 1),
        round(cause?.staticScore, 3),
        reasons.join(" "),
      ];
    }),
  );
  if (why !== undefined)
    print(
      `moved by ${why.trigger}, policy version ${why.policyVersion}, event ${Buffer.from(why.eventId).toString("hex")}`,
    );
}
