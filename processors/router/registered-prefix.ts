import { formatPrefix, type Prefix, parsePrefix } from "../../domain/prefix.ts";

/** A registered prefix with its canonical text, the key of everything about it. */
export interface RegisteredPrefix {
  readonly text: string;
  readonly prefix: Prefix;
}

/** The canonical registered prefixes among these texts, each once; what is no prefix is left out. */
export function canonicalPrefixes(texts: readonly string[]): RegisteredPrefix[] {
  const found = new Map<string, RegisteredPrefix>();
  for (const text of texts) {
    const prefix = parsePrefix(text);
    if (prefix === undefined || prefix.length === 0) continue;
    const canonical = formatPrefix(prefix);
    found.set(canonical, { text: canonical, prefix });
  }
  return [...found.values()];
}
