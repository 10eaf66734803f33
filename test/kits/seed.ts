/** The seed of a run: OPENCDN_SEED, or a number that is another one every time. Tests print it in their names. */
export const runSeed: number = Number(process.env["OPENCDN_SEED"] ?? Date.now() % 1_000_000);

/** How many kills a test does: OPENCDN_KILLS, or so many. */
export function killCount(usual: number): number {
  return Number(process.env["OPENCDN_KILLS"] ?? usual);
}
