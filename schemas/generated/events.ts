// Written by `npm run generate` from schemas/*.avsc: change those, not this file.
import { defineSchema, type EventSchema } from "../event-schema.ts";

export type AlertState = "FIRING" | "RESOLVED";

export type Severity = "INFO" | "WARNING" | "CRITICAL";

/** One alert of one subject. Topic alerts.v1, key rule and subject. */
export interface Alert {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Rule name. */
  readonly rule: string;
  /** What it is about. */
  readonly subject: string;
  /** State. */
  readonly state: AlertState;
  /** Severity. */
  readonly severity: Severity;
  /** Event time of the firing. */
  readonly startedMs: number;
  /** Event time of the end; 0 while firing. */
  readonly resolvedMs: number;
  /** Value that fired or resolved it. */
  readonly value: number;
  /** Threshold. */
  readonly threshold: number;
  /** Unit of both. */
  readonly unit: string;
  /** Evidence count. */
  readonly samples: number;
  /** One sentence. */
  readonly summary: string;
}

/** opencdn.Alert */
export const alertSchema: EventSchema<Alert> = defineSchema<Alert>(
  '{"type":"record","name":"Alert","namespace":"opencdn","doc":"One alert of one subject. Topic alerts.v1, key rule and subject.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"rule","type":"string","doc":"Rule name."},{"name":"subject","type":"string","doc":"What it is about."},{"name":"state","type":{"type":"enum","name":"AlertState","symbols":["FIRING","RESOLVED"]},"doc":"State."},{"name":"severity","type":{"type":"enum","name":"Severity","symbols":["INFO","WARNING","CRITICAL"],"default":"WARNING"},"doc":"Severity."},{"name":"startedMs","type":"long","doc":"Event time of the firing."},{"name":"resolvedMs","type":"long","doc":"Event time of the end; 0 while firing."},{"name":"value","type":"double","doc":"Value that fired or resolved it."},{"name":"threshold","type":"double","doc":"Threshold."},{"name":"unit","type":"string","doc":"Unit of both."},{"name":"samples","type":"int","doc":"Evidence count."},{"name":"summary","type":"string","doc":"One sentence."}]}',
);

export type BgpChange = "REANNOUNCED" | "ORIGIN_CHANGED" | "OTHER";

/** A re-announcement after a withdrawal, or a change of origin. Topic bgp.flaps.v1, key peer and prefix. */
export interface BgpFlap {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Peer. */
  readonly peer: string;
  /** Prefix. */
  readonly prefix: string;
  /** What changed. */
  readonly change: BgpChange;
  /** Origin now; 0 when unknown. */
  readonly originAsn: number;
  /** Origin before; 0 when unknown. */
  readonly previousOriginAsn: number;
  /** Event time of the withdrawal; 0 when none. */
  readonly withdrawnMs: number;
}

/** opencdn.BgpFlap */
export const bgpFlapSchema: EventSchema<BgpFlap> = defineSchema<BgpFlap>(
  '{"type":"record","name":"BgpFlap","namespace":"opencdn","doc":"A re-announcement after a withdrawal, or a change of origin. Topic bgp.flaps.v1, key peer and prefix.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"peer","type":"string","doc":"Peer."},{"name":"prefix","type":"string","doc":"Prefix."},{"name":"change","type":{"type":"enum","name":"BgpChange","symbols":["REANNOUNCED","ORIGIN_CHANGED","OTHER"],"default":"OTHER"},"doc":"What changed."},{"name":"originAsn","type":"long","doc":"Origin now; 0 when unknown."},{"name":"previousOriginAsn","type":"long","doc":"Origin before; 0 when unknown."},{"name":"withdrawnMs","type":"long","doc":"Event time of the withdrawal; 0 when none."}]}',
);

/** State of one feed peer as the rib sees it. Topic bgp.peers.v1, key peer. */
export interface BgpPeer {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Peer. */
  readonly peer: string;
  /** Session up as far as known. */
  readonly up: boolean;
  /** False for a historical feed. */
  readonly live: boolean;
  /** Event time of its last message, written at most every 10 s. */
  readonly lastMessageMs: number;
  /** Routes held. */
  readonly routes: number;
  /** Dump or end-of-RIB seen, so that absence means not announced. */
  readonly fullTable: boolean;
}

/** opencdn.BgpPeer */
export const bgpPeerSchema: EventSchema<BgpPeer> = defineSchema<BgpPeer>(
  '{"type":"record","name":"BgpPeer","namespace":"opencdn","doc":"State of one feed peer as the rib sees it. Topic bgp.peers.v1, key peer.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"peer","type":"string","doc":"Peer."},{"name":"up","type":"boolean","doc":"Session up as far as known."},{"name":"live","type":"boolean","doc":"False for a historical feed."},{"name":"lastMessageMs","type":"long","doc":"Event time of its last message, written at most every 10 s."},{"name":"routes","type":"long","doc":"Routes held."},{"name":"fullTable","type":"boolean","doc":"Dump or end-of-RIB seen, so that absence means not announced."}]}',
);

export type BgpMessage =
  | "UPDATE"
  | "RIB_ENTRY"
  | "END_OF_RIB"
  | "DUMP_BEGIN"
  | "DUMP_END"
  | "PEER_UP"
  | "PEER_DOWN"
  | "OTHER";

export type BgpOrigin = "IGP" | "EGP" | "INCOMPLETE";

/** Path attributes of one message, RFC 4271 section 5. */
export interface BgpAttributes {
  readonly origin: BgpOrigin;
  /** Packed segments, see domain/as-path.ts. */
  readonly asPath: Uint8Array;
  readonly nextHop: string;
  readonly multiExitDisc: number | null;
  readonly localPref: number | null;
  readonly atomicAggregate: boolean;
  readonly aggregatorAsn: number | null;
  readonly aggregatorAddress: string;
  /** 4 bytes each, RFC 1997. */
  readonly communities: Uint8Array;
  /** 8 bytes each, RFC 4360. */
  readonly extendedCommunities: Uint8Array;
  /** 12 bytes each, RFC 8092. */
  readonly largeCommunities: Uint8Array;
  /** RFC 4456, empty when absent. */
  readonly originatorId: string;
  /** 4 bytes each, RFC 4456. */
  readonly clusterList: Uint8Array;
}

