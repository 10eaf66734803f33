import { CodecFailure } from "./failure.ts";
import {
  FORBIDDEN_KEYS,
  MAX_EXPANDED_FIELDS,
  MAX_SCHEMA_BYTES,
  MAX_SCHEMA_DEPTH,
  MAX_SCHEMA_NODES,
} from "./limits.ts";
import { expandedSize } from "./schema-size.ts";

export type PrimitiveKind =
  | "null"
  | "boolean"
  | "int"
  | "long"
  | "float"
  | "double"
  | "bytes"
  | "string";

export interface PrimitiveNode {
  readonly kind: PrimitiveKind;
}

export interface FixedNode {
  readonly kind: "fixed";
  readonly name: string;
  readonly aliases: readonly string[];
  readonly size: number;
}

export interface EnumNode {
  readonly kind: "enum";
  readonly name: string;
  readonly aliases: readonly string[];
  readonly symbols: readonly string[];
  readonly default: string | undefined;
  readonly doc: string | undefined;
}

export interface ArrayNode {
  readonly kind: "array";
  readonly items: SchemaNode;
}

export interface MapNode {
  readonly kind: "map";
  readonly values: SchemaNode;
}

export interface UnionNode {
  readonly kind: "union";
  readonly branches: readonly SchemaNode[];
}

export interface FieldNode {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly type: SchemaNode;
  readonly hasDefault: boolean;
  /** The default as JSON, undefined where there is none. */
  readonly default: unknown;
  readonly doc: string | undefined;
}

/** A record; the same object stands for every use of its name, so a recursive schema is a graph. */
export interface RecordNode {
  readonly kind: "record";
  readonly name: string;
  readonly aliases: readonly string[];
  readonly fields: readonly FieldNode[];
  readonly doc: string | undefined;
}

/** What may stand in a schema again by its name alone. */
export type NamedNode = FixedNode | EnumNode | RecordNode;

export type SchemaNode = PrimitiveNode | ArrayNode | MapNode | UnionNode | NamedNode;

const PRIMITIVES: ReadonlySet<string> = new Set([
  "null",
  "boolean",
  "int",
  "long",
  "float",
  "double",
  "bytes",
  "string",
]);
const NAME_PART = /^[A-Za-z_][A-Za-z0-9_]*$/;
const MAX_FIXED_BYTES = 65_536;

type Json = Readonly<Record<string, unknown>>;

class SchemaError extends Error {}

interface Scope {
  readonly names: Map<string, SchemaNode>;
  readonly namespace: string | undefined;
  readonly depth: number;
  readonly count: { value: number };
}

/**
 * Reads the text of an Avro schema (specification 1.11, "Schema Declaration") into nodes, names
 * resolved. Returns a `BAD_SCHEMA` failure for text that is too long, too deep, not JSON or not a
 * schema, and for field names and symbols that reach a prototype. Logical types read as their base.
 */
export function parseSchema(json: string): SchemaNode | CodecFailure {
  if (json.length > MAX_SCHEMA_BYTES) {
    return new CodecFailure("BAD_SCHEMA", `schema text is over ${MAX_SCHEMA_BYTES} bytes`);
  }
  try {
    const scope = { names: new Map(), namespace: undefined, depth: 0, count: { value: 0 } };
    const node = parseNode(JSON.parse(json), scope);
    return expandedSize(node) > MAX_EXPANDED_FIELDS
      ? new CodecFailure("BAD_SCHEMA", `records expand to over ${MAX_EXPANDED_FIELDS} fields`)
      : node;
  } catch (error) {
    if (error instanceof SchemaError || error instanceof SyntaxError) {
      return new CodecFailure("BAD_SCHEMA", `reading a schema: ${error.message}`);
    }
    throw error;
  }
}

function parseNode(value: unknown, scope: Scope): SchemaNode {
  if (scope.depth > MAX_SCHEMA_DEPTH) {
    throw new SchemaError(`types are nested over ${MAX_SCHEMA_DEPTH} deep`);
  }
  scope.count.value += 1;
  if (scope.count.value > MAX_SCHEMA_NODES) {
    throw new SchemaError(`more than ${MAX_SCHEMA_NODES} types`);
  }
  if (typeof value === "string") {
    return reference(value, scope);
  }
  const inner = { ...scope, depth: scope.depth + 1 };
  if (Array.isArray(value)) {
    return parseUnion(value, inner);
  }
  if (typeof value !== "object" || value === null) {
    throw new SchemaError(`a type must be a name, a list or an object, not ${typeOf(value)}`);
  }
  return parseObject(value as Json, inner);
}

function parseObject(json: Json, scope: Scope): SchemaNode {
  const type = json["type"];
  switch (type) {
    case "record":
    case "error":
      return parseRecord(json, scope);
    case "enum":
      return parseEnum(json, scope);
    case "fixed":
      return parseFixed(json, scope);
    case "array":
      return { kind: "array", items: parseNode(json["items"], scope) };
    case "map":
      return { kind: "map", values: parseNode(json["values"], scope) };
    default:
      return parseNode(type, scope);
  }
}

function reference(name: string, scope: Scope): SchemaNode {
  if (PRIMITIVES.has(name)) {
    return { kind: name as PrimitiveKind };
  }
  const node = scope.names.get(qualify(name, scope.namespace));
  if (node === undefined) {
    throw new SchemaError(`unknown type ${quote(name)}`);
  }
  return node;
}

