import { maxLabelCharacters, maxLabelValues } from "./limits.ts";

/** What stands for all values beyond the bound. */
export const otherLabel = "other";
/** What stands for the empty text. */
const noneLabel = "none";

/** The values of one label, bounded in number and length. */
export class LabelSpace {
  readonly #limit: number;
  readonly #known = new Set<string>();
  readonly #onReleased: ((label: string) => void)[] = [];
  #overflowed = 0;

  constructor(limit: number = maxLabelValues) {
    this.#limit = limit;
  }

  /** How often a value found no room. */
  get overflowed(): number {
    return this.#overflowed;
  }

  /** The value as a label; `other` when there is no room for a new one. */
  of(value: string): string {
    const text = labelOf(value);
    if (this.#known.has(text)) return text;
    if (this.#known.size >= this.#limit) {
      this.#overflowed += 1;
      return otherLabel;
    }
    this.#known.add(text);
    return text;
  }

  /** Calls `remove` when a label is given back, to take its series away. */
  onReleased(remove: (label: string) => void): void {
    this.#onReleased.push(remove);
  }

  /** Gives the room of a value back. */
  release(value: string): void {
    const label = labelOf(value);
    if (!this.#known.delete(label)) return;
    for (const remove of this.#onReleased) remove(label);
  }
}

/** Cut by code points, so that no half of a pair is left. */
function labelOf(value: string): string {
  if (value.length <= maxLabelCharacters) return value === "" ? noneLabel : value;
  return [...value.slice(0, 2 * maxLabelCharacters)].slice(0, maxLabelCharacters).join("");
}