/** One BGP message or RIB entry of one peer. Topic bgp.updates.v1, key peer. */
export interface BgpUpdate {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** collector/ASN/address. */
  readonly peer: string;
  /** AS number. */
  readonly peerAsn: number;
  /** Address. */
  readonly peerAddress: string;
  /** What it is. */
  readonly message: BgpMessage;
  /** Address family of END_OF_RIB and dumps: 4, 6, or 0 for both. */
  readonly family: number;
  /** 0-based part of a split message. */
  readonly part: number;
  /** Parts of the message. */
  readonly partCount: number;
  /** Packed prefix list, see domain/prefix-list.ts. */
  readonly withdrawn: Uint8Array;
  /** Packed prefix list in file order. */
  readonly announced: Uint8Array;
  /** Attributes of the announced prefixes; null when none. */
  readonly attributes: BgpAttributes | null;
  /** Reason when RFC 7606 treat-as-withdraw applied, else empty. */
  readonly malformed: string;
  /** False for history: never evidence about now. */
  readonly live: boolean;
}

/** opencdn.BgpUpdate */
export const bgpUpdateSchema: EventSchema<BgpUpdate> = defineSchema<BgpUpdate>(
  '{"type":"record","name":"BgpUpdate","namespace":"opencdn","doc":"One BGP message or RIB entry of one peer. Topic bgp.updates.v1, key peer.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"peer","type":"string","doc":"collector/ASN/address."},{"name":"peerAsn","type":"long","doc":"AS number."},{"name":"peerAddress","type":"string","doc":"Address."},{"name":"message","type":{"type":"enum","name":"BgpMessage","symbols":["UPDATE","RIB_ENTRY","END_OF_RIB","DUMP_BEGIN","DUMP_END","PEER_UP","PEER_DOWN","OTHER"],"default":"OTHER"},"doc":"What it is."},{"name":"family","type":"int","doc":"Address family of END_OF_RIB and dumps: 4, 6, or 0 for both."},{"name":"part","type":"int","doc":"0-based part of a split message."},{"name":"partCount","type":"int","doc":"Parts of the message."},{"name":"withdrawn","type":"bytes","doc":"Packed prefix list, see domain/prefix-list.ts."},{"name":"announced","type":"bytes","doc":"Packed prefix list in file order."},{"name":"attributes","type":["null",{"type":"record","name":"BgpAttributes","doc":"Path attributes of one message, RFC 4271 section 5.","fields":[{"name":"origin","type":{"type":"enum","name":"BgpOrigin","symbols":["IGP","EGP","INCOMPLETE"],"default":"INCOMPLETE"}},{"name":"asPath","type":"bytes","doc":"Packed segments, see domain/as-path.ts."},{"name":"nextHop","type":"string"},{"name":"multiExitDisc","type":["null","long"]},{"name":"localPref","type":["null","long"]},{"name":"atomicAggregate","type":"boolean"},{"name":"aggregatorAsn","type":["null","long"]},{"name":"aggregatorAddress","type":"string"},{"name":"communities","type":"bytes","doc":"4 bytes each, RFC 1997."},{"name":"extendedCommunities","type":"bytes","doc":"8 bytes each, RFC 4360."},{"name":"largeCommunities","type":"bytes","doc":"12 bytes each, RFC 8092."},{"name":"originatorId","type":"string","doc":"RFC 4456, empty when absent."},{"name":"clusterList","type":"bytes","doc":"4 bytes each, RFC 4456."}]}],"doc":"Attributes of the announced prefixes; null when none."},{"name":"malformed","type":"string","doc":"Reason when RFC 7606 treat-as-withdraw applied, else empty."},{"name":"live","type":"boolean","doc":"False for history: never evidence about now."}]}',
);

export interface ServiceDemand {
  /** Service. */
  readonly serviceId: string;
  /** Requests per second. */
  readonly demandRps: number;
}

export interface NodeEstimate {
  /** Node. */
  readonly nodeId: string;
  /** Decayed mean. */
  readonly rttMs: number;
  /** Uncertainty. */
  readonly rttSigmaMs: number;
  /** 0..1. */
  readonly lossRatio: number;
  /** Decayed weight of evidence. */
  readonly samples: number;
  /** Event time. */
  readonly lastSampleMs: number;
  /** A model had a part in it. */
  readonly synthetic: boolean;
}

/** What is known of a cell. Topic cell.estimates.v1, key cell. */
export interface CellEstimate {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Cell. */
  readonly cell: string;
  /** Requests per second. */
  readonly demandRps: number;
  /** Demand by service. */
  readonly services: readonly ServiceDemand[];
  /** Per node, sorted by nodeId. */
  readonly nodes: readonly NodeEstimate[];
}

/** opencdn.CellEstimate */
export const cellEstimateSchema: EventSchema<CellEstimate> = defineSchema<CellEstimate>(
  '{"type":"record","name":"CellEstimate","namespace":"opencdn","doc":"What is known of a cell. Topic cell.estimates.v1, key cell.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"cell","type":"string","doc":"Cell."},{"name":"demandRps","type":"double","doc":"Requests per second."},{"name":"services","type":{"type":"array","items":{"type":"record","name":"ServiceDemand","fields":[{"name":"serviceId","type":"string","doc":"Service."},{"name":"demandRps","type":"double","doc":"Requests per second."}]}},"doc":"Demand by service."},{"name":"nodes","type":{"type":"array","items":{"type":"record","name":"NodeEstimate","fields":[{"name":"nodeId","type":"string","doc":"Node."},{"name":"rttMs","type":"double","doc":"Decayed mean."},{"name":"rttSigmaMs","type":"double","doc":"Uncertainty."},{"name":"lossRatio","type":"double","doc":"0..1."},{"name":"samples","type":"double","doc":"Decayed weight of evidence."},{"name":"lastSampleMs","type":"long","doc":"Event time."},{"name":"synthetic","type":"boolean","doc":"A model had a part in it."}]}},"doc":"Per node, sorted by nodeId."}]}',
);

