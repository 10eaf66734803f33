import type { CellEstimate, NodeEstimate, PathSample } from "../../../schemas/generated/events.ts";
import type { Emitted } from "../../../streams/processor.ts";
import type { EstimatesOptions } from "./config.ts";

export type Estimate = Emitted<CellEstimate>;
type Sample = Pick<
  PathSample,
  "nodeId" | "rttMs" | "lossRatio" | "jitterMs" | "sampleCount" | "synthetic"
>;

/** Weight of evidence is bounded, so that it says "enough" and not how long ago the log began. */
const maxWeight = 1_000;
/** Highest number of nodes in one estimate; more than a cell has candidates. */
const maxNodes = 1_024;

export function emptyEstimate(cell: string): Estimate {
  return { cell, demandRps: 0, services: [], nodes: [] };
}

/**
 * The estimate after one more sample: RTT and its deviation by exponential smoothing (the mean deviation as in RFC
 * 6298, with the gains of the options), loss likewise. A sample whose packets were all lost says nothing about the RTT.
 */
export function withSample(
  estimate: Estimate,
  sample: Sample,
  eventMs: number,
  options: EstimatesOptions,
  own: boolean,
): Estimate {
  const known = estimate.nodes.find((node) => node.nodeId === sample.nodeId);
  if (known === undefined && (sample.rttMs === null || estimate.nodes.length >= maxNodes)) {
    return estimate;
  }
  const next =
    known === undefined
      ? firstOf(sample, eventMs, options)
      : moved(known, sample, eventMs, options, own);
  const others = estimate.nodes.filter((node) => node.nodeId !== sample.nodeId);
  const nodes = [...others, next].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  return { ...estimate, nodes };
}

function firstOf(sample: Sample, eventMs: number, options: EstimatesOptions): NodeEstimate {
  const rttMs = sample.rttMs ?? 0;
  return {
    nodeId: sample.nodeId,
    rttMs,
    rttSigmaMs: Math.max(sample.jitterMs, rttMs * options.initialSigmaRatio),
    lossRatio: clamp01(sample.lossRatio),
    samples: Math.min(sample.sampleCount, maxWeight),
    lastSampleMs: eventMs,
    synthetic: sample.synthetic,
  };
}

function moved(
  known: NodeEstimate,
  sample: Sample,
  eventMs: number,
  options: EstimatesOptions,
  own: boolean,
): NodeEstimate {
  const gain = own ? options.gain : options.parentGain;
  const lossRatio =
    known.lossRatio + options.lossGain * (clamp01(sample.lossRatio) - known.lossRatio);
  const lastSampleMs = Math.max(known.lastSampleMs, eventMs);
  const samples = Math.min(known.samples + sample.sampleCount, maxWeight);
  const { synthetic } = sample;
  if (sample.rttMs === null) return { ...known, lossRatio, samples, lastSampleMs };
  const deviation = Math.max(Math.abs(sample.rttMs - known.rttMs), sample.jitterMs);
  return {
    nodeId: known.nodeId,
    rttMs: known.rttMs + gain * (sample.rttMs - known.rttMs),
    rttSigmaMs: known.rttSigmaMs + options.sigmaGain * (deviation - known.rttSigmaMs),
    lossRatio,
    samples,
    lastSampleMs,
    synthetic,
  };
}

/** Demand of every service after `elapsedMs` without requests; services that fell to nothing are gone. */
export function decayed(
  estimate: Estimate,
  elapsedMs: number,
  options: EstimatesOptions,
): Estimate {
  if (estimate.services.length === 0 || elapsedMs <= 0) return estimate;
  const factor = Math.exp(-elapsedMs / options.demandTauMs);
  const services = estimate.services
    .map((service) => ({ ...service, demandRps: service.demandRps * factor }))
    .filter((service) => service.demandRps >= leastDemandRps);
  return { ...estimate, services, demandRps: sumOf(services) };
}

/** Below this a service has no demand: one request in 100 s. */
export const leastDemandRps = 0.01;

/** Adds `requests` of a service to a demand that was decayed to now: a rate that tends to the true one within tau. */
export function withDemand(
  estimate: Estimate,
  serviceId: string,
  requests: number,
  options: EstimatesOptions,
): Estimate {
  const added = (1_000 * requests) / options.demandTauMs;
  const known = estimate.services.find((service) => service.serviceId === serviceId);
  const others = estimate.services.filter((service) => service.serviceId !== serviceId);
  const demandRps = (known?.demandRps ?? 0) + added;
  const services = [...others, { serviceId, demandRps }].sort((a, b) =>
    a.serviceId < b.serviceId ? -1 : 1,
  );
  return { ...estimate, services, demandRps: sumOf(services) };
}

function sumOf(services: readonly { readonly demandRps: number }[]): number {
  return services.reduce((sum, service) => sum + service.demandRps, 0);
}

/** Whether `next` differs enough from what was written to be written. */
export function hasMoved(next: Estimate, written: Estimate, options: EstimatesOptions): boolean {
  if (next.nodes.length !== written.nodes.length) return true;
  if (next.services.length !== written.services.length) return true;
  for (const [index, node] of next.nodes.entries()) {
    const before = written.nodes[index] as NodeEstimate;
    if (node.nodeId !== before.nodeId) return true;
    const step = Math.max(options.rttStepMs, options.rttStepRatio * before.rttMs);
    if (Math.abs(node.rttMs - before.rttMs) > step) return true;
    if (Math.abs(node.lossRatio - before.lossRatio) > options.lossStep) return true;
    if (node.lastSampleMs - before.lastSampleMs > options.maxAgeMs) return true;
  }
  for (const [index, service] of next.services.entries()) {
    const before = written.services[index];
    if (before?.serviceId !== service.serviceId) return true;
    if (Math.abs(service.demandRps - before.demandRps) > options.demandStepRatio * before.demandRps)
      return true;
  }
  return false;
}

function clamp01(value: number): number {
  return value > 0 ? Math.min(value, 1) : 0;
}
