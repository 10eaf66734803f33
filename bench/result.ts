/** What a bench returns and prints as its last line. */
export interface BenchResult {
  readonly bench: string;
  /** Our figure in `unit`. */
  readonly ours: number;
  /** The rival's figure in the same unit; null where there is no rival. */
  readonly rival: number | null;
  /** How many times better than the rival we are; null where there is no rival. */
  readonly ratio: number | null;
  readonly unit: string;
  readonly [key: string]: unknown;
}

export interface BenchOptions {
  /** Finish in under a minute. */
  readonly quick: boolean;
}

type Cell = string | number;

/** Prints rows as a table on standard output, columns from the first row; numbers to the right. */
export function printTable(rows: readonly Readonly<Record<string, Cell>>[]): void {
  const columns = Object.keys(rows[0] ?? {});
  const widths = columns.map((column) =>
    Math.max(column.length, ...rows.map((row) => show(row[column]).length)),
  );
  const line = (cells: readonly string[]): void => {
    process.stdout.write(`${cells.join("  ").trimEnd()}\n`);
  };
  line(columns.map((column, index) => column.padEnd(widths[index] ?? 0)));
  line(widths.map((width) => "-".repeat(width)));
  for (const row of rows) {
    line(
      columns.map((column, index) => {
        const width = widths[index] ?? 0;
        const cell = row[column];
        return typeof cell === "number" ? show(cell).padStart(width) : show(cell).padEnd(width);
      }),
    );
  }
}

function show(cell: Cell | undefined): string {
  if (typeof cell !== "number") {
    return cell ?? "";
  }
  const digits = Math.abs(cell) >= 100 ? 0 : 2;
  return cell.toLocaleString("en-US", {
    maximumFractionDigits: digits,
    minimumFractionDigits: digits,
  });
}

/** User plus system CPU seconds of the whole process while `work` ran. */
export async function cpuSeconds(work: () => void | Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const used = process.cpuUsage(before);
  return (used.user + used.system) / 1e6;
}

/** The middle of some figures; of an even number, the mean of the two in the middle. */
export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) {
    throw new RangeError("the median of nothing");
  }
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

/** One of several contenders: `work` handles `count` items. */
export interface Contender {
  readonly name: string;
  readonly count: number;
  readonly work: () => void | Promise<void>;
}

/**
 * Runs every contender once to warm up, then `rounds` times in turn, and returns the median of
 * items per CPU second for each by name. Taking turns spreads the machine's moods over all of them.
 */
export async function race(
  contenders: readonly Contender[],
  rounds: number,
): Promise<ReadonlyMap<string, number>> {
  const rates = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round += 1) {
    for (const { name, count, work } of contenders) {
      const seconds = await cpuSeconds(work);
      if (round >= 0) {
        rates.get(name)?.push(count / seconds);
      }
    }
  }
  return new Map([...rates].map(([name, figures]) => [name, median(figures)]));
}
