import { createHash } from "node:crypto";
import { seededRandom } from "../../domain/distance.ts";
import type { NodeInventory, PathSample, ServicePolicy } from "../../schemas/generated/events.ts";
import { OpenCdnError } from "../../streams/errors.ts";
import type { Emitted } from "../../streams/processor.ts";
import type { Source, SourceBatch, SourceEvent } from "../../streams/source.ts";
import type { Topic } from "../../streams/topic.ts";
import { nodeInventory, pathSamples, servicePolicies } from "../../streams/topics.ts";
import { maxEventsPerBatch } from "./limits.ts";
import { type RttSlices, readRttSlices } from "./rtt-files.ts";

export interface RttSourceOptions {
  /** Folder or archive; see `readRttSlices`. */
  readonly path: string;
  /** Time of the first slice, ms since the epoch. */
  readonly startMs: number;
  /** Distance of two slices. */
  readonly sliceSeconds: number;
  /** Seed by which `nodeCount` of the places become nodes; without it every place measures every other. */
  readonly split?: number;
  /** 15 by default. */
  readonly nodeCount?: number;
}

const defaultNodeCount = 15;
const inventoryPosition = "inventory";

/**
 * A source of path samples from matrices of round-trip times: slice t at `startMs` + t x `sliceSeconds`, cells
 * `<network>/00`, `<network>/01`, …; with `split` the chosen places become nodes `<network>-07` of the log's
 * inventory and the others are the clients. Its name is a hash of the times and of the options, so the same
 * input twice adds nothing. Historical.
 */
export async function openRttSource(options: RttSourceOptions): Promise<Source> {
  return rttSource(await readRttSlices(options.path), options);
}

/** As `openRttSource`, on slices that were read. OCDN_BAD_INPUT when the options do not fit them. */
export function rttSource(input: RttSlices, options: Omit<RttSourceOptions, "path">): Source {
  const count = options.nodeCount ?? defaultNodeCount;
  if (options.split !== undefined && (count < 1 || count >= input.size)) {
    throw new OpenCdnError(
      "OCDN_BAD_INPUT",
      `splitting ${input.size} places: ${count} nodes would leave no clients`,
    );
  }
  const places = new Places(input, options.split, count);
  return {
    name: `rtt/${hashOf(input, options, count)}`,
    historical: true,
    read: (after) => readFrom(after, { input, options, places }),
  };
}

interface Reading {
  readonly input: RttSlices;
  readonly options: Omit<RttSourceOptions, "path">;
  readonly places: Places;
}

/** Which places are nodes and which are cells, and what they are called. */
class Places {
  readonly cells: readonly number[];
  readonly nodes: readonly number[];
  readonly split: boolean;
  readonly #network: string;
  readonly #width: number;

  constructor(input: RttSlices, seed: number | undefined, count: number) {
    const all = Array.from({ length: input.size }, (_, place) => place);
    this.#network = input.network;
    this.#width = String(input.size - 1).length;
    this.split = seed !== undefined;
    this.nodes = seed === undefined ? all : chosen(all, seed, count);
    const taken = new Set(this.split ? this.nodes : []);
    this.cells = all.filter((place) => !taken.has(place));
  }

  cell(place: number): string {
    return `${this.#network}/${this.#digits(place)}`;
  }

  node(place: number): string {
    return `${this.#network}-${this.#digits(place)}`;
  }

  #digits(place: number): string {
    return String(place).padStart(this.#width, "0");
  }
}

/** `count` of the places, sorted; the first of a Fisher-Yates shuffle with the seed. */
function chosen(places: readonly number[], seed: number, count: number): number[] {
  const random = seededRandom(seed);
  const deck = [...places];
  for (let at = 0; at < count; at++) {
    const other = at + Math.floor(random() * (deck.length - at));
    const kept = deck[at] as number;
    deck[at] = deck[other] as number;
    deck[other] = kept;
  }
  return deck.slice(0, count).sort((left, right) => left - right);
}