export interface NodeRequests {
  /** Node. */
  readonly nodeId: string;
  /** Count. */
  readonly requests: number;
  /** Bytes. */
  readonly bytesSent: number;
}

/** One-second sums of one gateway for one cell. Topic cell.requests.v1, key cell. */
export interface CellRequests {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Cell. */
  readonly cell: string;
  /** Gateway. */
  readonly gatewayId: string;
  /** Service. */
  readonly serviceId: string;
  /** Length of the sum. */
  readonly intervalMs: number;
  /** Per node. */
  readonly nodes: readonly NodeRequests[];
}

/** opencdn.CellRequests */
export const cellRequestsSchema: EventSchema<CellRequests> = defineSchema<CellRequests>(
  '{"type":"record","name":"CellRequests","namespace":"opencdn","doc":"One-second sums of one gateway for one cell. Topic cell.requests.v1, key cell.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"cell","type":"string","doc":"Cell."},{"name":"gatewayId","type":"string","doc":"Gateway."},{"name":"serviceId","type":"string","doc":"Service."},{"name":"intervalMs","type":"int","doc":"Length of the sum."},{"name":"nodes","type":{"type":"array","items":{"type":"record","name":"NodeRequests","fields":[{"name":"nodeId","type":"string","doc":"Node."},{"name":"requests","type":"int","doc":"Count."},{"name":"bytesSent","type":"long","doc":"Bytes."}]}},"doc":"Per node."}]}',
);

/** A record that could not be processed. Topic dead.letters.v1, key source topic. */
export interface DeadLetter {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Topic. */
  readonly sourceTopic: string;
  /** Slot. */
  readonly sourceSlot: number;
  /** Offset. */
  readonly sourceOffset: number;
  /** Who refused it. */
  readonly processor: string;
  /** OCDN error code. */
  readonly code: string;
  /** Why. */
  readonly message: string;
  /** Raw key. */
  readonly recordKey: Uint8Array;
  /** Raw value. */
  readonly recordValue: Uint8Array;
}

/** opencdn.DeadLetter */
export const deadLetterSchema: EventSchema<DeadLetter> = defineSchema<DeadLetter>(
  '{"type":"record","name":"DeadLetter","namespace":"opencdn","doc":"A record that could not be processed. Topic dead.letters.v1, key source topic.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"sourceTopic","type":"string","doc":"Topic."},{"name":"sourceSlot","type":"int","doc":"Slot."},{"name":"sourceOffset","type":"long","doc":"Offset."},{"name":"processor","type":"string","doc":"Who refused it."},{"name":"code","type":"string","doc":"OCDN error code."},{"name":"message","type":"string","doc":"Why."},{"name":"recordKey","type":"bytes","doc":"Raw key."},{"name":"recordValue","type":"bytes","doc":"Raw value."}]}',
);

export type EdgeAction =
  | "REDIRECTED"
  | "REFUSED"
  | "REQUESTED"
  | "CONNECTED"
  | "RECONNECTED"
  | "RESUMED"
  | "CLOSED"
  | "SWITCHED"
  | "OTHER";

/** What happened to a client. No client address. Topic edge.events.v1, key sessionId. */
export interface EdgeEvent {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Session, or an opaque id of the request. */
  readonly sessionId: string;
  /** What happened. */
  readonly action: EdgeAction;
  /** Gateway or node that saw it. */
  readonly gatewayId: string;
  /** Node that the client was given or reached; empty when refused. */
  readonly nodeId: string;
  /** Service. */
  readonly serviceId: string;
  /** Client's cell. */
  readonly cell: string;
  /** Client's block as a prefix, never the full address. */
  readonly block: string;
  /** Version of the decision used; 0 when none. */
  readonly decisionVersion: number;
  /** Sequence of the picked node's overlay entry; 0 when none. */
  readonly overlaySequence: number;
  /** First 16 hex digits of the geo table's hash. */
  readonly geoHash: string;
  /** Reason code. */
  readonly reason: string;
  /** HTTP status or WebSocket close code. */
  readonly status: number;
  /** Bytes sent. */
  readonly bytesSent: number;
  /** Time taken. */
  readonly durationMs: number;
  /** True when the tables used were flagged stale. */
  readonly stale: boolean;
  /** True in the demonstration. */
  readonly synthetic: boolean;
}

/** opencdn.EdgeEvent */
export const edgeEventSchema: EventSchema<EdgeEvent> = defineSchema<EdgeEvent>(
  '{"type":"record","name":"EdgeEvent","namespace":"opencdn","doc":"What happened to a client. No client address. Topic edge.events.v1, key sessionId.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"sessionId","type":"string","doc":"Session, or an opaque id of the request."},{"name":"action","type":{"type":"enum","name":"EdgeAction","symbols":["REDIRECTED","REFUSED","REQUESTED","CONNECTED","RECONNECTED","RESUMED","CLOSED","SWITCHED","OTHER"],"default":"OTHER"},"doc":"What happened."},{"name":"gatewayId","type":"string","doc":"Gateway or node that saw it."},{"name":"nodeId","type":"string","doc":"Node that the client was given or reached; empty when refused."},{"name":"serviceId","type":"string","doc":"Service."},{"name":"cell","type":"string","doc":"Client\'s cell."},{"name":"block","type":"string","doc":"Client\'s block as a prefix, never the full address."},{"name":"decisionVersion","type":"long","doc":"Version of the decision used; 0 when none."},{"name":"overlaySequence","type":"long","doc":"Sequence of the picked node\'s overlay entry; 0 when none."},{"name":"geoHash","type":"string","doc":"First 16 hex digits of the geo table\'s hash."},{"name":"reason","type":"string","doc":"Reason code."},{"name":"status","type":"int","doc":"HTTP status or WebSocket close code."},{"name":"bytesSent","type":"long","doc":"Bytes sent."},{"name":"durationMs","type":"double","doc":"Time taken."},{"name":"stale","type":"boolean","doc":"True when the tables used were flagged stale."},{"name":"synthetic","type":"boolean","doc":"True in the demonstration."}]}',
);

