import type { RecordNode, SchemaNode } from "./schema-node.ts";

const fixedSizes = new WeakMap<RecordNode, number | undefined>();
const minimumSizes = new WeakMap<RecordNode, number>();

/**
 * Bytes that every value of a type takes, where all its values take the same and none of them can
 * be wrong: null, float, double, fixed and records of these. Undefined for everything else.
 */
export function fixedSize(node: SchemaNode): number | undefined {
  switch (node.kind) {
    case "null":
      return 0;
    case "float":
      return 4;
    case "double":
      return 8;
    case "fixed":
      return node.size;
    case "record":
      return fixedSizeOfRecord(node);
    default:
      return undefined;
  }
}

function fixedSizeOfRecord(node: RecordNode): number | undefined {
  if (fixedSizes.has(node)) {
    return fixedSizes.get(node);
  }
  fixedSizes.set(node, undefined);
  let total: number | undefined = 0;
  for (const field of node.fields) {
    const size = fixedSize(field.type);
    total = size === undefined || total === undefined ? undefined : total + size;
  }
  fixedSizes.set(node, total);
  return total;
}

/** Bytes that no value of a type goes below; a record inside itself counts as 0 there. */
export function minimumSize(node: SchemaNode): number {
  switch (node.kind) {
    case "null":
      return 0;
    case "float":
      return 4;
    case "double":
      return 8;
    case "fixed":
      return node.size;
    case "union":
      return 1 + Math.min(...node.branches.map(minimumSize));
    case "record": {
      const known = minimumSizes.get(node);
      if (known !== undefined) {
        return known;
      }
      minimumSizes.set(node, 0);
      const total = node.fields.reduce((sum, field) => sum + minimumSize(field.type), 0);
      minimumSizes.set(node, total);
      return total;
    }
    default:
      return 1;
  }
}

/**
 * Fields of a type when every record is written out in full; a record inside itself counts once.
 * Records that hold each other twice double it a level, so a foreign schema must be bounded by it.
 */
export function expandedSize(node: SchemaNode, known: Map<SchemaNode, number> = new Map()): number {
  switch (node.kind) {
    case "array":
      return expandedSize(node.items, known);
    case "map":
      return expandedSize(node.values, known);
    case "union":
      return node.branches.reduce((sum, branch) => sum + expandedSize(branch, known), 0);
    case "record": {
      const present = known.get(node);
      if (present !== undefined) {
        return present;
      }
      known.set(node, 1);
      const total = node.fields.reduce((sum, field) => sum + expandedSize(field.type, known), 1);
      known.set(node, total);
      return total;
    }
    default:
      return 1;
  }
}

/** True when a value of the record can hold, at any depth, another value of the same record. */
export function isRecursive(node: RecordNode): boolean {
  return node.fields.some((field) => reaches(field.type, node, new Set()));
}

function reaches(from: SchemaNode, target: RecordNode, seen: Set<SchemaNode>): boolean {
  if (from === target) {
    return true;
  }
  if (seen.has(from)) {
    return false;
  }
  seen.add(from);
  switch (from.kind) {
    case "array":
      return reaches(from.items, target, seen);
    case "map":
      return reaches(from.values, target, seen);
    case "union":
      return from.branches.some((branch) => reaches(branch, target, seen));
    case "record":
      return from.fields.some((field) => reaches(field.type, target, seen));
    default:
      return false;
  }
}
