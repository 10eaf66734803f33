import { NO_PATH_ID, PrefixListWriter } from "../../domain/prefix-list.ts";
import type { BgpMessage, BgpUpdate } from "../../schemas/generated/events.ts";
import type { Emitted } from "../../streams/processor.ts";
import type { SourceEvent } from "../../streams/source.ts";
import { bgpUpdates } from "../../streams/topics.ts";
import type { AttributeVerdict } from "./attribute-decoder.ts";
import { AttributeReader } from "./attribute-reader.ts";
import { type FeedPeer, FeedPeers } from "./feed-peers.ts";
import {
  bgpMessage,
  ESTABLISHED,
  type MrtView,
  type MrtVisitor,
  type RecordFault,
  uint16,
} from "./mrt-format.ts";
import type { FeedFault, MrtStats } from "./mrt-stats.ts";
import { familyOf } from "./multiprotocol.ts";
import { attribute } from "./path-attribute-codes.ts";
import { addRoutes, ListSlab, splitList } from "./route-list.ts";
import type { UpdateFault } from "./update-fault.ts";

/** An event's place in its file: its record, in bytes of the decompressed stream, and its number there. */
export interface EventPlace {
  readonly offset: number;
  readonly index: number;
}

/** How events are named, timed and cut. */
export interface UpdateEventsOptions {
  /** First part of the peers' names. */
  readonly collector: string;
  /** Whether the events describe the present. */
  readonly live: boolean;
  /** Event time for the time of a record, both in ms since the epoch. */
  readonly timeOf: (recordMs: number) => number;
  /** Events before this one are left out: an earlier run gave them. */
  readonly from?: EventPlace | undefined;
  /** Most bytes of prefix lists in one event; a message with more is split. */
  readonly maxListBytes: number;
}

type Update = Emitted<BgpUpdate>;

const empty: Uint8Array = new Uint8Array(0);

function treatedAsWithdraw(withdrawn: UpdateFault): AttributeVerdict {
  return { attributes: null, withdrawn, discarded: [] };
}

/**
 * Turns records into events of `bgp.updates.v1`, which gather until they are taken.
 * Updates keep the order of the file. The entries of a table dump are framed by DUMP_BEGIN and
 * DUMP_END for each peer and family that has any; a dump whose file ends early has no DUMP_END.
 * Faults are judged by RFC 7606 and counted.
 */
export class UpdateEvents implements MrtVisitor {
  #events: SourceEvent<BgpUpdate>[] = [];
  readonly #options: UpdateEventsOptions;
  readonly #stats: MrtStats;
  readonly #peers: FeedPeers;
  readonly #attributes = new AttributeReader();
  readonly #withdrawn = new PrefixListWriter(65_536);
  readonly #reached = new PrefixListWriter(65_536);
  readonly #listed = new PrefixListWriter(65_536);
  readonly #slab = new ListSlab();
  readonly #from: EventPlace;
  /** Dumps under way, in the order in which they began. */
  #dumps: { readonly peer: FeedPeer; readonly family: 4 | 6 }[] = [];
  #offset = -1;
  #offsetText = "";
  #index = 0;
  #recordMs = 0;
  /** Lists that could be read only in part: what was announced there counts as withdrawn. */
  #withdrawnFault: UpdateFault | "" = "";
  #reachedFault: UpdateFault | "" = "";
  #listedFault: UpdateFault | "" = "";
  #prefixOffset = -1;
  #prefixList: Uint8Array = empty;

  constructor(options: UpdateEventsOptions, stats: MrtStats) {
    this.#options = options;
    this.#stats = stats;
    this.#peers = new FeedPeers(options.collector);
    this.#from = options.from ?? { offset: 0, index: 0 };
  }