/** A request to drain a node or to end the drain. Topic node.drains.v1, key nodeId. */
export interface NodeDrain {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Node. */
  readonly nodeId: string;
  /** True to drain. */
  readonly draining: boolean;
  /** Who. */
  readonly requestedBy: string;
  /** Why. */
  readonly reason: string;
}

/** opencdn.NodeDrain */
export const nodeDrainSchema: EventSchema<NodeDrain> = defineSchema<NodeDrain>(
  '{"type":"record","name":"NodeDrain","namespace":"opencdn","doc":"A request to drain a node or to end the drain. Topic node.drains.v1, key nodeId.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"nodeId","type":"string","doc":"Node."},{"name":"draining","type":"boolean","doc":"True to drain."},{"name":"requestedBy","type":"string","doc":"Who."},{"name":"reason","type":"string","doc":"Why."}]}',
);

/** One vantage point's verdict on a node. Topic node.health.v1, key nodeId. */
export interface NodeHealth {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Node. */
  readonly nodeId: string;
  /** Vantage point. */
  readonly vantage: string;
  /** Verdict of this check. */
  readonly healthy: boolean;
  /** Time to the answer; null when none. */
  readonly rttMs: number | null;
  /** Why not healthy; empty when healthy. */
  readonly reason: string;
  /** Counts the checks of this vantage process. */
  readonly checkSequence: number;
}

/** opencdn.NodeHealth */
export const nodeHealthSchema: EventSchema<NodeHealth> = defineSchema<NodeHealth>(
  '{"type":"record","name":"NodeHealth","namespace":"opencdn","doc":"One vantage point\'s verdict on a node. Topic node.health.v1, key nodeId.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"nodeId","type":"string","doc":"Node."},{"name":"vantage","type":"string","doc":"Vantage point."},{"name":"healthy","type":"boolean","doc":"Verdict of this check."},{"name":"rttMs","type":["null","double"],"doc":"Time to the answer; null when none."},{"name":"reason","type":"string","doc":"Why not healthy; empty when healthy."},{"name":"checkSequence","type":"long","doc":"Counts the checks of this vantage process."}]}',
);

/** Where a node is and what it can do. Topic node.inventory.v1, key nodeId. */
export interface NodeInventory {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Short name, e.g. TYO. */
  readonly nodeId: string;
  /** Human name of the place. */
  readonly place: string;
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
  /** Region inside the country, may be empty. */
  readonly region: string;
  /** Degrees. */
  readonly latitude: number;
  /** Degrees. */
  readonly longitude: number;
  /** Origin that clients are redirected to. */
  readonly baseUrl: string;
  /** Requests per second that the node can serve. */
  readonly capacityRps: number;
  /** Mean service time of a request on an idle node. */
  readonly serviceTimeMs: number;
  /** Prefixes announced for this node; empty means that visibility is unknown. */
  readonly prefixes: readonly string[];
  /** AS numbers allowed to originate the prefixes; empty means any. */
  readonly originAsns: readonly number[];
  /** http, ws, quic. */
  readonly protocols: readonly string[];
  /** Legal jurisdiction of the machines, ISO 3166-1 alpha-2. */
  readonly jurisdiction: string;
  /** True for a demonstration node. */
  readonly synthetic: boolean;
}

/** opencdn.NodeInventory */
export const nodeInventorySchema: EventSchema<NodeInventory> = defineSchema<NodeInventory>(
  '{"type":"record","name":"NodeInventory","namespace":"opencdn","doc":"Where a node is and what it can do. Topic node.inventory.v1, key nodeId.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"nodeId","type":"string","doc":"Short name, e.g. TYO."},{"name":"place","type":"string","doc":"Human name of the place."},{"name":"country","type":"string","doc":"ISO 3166-1 alpha-2."},{"name":"region","type":"string","doc":"Region inside the country, may be empty."},{"name":"latitude","type":"double","doc":"Degrees."},{"name":"longitude","type":"double","doc":"Degrees."},{"name":"baseUrl","type":"string","doc":"Origin that clients are redirected to."},{"name":"capacityRps","type":"double","doc":"Requests per second that the node can serve."},{"name":"serviceTimeMs","type":"double","doc":"Mean service time of a request on an idle node."},{"name":"prefixes","type":{"type":"array","items":"string"},"doc":"Prefixes announced for this node; empty means that visibility is unknown."},{"name":"originAsns","type":{"type":"array","items":"long"},"doc":"AS numbers allowed to originate the prefixes; empty means any."},{"name":"protocols","type":{"type":"array","items":"string"},"doc":"http, ws, quic."},{"name":"jurisdiction","type":"string","doc":"Legal jurisdiction of the machines, ISO 3166-1 alpha-2."},{"name":"synthetic","type":"boolean","doc":"True for a demonstration node."}]}',
);

/** Load predicted for a node by the cells of one slot. Topic node.loads.v1, key slot and node. */
export interface NodeLoad {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Slot. */
  readonly slot: number;
  /** Node. */
  readonly nodeId: string;
  /** Requests per second, once the fractions have arrived at what the prices ask for. */
  readonly predictedRps: number;
  /** Change of load when the price rises by one ms; 0 or less. */
  readonly slopeRpsPerMs: number;
  /** What the means below are weighted by: demand, or cells where there is none. */
  readonly weight: number;
  /** Mean RTT of the cells that are sent to the node; 0 when none. */
  readonly rttMs: number;
  /** Mean loss of those cells, 0..1. */
  readonly lossRatio: number;
}

/** opencdn.NodeLoad */
export const nodeLoadSchema: EventSchema<NodeLoad> = defineSchema<NodeLoad>(
  '{"type":"record","name":"NodeLoad","namespace":"opencdn","doc":"Load predicted for a node by the cells of one slot. Topic node.loads.v1, key slot and node.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"slot","type":"int","doc":"Slot."},{"name":"nodeId","type":"string","doc":"Node."},{"name":"predictedRps","type":"double","doc":"Requests per second, once the fractions have arrived at what the prices ask for."},{"name":"slopeRpsPerMs","type":"double","doc":"Change of load when the price rises by one ms; 0 or less."},{"name":"weight","type":"double","doc":"What the means below are weighted by: demand, or cells where there is none."},{"name":"rttMs","type":"double","doc":"Mean RTT of the cells that are sent to the node; 0 when none."},{"name":"lossRatio","type":"double","doc":"Mean loss of those cells, 0..1."}]}',
);

