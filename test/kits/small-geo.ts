import { keyOf4, keyOf6 } from "../../domain/block.ts";
import { fallbacks, parseCell } from "../../domain/cell.ts";
import { GeoTable } from "../../domain/geo-table.ts";
import { parsePrefix } from "../../domain/prefix.ts";

interface Run {
  readonly from: number;
  readonly cell: number;
}

/**
 * A geo table in which these networks (IPv4 /24 or shorter, IPv6 /56 or shorter, apart from each other) have these
 * cells, and everything else the unknown one.
 */
export function smallGeo(networks: Readonly<Record<string, string>>, hash?: string): GeoTable {
  const cells = new CellColumns();
  const runs4: Run[] = [];
  const runs6: Run[] = [];
  for (const [text, name] of Object.entries(networks)) {
    const prefix = parsePrefix(text);
    if (prefix === undefined) throw new Error(`${text} is no prefix`);
    const cell = cells.add(name);
    if (prefix.family === 4) {
      const from = keyOf4(prefix.bytes);
      runs4.push({ from, cell }, { from: from + 2 ** (24 - prefix.length), cell: 0 });
    } else {
      const from = keyOf6(prefix.bytes);
      runs6.push({ from, cell }, { from: from + 2 ** (56 - prefix.length), cell: 0 });
    }
  }
  const six = inOrder(runs6);
  return new GeoTable(
    {
      ...fourOf(inOrder(runs4)),
      start6: Float64Array.from(six, ({ from }) => from),
      cell6: Uint32Array.from(six, ({ cell }) => cell),
      ...cells.columns(),
    },
    hash ?? "0".repeat(64),
  );
}

/** Sorted, begun at 0, without the ends that another network's begin replaces. */
function inOrder(runs: readonly Run[]): Run[] {
  const byFrom = new Map<number, Run>([[0, { from: 0, cell: 0 }]]);
  for (const run of runs) {
    if (run.cell !== 0 || !byFrom.has(run.from)) byFrom.set(run.from, run);
  }
  return [...byFrom.values()].sort((left, right) => left.from - right.from);
}

function fourOf(runs: readonly Run[]): { top4: Uint32Array; low4: Uint8Array; cell4: Uint32Array } {
  const top4 = new Uint32Array(65_537);
  const low4: number[] = [];
  const cell4: number[] = [];
  let at = 0;
  for (let top = 0; top < 65_536; top++) {
    top4[top] = low4.length;
    const first = top << 8;
    while ((runs[at + 1]?.from ?? Number.POSITIVE_INFINITY) <= first) at++;
    low4.push(0);
    cell4.push(runs[at]?.cell ?? 0);
    while ((runs[at + 1]?.from ?? Number.POSITIVE_INFINITY) < first + 256) {
      at++;
      low4.push((runs[at]?.from ?? 0) & 0xff);
      cell4.push(runs[at]?.cell ?? 0);
    }
  }
  top4[65_536] = low4.length;
  return { top4, low4: Uint8Array.from(low4), cell4: Uint32Array.from(cell4) };
}

type Columns = Pick<
  GeoTable["arrays"],
  "parent" | "country" | "region" | "asn" | "latitude" | "longitude" | "countries" | "regions"
>;

/** Cells with their fallbacks, each after its parent. */
class CellColumns {
  readonly #numbers = new Map<string, number>([["ZZ", 0]]);
  readonly #parents = [0];

  add(name: string): number {
    let parent = 0;
    for (const cell of [...fallbacks(name)].reverse()) {
      let number = this.#numbers.get(cell);
      if (number === undefined) {
        number = this.#parents.push(parent) - 1;
        this.#numbers.set(cell, number);
      }
      parent = number;
    }
    return parent;
  }

  columns(): Columns {
    const parts = [...this.#numbers.keys()].map((name) => parseCell(name) ?? { country: "ZZ" });
    const countries = [...new Set(parts.map(({ country }) => country))];
    const regions = [...new Set(["", ...parts.map(({ region }) => region ?? "")])];
    return {
      parent: Uint32Array.from(this.#parents),
      country: Uint16Array.from(parts, ({ country }) => countries.indexOf(country)),
      region: Uint32Array.from(parts, ({ region }) => regions.indexOf(region ?? "")),
      asn: Uint32Array.from(parts, ({ asn }) => asn ?? 0),
      latitude: new Float32Array(parts.length).fill(Number.NaN),
      longitude: new Float32Array(parts.length).fill(Number.NaN),
      countries,
      regions,
    };
  }
}