function parseUnion(branches: readonly unknown[], scope: Scope): UnionNode {
  const nodes = branches.map((branch) => parseNode(branch, scope));
  const seen = new Set<string>();
  for (const node of nodes) {
    if (node.kind === "union") {
      throw new SchemaError("a union stands directly inside a union");
    }
    const name = "name" in node ? node.name : node.kind;
    if (seen.has(name)) {
      throw new SchemaError(`a union holds ${quote(name)} twice`);
    }
    seen.add(name);
  }
  return { kind: "union", branches: nodes };
}

function parseRecord(json: Json, scope: Scope): RecordNode {
  const { name, aliases, namespace } = declareName(json, scope);
  const fields: FieldNode[] = [];
  const node: RecordNode = { kind: "record", name, aliases, fields, doc: text(json["doc"]) };
  define(name, node, scope);
  const inner = { ...scope, namespace };
  const seen = new Set<string>();
  for (const item of list(json["fields"], `fields of ${quote(name)}`)) {
    const field = parseField(item, name, inner);
    if (seen.has(field.name)) {
      throw new SchemaError(`${quote(name)} has the field ${quote(field.name)} twice`);
    }
    seen.add(field.name);
    fields.push(field);
  }
  return node;
}

function parseField(item: unknown, record: string, scope: Scope): FieldNode {
  if (typeof item !== "object" || item === null) {
    throw new SchemaError(`a field of ${quote(record)} must be an object`);
  }
  const json = item as Json;
  const where = `field of ${quote(record)}`;
  return {
    name: simpleName(json["name"], where),
    aliases: optionalList(json["aliases"], where).map((alias) => simpleName(alias, where)),
    type: parseNode(json["type"], scope),
    hasDefault: json["default"] !== undefined,
    default: json["default"],
    doc: text(json["doc"]),
  };
}

function parseEnum(json: Json, scope: Scope): EnumNode {
  const { name, aliases } = declareName(json, scope);
  const where = `symbols of ${quote(name)}`;
  const symbols = list(json["symbols"], where).map((symbol) => simpleName(symbol, where));
  const byDefault = json["default"];
  if (new Set(symbols).size !== symbols.length || symbols.length === 0) {
    throw new SchemaError(`${where} are empty or hold one twice`);
  }
  if (byDefault !== undefined && !symbols.some((symbol) => symbol === byDefault)) {
    throw new SchemaError(`the default of ${quote(name)} is not one of its symbols`);
  }
  const node: EnumNode = {
    kind: "enum",
    name,
    aliases,
    symbols,
    default: text(byDefault),
    doc: text(json["doc"]),
  };
  define(name, node, scope);
  return node;
}

function parseFixed(json: Json, scope: Scope): FixedNode {
  const { name, aliases } = declareName(json, scope);
  const size = json["size"];
  if (typeof size !== "number" || !Number.isInteger(size) || size < 0 || size > MAX_FIXED_BYTES) {
    throw new SchemaError(`the size of ${quote(name)} must be 0 to ${MAX_FIXED_BYTES}`);
  }
  const node: FixedNode = { kind: "fixed", name, aliases, size };
  define(name, node, scope);
  return node;
}

function declareName(
  json: Json,
  scope: Scope,
): { name: string; aliases: readonly string[]; namespace: string | undefined } {
  const given = json["name"];
  if (typeof given !== "string") {
    throw new SchemaError(`a named type has no name but ${typeOf(given)}`);
  }
  const own = json["namespace"];
  const name = qualify(given, typeof own === "string" ? own : scope.namespace);
  const dot = name.lastIndexOf(".");
  const namespace = dot < 0 ? undefined : name.slice(0, dot);
  const aliases = optionalList(json["aliases"], `aliases of ${quote(name)}`).map((alias) =>
    qualify(String(alias), namespace),
  );
  return { name, aliases, namespace };
}

function define(name: string, node: SchemaNode, scope: Scope): void {
  if (scope.names.has(name)) {
    throw new SchemaError(`the name ${quote(name)} is defined twice`);
  }
  if (PRIMITIVES.has(name)) {
    throw new SchemaError(`${quote(name)} is the name of a primitive type`);
  }
  scope.names.set(name, node);
}

function qualify(name: string, namespace: string | undefined): string {
  const full =
    name.includes(".") || namespace === undefined || namespace === ""
      ? name
      : `${namespace}.${name}`;
  for (const part of full.split(".")) {
    simpleName(part, `type ${quote(full)}`);
  }
  return full;
}

function simpleName(value: unknown, where: string): string {
  if (typeof value !== "string" || !NAME_PART.test(value) || FORBIDDEN_KEYS.includes(value)) {
    throw new SchemaError(`${where}: ${quote(String(value))} is no allowed name`);
  }
  return value;
}

function list(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) {
    throw new SchemaError(`${where} must be a list, not ${typeOf(value)}`);
  }
  return value;
}

function optionalList(value: unknown, where: string): readonly unknown[] {
  return value === undefined ? [] : list(value, where);
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function typeOf(value: unknown): string {
  return value === null ? "null" : typeof value;
}

function quote(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);
}