/** Host and session counts of one node over an interval. Topic node.metrics.v1, key nodeId. */
export interface NodeMetrics {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Node. */
  readonly nodeId: string;
  /** 0..1 of all cores. */
  readonly cpuRatio: number;
  /** 0..1. */
  readonly memoryRatio: number;
  /** Mean event-loop delay. */
  readonly eventLoopDelayMs: number;
  /** Open sessions now. */
  readonly connections: number;
  /** New sessions in the interval. */
  readonly connects: number;
  /** Sessions in the interval that followed a lost one. */
  readonly reconnects: number;
  /** Requests in the interval. */
  readonly requests: number;
  /** Bytes in the interval. */
  readonly bytesSent: number;
  /** Length of the interval. */
  readonly intervalMs: number;
  /** True for a demonstration node. */
  readonly synthetic: boolean;
}

/** opencdn.NodeMetrics */
export const nodeMetricsSchema: EventSchema<NodeMetrics> = defineSchema<NodeMetrics>(
  '{"type":"record","name":"NodeMetrics","namespace":"opencdn","doc":"Host and session counts of one node over an interval. Topic node.metrics.v1, key nodeId.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"nodeId","type":"string","doc":"Node."},{"name":"cpuRatio","type":"double","doc":"0..1 of all cores."},{"name":"memoryRatio","type":"double","doc":"0..1."},{"name":"eventLoopDelayMs","type":"double","doc":"Mean event-loop delay."},{"name":"connections","type":"int","doc":"Open sessions now."},{"name":"connects","type":"int","doc":"New sessions in the interval."},{"name":"reconnects","type":"int","doc":"Sessions in the interval that followed a lost one."},{"name":"requests","type":"int","doc":"Requests in the interval."},{"name":"bytesSent","type":"long","doc":"Bytes in the interval."},{"name":"intervalMs","type":"int","doc":"Length of the interval."},{"name":"synthetic","type":"boolean","doc":"True for a demonstration node."}]}',
);

/** What must act at once everywhere. Topic node.overlay.v1, key nodeId; failover is the only writer. */
export interface NodeOverlay {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Node. */
  readonly nodeId: string;
  /** Two of three vantage points agree. */
  readonly alive: boolean;
  /** No new clients. */
  readonly draining: boolean;
  /** 0..1, below 1 while the node returns by the ramp. */
  readonly multiplier: number;
  /** Raised when the writer lost its history. */
  readonly epoch: number;
  /** Raised by every change in an epoch. */
  readonly sequence: number;
  /** Reason code. */
  readonly reason: string;
}

/** opencdn.NodeOverlay */
export const nodeOverlaySchema: EventSchema<NodeOverlay> = defineSchema<NodeOverlay>(
  '{"type":"record","name":"NodeOverlay","namespace":"opencdn","doc":"What must act at once everywhere. Topic node.overlay.v1, key nodeId; failover is the only writer.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"nodeId","type":"string","doc":"Node."},{"name":"alive","type":"boolean","doc":"Two of three vantage points agree."},{"name":"draining","type":"boolean","doc":"No new clients."},{"name":"multiplier","type":"double","doc":"0..1, below 1 while the node returns by the ramp."},{"name":"epoch","type":"long","doc":"Raised when the writer lost its history."},{"name":"sequence","type":"long","doc":"Raised by every change in an epoch."},{"name":"reason","type":"string","doc":"Reason code."}]}',
);

/** What a unit of a node's capacity costs now. Topic node.prices.v1, key nodeId. */
export interface NodePrice {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Node. */
  readonly nodeId: string;
  /** Added to the node's cost, ms. */
  readonly priceMs: number;
  /** Load at this price. */
  readonly predictedRps: number;
  /** Capacity used for the price. */
  readonly capacityRps: number;
  /** Predicted load over capacity, smoothed over 30 s: what the queueing term is made from. */
  readonly utilisation: number;
}

/** opencdn.NodePrice */
export const nodePriceSchema: EventSchema<NodePrice> = defineSchema<NodePrice>(
  '{"type":"record","name":"NodePrice","namespace":"opencdn","doc":"What a unit of a node\'s capacity costs now. Topic node.prices.v1, key nodeId.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"nodeId","type":"string","doc":"Node."},{"name":"priceMs","type":"double","doc":"Added to the node\'s cost, ms."},{"name":"predictedRps","type":"double","doc":"Load at this price."},{"name":"capacityRps","type":"double","doc":"Capacity used for the price."},{"name":"utilisation","type":"double","doc":"Predicted load over capacity, smoothed over 30 s: what the queueing term is made from."}]}',
);

/** Scores of a node for dashboards and hot reads. Topic node.scores.v1, key nodeId. */
export interface NodeScore {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Node. */
  readonly nodeId: string;
  /** 0.4*(1-latency/500)+0.3*(1-loss)+0.3*(1-load), clamped to 0..1. */
  readonly staticScore: number;
  /** Service time over remaining capacity plus price. */
  readonly liveCostMs: number;
  /** 0 until a model is live. */
  readonly learnedCorrectionMs: number;
  /** Mean RTT used; 0 when unknown. */
  readonly latencyMs: number;
  /** 0..1. */
  readonly lossRatio: number;
  /** Predicted load over capacity. */
  readonly loadRatio: number;
  /** From metrics freshness. */
  readonly alive: boolean;
}

