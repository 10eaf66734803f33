import { describe, expect, it } from "vitest";
import { z } from "zod";
import { readConfig } from "./read-config.ts";

const schema = z.strictObject({
  port: z.number().default(80),
  inner: z.strictObject({ host: z.string(), depth: z.number().optional() }).optional(),
  list: z.array(z.strictObject({ name: z.string() })).default([]),
});

describe("configurations", () => {
  it("fills defaults in", () => {
    expect(readConfig(schema, {}, "x")).toEqual({ port: 80, list: [] });
  });

  it.each([
    [{ prot: 1 }, "reading the configuration of x: there is no option prot, did you mean port?"],
    [
      { inner: { hots: "a", host: "a" } },
      "reading the configuration of x: inner: there is no option hots, did you mean host?",
    ],
    [
      { list: [{ nam: "a", name: "a" }] },
      "reading the configuration of x: list.0: there is no option nam, did you mean name?",
    ],
  ])("names the nearest option for %j", (raw, message) => {
    expect(() => readConfig(schema, raw, "x")).toThrow(message);
  });

  it("names the place of a wrong value", () => {
    expect(() => readConfig(schema, { inner: { host: 1 } }, "x")).toThrow(
      "reading the configuration of x: inner.host: ",
    );
    expect(() => readConfig(schema, 5, "x")).toThrow("reading the configuration of x: ");
  });
});
