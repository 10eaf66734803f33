import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OpenCdnError } from "../errors.ts";
import { kafkaLogFormat, parseIdentity } from "./log-identity.ts";

const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const good = { logId: "a-log", slots: 16, format: kafkaLogFormat };

describe("parseIdentity", () => {
  it("reads what was written, and leaves out what it does not know", () => {
    expect(parseIdentity(bytesOf({ ...good, more: 1 }))).toEqual(good);
  });

  it.each([
    null,
    Buffer.alloc(0),
    Buffer.from("{"),
    bytesOf([]),
    bytesOf({ ...good, slots: 0 }),
    bytesOf({ ...good, slots: 1_025 }),
    bytesOf({ ...good, logId: "" }),
    bytesOf({ ...good, logId: "x".repeat(5_000) }),
    bytesOf({ logId: "a", slots: 1 }),
  ])("refuses %#", (bytes) => {
    expect(() => parseIdentity(bytes)).toThrow(OpenCdnError);
  });

  it("says that a newer format wants a newer program", () => {
    expect(() => parseIdentity(bytesOf({ ...good, format: kafkaLogFormat + 1 }))).toThrow(
      expect.objectContaining({ code: "OCDN_FOLDER_NEWER" }),
    );
  });

  it("throws nothing but its own errors for any bytes", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          try {
            const { slots } = parseIdentity(bytes);
            expect(slots).toBeGreaterThan(0);
          } catch (error) {
            expect(error).toBeInstanceOf(OpenCdnError);
          }
        },
      ),
    );
  });
});
