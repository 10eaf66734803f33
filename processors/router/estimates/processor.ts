import { parentCell, parseCell } from "../../../domain/cell.ts";
import type { CellEstimate, CellRequests, PathSample } from "../../../schemas/generated/events.ts";
import { type Context, keyed, type Processor, type Recorded } from "../../../streams/processor.ts";
import { type RecordStoreSpec, recordStoreSpec, storeSpec } from "../../../streams/store.ts";
import { cellEstimates, cellRequests, pathSamples } from "../../../streams/topics.ts";
import { CachedRecords } from "../../cached-records.ts";
import { type EstimatesInput, type EstimatesOptions, estimatesOptions } from "./config.ts";
import {
  decayed,
  type Estimate,
  emptyEstimate,
  hasMoved,
  withDemand,
  withSample,
} from "./estimate.ts";

/** What is known now: about 60 bytes a node and 30 a service of a cell. */
const current: RecordStoreSpec<CellEstimate> = recordStoreSpec("current", cellEstimates.schema);
/** What was last written, to write only what moved. */
const written: RecordStoreSpec<CellEstimate> = recordStoreSpec("written", cellEstimates.schema);
/** Event time to which a cell's demand was decayed: 8 bytes. */
const demandTimes = storeSpec("demand-times");

/** Demand is looked at again at multiples of this, so that the timers of all cells fall together. */
const decayStepMs = 10_000;
const noId = new Uint8Array(16);
const time = new Uint8Array(8);
const timeView = new DataView(time.buffer);

/**
 * Folds path samples and requests into one estimate a cell: RTT and loss with uncertainty per node, and demand per
 * service. A sample counts for its own cell and, with a smaller gain, for the wider cells of its country, so that a
 * cell without samples can fall back on them.
 */
export function estimatesProcessor(input: EstimatesInput = {}): Processor {
  const options = estimatesOptions.parse(input);
  return {
    name: "estimates",
    logicVersion: 1,
    inputs: [
      keyed(pathSamples, (event, context) => onSample(event, context, options)),
      keyed(cellRequests, (event, context) => onRequests(event, context, options)),
    ],
    outputs: [cellEstimates],
    stores: [current, written, demandTimes],
    onTimer: (cell, atMs, context) => decayDemand(cell, atMs, context, options),
    beforeCommit: (context) => writeMoved(context, options),
  };
}

interface Work {
  readonly estimates: CachedRecords<CellEstimate>;
}

function workOf(context: Context): Work {
  return context.scratch(() => ({ estimates: new CachedRecords(context.records(current)) }));
}

function estimateOf(cell: string, context: Context): Estimate {
  return workOf(context).estimates.get(cell) ?? emptyEstimate(cell);
}

function keep(cell: string, estimate: Estimate, eventMs: number, context: Context): void {
  workOf(context).estimates.set(cell, { ...estimate, eventId: noId, eventMs, logicVersion: 0 });
}

function onSample(event: Recorded<PathSample>, context: Context, options: EstimatesOptions): void {
  const sample = event.value;
  if (sample === null || parseCell(sample.cell) === undefined) return;
  if (sample.rttMs !== null && !(sample.rttMs >= 0 && Number.isFinite(sample.rttMs))) return;
  let own = true;
  for (const cell of cellsOfCountry(sample.cell)) {
    const before = estimateOf(cell, context);
    const after = withSample(before, sample, event.eventMs, options, own);
    if (after !== before) keep(cell, after, event.eventMs, context);
    own = false;
  }
}

/** The cell and the wider ones of its country, narrowest first: those that the task's slot holds. */
export function cellsOfCountry(cell: string): string[] {
  const cells = [cell];
  for (let at = cell; at.includes("/"); ) {
    const parent = parentCell(at);
    if (parent === undefined) break;
    cells.push(parent);
    at = parent;
  }
  return cells;
}

function onRequests(
  event: Recorded<CellRequests>,
  context: Context,
  options: EstimatesOptions,
): void {
  const sums = event.value;
  if (sums === null || parseCell(sums.cell) === undefined) return;
  const requests = sums.nodes.reduce((sum, node) => sum + Math.max(0, node.requests), 0);
  const nowMs = Math.max(event.eventMs, demandTime(sums.cell, context));
  const before = decayed(
    estimateOf(sums.cell, context),
    nowMs - demandTime(sums.cell, context),
    options,
  );
  keep(sums.cell, withDemand(before, sums.serviceId, requests, options), event.eventMs, context);
  setDemandTime(sums.cell, nowMs, context);
  context.schedule(sums.cell, (Math.floor(nowMs / decayStepMs) + 1) * decayStepMs);
}

function decayDemand(
  cell: string,
  atMs: number,
  context: Context,
  options: EstimatesOptions,
): void {
  const sinceMs = demandTime(cell, context);
  if (sinceMs === 0) return;
  const before = estimateOf(cell, context);
  const after = decayed(before, atMs - sinceMs, options);
  if (after !== before) keep(cell, after, atMs, context);
  if (after.services.length === 0) {
    const key = Buffer.from(cell);
    context.packed(demandTimes).delete(key, 0, key.length);
    return;
  }
  setDemandTime(cell, Math.max(atMs, sinceMs), context);
  context.schedule(cell, (Math.floor(atMs / decayStepMs) + 1) * decayStepMs);
}

function demandTime(cell: string, context: Context): number {
  const store = context.packed(demandTimes);
  const key = Buffer.from(cell);
  return store.find(key, 0, key.length) ? store.view.getFloat64(store.valueStart, true) : 0;
}

function setDemandTime(cell: string, atMs: number, context: Context): void {
  const key = Buffer.from(cell);
  timeView.setFloat64(0, atMs, true);
  context.packed(demandTimes).put(key, 0, key.length, time, 0, time.length);
}

function writeMoved(context: Context, options: EstimatesOptions): void {
  const { estimates } = workOf(context);
  const before = context.records(written);
  for (const cell of estimates.dirty()) {
    const estimate = estimates.get(cell);
    if (estimate === undefined) continue;
    const known = before.get(cell);
    if (known !== undefined && !hasMoved(estimate, known, options)) continue;
    before.put(cell, estimate);
    const { eventId: _id, eventMs, logicVersion: _version, ...event } = estimate;
    context.emit(cellEstimates, cell, event, eventMs);
  }
  estimates.flush();
}
