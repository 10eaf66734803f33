import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Arena } from "../schemas/arena.ts";
import { Decoder, encodeFrame } from "../schemas/codec.ts";
import { nodeDrainSchema } from "../schemas/generated/events.ts";
import { SchemaTable } from "../schemas/schema-table.ts";
import { EventEncoder } from "./event-encoder.ts";

describe("the event encoder", () => {
  const schemas = new SchemaTable();
  const id = schemas.register(nodeDrainSchema);
  const encoder = new EventEncoder(nodeDrainSchema, schemas);
  const drain = { nodeId: "TYO", draining: true, requestedBy: "ops", reason: "maintenance" };

  it("writes the bytes that the codec writes for the whole event", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        fc.integer({ min: -(2 ** 51), max: 2 ** 51 }),
        fc.integer({ min: 0, max: 2 ** 31 - 1 }),
        fc.string(),
        (eventId, eventMs, logicVersion, reason) => {
          const ours = new Arena();
          const theirs = new Arena();
          encoder.encode(
            { ...drain, reason },
            eventMs,
            logicVersion,
            (to, at) => to.set(eventId, at),
            ours,
          );
          const whole = { eventId: Buffer.from(eventId), eventMs, logicVersion, ...drain, reason };
          encodeFrame(nodeDrainSchema, id, whole, theirs);
          expect(Buffer.compare(ours.bytes(), theirs.bytes())).toBe(0);
          const decoded = new Decoder(nodeDrainSchema, schemas).decodeFrame(
            ours.bytes(),
            0,
            ours.position,
          );
          expect(decoded).toMatchObject({ eventMs, reason });
        },
      ),
    );
  });

  it("names the field that does not fit and leaves the arena as it was", () => {
    const arena = new Arena();
    const bad = { ...drain, draining: 1 as unknown as boolean };
    expect(() => encoder.encode(bad, 1, 0, () => {}, arena)).toThrow(/draining/);
    expect(() => encoder.encode(drain, Number.NaN, 0, () => {}, arena)).toThrow(/no time/);
    expect(arena.position).toBe(0);
  });
});
