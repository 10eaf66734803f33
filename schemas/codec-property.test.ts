import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Arena } from "./arena.ts";
import type { AvroInternals } from "./avro-type.ts";
import { decodeBody, encodeBody } from "./codec.ts";
import { type EventSchema, readSchema } from "./event-schema.ts";
import { isFailure } from "./failure.ts";
import { FORBIDDEN_KEYS, MAX_RECURSION_DEPTH, MAX_ZERO_BYTE_ELEMENTS } from "./limits.ts";
import type { SchemaNode } from "./schema-node.ts";
import { type NativeBuffer, Tap } from "./tap.ts";

/** A schema without names, and how to draw its values. */
interface Shape {
  /** Its JSON; `name` gives a fresh name to each named type. */
  readonly json: (name: () => string) => unknown;
  readonly value: fc.Arbitrary<unknown>;
}

const bytes = fc.uint8Array({ maxLength: 20 }).map((value) => Buffer.from(value));
/** avsc turns longs below -2^52 round; `tap.test.ts` has those. */
const long = fc
  .oneof(fc.integer(), fc.maxSafeInteger())
  .filter((value) => Math.abs(value) <= 2 ** 52);

function plain(type: string, value: fc.Arbitrary<unknown>): Shape {
  return { json: () => type, value };
}

const PRIMITIVES: readonly Shape[] = [
  plain("null", fc.constant(null)),
  plain("boolean", fc.boolean()),
  plain("int", fc.integer()),
  plain("long", long),
  plain("float", fc.float()),
  plain("double", fc.double()),
  plain("string", fc.string()),
  plain("bytes", bytes),
];

const SYMBOLS = Array.from({ length: 100 }, (_, index) => `S${index}`);

const fixed = fc.nat(20).map(
  (size): Shape => ({
    json: (name) => ({ type: "fixed", name: name(), size }),
    value: fc.uint8Array({ minLength: size, maxLength: size }).map((value) => Buffer.from(value)),
  }),
);

const enumeration = fc.integer({ min: 1, max: 100 }).map((size): Shape => {
  const symbols = SYMBOLS.slice(0, size);
  return {
    json: (name) => ({ type: "enum", name: name(), symbols }),
    value: fc.constantFrom(...symbols),
  };
});

/** A record that holds itself, at most 3 deep where it is drawn. */
const chain: Shape = {
  json: (name) => {
    const self = name();
    const fields = [
      { name: "value", type: "int" },
      { name: "next", type: ["null", self] },
    ];
    return { type: "record", name: self, fields };
  },
  value: fc
    .array(fc.integer(), { minLength: 1, maxLength: 4 })
    .map((values) => values.reduce<unknown>((next, value) => ({ value, next }), null)),
};

const shapes = fc.letrec<{ shape: Shape; leaf: Shape }>((tie) => ({
  leaf: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...PRIMITIVES) },
    fixed,
    enumeration,
    fc.constant(chain),
  ),
  shape: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    tie("leaf"),
    tie("shape").map(
      (items): Shape => ({
        json: (name) => ({ type: "array", items: items.json(name) }),
        value: fc.array(items.value, { maxLength: 4 }),
      }),
    ),
    tie("shape").map(
      (values): Shape => ({
        json: (name) => ({ type: "map", values: values.json(name) }),
        value: fc
          .dictionary(fc.string({ maxLength: 12 }), values.value, {
            maxKeys: 3,
            noNullPrototype: true,
          })
          .filter((map) => !FORBIDDEN_KEYS.some((key) => Object.hasOwn(map, key))),
      }),
    ),
    tie("leaf")
      .filter((branch) => branch !== PRIMITIVES[0])
      .map(
        (branch): Shape => ({
          json: (name) => ["null", branch.json(name)],
          value: fc.option(branch.value),
        }),
      ),
    fc.array(tie("shape"), { maxLength: 6 }).map(recordOf),
  ),
}));

