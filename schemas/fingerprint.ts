import type { NamedNode, SchemaNode } from "./schema-node.ts";

const EMPTY = 0xc15d213aa4d7a795n;
const TABLE: readonly bigint[] = Array.from({ length: 256 }, (_, index) => {
  let value = BigInt(index);
  for (let bit = 0; bit < 8; bit += 1) {
    value = (value & 1n) === 1n ? (value >> 1n) ^ EMPTY : value >> 1n;
  }
  return value;
});

/**
 * 64-bit Rabin fingerprint of a text's UTF-8 bytes, unsigned (Avro specification 1.11, "Schema
 * Fingerprints", CRC-64-AVRO). The specification prints it signed.
 */
export function rabinFingerprint(text: string): bigint {
  let value = EMPTY;
  for (const byte of Buffer.from(text, "utf8")) {
    value = (value >> 8n) ^ (TABLE[Number(value & 0xffn) ^ byte] ?? 0n);
  }
  return value;
}

/**
 * Parsing Canonical Form of a schema (Avro specification 1.11): full names, primitives in their
 * short form, only what parsing needs, fixed order, no white space. A name's second use is the name.
 */
export function canonicalForm(node: SchemaNode): string {
  return print(node, new Set());
}

function print(node: SchemaNode, seen: Set<string>): string {
  switch (node.kind) {
    case "array":
      return `{"type":"array","items":${print(node.items, seen)}}`;
    case "map":
      return `{"type":"map","values":${print(node.values, seen)}}`;
    case "union":
      return `[${node.branches.map((branch) => print(branch, seen)).join(",")}]`;
    case "fixed":
    case "enum":
    case "record":
      return printNamed(node, seen);
    default:
      return `"${node.kind}"`;
  }
}

function printNamed(node: NamedNode, seen: Set<string>): string {
  if (seen.has(node.name)) {
    return `"${node.name}"`;
  }
  seen.add(node.name);
  const head = `{"name":"${node.name}","type":"${node.kind}"`;
  switch (node.kind) {
    case "fixed":
      return `${head},"size":${node.size}}`;
    case "enum":
      return `${head},"symbols":[${node.symbols.map((symbol) => `"${symbol}"`).join(",")}]}`;
    case "record": {
      const fields = node.fields.map(
        (field) => `{"name":"${field.name}","type":${print(field.type, seen)}}`,
      );
      return `${head},"fields":[${fields.join(",")}]}`;
    }
  }
}