/** opencdn.NodeScore */
export const nodeScoreSchema: EventSchema<NodeScore> = defineSchema<NodeScore>(
  '{"type":"record","name":"NodeScore","namespace":"opencdn","doc":"Scores of a node for dashboards and hot reads. Topic node.scores.v1, key nodeId.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"nodeId","type":"string","doc":"Node."},{"name":"staticScore","type":"double","doc":"0.4*(1-latency/500)+0.3*(1-loss)+0.3*(1-load), clamped to 0..1."},{"name":"liveCostMs","type":"double","doc":"Service time over remaining capacity plus price."},{"name":"learnedCorrectionMs","type":"double","doc":"0 until a model is live."},{"name":"latencyMs","type":"double","doc":"Mean RTT used; 0 when unknown."},{"name":"lossRatio","type":"double","doc":"0..1."},{"name":"loadRatio","type":"double","doc":"Predicted load over capacity."},{"name":"alive","type":"boolean","doc":"From metrics freshness."}]}',
);

export type SampleOrigin = "PROBE" | "BEACON" | "IMPORT" | "OTHER";

/** One measurement between a cell and a node. Topic path.samples.v1, key cell. */
export interface PathSample {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Cell key. */
  readonly cell: string;
  /** Node. */
  readonly nodeId: string;
  /** Round-trip time; null when every packet was lost. */
  readonly rttMs: number | null;
  /** 0..1. */
  readonly lossRatio: number;
  /** Mean deviation. */
  readonly jitterMs: number;
  /** Packets or requests behind this record. */
  readonly sampleCount: number;
  /** Where it came from. */
  readonly origin: SampleOrigin;
  /** Who measured. */
  readonly vantage: string;
  /** True when a latency model had a part in it. */
  readonly synthetic: boolean;
}

/** opencdn.PathSample */
export const pathSampleSchema: EventSchema<PathSample> = defineSchema<PathSample>(
  '{"type":"record","name":"PathSample","namespace":"opencdn","doc":"One measurement between a cell and a node. Topic path.samples.v1, key cell.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"cell","type":"string","doc":"Cell key."},{"name":"nodeId","type":"string","doc":"Node."},{"name":"rttMs","type":["null","double"],"doc":"Round-trip time; null when every packet was lost."},{"name":"lossRatio","type":"double","doc":"0..1."},{"name":"jitterMs","type":"double","doc":"Mean deviation."},{"name":"sampleCount","type":"int","doc":"Packets or requests behind this record."},{"name":"origin","type":{"type":"enum","name":"SampleOrigin","symbols":["PROBE","BEACON","IMPORT","OTHER"],"default":"OTHER"},"doc":"Where it came from."},{"name":"vantage","type":"string","doc":"Who measured."},{"name":"synthetic","type":"boolean","doc":"True when a latency model had a part in it."}]}',
);

/** One peer's view of a prefix that overlaps a registered one. Topic prefix.views.v1, key prefix and peer. */
export interface PrefixView {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Registered prefix. */
  readonly prefix: string;
  /** Peer. */
  readonly peer: string;
  /** Peer has a route to the registered prefix (equal or covering, default route excluded). */
  readonly visible: boolean;
  /** Prefix of the route seen; empty when none. */
  readonly seenPrefix: string;
  /** Origin; 0 when unknown. */
  readonly originAsn: number;
  /** AS path length. */
  readonly pathLength: number;
}

/** opencdn.PrefixView */
export const prefixViewSchema: EventSchema<PrefixView> = defineSchema<PrefixView>(
  '{"type":"record","name":"PrefixView","namespace":"opencdn","doc":"One peer\'s view of a prefix that overlaps a registered one. Topic prefix.views.v1, key prefix and peer.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"prefix","type":"string","doc":"Registered prefix."},{"name":"peer","type":"string","doc":"Peer."},{"name":"visible","type":"boolean","doc":"Peer has a route to the registered prefix (equal or covering, default route excluded)."},{"name":"seenPrefix","type":"string","doc":"Prefix of the route seen; empty when none."},{"name":"originAsn","type":"long","doc":"Origin; 0 when unknown."},{"name":"pathLength","type":"int","doc":"AS path length."}]}',
);

export type Visibility = "YES" | "NO" | "UNKNOWN";

/** How many live peers see a prefix. Topic prefix.visibility.v1, key prefix. */
export interface PrefixVisibility {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Registered prefix. */
  readonly prefix: string;
  /** Nodes that registered it. */
  readonly nodeIds: readonly string[];
  /** Only a certain NO masks. */
  readonly state: Visibility;
  /** Reason code of the state. */
  readonly reason: string;
  /** Peers whose feed is fresh. */
  readonly livePeers: number;
  /** Live peers with a route. */
  readonly seeingPeers: number;
  /** Origins seen. */
  readonly origins: readonly number[];
  /** An origin that is not allowed is seen by most peers. */
  readonly wrongOrigin: boolean;
  /** Shortest AS path; 0 when none. */
  readonly minPathLength: number;
  /** Median AS path; 0 when none. */
  readonly medianPathLength: number;
}

/** opencdn.PrefixVisibility */
export const prefixVisibilitySchema: EventSchema<PrefixVisibility> = defineSchema<PrefixVisibility>(
  '{"type":"record","name":"PrefixVisibility","namespace":"opencdn","doc":"How many live peers see a prefix. Topic prefix.visibility.v1, key prefix.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"prefix","type":"string","doc":"Registered prefix."},{"name":"nodeIds","type":{"type":"array","items":"string"},"doc":"Nodes that registered it."},{"name":"state","type":{"type":"enum","name":"Visibility","symbols":["YES","NO","UNKNOWN"],"default":"UNKNOWN"},"doc":"Only a certain NO masks."},{"name":"reason","type":"string","doc":"Reason code of the state."},{"name":"livePeers","type":"int","doc":"Peers whose feed is fresh."},{"name":"seeingPeers","type":"int","doc":"Live peers with a route."},{"name":"origins","type":{"type":"array","items":"long"},"doc":"Origins seen."},{"name":"wrongOrigin","type":"boolean","doc":"An origin that is not allowed is seen by most peers."},{"name":"minPathLength","type":"int","doc":"Shortest AS path; 0 when none."},{"name":"medianPathLength","type":"int","doc":"Median AS path; 0 when none."}]}',
);

export interface Candidate {
  /** Node. */
  readonly nodeId: string;
  /** 0..1; all sum to 1. */
  readonly fraction: number;
}

