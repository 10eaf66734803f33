/** One candidate that no mask excludes. */
export interface Weighted {
  readonly nodeId: string;
  readonly costMs: number;
  /** Share that the node would get at equal costs: capacity times the operator's weight; 0 or more. */
  readonly share: number;
}

export interface Fraction {
  readonly nodeId: string;
  readonly fraction: number;
}

/**
 * Soft-min of the costs: share x exp(-(cost - least cost) / temperature), normalised; what falls below
 * `leastFraction` becomes 0. Sums to 1 for a non-empty list, in the order given. Never argmax: that herds every client
 * onto one node.
 */
export function softMin(
  nodes: readonly Weighted[],
  temperatureMs: number,
  leastFraction: number,
): Fraction[] {
  if (nodes.length === 0) return [];
  const shared = nodes.some((node) => node.share > 0);
  const taking = nodes.filter((node) => !shared || node.share > 0);
  const least = Math.min(...taking.map((node) => node.costMs));
  const weights = nodes.map((node) => {
    if (!taking.includes(node)) return 0;
    const share = shared ? node.share : 1;
    return share * Math.exp(-(node.costMs - least) / temperatureMs);
  });
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const kept = weights.map((weight) => (weight / total < leastFraction ? 0 : weight));
  const keptTotal = kept.reduce((sum, weight) => sum + weight, 0);
  // With very many equal nodes all fall below the bound: then nothing is cut.
  const [final, sum] = keptTotal > 0 ? [kept, keptTotal] : [weights, total];
  return nodes.map((node, index) => ({
    nodeId: node.nodeId,
    fraction: (final[index] as number) / sum,
  }));
}

/** Largest difference of any node's fraction; a node that only one side has counts as 0 on the other. */
export function largestMove(from: readonly Fraction[], to: readonly Fraction[]): number {
  const before = new Map(from.map((entry) => [entry.nodeId, entry.fraction]));
  let largest = 0;
  for (const { nodeId, fraction } of to) {
    largest = Math.max(largest, Math.abs(fraction - (before.get(nodeId) ?? 0)));
    before.delete(nodeId);
  }
  for (const fraction of before.values()) largest = Math.max(largest, fraction);
  return largest;
}

/**
 * One step from the old fractions towards `target`, so that no fraction moves by more than `maxStep`. Nodes that the
 * target no longer has (a mask) leave at once and fully: their part goes to the others before the step.
 */
export function stepTowards(
  old: readonly Fraction[],
  target: readonly Fraction[],
  maxStep: number,
): { readonly fractions: Fraction[]; readonly arrived: boolean } {
  const before = new Map(old.map((entry) => [entry.nodeId, entry.fraction]));
  const kept = target.map((entry) => before.get(entry.nodeId) ?? 0);
  const left = kept.reduce((sum, fraction) => sum + fraction, 0);
  if (left <= 0) return { fractions: [...target], arrived: true };
  const from = target.map((entry, index) => ({
    nodeId: entry.nodeId,
    fraction: (kept[index] as number) / left,
  }));
  const move = largestMove(from, target);
  if (move <= maxStep) return { fractions: [...target], arrived: true };
  const part = maxStep / move;
  const fractions = from.map((entry, index) => {
    const goal = (target[index] as Fraction).fraction;
    return { nodeId: entry.nodeId, fraction: entry.fraction + part * (goal - entry.fraction) };
  });
  return { fractions, arrived: part <= 0 };
}
