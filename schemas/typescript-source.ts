import type { FieldNode, RecordNode, SchemaNode } from "./schema-node.ts";

const LINE_WIDTH = 100;
const HEAD = `// Written by \`npm run generate\` from schemas/*.avsc: change those, not this file.
import { defineSchema, type EventSchema } from "../event-schema.ts";
`;

/** One event schema file: its record and its text. */
export interface EventSource {
  readonly node: RecordNode;
  readonly json: string;
}

type DeclaredNode = Extract<SchemaNode, { readonly kind: "record" | "enum" }>;

/**
 * The TypeScript module of a list of event schemas: an interface a record, a union of literals an
 * enum, and for each event a constant `<event>Schema` with its schema inside. Formatted as Biome
 * does. Throws TypeError when two types of different shape share a short name.
 */
export function printEvents(sources: readonly EventSource[]): string {
  const declared = new Map<string, { readonly name: string; readonly text: string }>();
  const parts = [HEAD];
  for (const source of sources) {
    for (const node of declarations(source.node)) {
      const short = shortName(node.name);
      const text = print(node);
      const present = declared.get(short);
      if (present === undefined) {
        declared.set(short, { name: node.name, text });
        parts.push(text);
      } else if (present.text !== text || present.name !== node.name) {
        throw new TypeError(`${node.name} is defined twice and differently`);
      }
    }
    parts.push(printSchema(source));
  }
  parts.push(printList(sources.map((source) => schemaConstant(source.node))));
  return parts.join("\n");
}

/** Records and enums that `node` needs, each before its users except in a cycle. */
function declarations(node: RecordNode): readonly DeclaredNode[] {
  const seen = new Set<SchemaNode>();
  const found: DeclaredNode[] = [];
  const visit = (type: SchemaNode): void => {
    if (seen.has(type)) {
      return;
    }
    seen.add(type);
    for (const child of children(type)) {
      visit(child);
    }
    if (type.kind === "record" || type.kind === "enum") {
      found.push(type);
    }
  };
  visit(node);
  return found;
}

function children(node: SchemaNode): readonly SchemaNode[] {
  switch (node.kind) {
    case "array":
      return [node.items];
    case "map":
      return [node.values];
    case "union":
      return node.branches;
    case "record":
      return node.fields.map((field) => field.type);
    default:
      return [];
  }
}

function print(node: DeclaredNode): string {
  const name = shortName(node.name);
  if (node.kind === "enum") {
    return `${comment(node.doc, "")}${printUnion(`export type ${name} =`, node.symbols.map(quote))}`;
  }
  const fields = node.fields.map(printField).join("");
  return `${comment(node.doc, "")}export interface ${name} {\n${fields}}\n`;
}

function printField(field: FieldNode): string {
  return `${comment(field.doc, "  ")}  readonly ${field.name}: ${typeOf(field.type)};\n`;
}

function printUnion(head: string, members: readonly string[]): string {
  const line = `${head} ${members.join(" | ")};\n`;
  if (line.length <= LINE_WIDTH + 1) {
    return line;
  }
  return `${head}\n${members.map((member) => `  | ${member}`).join("\n")};\n`;
}

function typeOf(node: SchemaNode): string {
  switch (node.kind) {
    case "null":
    case "boolean":
    case "string":
      return node.kind;
    case "int":
    case "long":
    case "float":
    case "double":
      return "number";
    case "bytes":
    case "fixed":
      return "Uint8Array";
    case "enum":
    case "record":
      return shortName(node.name);
    case "array":
      return `readonly ${group(node.items)}[]`;
    case "map":
      return `Readonly<Record<string, ${typeOf(node.values)}>>`;
    case "union":
      return unionOf(node.branches);
  }
}

/** A nullable type ends with null whatever its default, as one reads it. */
function unionOf(branches: readonly SchemaNode[]): string {
  const types = [...new Set(branches.filter((branch) => branch.kind !== "null").map(typeOf))];
  return [...types, ...(branches.some((branch) => branch.kind === "null") ? ["null"] : [])].join(
    " | ",
  );
}

function group(node: SchemaNode): string {
  const type = typeOf(node);
  return node.kind === "union" || node.kind === "array" ? `(${type})` : type;
}

function printSchema(source: EventSource): string {
  const type = shortName(source.node.name);
  const json = JSON.stringify(JSON.parse(source.json));
  const text = json.replaceAll("\\", "\\\\").replaceAll("'", "\\'");
  return `/** ${source.node.name} */
export const ${schemaConstant(source.node)}: EventSchema<${type}> = defineSchema<${type}>(
  '${text}',
);
`;
}

function printList(names: readonly string[]): string {
  const items = names.map((name) => `  ${name},\n`).join("");
  return `/** Every event schema, in the order of their files. */
export const eventSchemas: readonly EventSchema<unknown>[] = [
${items}];
`;
}

function schemaConstant(node: RecordNode): string {
  const name = shortName(node.name);
  return `${name.charAt(0).toLowerCase()}${name.slice(1)}Schema`;
}

function shortName(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

function comment(doc: string | undefined, indent: string): string {
  return doc === undefined ? "" : `${indent}/** ${doc.replaceAll("*/", "* /").trim()} */\n`;
}

function quote(text: string): string {
  return JSON.stringify(text);
}
