import type { EventSchema } from "./event-schema.ts";
import type { EnumNode, FixedNode, RecordNode, SchemaNode, UnionNode } from "./schema-node.ts";

/** Why a reader cannot read what a writer wrote. */
export type IncompatibilityCode =
  | "TYPE"
  | "NAME"
  | "FIXED_SIZE"
  | "MISSING_SYMBOL"
  | "MISSING_DEFAULT"
  | "MISSING_BRANCH"
  | "RESOLVER";

export interface Incompatibility {
  readonly code: IncompatibilityCode;
  /** Where in the reader: record and fields, dots between. */
  readonly path: string;
  readonly message: string;
}

/** One broken direction of a full-compatibility check. */
export interface DirectedIncompatibility extends Incompatibility {
  /** `backward`: the current schema cannot read the released one; `forward`: the other way round. */
  readonly direction: "backward" | "forward";
  /** Number of the released version, 1 and on. */
  readonly version: number;
}

/** A schema as it was released under a number. */
export interface ReleasedSchema {
  readonly version: number;
  readonly schema: EventSchema<unknown>;
}

/**
 * Everything that breaks FULL_TRANSITIVE: the current schema must read every released version and
 * every released version must read it. Empty when compatible.
 */
export function checkFullTransitive(
  current: EventSchema<unknown>,
  released: readonly ReleasedSchema[],
): readonly DirectedIncompatibility[] {
  return released.flatMap(({ version, schema }) => [
    ...checkReadable(current, schema).map((found) => ({
      ...found,
      direction: "backward" as const,
      version,
    })),
    ...checkReadable(schema, current).map((found) => ({
      ...found,
      direction: "forward" as const,
      version,
    })),
  ]);
}

/**
 * Everything that keeps `reader` from reading `writer`: the rules of the Avro specification 1.11,
 * "Schema Resolution" (names compared in full), and whatever avsc refuses beyond them.
 */
export function checkReadable(
  reader: EventSchema<unknown>,
  writer: EventSchema<unknown>,
): readonly Incompatibility[] {
  const found: Incompatibility[] = [];
  compare(reader.node, writer.node, { path: reader.name, found, open: new Map() });
  if (found.length > 0) {
    return found;
  }
  try {
    reader.type.createResolver(writer.type);
    return [];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return [{ code: "RESOLVER", path: reader.name, message }];
  }
}

interface Comparison {
  readonly path: string;
  readonly found: Incompatibility[];
  /** Pairs of records under comparison, reader to writers: a recursive schema ends there. */
  readonly open: Map<RecordNode, Set<RecordNode>>;
}

function compare(reader: SchemaNode, writer: SchemaNode, at: Comparison): void {
  if (writer.kind === "union") {
    for (const branch of writer.branches) {
      compare(reader, branch, at);
    }
    return;
  }
  if (reader.kind === "union") {
    compareUnion(reader, writer, at);
    return;
  }
  if (reader.kind === "record" && writer.kind === "record") {
    compareRecords(reader, writer, at);
  } else if (reader.kind === "enum" && writer.kind === "enum") {
    compareEnums(reader, writer, at);
  } else if (reader.kind === "fixed" && writer.kind === "fixed") {
    compareFixed(reader, writer, at);
  } else if (reader.kind === "array" && writer.kind === "array") {
    compare(reader.items, writer.items, { ...at, path: `${at.path}.[]` });
  } else if (reader.kind === "map" && writer.kind === "map") {
    compare(reader.values, writer.values, { ...at, path: `${at.path}.{}` });
  } else if (reader.kind !== writer.kind && !PROMOTIONS[writer.kind]?.includes(reader.kind)) {
    report(at, "TYPE", `${reader.kind} cannot be read from ${writer.kind}`);
  }
}

const PROMOTIONS: Readonly<Partial<Record<SchemaNode["kind"], readonly SchemaNode["kind"][]>>> = {
  int: ["long", "float", "double"],
  long: ["float", "double"],
  float: ["double"],
  string: ["bytes"],
  bytes: ["string"],
};

function compareUnion(reader: UnionNode, writer: SchemaNode, at: Comparison): void {
  const fits = reader.branches.some((branch) => {
    const found: Incompatibility[] = [];
    compare(branch, writer, { ...at, found });
    return found.length === 0;
  });
  if (!fits) {
    const name = "name" in writer ? writer.name : writer.kind;
    report(at, "MISSING_BRANCH", `the union has no branch that reads ${name}`);
  }
}

function compareRecords(reader: RecordNode, writer: RecordNode, at: Comparison): void {
  compareNames(reader, writer, at);
  const pairs = at.open.get(reader) ?? new Set();
  if (pairs.has(writer)) {
    return;
  }
  at.open.set(reader, pairs.add(writer));
  for (const field of reader.fields) {
    const path = `${at.path}.${field.name}`;
    const names = [field.name, ...field.aliases];
    const source = writer.fields.find((candidate) => names.includes(candidate.name));
    if (source !== undefined) {
      compare(field.type, source.type, { ...at, path });
    } else if (!field.hasDefault) {
      report({ ...at, path }, "MISSING_DEFAULT", "the writer lacks the field; it needs a default");
    }
  }
  pairs.delete(writer);
}

function compareEnums(reader: EnumNode, writer: EnumNode, at: Comparison): void {
  compareNames(reader, writer, at);
  const missing = writer.symbols.filter((symbol) => !reader.symbols.includes(symbol));
  if (missing.length > 0 && reader.default === undefined) {
    report(at, "MISSING_SYMBOL", `no ${missing.join(", ")} and no default to read it as`);
  }
}

function compareFixed(reader: FixedNode, writer: FixedNode, at: Comparison): void {
  compareNames(reader, writer, at);
  if (reader.size !== writer.size) {
    report(at, "FIXED_SIZE", `${reader.size} bytes cannot be read from ${writer.size}`);
  }
}

function compareNames(
  reader: { readonly name: string; readonly aliases: readonly string[] },
  writer: { readonly name: string },
  at: Comparison,
): void {
  if (reader.name !== writer.name && !reader.aliases.includes(writer.name)) {
    report(at, "NAME", `${reader.name} has no alias ${writer.name}`);
  }
}

function report(at: Comparison, code: IncompatibilityCode, message: string): void {
  at.found.push({ code, path: at.path, message });
}
