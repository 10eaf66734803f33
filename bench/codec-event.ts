/** The event of the codec bench: 13 fields of the kinds that our own events have. */
export interface CodecEvent {
  readonly eventId: Uint8Array;
  readonly eventMs: number;
  readonly logicVersion: number;
  readonly sessionId: string;
  readonly nodeId: string;
  readonly cell: string;
  readonly protocol: "HTTP" | "WEBSOCKET" | "QUIC";
  readonly rttMs: number;
  readonly lossRatio: number;
  readonly bytesSent: number;
  readonly previousNodeId: string | null;
  readonly hops: readonly number[];
  readonly stale: boolean;
}

const string = "string";

/** Its schema as JSON text. */
export const codecEventJson: string = JSON.stringify({
  type: "record",
  name: "CodecEvent",
  namespace: "opencdn.bench",
  fields: [
    { name: "eventId", type: { type: "fixed", name: "EventId", size: 16 } },
    { name: "eventMs", type: "long" },
    { name: "logicVersion", type: "int" },
    { name: "sessionId", type: string },
    { name: "nodeId", type: string },
    { name: "cell", type: string },
    {
      name: "protocol",
      type: { type: "enum", name: "Protocol", symbols: ["HTTP", "WEBSOCKET", "QUIC"] },
    },
    { name: "rttMs", type: "double" },
    { name: "lossRatio", type: "double" },
    { name: "bytesSent", type: "long" },
    { name: "previousNodeId", type: ["null", string] },
    { name: "hops", type: { type: "array", items: "long" } },
    { name: "stale", type: "boolean" },
  ],
});

const NODES = ["TYO", "SAO", "FRA", "VIR"] as const;
const CELLS = ["BR/SP/28573", "JP/13/2516", "DE/HE/3320", "US/VA/7922", "FR/IDF/3215"] as const;
const PROTOCOLS = ["HTTP", "WEBSOCKET", "QUIC"] as const;

/** `count` different events from a seed (mulberry32). */
export function codecEvents(count: number, seed: number): readonly CodecEvent[] {
  let state = seed;
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = <T>(list: readonly [T, ...T[]]): T => list[below(list.length)] ?? list[0];
  return Array.from({ length: count }, (_, index) => ({
    eventId: Buffer.from(Array.from({ length: 16 }, () => below(256))),
    eventMs: 1_760_000_000_000 + index * 7,
    logicVersion: 3,
    sessionId: `s-${below(0x7fff_ffff).toString(36)}-${below(0x7fff_ffff).toString(36)}`,
    nodeId: pick(NODES),
    cell: pick(CELLS),
    protocol: pick(PROTOCOLS),
    rttMs: random() * 300,
    lossRatio: random() / 50,
    bytesSent: below(50_000_000),
    previousNodeId: random() < 0.5 ? null : pick(NODES),
    hops: Array.from({ length: below(5) }, () => below(65_536)),
    stale: random() < 0.1,
  }));
}