/** Fractions per node for a service and cell. Topic route.decisions.v1, key cell and service. */
export interface RouteDecision {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Service. */
  readonly serviceId: string;
  /** Cell. */
  readonly cell: string;
  /** Raised by every change of this key. */
  readonly version: number;
  /** Permitted nodes, sorted by nodeId; a fraction may be 0. */
  readonly candidates: readonly Candidate[];
  /** True when the last good set was kept. */
  readonly flagged: boolean;
  /** Reason code of the last change. */
  readonly reason: string;
  /** How long a client may keep an answer. */
  readonly ttlSeconds: number;
}

/** opencdn.RouteDecision */
export const routeDecisionSchema: EventSchema<RouteDecision> = defineSchema<RouteDecision>(
  '{"type":"record","name":"RouteDecision","namespace":"opencdn","doc":"Fractions per node for a service and cell. Topic route.decisions.v1, key cell and service.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"serviceId","type":"string","doc":"Service."},{"name":"cell","type":"string","doc":"Cell."},{"name":"version","type":"long","doc":"Raised by every change of this key."},{"name":"candidates","type":{"type":"array","items":{"type":"record","name":"Candidate","fields":[{"name":"nodeId","type":"string","doc":"Node."},{"name":"fraction","type":"double","doc":"0..1; all sum to 1."}]}},"doc":"Permitted nodes, sorted by nodeId; a fraction may be 0."},{"name":"flagged","type":"boolean","doc":"True when the last good set was kept."},{"name":"reason","type":"string","doc":"Reason code of the last change."},{"name":"ttlSeconds","type":"int","doc":"How long a client may keep an answer."}]}',
);

export interface CandidateReason {
  /** Node. */
  readonly nodeId: string;
  /** 0..1. */
  readonly fraction: number;
  /** Excluded by a mask. */
  readonly masked: boolean;
  /** Reason codes. */
  readonly reasons: readonly string[];
  /** Total cost. */
  readonly costMs: number;
  /** RTT used. */
  readonly rttMs: number;
  /** Uncertainty. */
  readonly rttSigmaMs: number;
  /** 0..1. */
  readonly lossRatio: number;
  /** Cost of the loss. */
  readonly lossCostMs: number;
  /** Service time over remaining capacity. */
  readonly queueMs: number;
  /** Price. */
  readonly priceMs: number;
  /** Great circle, cell to node; 0 when unknown. */
  readonly distanceKm: number;
  /** For comparison. */
  readonly staticScore: number;
}

/** Why a decision is as it is. Topic route.explanations.v1, key cell and service. */
export interface RouteExplanation {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Service. */
  readonly serviceId: string;
  /** Cell. */
  readonly cell: string;
  /** Decision version. */
  readonly version: number;
  /** Topic of the event that moved it. */
  readonly trigger: string;
  /** Policy version. */
  readonly policyVersion: number;
  /** Cell whose estimates were used. */
  readonly evidenceCell: string;
  /** All nodes, also the masked ones. */
  readonly candidates: readonly CandidateReason[];
}

/** opencdn.RouteExplanation */
export const routeExplanationSchema: EventSchema<RouteExplanation> = defineSchema<RouteExplanation>(
  '{"type":"record","name":"RouteExplanation","namespace":"opencdn","doc":"Why a decision is as it is. Topic route.explanations.v1, key cell and service.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"serviceId","type":"string","doc":"Service."},{"name":"cell","type":"string","doc":"Cell."},{"name":"version","type":"long","doc":"Decision version."},{"name":"trigger","type":"string","doc":"Topic of the event that moved it."},{"name":"policyVersion","type":"long","doc":"Policy version."},{"name":"evidenceCell","type":"string","doc":"Cell whose estimates were used."},{"name":"candidates","type":{"type":"array","items":{"type":"record","name":"CandidateReason","fields":[{"name":"nodeId","type":"string","doc":"Node."},{"name":"fraction","type":"double","doc":"0..1."},{"name":"masked","type":"boolean","doc":"Excluded by a mask."},{"name":"reasons","type":{"type":"array","items":"string"},"doc":"Reason codes."},{"name":"costMs","type":"double","doc":"Total cost."},{"name":"rttMs","type":"double","doc":"RTT used."},{"name":"rttSigmaMs","type":"double","doc":"Uncertainty."},{"name":"lossRatio","type":"double","doc":"0..1."},{"name":"lossCostMs","type":"double","doc":"Cost of the loss."},{"name":"queueMs","type":"double","doc":"Service time over remaining capacity."},{"name":"priceMs","type":"double","doc":"Price."},{"name":"distanceKm","type":"double","doc":"Great circle, cell to node; 0 when unknown."},{"name":"staticScore","type":"double","doc":"For comparison."}]}},"doc":"All nodes, also the masked ones."}]}',
);

export interface ResidencyRule {
  /** ISO code of the client's country, or * for all. */
  readonly clientCountry: string;
  /** Jurisdictions that may serve those clients. */
  readonly jurisdictions: readonly string[];
}

export interface NodeWeight {
  /** Node. */
  readonly nodeId: string;
  /** Operator's multiplier of the node's fraction, 0 or more. */
  readonly weight: number;
}

/** Who may serve and be served. Topic service.policies.v1, key serviceId. */
export interface ServicePolicy {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Name of the service. */
  readonly serviceId: string;
  /** Host names bound to the service. */
  readonly hostnames: readonly string[];
  /** Nodes that may serve it; empty means all. */
  readonly permittedNodes: readonly string[];
  /** Nodes that may not serve it. */
  readonly forbiddenNodes: readonly string[];
  /** Hard masks by client country. */
  readonly residency: readonly ResidencyRule[];
  /** Operator weights; 1 where absent. */
  readonly nodeWeights: readonly NodeWeight[];
  /** Fewest candidates a decision may leave. */
  readonly floorNodes: number;
  /** How long a client may keep an answer. */
  readonly ttlSeconds: number;
  /** Most that a score-driven shift may move in one step, 0..1. */
  readonly maxStepRatio: number;
  /** Raised by every accepted change. */
  readonly version: number;
}

