import {
  BLOCK_SIZE,
  BOOLEAN,
  BOUNDS,
  COUNT,
  DEPTH,
  INDEX,
  KEY,
  LENGTH,
  ZERO_COUNT,
} from "./bounds-run.ts";
import { MAX_RECURSION_DEPTH } from "./limits.ts";
import type { ArrayNode, MapNode, RecordNode, SchemaNode, UnionNode } from "./schema-node.ts";
import { fixedSize, isRecursive, minimumSize } from "./schema-size.ts";

/** Continuation bytes after which a long may leave the safe integers: 7 bytes hold 49 bits. */
const SAFE_LONG_BYTES = 7;
/** An index below this takes one byte. */
const ONE_BYTE_INDEX = 64;

/**
 * The JavaScript of one schema's bounds check: a function a record, `(b, p, e, d)` for buffer,
 * position, end and depth, that returns the next position or a negative refusal. The position only
 * grows and reads past the end find bytes of no consequence, so most steps test no end: whoever
 * passes it is refused at the next length or at the very end.
 */
export class CheckSource {
  refusesSomeValues = false;
  readonly #functions: string[] = [];
  readonly #names = new Map<SchemaNode, string>();
  #variables = 0;

  /** Adds the check of `node` and returns the name of its function. */
  add(node: SchemaNode): string {
    const known = this.#names.get(node);
    if (known !== undefined) {
      return known;
    }
    const name = `check${this.#names.size}`;
    this.#names.set(node, name);
    const body = node.kind === "record" ? this.#record(node) : this.#value(node);
    this.#functions.push(`function ${name}(b, p, e, d) {\n${body}return p;\n}`);
    return name;
  }

  /** All functions added so far. */
  text(): string {
    return this.#functions.join("\n");
  }

  #record(node: RecordNode): string {
    const parts: string[] = [];
    if (isRecursive(node)) {
      this.refusesSomeValues = true;
      parts.push(`if (d > ${MAX_RECURSION_DEPTH}) return rt.refuse(${DEPTH}, p);\n`);
    }
    let run = 0;
    for (const field of node.fields) {
      const size = fixedSize(field.type);
      if (size === undefined) {
        parts.push(skip(run), this.#value(field.type));
        run = 0;
      } else {
        run += size;
      }
    }
    parts.push(skip(run));
    return parts.join("");
  }

  #value(node: SchemaNode): string {
    const size = fixedSize(node);
    if (size !== undefined) {
      return skip(size);
    }
    switch (node.kind) {
      case "boolean":
        return `if (b[p++] > 1) return rt.refuse(${BOOLEAN}, p - 1);\n`;
      case "int":
        return varint(4, "p = rt.checkLastIntByte(b, p)");
      case "long":
        return varint(SAFE_LONG_BYTES, `p = rt.readLong(b, p - ${SAFE_LONG_BYTES})`);
      case "string":
      case "bytes":
        return this.#length("");
      case "enum":
        return index(node.symbols.length);
      case "union":
        return this.#union(node);
      case "array":
        return this.#blocks(node, fixedSize(node.items), () => this.#value(node.items));
      case "map":
        return this.#blocks(node, undefined, () => this.#mapEntry(node));
      case "record":
        return `if ((p = ${this.add(node)}(b, p, e, d + 1)) < 0) return p;\n`;
      default:
        return "";
    }
  }

  /** A length and that many bytes; `then` may look at them, `n` bytes before the position. */
  #length(then: string): string {
    const n = this.#variable("n");
    return (
      `let ${n} = b[p++];\n` +
      `if (${n} > 127) { if ((p = rt.readLength(b, p - 1)) < 0) return p; ${n} = rt.run.value; }\n` +
      `else if ((${n} & 1) !== 0) return rt.refuse(${LENGTH}, p - 1); else ${n} >>= 1;\n` +
      `if ((p += ${n}) > e) return rt.refuse(${BOUNDS}, e);\n` +
      then.replaceAll("$n", n)
    );
  }

  #mapEntry(node: MapNode): string {
    const forbidden =
      "if (($n === 9 || $n === 11) && rt.isForbiddenKey(b, p - $n, $n)) " +
      `return rt.refuse(${KEY}, p - $n);\n`;
    return this.#length(forbidden) + this.#value(node.values);
  }

  #union(node: UnionNode): string {
    const branches = node.branches.map((branch) => this.#value(branch));
    const step = index(node.branches.length);
    if (branches.every((branch) => branch === "")) {
      return step;
    }
    if (node.branches.length >= ONE_BYTE_INDEX) {
      const cases = branches.map((branch, at) => `case ${at}: {\n${branch}break;\n}\n`);
      return `${step}switch (rt.run.value) {\n${cases.join("")}}\n`;
    }
    const at = this.#variable("u");
    const cases = branches.map(
      (branch, i) => `${i === 0 ? "" : "else "}if (${at} === ${2 * i}) {\n${branch}}\n`,
    );
    return `const ${at} = b[p];\n${step}${cases.join("")}`;
  }

  #blocks(node: ArrayNode | MapNode, itemSize: number | undefined, item: () => string): string {
    const least = node.kind === "array" ? minimumSize(node.items) : 1 + minimumSize(node.values);
    const n = this.#variable("n");
    const stop = this.#variable("s");
    let guard = `if (${n} * ${least} > e - p) return rt.refuse(${COUNT}, p);\n`;
    if (least === 0) {
      this.refusesSomeValues = true;
      guard = `if ((rt.run.zeroBudget -= ${n}) < 0) return rt.refuse(${ZERO_COUNT}, p);\n`;
    }
    const items =
      itemSize === undefined
        ? `for (; ${n} > 0; ${n}--) {\n${item()}}\n`
        : `p += ${n} * ${itemSize};\n`;
    return (
      "for (;;) {\n" +
      `let ${n} = b[p++], ${stop} = -1;\n` +
      `if (${n} === 0) break;\n` +
      `if (${n} > 127 || (${n} & 1) !== 0) {\n` +
      `if ((p = rt.readLong(b, p - 1)) < 0) return p;\n` +
      `${n} = rt.run.value;\n` +
      `if (${n} === 0) break;\n` +
      `if (${n} < 0) { ${n} = -${n}; if ((p = rt.readLength(b, p)) < 0) return p; ` +
      `${stop} = p + rt.run.value; }\n` +
      `} else ${n} >>= 1;\n` +
      `if (p > e) return rt.refuse(${BOUNDS}, e);\n` +
      guard +
      items +
      `if (${stop} >= 0 && ${stop} !== p) return rt.refuse(${BLOCK_SIZE}, p);\n` +
      "}\n"
    );
  }

  #variable(prefix: string): string {
    this.#variables += 1;
    return `${prefix}${this.#variables}`;
  }
}

function skip(size: number): string {
  return size === 0 ? "" : `p += ${size};\n`;
}

/** `bytes` bytes that may all continue; `slow` takes over at the byte behind them. */
function varint(bytes: number, slow: string): string {
  const chain = Array.from({ length: bytes }, () => "b[p++] > 127").join(" && ");
  return `if (${chain} && (${slow}) < 0) return p;\n`;
}

function index(count: number): string {
  if (count >= ONE_BYTE_INDEX) {
    return `if ((p = rt.checkIndex(b, p, ${count})) < 0) return p;\n`;
  }
  const last = 2 * (count - 1);
  return `if (b[p] > ${last} || (b[p] & 1) !== 0) return rt.refuse(${INDEX}, p); p++;\n`;
}
