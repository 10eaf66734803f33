import { defineSchema, type EventSchema } from "./event-schema.ts";
import type { FieldNode, NamedNode, RecordNode, SchemaNode } from "./schema-node.ts";

/**
 * A reader's schema with only some fields of an event, in the event's own order. A `Decoder` with it
 * skips the others: what a processor does not look at is not built. Throws TypeError for a schema
 * that is no record and for a field that it lacks.
 */
export function projectSchema<T, K extends keyof T & string>(
  schema: EventSchema<T>,
  fields: readonly K[],
): EventSchema<Pick<T, K>> {
  const node = schema.node;
  if (node.kind !== "record") {
    throw new TypeError(`${schema.name} is no record`);
  }
  const wanted = new Set<string>(fields);
  const kept = node.fields.filter((field) => wanted.delete(field.name));
  for (const missing of wanted) {
    throw new TypeError(`${schema.name} has no field ${missing}`);
  }
  return defineSchema<Pick<T, K>>(
    JSON.stringify(describe({ ...node, fields: kept }, new Set<string>())),
  );
}

/** The JSON of a node with defaults and aliases; a name's first use defines it, later ones refer. */
function describe(node: SchemaNode, seen: Set<string>): unknown {
  switch (node.kind) {
    case "array":
      return { type: "array", items: describe(node.items, seen) };
    case "map":
      return { type: "map", values: describe(node.values, seen) };
    case "union":
      return node.branches.map((branch) => describe(branch, seen));
    case "fixed":
    case "enum":
    case "record":
      if (seen.has(node.name)) {
        return node.name;
      }
      seen.add(node.name);
      return describeNamed(node, seen);
    default:
      return node.kind;
  }
}

function describeNamed(node: NamedNode, seen: Set<string>): unknown {
  const head = { type: node.kind, name: node.name, aliases: node.aliases };
  switch (node.kind) {
    case "fixed":
      return { ...head, size: node.size };
    case "enum":
      return { ...head, symbols: node.symbols, default: node.default };
    case "record":
      return { ...head, fields: fieldsOf(node, seen) };
  }
}

function fieldsOf(node: RecordNode, seen: Set<string>): readonly unknown[] {
  return node.fields.map((field: FieldNode) => ({
    name: field.name,
    aliases: field.aliases,
    type: describe(field.type, seen),
    default: field.default,
  }));
}
