import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseEnvFile, wordsOf } from "./env-file.ts";

describe("an env file", () => {
  it("gives what was written into it", () => {
    const key = fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,12}$/);
    const value = fc.stringMatching(/^([A-Za-z0-9:=+./-]( ?[A-Za-z0-9:=+./-]){0,20})?$/);
    fc.assert(
      fc.property(fc.dictionary(key, value), (values) => {
        const lines = Object.entries(values).flatMap(([k, v]) => [`${k}=${v}`, "", "# of it"]);
        expect(Object.fromEntries(parseEnvFile(lines.join("\n")))).toEqual({ ...values });
      }),
    );
  });

  it("ends with a map or a SyntaxError for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        try {
          for (const [key, value] of parseEnvFile(text)) expect(text).toContain(`${key}=${value}`);
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
        }
      }),
    );
  });

  it.each(["A", "=x", "1A=x", "A=1\nA=2", 'A="x"', "A=$HOME", "A= x", "A=x # why"])(
    "refuses %j",
    (text) => {
      expect(() => parseEnvFile(text)).toThrow(SyntaxError);
    },
  );

  it("has words in its values", () => {
    expect(wordsOf(" -Xms64m  -Xmx256m ")).toEqual(["-Xms64m", "-Xmx256m"]);
    expect(wordsOf(undefined)).toEqual([]);
  });
});