async function* readFrom(
  after: string | undefined,
  reading: Reading,
): AsyncGenerator<SourceBatch, void, undefined> {
  const { input, options, places } = reading;
  if (after === undefined && places.split) {
    const events = [
      ...inventoryEvents(places, options.startMs),
      serviceEvent(input.network, options.startMs),
    ];
    yield { events, position: inventoryPosition };
  }
  const cellsPerBatch = Math.max(1, Math.floor(maxEventsPerBatch / places.nodes.length));
  const next = nextOf(after, places.cells.length);
  for (let slice = next.slice; slice < input.slices.length; slice++) {
    const first = slice === next.slice ? next.cell : 0;
    for (let cell = first; cell < places.cells.length; cell += cellsPerBatch) {
      const end = Math.min(places.cells.length, cell + cellsPerBatch);
      yield {
        events: sampleEvents(reading, slice, cell, end),
        position: `${slice}:${end}`,
      };
    }
  }
}

/** Where to go on after a position: the slice and the index of the first cell that is not yet in the log. */
function nextOf(after: string | undefined, cellCount: number): { slice: number; cell: number } {
  if (after === undefined || after === inventoryPosition) return { slice: 0, cell: 0 };
  const match = /^(\d{1,9}):(\d{1,9})$/.exec(after);
  if (match === null) {
    throw new OpenCdnError(
      "OCDN_SOURCE_POSITION",
      `reading round-trip times: ${after} is no position`,
    );
  }
  const slice = Number(match[1]);
  const cell = Number(match[2]);
  return cell >= cellCount ? { slice: slice + 1, cell: 0 } : { slice, cell };
}

function inventoryEvents(places: Places, eventMs: number): SourceEvent<never>[] {
  return places.nodes.map((place) => {
    const nodeId = places.node(place);
    const value: Emitted<NodeInventory> = {
      nodeId,
      place: places.cell(place),
      country: places.cell(place).split("/")[0] as string,
      region: places.cell(place).split("/")[1] as string,
      latitude: 0,
      longitude: 0,
      baseUrl: `http://${nodeId}.invalid`,
      capacityRps: 1_000,
      serviceTimeMs: 1,
      prefixes: [],
      originAsns: [],
      protocols: ["http"],
      jurisdiction: "ZZ",
      synthetic: false,
    };
    return event(nodeInventory, nodeId, value, eventMs, `${inventoryPosition}:${nodeId}`);
  });
}

/** One service for the nodes, named after the network, so that the log's processors decide; shifts are not divided. */
function serviceEvent(network: string, eventMs: number): SourceEvent<never> {
  const value: Emitted<ServicePolicy> = {
    serviceId: network,
    hostnames: [],
    permittedNodes: [],
    forbiddenNodes: [],
    residency: [],
    nodeWeights: [],
    floorNodes: 1,
    ttlSeconds: 30,
    maxStepRatio: 1,
    version: 1,
  };
  return event(servicePolicies, network, value, eventMs, `${inventoryPosition}:~${network}`);
}

function sampleEvents(
  { input, options, places }: Reading,
  slice: number,
  firstCell: number,
  endCell: number,
): SourceEvent<never>[] {
  const { rttMs } = input.slices[slice] as { readonly rttMs: Float32Array };
  const eventMs = options.startMs + slice * options.sliceSeconds * 1_000;
  const events: SourceEvent<never>[] = [];
  for (let index = firstCell; index < endCell; index++) {
    const from = places.cells[index] as number;
    const cell = places.cell(from);
    for (const to of places.nodes) {
      if (to === from) continue;
      const value: Emitted<PathSample> = {
        cell,
        nodeId: places.node(to),
        rttMs: rttMs[from * input.size + to] as number,
        lossRatio: 0,
        jitterMs: 0,
        sampleCount: 1,
        origin: "IMPORT",
        vantage: cell,
        synthetic: false,
      };
      events.push(event(pathSamples, cell, value, eventMs, `${slice}:${from}:${to}`));
    }
  }
  return events;
}

function event<T>(
  topic: Topic<T>,
  key: string,
  value: Emitted<T>,
  eventMs: number,
  position: string,
): SourceEvent<never> {
  return { topic, key, value, eventMs, position } as unknown as SourceEvent<never>;
}

function hashOf(input: RttSlices, options: Omit<RttSourceOptions, "path">, count: number): string {
  const hash = createHash("sha256");
  const split = options.split === undefined ? "-" : `${options.split}:${count}`;
  hash.update(
    `${input.network} ${input.size} ${options.startMs} ${options.sliceSeconds} ${split}\n`,
  );
  for (const { rttMs } of input.slices) {
    hash.update(new Uint8Array(rttMs.buffer, rttMs.byteOffset, rttMs.byteLength));
  }
  return hash.digest("hex").slice(0, 32);
}
