import type { NodeScore } from "../../schemas/generated/events.ts";
import { hex16 } from "../../streams/identity.ts";

/** Fields of a score's hash in Redis, in the order in which they travel; numbers as JavaScript prints them. */
export const scoreFields = [
  "eventId",
  "eventMs",
  "logicVersion",
  "staticScore",
  "liveCostMs",
  "learnedCorrectionMs",
  "latencyMs",
  "lossRatio",
  "loadRatio",
  "alive",
] as const;

/** The values of `scoreFields`: the event's id in hex, `1` or `0` for true or false. */
export function fieldsOf(score: NodeScore): string[] {
  return [
    hex16(score.eventId),
    String(score.eventMs),
    String(score.logicVersion),
    String(score.staticScore),
    String(score.liveCostMs),
    String(score.learnedCorrectionMs),
    String(score.latencyMs),
    String(score.lossRatio),
    String(score.loadRatio),
    score.alive ? "1" : "0",
  ];
}

/** The score in the values of `scoreFields`; undefined when one is missing, as where there is no hash. */
export function scoreFrom(
  nodeId: string,
  fields: readonly (string | null)[],
): NodeScore | undefined {
  const [id, eventMs, logicVersion, staticScore, liveCostMs, learned, latency, loss, load, alive] =
    fields;
  if (fields.length !== scoreFields.length || fields.includes(null)) return undefined;
  return {
    eventId: new Uint8Array(Buffer.from(id as string, "hex")),
    eventMs: Number(eventMs),
    logicVersion: Number(logicVersion),
    nodeId,
    staticScore: Number(staticScore),
    liveCostMs: Number(liveCostMs),
    learnedCorrectionMs: Number(learned),
    latencyMs: Number(latency),
    lossRatio: Number(loss),
    loadRatio: Number(load),
    alive: alive === "1",
  };
}
