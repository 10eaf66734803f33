import { spawn } from "node:child_process";
import { once } from "node:events";
import fc from "fast-check";
import { expect, it } from "vitest";
import { identityOf, isAlive, parseStat } from "./process-identity.ts";

it("finds state and start behind any name of a process", () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 15 }),
      fc.constantFrom("S", "R", "Z"),
      fc.integer({ min: 1 }),
      (name, state, startTicks) => {
        const between = Array.from({ length: 18 }, (_, index) => index).join(" ");
        const text = `12 (${name}) ${state} ${between} ${startTicks} 99 4 1844674\n`;
        expect(parseStat(text)).toEqual({ state, startTicks });
      },
    ),
  );
});

it("takes no other text for it", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 80 }), (text) => {
      expect(parseStat(text)).toBeUndefined();
    }),
  );
});

it("tells a process from a later one with its pid, and from a dead one", async () => {
  const own = identityOf(process.pid);
  if (own === undefined) throw new Error("this process has no identity");
  expect(isAlive(own)).toBe(true);
  expect(isAlive({ ...own, startTicks: own.startTicks + 1 })).toBe(false);
  expect(isAlive({ ...own, bootId: "another" })).toBe(false);
  const child = spawn("sleep", ["60"]);
  const identity = identityOf(child.pid as number);
  if (identity === undefined) throw new Error("the child has no identity");
  expect(isAlive(identity)).toBe(true);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(isAlive(identity)).toBe(false);
});