/** opencdn.ServicePolicy */
export const servicePolicySchema: EventSchema<ServicePolicy> = defineSchema<ServicePolicy>(
  '{"type":"record","name":"ServicePolicy","namespace":"opencdn","doc":"Who may serve and be served. Topic service.policies.v1, key serviceId.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"serviceId","type":"string","doc":"Name of the service."},{"name":"hostnames","type":{"type":"array","items":"string"},"doc":"Host names bound to the service."},{"name":"permittedNodes","type":{"type":"array","items":"string"},"doc":"Nodes that may serve it; empty means all."},{"name":"forbiddenNodes","type":{"type":"array","items":"string"},"doc":"Nodes that may not serve it."},{"name":"residency","type":{"type":"array","items":{"type":"record","name":"ResidencyRule","fields":[{"name":"clientCountry","type":"string","doc":"ISO code of the client\'s country, or * for all."},{"name":"jurisdictions","type":{"type":"array","items":"string"},"doc":"Jurisdictions that may serve those clients."}]}},"doc":"Hard masks by client country."},{"name":"nodeWeights","type":{"type":"array","items":{"type":"record","name":"NodeWeight","fields":[{"name":"nodeId","type":"string","doc":"Node."},{"name":"weight","type":"double","doc":"Operator\'s multiplier of the node\'s fraction, 0 or more."}]}},"doc":"Operator weights; 1 where absent."},{"name":"floorNodes","type":"int","doc":"Fewest candidates a decision may leave."},{"name":"ttlSeconds","type":"int","doc":"How long a client may keep an answer."},{"name":"maxStepRatio","type":"double","doc":"Most that a score-driven shift may move in one step, 0..1."},{"name":"version","type":"long","doc":"Raised by every accepted change."}]}',
);

export interface TopicOutput {
  /** Topic. */
  readonly topic: string;
  /** Records. */
  readonly count: number;
  /** Ordered hash over slots, keys and payloads. */
  readonly hash: Uint8Array;
}

export interface StoreDigest {
  /** Store. */
  readonly store: string;
  /** Entries. */
  readonly entries: number;
  /** Multiset hash. */
  readonly digest: Uint8Array;
}

/** One commit of one task: the journal. Topic task.commits.v1, key processor and slot. */
export interface TaskCommit {
  /** 16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index. */
  readonly eventId: Uint8Array;
  /** Event time, milliseconds since the epoch. */
  readonly eventMs: number;
  /** Version of the logic that produced this record; 0 for sources. */
  readonly logicVersion: number;
  /** Processor. */
  readonly processor: string;
  /** Task slot. */
  readonly slot: number;
  /** Counts the commits of the task from 1. */
  readonly commit: number;
  /** First commit after a start. */
  readonly firstOfProcess: boolean;
  /** Packed input runs and ticks in the order taken, see streams/journal.ts. */
  readonly steps: Uint8Array;
  /** Records taken. */
  readonly inputCount: number;
  /** Ordered hash over keys and payloads taken. */
  readonly inputHash: Uint8Array;
  /** Short checks of groups of inputs that let a replay name the record that differs, see streams/journal.ts. */
  readonly inputChecks: Uint8Array;
  /** By topic, sorted. */
  readonly outputs: readonly TopicOutput[];
  /** By store, sorted. */
  readonly stores: readonly StoreDigest[];
  /** Hash of the previous entry: the chain. */
  readonly previous: Uint8Array;
}

/** opencdn.TaskCommit */
export const taskCommitSchema: EventSchema<TaskCommit> = defineSchema<TaskCommit>(
  '{"type":"record","name":"TaskCommit","namespace":"opencdn","doc":"One commit of one task: the journal. Topic task.commits.v1, key processor and slot.","fields":[{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16},"doc":"16 bytes that do not depend on the engine: hash of log, processor, slot, cause and emission index."},{"name":"eventMs","type":"long","doc":"Event time, milliseconds since the epoch."},{"name":"logicVersion","type":"int","doc":"Version of the logic that produced this record; 0 for sources."},{"name":"processor","type":"string","doc":"Processor."},{"name":"slot","type":"int","doc":"Task slot."},{"name":"commit","type":"long","doc":"Counts the commits of the task from 1."},{"name":"firstOfProcess","type":"boolean","doc":"First commit after a start."},{"name":"steps","type":"bytes","doc":"Packed input runs and ticks in the order taken, see streams/journal.ts."},{"name":"inputCount","type":"long","doc":"Records taken."},{"name":"inputHash","type":{"type":"fixed","name":"Hash16","size":16},"doc":"Ordered hash over keys and payloads taken."},{"name":"inputChecks","type":"bytes","doc":"Short checks of groups of inputs that let a replay name the record that differs, see streams/journal.ts."},{"name":"outputs","type":{"type":"array","items":{"type":"record","name":"TopicOutput","fields":[{"name":"topic","type":"string","doc":"Topic."},{"name":"count","type":"int","doc":"Records."},{"name":"hash","type":"Hash16","doc":"Ordered hash over slots, keys and payloads."}]}},"doc":"By topic, sorted."},{"name":"stores","type":{"type":"array","items":{"type":"record","name":"StoreDigest","fields":[{"name":"store","type":"string","doc":"Store."},{"name":"entries","type":"long","doc":"Entries."},{"name":"digest","type":"Hash16","doc":"Multiset hash."}]}},"doc":"By store, sorted."},{"name":"previous","type":"Hash16","doc":"Hash of the previous entry: the chain."}]}',
);

/** Every event schema, in the order of their files. */
export const eventSchemas: readonly EventSchema<unknown>[] = [
  alertSchema,
  bgpFlapSchema,
  bgpPeerSchema,
  bgpUpdateSchema,
  cellEstimateSchema,
  cellRequestsSchema,
  deadLetterSchema,
  edgeEventSchema,
  nodeDrainSchema,
  nodeHealthSchema,
  nodeInventorySchema,
  nodeLoadSchema,
  nodeMetricsSchema,
  nodeOverlaySchema,
  nodePriceSchema,
  nodeScoreSchema,
  pathSampleSchema,
  prefixViewSchema,
  prefixVisibilitySchema,
  routeDecisionSchema,
  routeExplanationSchema,
  servicePolicySchema,
  taskCommitSchema,
];
