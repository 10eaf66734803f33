import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { checkFullTransitive, type ReleasedSchema } from "./compatibility.ts";
import { defineSchema, type EventSchema } from "./event-schema.ts";

/** One `.avsc` file of `schemas/`. */
export interface SchemaFile {
  /** File name without its ending, such as `edge-event`. */
  readonly name: string;
  readonly text: string;
  readonly schema: EventSchema<unknown>;
}

/** The current event schemas in `folder`, by file name. Throws TypeError for one that is none. */
export function readCurrent(folder: string): readonly SchemaFile[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".avsc"))
    .sort()
    .map((file) => {
      const text = readFileSync(join(folder, file), "utf8");
      return { name: basename(file, ".avsc"), text, schema: defineSchema<unknown>(text) };
    });
}

/** Names of all schemas that were ever released, by `folder/released/<name>/`. */
export function releasedNames(folder: string): readonly string[] {
  const path = join(folder, "released");
  return existsSync(path) ? readdirSync(path).sort() : [];
}

/** Released versions of a schema, `folder/released/<name>/<n>.avsc`, oldest first. */
export function readReleased(folder: string, name: string): readonly ReleasedSchema[] {
  const path = join(folder, "released", name);
  if (!existsSync(path)) {
    return [];
  }
  return readdirSync(path)
    .map((file) => Number(basename(file, ".avsc")))
    .sort((a, b) => a - b)
    .map((version) => ({
      version,
      schema: defineSchema<unknown>(readFileSync(join(path, `${version}.avsc`), "utf8")),
    }));
}

/** What `release` did. */
export interface ReleaseReport {
  /** Files written, such as `edge-event/2`. */
  readonly written: readonly string[];
  /** One sentence for each incompatibility; nothing is written when there is one. */
  readonly refused: readonly string[];
}

/**
 * Copies every current schema that differs from its last release in more than its docs to
 * `folder/released/<name>/<n+1>.avsc`; writes nothing at all if any breaks FULL_TRANSITIVE.
 */
export function release(folder: string): ReleaseReport {
  const pending: { readonly name: string; readonly version: number; readonly text: string }[] = [];
  const refused: string[] = [];
  for (const { name, text, schema } of readCurrent(folder)) {
    const released = readReleased(folder, name);
    for (const found of checkFullTransitive(schema, released)) {
      refused.push(
        `${name} breaks ${found.direction} compatibility with version ${found.version} ` +
          `at ${found.path}: ${found.message}`,
      );
    }
    const last = released.at(-1);
    if (last === undefined || withoutDocs(last.schema.json) !== withoutDocs(schema.json)) {
      pending.push({ name, version: (last?.version ?? 0) + 1, text });
    }
  }
  if (refused.length > 0) {
    return { written: [], refused };
  }
  for (const { name, version, text } of pending) {
    mkdirSync(join(folder, "released", name), { recursive: true });
    writeFileSync(join(folder, "released", name, `${version}.avsc`), text);
  }
  return { written: pending.map(({ name, version }) => `${name}/${version}`), refused };
}

function withoutDocs(json: string): string {
  return JSON.stringify(
    JSON.parse(json, (key, value) =>
      key === "doc" && typeof value === "string" ? undefined : value,
    ),
  );
}
