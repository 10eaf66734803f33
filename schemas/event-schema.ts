import type avsc from "avsc";
import { compileType } from "./avro-type.ts";
import { type BoundsCheck, compileBoundsCheck } from "./bounds.ts";
import { CodecFailure } from "./failure.ts";
import { canonicalForm, rabinFingerprint } from "./fingerprint.ts";
import { parseSchema, type SchemaNode } from "./schema-node.ts";

declare const valueType: unique symbol;

/** An Avro schema, ready to encode and decode values of type `T`. */
export interface EventSchema<out T> {
  /** Full name of the record, such as `opencdn.EdgeEvent`; the kind where the type has no name. */
  readonly name: string;
  /** The whole schema (defaults, aliases and docs kept) as JSON without white space. */
  readonly json: string;
  /** Parsing Canonical Form: what the fingerprint is taken over. */
  readonly canonical: string;
  /** CRC-64-AVRO of the canonical form, unsigned: the identity of the schema. */
  readonly fingerprint: bigint;
  readonly node: SchemaNode;
  /** avsc's type; compiled at the first use. */
  readonly type: avsc.Type;
  /** Refuses bytes that are not exactly one value of this schema; compiled at the first use. */
  readonly check: BoundsCheck;
  readonly [valueType]?: T;
}

class CompiledSchema<T> implements EventSchema<T> {
  readonly name: string;
  readonly json: string;
  readonly canonical: string;
  readonly fingerprint: bigint;
  readonly node: SchemaNode;
  declare readonly [valueType]?: T;
  #type: avsc.Type | undefined;
  #check: BoundsCheck | undefined;

  constructor(json: string, node: SchemaNode) {
    this.json = json;
    this.node = node;
    this.name = "name" in node ? node.name : node.kind;
    this.canonical = canonicalForm(node);
    this.fingerprint = rabinFingerprint(this.canonical);
  }

  get type(): avsc.Type {
    if (this.#type === undefined) {
      const type = compileType(this.json);
      if (type instanceof CodecFailure) {
        throw new TypeError(`${this.name}: ${type.message}`);
      }
      this.#type = type;
    }
    return this.#type;
  }

  get check(): BoundsCheck {
    this.#check ??= compileBoundsCheck(this.node);
    return this.#check;
  }
}

/**
 * The schema written in `json`, for values of type `T`. Only for schemas that are part of the
 * program: throws TypeError when the text is no schema. avsc compiles it at the first use.
 */
export function defineSchema<T>(json: string): EventSchema<T> {
  const node = parseSchema(json);
  if (node instanceof CodecFailure) {
    throw new TypeError(node.message);
  }
  return new CompiledSchema<T>(JSON.stringify(JSON.parse(json)), node);
}

/** The schema written in a text from outside, or `BAD_SCHEMA`; everything is compiled at once. */
export function readSchema(json: string): EventSchema<unknown> | CodecFailure {
  const node = parseSchema(json);
  if (node instanceof CodecFailure) {
    return node;
  }
  const type = compileType(json);
  if (type instanceof CodecFailure) {
    return type;
  }
  return new CompiledSchema<unknown>(JSON.stringify(JSON.parse(json)), node);
}
