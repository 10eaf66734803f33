import avsc from "avsc";
import { CodecFailure } from "./failure.ts";
import { FORBIDDEN_KEYS } from "./limits.ts";
import type { Tap } from "./tap.ts";

type HookOptions = Parameters<
  NonNullable<Parameters<typeof avsc.Type.forSchema>[1]>["typeHook"] & object
>[1];
/** avsc keeps one inside the safe integers. */
const MAX_LONG = Number.MAX_SAFE_INTEGER - 1;

type ErrorHook = ((value: unknown, type: unknown) => void) | undefined;

/** The part of avsc's types that its own reader and writer go through. */
export interface AvroInternals {
  _read(tap: Tap, skipTrailing?: boolean): unknown;
  _write(tap: Tap, value: unknown): void;
  _skip(tap: Tap): void;
}

/** Thrown inside avsc's writer and caught by the encoder; carries no text, the path is found later. */
export class InvalidValue extends Error {}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}

/** avsc tests for a whole number with `%`, which costs more than writing it. */
class WholeLongType extends avsc.types.LongType {
  _read(tap: Tap): number {
    return tap.readLong();
  }

  _write(tap: Tap, value: unknown): void {
    if (typeof value !== "number" || Math.floor(value) !== value || Math.abs(value) > MAX_LONG) {
      throw new InvalidValue();
    }
    tap.writeLong(value);
  }
}

class AnyBytesType extends avsc.types.BytesType {
  _check(value: unknown, _flags: unknown, hook: ErrorHook): boolean {
    return report(isBytes(value), value, this, hook);
  }

  _write(tap: Tap, value: unknown): void {
    if (!isBytes(value)) {
      throw new InvalidValue();
    }
    tap.writeBytes(value);
  }
}

class AnyFixedType extends avsc.types.FixedType {
  _check(value: unknown, _flags: unknown, hook: ErrorHook): boolean {
    return report(isBytes(value) && value.length === this.size, value, this, hook);
  }

  _write(tap: Tap, value: unknown): void {
    if (!isBytes(value) || value.length !== this.size) {
      throw new InvalidValue();
    }
    tap.writeFixed(value, this.size);
  }
}

/** avsc looks symbols up in a plain object, where `toString` is found. */
class OwnSymbolsEnumType extends avsc.types.EnumType {
  declare readonly _indices: Readonly<Record<string, unknown>>;

  _check(value: unknown, _flags: unknown, hook: ErrorHook): boolean {
    const known = typeof value === "string" && typeof this._indices[value] === "number";
    return report(known, value, this, hook);
  }

  _write(tap: Tap, value: unknown): void {
    const index = this._indices[value as string];
    if (typeof index !== "number" || typeof value !== "string") {
      throw new InvalidValue();
    }
    tap.writeLong(index);
  }
}

class SafeKeysMapType extends avsc.types.MapType {
  _check(value: unknown, flags: unknown, hook: ErrorHook, path: unknown): boolean {
    if (holdsForbiddenKey(value)) {
      return report(false, value, this, hook);
    }
    return Reflect.apply(mapCheck, this, [value, flags, hook, path]);
  }

  _write(tap: Tap, value: unknown): void {
    if (holdsForbiddenKey(value)) {
      throw new InvalidValue();
    }
    Reflect.apply(mapWrite, this, [tap, value]);
  }
}

const mapCheck = Reflect.get(avsc.types.MapType.prototype, "_check") as (
  ...args: unknown[]
) => boolean;
const mapWrite = Reflect.get(avsc.types.MapType.prototype, "_write") as (
  ...args: unknown[]
) => void;

function holdsForbiddenKey(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    FORBIDDEN_KEYS.some((key) => Object.hasOwn(value, key))
  );
}

/** A union of null and one other type: no search for the branch, and any `Uint8Array` fits bytes. */
class NullableType extends avsc.types.UnwrappedUnionType {
  _check(value: unknown, flags: unknown, hook: ErrorHook, path: unknown): boolean {
    if (value === null) {
      return true;
    }
    const other = this.types[this.types[0]?.typeName === "null" ? 1 : 0];
    const check = Reflect.get(other ?? {}, "_check") as (...args: unknown[]) => boolean;
    return Reflect.apply(check, other, [value, flags, hook, path]);
  }

  _read(tap: Tap): unknown {
    const branch = this.types[tap.readLong()] as unknown as AvroInternals;
    return branch._read(tap);
  }

  _write(tap: Tap, value: unknown): void {
    const nullIndex = this.types[0]?.typeName === "null" ? 0 : 1;
    if (value === null) {
      tap.writeLong(nullIndex);
      return;
    }
    tap.writeLong(1 - nullIndex);
    (this.types[1 - nullIndex] as unknown as AvroInternals)._write(tap, value);
  }
}

function report(valid: boolean, value: unknown, type: unknown, hook: ErrorHook): boolean {
  if (!valid && hook !== undefined) {
    hook(value, type);
  }
  return valid;
}

function typeHook(schema: unknown, options: HookOptions): avsc.Type | undefined {
  if (Array.isArray(schema)) {
    const nullable = schema.length === 2 && schema.includes("null");
    return nullable ? new NullableType(schema as never, options) : undefined;
  }
  const kind = typeof schema === "object" && schema !== null ? Reflect.get(schema, "type") : schema;
  switch (kind) {
    case "bytes":
      return shared(options.registry, "bytes", () => new AnyBytesType());
    case "long":
      return shared(options.registry, "long", () => new WholeLongType());
    case "fixed":
      return new AnyFixedType(schema as never, options);
    case "enum":
      return new OwnSymbolsEnumType(schema as never, options);
    case "map":
      return new SafeKeysMapType(schema as never, options);
    default:
      return undefined;
  }
}

/** Primitive types are registered by name, as avsc does. */
function shared(
  registry: Record<string, avsc.Type>,
  name: string,
  create: () => avsc.Type,
): avsc.Type {
  registry[name] ??= create();
  return registry[name];
}

/**
 * avsc's type of a schema text that `parseSchema` has accepted. Records become plain objects of one
 * hidden class, `bytes` and `fixed` are Buffers when read and any `Uint8Array` when written. Unions
 * are bare values; one whose branches cannot be told apart (two records, `int` and `long`) is
 * wrapped as avsc does it. Returns `BAD_SCHEMA` for what avsc refuses, such as a wrong default.
 */
export function compileType(json: string): avsc.Type | CodecFailure {
  try {
    return avsc.Type.forSchema(JSON.parse(json), { omitRecordMethods: true, typeHook });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return new CodecFailure("BAD_SCHEMA", `compiling a schema: ${reason}`);
  }
}