function recordOf(fields: readonly Shape[]): Shape {
  return {
    json: (name) => ({
      type: "record",
      name: name(),
      fields: fields.map((field, index) => ({ name: `f${index}`, type: field.json(name) })),
    }),
    value: fc.record(Object.fromEntries(fields.map((field, index) => [`f${index}`, field.value]))),
  };
}

const cases = shapes.shape.chain((shape) => {
  let count = 0;
  const json = JSON.stringify(
    shape.json(() => {
      count += 1;
      return `N${count}`;
    }),
  );
  const schema = readSchema(json);
  if (isFailure(schema)) {
    throw new TypeError(`${schema.message}: ${json}`);
  }
  return shape.value.map((value) => ({ schema, value }));
});

function encode(schema: EventSchema<unknown>, value: unknown): Buffer {
  const arena = new Arena({ initialBytes: 8 });
  const size = encodeBody(schema, value, arena);
  if (isFailure(size)) {
    throw new TypeError(`${size.message}: ${schema.json}`);
  }
  return Buffer.from(arena.bytes());
}

/** What the bounds check should say, written as the specification reads: slow, and in one piece. */
class Oracle {
  readonly #bytes: Buffer;
  #at = 0;
  #zeroBytes = MAX_ZERO_BYTE_ELEMENTS;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  accepts(node: SchemaNode): boolean {
    try {
      this.#value(node, 0);
      return this.#at === this.#bytes.length;
    } catch (error) {
      if (error instanceof RangeError) {
        return false;
      }
      throw error;
    }
  }

  #value(node: SchemaNode, depth: number): void {
    switch (node.kind) {
      case "null":
        return;
      case "boolean":
        this.#require(this.#byte() < 2);
        return;
      case "int":
        this.#require(BigInt.asIntN(32, this.#varint(5)) === this.#last);
        return;
      case "long":
        this.#long();
        return;
      case "float":
        this.#skip(4);
        return;
      case "double":
        this.#skip(8);
        return;
      case "fixed":
        this.#skip(node.size);
        return;
      case "bytes":
      case "string":
        this.#skip(this.#long());
        return;
      case "enum":
        this.#index(node.symbols.length);
        return;
      case "union":
        this.#value(node.branches[this.#index(node.branches.length)] ?? node, depth);
        return;
      case "array":
        this.#blocks(() => this.#value(node.items, depth));
        return;
      case "map":
        this.#blocks(() => this.#entry(node.values, depth));
        return;
      case "record":
        this.#require(depth <= MAX_RECURSION_DEPTH);
        for (const field of node.fields) {
          this.#value(field.type, depth + 1);
        }
    }
  }

  #entry(values: SchemaNode, depth: number): void {
    const size = this.#long();
    this.#skip(size);
    const key = this.#bytes.toString("latin1", this.#at - size, this.#at);
    this.#require(!FORBIDDEN_KEYS.includes(key));
    this.#value(values, depth);
  }

  #blocks(item: () => void): void {
    for (;;) {
      let count = this.#long();
      if (count === 0) {
        return;
      }
      let end = -1;
      if (count < 0) {
        count = -count;
        const size = this.#long();
        this.#require(size >= 0);
        end = this.#at + size;
      }
      for (; count > 0; count -= 1) {
        const start = this.#at;
        item();
        this.#zeroBytes -= start === this.#at ? 1 : 0;
        this.#require(this.#zeroBytes >= 0);
      }
      this.#require(end < 0 || end === this.#at);
    }
  }

  #last = 0n;

  #varint(most: number): bigint {
    let value = 0n;
    for (let index = 0; index < most; index += 1) {
      const byte = this.#byte();
      value |= BigInt(byte & 127) << BigInt(7 * index);
      if (byte < 128) {
        this.#last = (value >> 1n) ^ -(value & 1n);
        return this.#last;
      }
    }
    throw new RangeError("varint");
  }

  #long(): number {
    const value = this.#varint(10);
    this.#require(value < 2n ** 53n - 1n && value > -(2n ** 53n) + 1n);
    return Number(value);
  }

  /** An index takes as few bytes as the number of choices asks for. */
  #index(count: number): number {
    const value = this.#varint(count < 64 ? 1 : 10);
    this.#require(value >= 0n && value < BigInt(count));
    return Number(value);
  }

  #byte(): number {
    this.#require(this.#at < this.#bytes.length);
    this.#at += 1;
    return this.#bytes[this.#at - 1] ?? 0;
  }

  #skip(size: number): void {
    this.#require(size >= 0 && size <= this.#bytes.length - this.#at);
    this.#at += size;
  }

  #require(holds: boolean): void {
    if (!holds) {
      throw new RangeError("refused");
    }
  }
}