  /** The events made since this was called last. */
  take(): SourceEvent<BgpUpdate>[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** Ends the dumps under way; `offset` is where the file ends. */
  finish(offset: number): void {
    this.#begin(offset);
    this.#endDumps();
  }

  message(view: MrtView): void {
    const stats = this.#stats;
    if (view.messageType !== bgpMessage.update) {
      stats.otherMessages++;
    } else if (view.local) {
      stats.localMessages++;
    } else if (this.#beginRecord(view)) {
      const fault = this.#update(view);
      if (fault !== undefined) stats.fault("skipped", fault, view.offset);
    }
  }

  ribEntry(view: MrtView): void {
    const family = familyOf(view.afi, view.safi);
    if (family === 0) {
      this.#stats.otherFamilies++;
      return;
    }
    const wanted = this.#beginRecord(view);
    const peer = this.#peers.of(view);
    if (peer === undefined) {
      this.#stats.fault("skipped", "tooManyPeers", view.offset);
      return;
    }
    const bit = family === 4 ? 1 : 2;
    if ((peer.dumping & bit) === 0) {
      peer.dumping |= bit;
      this.#dumps.push({ peer, family });
      this.#mark(peer, "DUMP_BEGIN", family);
    }
    if (wanted) this.#entry(view, peer, family);
  }

  stateChange(view: MrtView): void {
    this.#stats.stateChanges++;
    this.#beginRecord(view);
    const up = view.newState === ESTABLISHED;
    if (up === (view.oldState === ESTABLISHED)) return;
    const peer = this.#peers.of(view);
    if (peer !== undefined) this.#mark(peer, up ? "PEER_UP" : "PEER_DOWN", 0);
  }

  peerIndex(view: MrtView): void {
    this.#beginRecord(view);
    this.#endDumps();
  }

  fault(reason: RecordFault, view: MrtView): void {
    this.#stats.fault("skipped", reason, view.offset);
  }

  #update(view: MrtView): FeedFault | undefined {
    const { bytes, messageStart: start, messageEnd: end, addPath } = view;
    if (view.messageCut) return "messageTruncated";
    if (start + 4 > end) return "updateLength";
    const withdrawnEnd = start + 2 + uint16(bytes, start);
    if (withdrawnEnd + 2 > end) return "updateLength";
    const attributesEnd = withdrawnEnd + 2 + uint16(bytes, withdrawnEnd);
    if (attributesEnd > end) return "updateLength";
    const { scan, reach, unreach } = this.#attributes;
    const withdrawn = this.#withdrawn;
    const reached = this.#reached;
    const listed = this.#listed;
    withdrawn.reset();
    reached.reset();
    listed.reset();
    const fault = this.#attributes.scanMessage(bytes, withdrawnEnd + 2, attributesEnd);
    if (fault !== "") return fault;
    const sound = addRoutes(withdrawn, bytes, start + 2, withdrawnEnd, 4, addPath);
    this.#withdrawnFault = sound ? "" : "withdrawnRoutes";
    if (scan.has(attribute.mpUnreach) && !this.#multiprotocol(withdrawn, unreach, view)) {
      this.#withdrawnFault = "mpUnreach";
    }
    const reaches = scan.has(attribute.mpReach);
    this.#reachedFault = reaches && !this.#multiprotocol(reached, reach, view) ? "mpReach" : "";
    this.#listedFault = addRoutes(listed, bytes, attributesEnd, end, 4, addPath) ? "" : "nlri";
    const peer = this.#peers.of(view);
    if (peer === undefined) return "tooManyPeers";
    this.#stats.updates++;
    if (this.#withdrawnFault !== "") {
      this.#stats.fault("treatedAsWithdraw", this.#withdrawnFault, view.offset);
    }
    if (withdrawn.count + reached.count + listed.count > 0) {
      this.#routes(view, peer, attributesEnd);
    } else if (attributesEnd === start + 4 && end === attributesEnd) {
      this.#mark(peer, "END_OF_RIB", 4);
    } else if (scan.unreachHeader === scan.start && unreach.end === scan.end) {
      if (unreach.family !== 0) this.#mark(peer, "END_OF_RIB", unreach.family);
    }
    return undefined;
  }

