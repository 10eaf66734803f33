import type { Section } from "../batch.ts";

/** Records of a source with its position after them. */
export interface SourceAppend {
  readonly source: string;
  readonly previous: string | undefined;
  readonly position: string;
  readonly sections: readonly Section[];
}

export type AppendOutcome =
  | { readonly kind: "appended" }
  | { readonly kind: "duplicate" }
  | { readonly kind: "conflict"; readonly position: string | undefined };

/**
 * What each append comes to when they follow each other: appended where the source's position is the expected one,
 * a duplicate where it is already the new one, a conflict otherwise. Only what is appended changes anything.
 */
export function judgeAppends(
  appends: readonly SourceAppend[],
  known: ReadonlyMap<string, string>,
): {
  readonly outcomes: AppendOutcome[];
  readonly positions: ReadonlyMap<string, string>;
  readonly sections: Section[];
} {
  const positions = new Map<string, string>();
  const sections: Section[] = [];
  const outcomes = appends.map((append): AppendOutcome => {
    const position = positions.get(append.source) ?? known.get(append.source);
    if (position !== append.previous) {
      if (position === append.position) return { kind: "duplicate" };
      return { kind: "conflict", position };
    }
    positions.set(append.source, append.position);
    for (const section of append.sections) sections.push(section);
    return { kind: "appended" };
  });
  return { outcomes, positions, sections };
}
