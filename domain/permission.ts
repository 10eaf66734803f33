/** What a service's policy says about who may serve whom; the event of `service.policies.v1` has this shape. */
export interface Permissions {
  /** Empty: all nodes. */
  readonly permittedNodes: readonly string[];
  readonly forbiddenNodes: readonly string[];
  readonly residency: readonly Residency[];
}

/** Clients of a country (`*`: of every country) may be served from these jurisdictions only. */
export interface Residency {
  readonly clientCountry: string;
  readonly jurisdictions: readonly string[];
}

/** Why a node may not serve a client. Nothing lifts these. */
export type Prohibition = "NOT_PERMITTED" | "FORBIDDEN" | "RESIDENCY";

/**
 * Why this node may not serve clients of this country, or undefined when it may. Every residency rule that
 * applies must allow the node's jurisdiction: a rule for one country narrows the rule for all.
 */
export function prohibitionOf(
  permissions: Permissions,
  node: { readonly nodeId: string; readonly jurisdiction: string },
  clientCountry: string,
): Prohibition | undefined {
  const { permittedNodes, forbiddenNodes, residency } = permissions;
  if (forbiddenNodes.includes(node.nodeId)) return "FORBIDDEN";
  if (permittedNodes.length > 0 && !permittedNodes.includes(node.nodeId)) return "NOT_PERMITTED";
  for (const rule of residency) {
    const applies = rule.clientCountry === "*" || rule.clientCountry === clientCountry;
    if (applies && !rule.jurisdictions.includes(node.jurisdiction)) return "RESIDENCY";
  }
  return undefined;
}
