import { formatPrefixAt } from "../../../domain/prefix.ts";
import { defineSchema, type EventSchema } from "../../../schemas/event-schema.ts";
import type { Context } from "../../../streams/processor.ts";
import { type RecordStoreSpec, recordStoreSpec } from "../../../streams/store.ts";
import { prefixViews } from "../../../streams/topics.ts";
import type { RegisteredPrefix } from "../registered-prefix.ts";
import type { AttributeTable } from "./attribute-table.ts";
import type { PeerState } from "./peer-state.ts";
import { noAttributes, type RouteTable } from "./route-table.ts";

/** A peer's view of a registered prefix as it was written last. */
interface KnownView {
  readonly visible: boolean;
  readonly seenPrefix: string;
  readonly originAsn: number;
  readonly pathLength: number;
}

const knownViewSchema: EventSchema<KnownView> = defineSchema<KnownView>(
  JSON.stringify({
    type: "record",
    name: "KnownView",
    namespace: "opencdn.rib",
    fields: [
      { name: "visible", type: "boolean" },
      { name: "seenPrefix", type: "string" },
      { name: "originAsn", type: "long" },
      { name: "pathLength", type: "int" },
    ],
  }),
);

export const knownViews: RecordStoreSpec<KnownView> = recordStoreSpec("views", knownViewSchema);

const nothing: KnownView = { visible: false, seenPrefix: "", originAsn: 0, pathLength: 0 };

/**
 * Writes a peer's view of a registered prefix when it changed. The longest route that equals or covers the prefix
 * counts; the default route does not, and neither does a more specific one, which carries a part of the addresses.
 *
 * Absence is said only where it is known: the peer's table of the family is complete, or the peer spoke of this
 * prefix before (`spoken`: it withdraws it now). A peer that has said nothing has no view.
 */
export function writeView(
  context: Context,
  tables: { readonly routes: RouteTable; readonly attributes: AttributeTable },
  peerName: string,
  peer: PeerState,
  { text, prefix }: RegisteredPrefix,
  spoken: boolean,
): void {
  const store = context.records(knownViews);
  const key = `${text}|${peerName}`;
  const before = store.get(key);
  const view = look(tables, peer, prefix) ?? nothing;
  const complete = peer.full[prefix.family === 6 ? 1 : 0];
  if (!view.visible && !complete && !spoken && before === undefined) return;
  if (before !== undefined && same(before, view)) return;
  store.put(key, view);
  context.emit(prefixViews, key, { prefix: text, peer: peerName, ...view });
}

/** The peer is no longer a witness: its view of this prefix is removed. */
export function removeView(context: Context, peerName: string, text: string): void {
  const key = `${text}|${peerName}`;
  if (context.records(knownViews).delete(key)) context.remove(prefixViews, key);
}

function look(
  { routes, attributes }: { readonly routes: RouteTable; readonly attributes: AttributeTable },
  peer: PeerState,
  prefix: RegisteredPrefix["prefix"],
): KnownView | undefined {
  for (let length = prefix.length; length > 0; length--) {
    const id = routes.find(peer, prefix.family, length, prefix.bytes, 0);
    if (id === noAttributes || !attributes.load(id)) continue;
    return {
      visible: true,
      seenPrefix: formatPrefixAt(prefix.bytes, 0, prefix.family, length),
      originAsn: attributes.originAsn,
      pathLength: attributes.pathLength,
    };
  }
  return undefined;
}

function same(a: KnownView, b: KnownView): boolean {
  return (
    a.visible === b.visible &&
    a.seenPrefix === b.seenPrefix &&
    a.originAsn === b.originAsn &&
    a.pathLength === b.pathLength
  );
}
