import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Permissions, prohibitionOf } from "./permission.ts";

const open: Permissions = { permittedNodes: [], forbiddenNodes: [], residency: [] };
const fra = { nodeId: "FRA", jurisdiction: "DE" };

describe("who may serve whom", () => {
  it.each([
    [{}, undefined],
    [{ permittedNodes: ["FRA"] }, undefined],
    [{ permittedNodes: ["TYO"] }, "NOT_PERMITTED"],
    [{ forbiddenNodes: ["FRA"] }, "FORBIDDEN"],
    [{ permittedNodes: ["FRA"], forbiddenNodes: ["FRA"] }, "FORBIDDEN"],
    [{ residency: [{ clientCountry: "BR", jurisdictions: ["DE"] }] }, undefined],
    [{ residency: [{ clientCountry: "BR", jurisdictions: ["BR"] }] }, "RESIDENCY"],
    [{ residency: [{ clientCountry: "JP", jurisdictions: ["JP"] }] }, undefined],
    [{ residency: [{ clientCountry: "*", jurisdictions: ["US"] }] }, "RESIDENCY"],
  ])("%j", (policy, expected) => {
    expect(prohibitionOf({ ...open, ...policy }, fra, "BR")).toBe(expected);
  });

  it("a further rule never permits more", () => {
    const country = fc.constantFrom("BR", "DE", "JP");
    const rule = fc.record({
      clientCountry: fc.oneof(country, fc.constant("*")),
      jurisdictions: fc.array(country),
    });
    fc.assert(
      fc.property(fc.array(rule), rule, country, (residency, more, client) => {
        const before = prohibitionOf({ ...open, residency }, fra, client);
        const after = prohibitionOf({ ...open, residency: [...residency, more] }, fra, client);
        if (before !== undefined) expect(after).toBe(before);
        else if (more.clientCountry !== client && more.clientCountry !== "*") {
          expect(after).toBeUndefined();
        } else {
          expect(after).toBe(more.jurisdictions.includes("DE") ? undefined : "RESIDENCY");
        }
      }),
    );
  });
});
