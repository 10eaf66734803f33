import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  isPlainTarget,
  locationOf,
  originOf,
  parameterOf,
  pathOf,
  tokenParameter,
  withoutParameter,
} from "./request-target.ts";

const origin = "https://tyo.example";
const hostile = fc.oneof(
  fc.string(),
  fc.string({
    unit: fc.constantFrom(
      "/",
      "\\",
      "?",
      "&",
      "#",
      "@",
      ":",
      ".",
      "a",
      "\t",
      "\r",
      "%2f",
      " ",
      "é",
    ),
  }),
  fc.string().map((text) => `/${text}`),
  fc.webUrl({ withQueryParameters: true }),
  fc.webPath().map((path) => `/${path}`),
);

describe("request targets", () => {
  it.each([
    "//evil.example/",
    "/\\evil.example",
    "\\\\evil",
    "http://evil/",
    "*",
    "",
    "/a b",
    "/a#b",
    "/a\u0000",
    "/ü",
    "/\r\nSet-Cookie:x",
  ])("refuses %j", (target) => {
    expect(isPlainTarget(target)).toBe(false);
  });

  it.each(["/", "/a/b?c=d&e", "/a//b", "/%2f%2fevil", "/?u=http://evil/", "/@evil", "/a?b?c"])(
    "takes %j",
    (target) => {
      expect(isPlainTarget(target)).toBe(true);
    },
  );

  it("refuses a target over the bound", () => {
    expect(isPlainTarget(`/${"a".repeat(4_095)}`)).toBe(true);
    expect(isPlainTarget(`/${"a".repeat(4_096)}`)).toBe(false);
  });

  it("whatever a client sends, a Location stays on the node's origin and keeps path and query", () => {
    fc.assert(
      fc.property(hostile, (target) => {
        fc.pre(isPlainTarget(target));
        const location = locationOf(origin, target, tokenParameter, "T0ken");
        expect(new URL(location).origin).toBe(origin);
        expect(location.startsWith(origin + target)).toBe(true);
        expect(parameterOf(location, tokenParameter)).toBe("T0ken");
        expect(location).toMatch(/^[!-~]+$/);
        expect(location).not.toContain("\\");
      }),
      { numRuns: 500 },
    );
  });

  it("takes out what it put in, and every forged one before it", () => {
    const query = fc
      .array(
        fc.constantFrom(
          "a=1",
          "b",
          `${tokenParameter}=x`,
          tokenParameter,
          `${tokenParameter}s=2`,
          "c=?",
          "",
        ),
        {
          maxLength: 6,
        },
      )
      .map((parts) => (parts.length === 0 ? "/p" : `/p?${parts.join("&")}`));
    fc.assert(
      fc.property(query, (target) => {
        const clean = withoutParameter(target, tokenParameter);
        expect(parameterOf(clean, tokenParameter)).toBeUndefined();
        const location = locationOf("", clean, tokenParameter, "v");
        expect(parameterOf(location, tokenParameter)).toBe("v");
        expect(withoutParameter(location, tokenParameter)).toBe(clean);
        expect(pathOf(location)).toBe("/p");
      }),
    );
  });

  it("reads the value of a real parameter only", () => {
    expect(parameterOf("/a?xocdn-token=1", tokenParameter)).toBeUndefined();
    expect(parameterOf("/ocdn-token=1", tokenParameter)).toBeUndefined();
    expect(parameterOf("/a?b=ocdn-token=1", tokenParameter)).toBeUndefined();
    expect(parameterOf("/a?ocdn-token=1&b=ocdn-token=2", tokenParameter)).toBe("1");
    expect(parameterOf("/a?ocdn-token", tokenParameter)).toBe("");
  });
});

describe("origins of nodes", () => {
  it.each([
    ["http://127.0.0.1:8101", "http://127.0.0.1:8101"],
    ["https://TYO.example/", "https://tyo.example"],
    ["https://a.example/path", undefined],
    ["https://user@a.example", undefined],
    ["javascript:alert(1)", undefined],
    ["ftp://a.example", undefined],
    ["//a.example", undefined],
    ["https://a.example/?q", undefined],
  ])("%s", (baseUrl, expected) => {
    expect(originOf(baseUrl)).toBe(expected);
  });
});