/** Changes a few bytes: set, cut out, doubled. */
function damage(input: Buffer, marks: readonly (readonly [number, number, number])[]): Buffer {
  let output = input;
  for (const [kind, position, byte] of marks) {
    const at = output.length === 0 ? 0 : position % output.length;
    const head = output.subarray(0, at);
    const tail = output.subarray(at + (kind === 2 ? 0 : 1));
    output = Buffer.concat([head, kind === 1 ? Buffer.alloc(0) : Buffer.from([byte]), tail]);
  }
  return output;
}

const marks = fc.array(
  fc.tuple(fc.nat(2), fc.nat(), fc.oneof(fc.constantFrom(0, 1, 2, 127, 128, 255), fc.nat(255))),
  { maxLength: 3 },
);

describe("the codec on random schemas", () => {
  it("reads back what it wrote, between other bytes", () => {
    fc.assert(
      fc.property(cases, fc.nat(20), ({ schema, value }, shift) => {
        const body = encode(schema, value);
        const chunk = Buffer.concat([Buffer.alloc(shift, 255), body, Buffer.alloc(30, 255)]);
        expect(decodeBody(schema, schema, chunk, shift, shift + body.length)).toEqual(value);
      }),
      { numRuns: 150 },
    );
  });

  it("writes the bytes that avsc writes", () => {
    fc.assert(
      fc.property(cases, ({ schema, value }) => {
        expect(encode(schema, value)).toEqual(schema.type.toBuffer(value));
      }),
      { numRuns: 100 },
    );
  });

  it("refuses every truncation", () => {
    fc.assert(
      fc.property(cases, ({ schema, value }) => {
        const body = encode(schema, value);
        for (let end = 0; end < body.length; end += 1) {
          expect(isFailure(decodeBody(schema, schema, body, 0, end))).toBe(true);
        }
        expect(body.length).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 100 },
    );
  });
});

describe("the bounds check on damaged bytes", () => {
  it("agrees with a plain reading of the specification, and avsc then reads exactly the bytes", () => {
    fc.assert(
      fc.property(cases, marks, fc.nat(9), ({ schema, value }, list, shift) => {
        const body = damage(encode(schema, value), list);
        const chunk = Buffer.concat([Buffer.alloc(shift, 1), body, Buffer.alloc(9, shift)]);
        const end = shift + body.length;
        const failure = schema.check(chunk, shift, end);
        expect(failure === undefined).toBe(new Oracle(body).accepts(schema.node));
        if (failure === undefined) {
          expect(schema.type.decode(chunk, shift).offset).toBe(end);
          const tap = new Tap();
          tap.buf = chunk as NativeBuffer;
          tap.pos = shift;
          (schema.type as unknown as AvroInternals)._skip(tap);
          expect(tap.pos).toBe(end);
        } else {
          expect(failure.at).toBeGreaterThanOrEqual(shift);
          expect(failure.at).toBeLessThanOrEqual(end);
        }
      }),
      { numRuns: 250 },
    );
  });

  it("agrees on random bytes", () => {
    fc.assert(
      fc.property(cases, fc.uint8Array({ maxLength: 40 }), ({ schema }, random) => {
        const body = Buffer.from(random);
        const accepted = schema.check(body, 0, body.length) === undefined;
        expect(accepted).toBe(new Oracle(body).accepts(schema.node));
        expect(isFailure(decodeBody(schema, schema, body, 0, body.length))).toBe(!accepted);
      }),
      { numRuns: 200 },
    );
  });
});
