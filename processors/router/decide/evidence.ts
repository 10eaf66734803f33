import type { CellEstimate, NodeEstimate } from "../../../schemas/generated/events.ts";

/** The best evidence about one node for a cell: its own, or that of the narrowest wider cell that has any. */
export interface Evidence {
  readonly cell: string;
  readonly node: NodeEstimate;
}

/** Evidence by node from a chain of estimates, narrowest cell first; cells without an estimate are undefined. */
export function evidenceOf(
  chain: readonly (CellEstimate | undefined)[],
): ReadonlyMap<string, Evidence> {
  const found = new Map<string, Evidence>();
  for (const estimate of chain) {
    for (const node of estimate?.nodes ?? []) {
      if (!found.has(node.nodeId))
        found.set(node.nodeId, { cell: (estimate as CellEstimate).cell, node });
    }
  }
  return found;
}