  #multiprotocol(
    writer: PrefixListWriter,
    routes: { readonly family: 4 | 6 | 0; readonly start: number; readonly end: number },
    view: MrtView,
  ): boolean {
    if (routes.family === 0) {
      this.#stats.otherFamilies++;
      return true;
    }
    return addRoutes(writer, view.bytes, routes.start, routes.end, routes.family, view.addPath);
  }

  #routes(view: MrtView, peer: FeedPeer, listAt: number): void {
    const reached = this.#reached;
    const listed = this.#listed;
    const sizeBytes = this.#withdrawn.sizeBytes + reached.sizeBytes + listed.sizeBytes;
    const both = reached.count > 0 && listed.count > 0;
    if (!both && sizeBytes <= this.#options.maxListBytes) {
      this.#push(peer, this.#part(view, peer, reached.count > 0, listAt));
      return;
    }
    // Both lists have next hops of their own, so a message with both becomes two parts or more.
    const parts: Update[] = [];
    if (reached.count > 0) {
      parts.push(...this.#split(this.#part(view, peer, true, listAt)));
      this.#withdrawn.reset();
    }
    if (listed.count > 0 || this.#withdrawn.count > 0) {
      parts.push(...this.#split(this.#part(view, peer, false, listAt)));
    }
    const partCount = parts.length;
    for (let part = 0; part < partCount; part++) {
      this.#push(peer, { ...(parts[part] as Update), part, partCount });
    }
  }

  /** The withdrawn routes and one list of announced ones, withdrawn too when RFC 7606 says so. */
  #part(view: MrtView, peer: FeedPeer, reaches: boolean, listAt: number): Update {
    const withdrawn = this.#withdrawn;
    const announced = reaches ? this.#reached : this.#listed;
    const stats = this.#stats;
    let verdict: AttributeVerdict | undefined;
    if (announced.count > 0) {
      const fault = reaches ? this.#reachedFault : this.#listedFault;
      verdict = fault === "" ? this.#attributes.verdict(view, reaches) : treatedAsWithdraw(fault);
      this.#judged(view, verdict);
      if (verdict.attributes === null) {
        const { family, start, end } = this.#attributes.reach;
        if (!reaches) addRoutes(withdrawn, view.bytes, listAt, view.messageEnd, 4, view.addPath);
        else if (family !== 0) {
          addRoutes(withdrawn, view.bytes, start, end, family, view.addPath);
        }
        announced.reset();
      }
    }
    stats.announced += announced.count;
    stats.withdrawn += withdrawn.count;
    return {
      peer: peer.peer,
      peerAsn: peer.peerAsn,
      peerAddress: peer.peerAddress,
      message: "UPDATE",
      family: 0,
      part: 0,
      partCount: 1,
      withdrawn: this.#slab.copy(withdrawn),
      announced: this.#slab.copy(announced),
      attributes: verdict === undefined ? null : verdict.attributes,
      malformed: verdict?.withdrawn || this.#withdrawnFault,
      live: this.#options.live,
    };
  }

  /** The same routes in several events when they are too many for one. */
  #split(whole: Update): Update[] {
    const { maxListBytes } = this.#options;
    if (whole.withdrawn.length + whole.announced.length <= maxListBytes) return [whole];
    const parts: Update[] = [];
    for (const withdrawn of splitList(whole.withdrawn, maxListBytes)) {
      parts.push({ ...whole, withdrawn, announced: empty, attributes: null });
    }
    for (const announced of splitList(whole.announced, maxListBytes)) {
      parts.push({ ...whole, withdrawn: empty, announced });
    }
    return parts;
  }

  #entry(view: MrtView, peer: FeedPeer, family: 4 | 6): void {
    const stats = this.#stats;
    stats.ribEntries++;
    const list = this.#entryList(view, family);
    const verdict = this.#judged(view, this.#attributes.dumped(view));
    const sound = verdict.attributes !== null;
    if (sound) stats.announced++;
    else stats.withdrawn++;
    this.#push(peer, {
      peer: peer.peer,
      peerAsn: peer.peerAsn,
      peerAddress: peer.peerAddress,
      message: "RIB_ENTRY",
      family: 0,
      part: 0,
      partCount: 1,
      withdrawn: sound ? empty : list,
      announced: sound ? list : empty,
      attributes: verdict.attributes,
      malformed: verdict.withdrawn,
      live: this.#options.live,
    });
  }

  /** The list of the entry's one prefix; the entries of a record share it unless they have path ids. */
  #entryList(view: MrtView, family: 4 | 6): Uint8Array {
    const shared = view.pathId === NO_PATH_ID;
    if (shared && this.#prefixOffset === view.offset) return this.#prefixList;
    const writer = this.#listed;
    writer.reset();
    writer.add(family, view.bytes, view.prefixAt, view.prefixLength, view.pathId);
    const list = this.#slab.copy(writer);
    this.#prefixOffset = shared ? view.offset : -1;
    this.#prefixList = list;
    return list;
  }

  /** Counts what the verdict found. */
  #judged(view: MrtView, verdict: AttributeVerdict): AttributeVerdict {
    if (verdict.withdrawn !== "") {
      this.#stats.fault("treatedAsWithdraw", verdict.withdrawn, view.offset);
    }
    for (const reason of verdict.discarded) {
      this.#stats.fault("attributeDiscarded", reason, view.offset);
    }
    return verdict;
  }

  #endDumps(): void {
    for (const { peer, family } of this.#dumps) {
      peer.dumping = 0;
      this.#mark(peer, "DUMP_END", family);
    }
    this.#dumps = [];
  }

  /** An event that carries no routes. */
  #mark(peer: FeedPeer, message: BgpMessage, family: 0 | 4 | 6): void {
    this.#push(peer, {
      peer: peer.peer,
      peerAsn: peer.peerAsn,
      peerAddress: peer.peerAddress,
      message,
      family,
      part: 0,
      partCount: 1,
      withdrawn: empty,
      announced: empty,
      attributes: null,
      malformed: "",
      live: this.#options.live,
    });
  }

  /** Begins the events of a record; false when an earlier run gave all of them. */
  #beginRecord(view: MrtView): boolean {
    if (view.offset !== this.#offset) {
      this.#begin(view.offset);
      this.#recordMs = view.seconds * 1000 + Math.floor(view.microseconds / 1000);
    }
    return view.offset >= this.#from.offset;
  }

  #begin(offset: number): void {
    this.#offset = offset;
    this.#offsetText = `${offset}.`;
    this.#index = 0;
  }

  #push(peer: FeedPeer, value: Update): void {
    const index = this.#index++;
    const from = this.#from;
    if (this.#offset < from.offset || (this.#offset === from.offset && index < from.index)) return;
    this.#events.push({
      topic: bgpUpdates,
      key: peer.peer,
      value,
      eventMs: this.#options.timeOf(this.#recordMs),
      position: this.#offsetText + index,
    });
  }
}
