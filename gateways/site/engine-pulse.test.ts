import { describe, expect, it } from "vitest";
import { EnginePulse } from "./engine-pulse.ts";

describe("the engine's pulse", () => {
  it("tells an engine that answers from one that hangs or fails", async () => {
    let mode: "answers" | "hangs" | "fails" = "answers";
    const told: boolean[] = [];
    const log = {
      sourcePosition: (): Promise<string | undefined> => {
        if (mode === "hangs") return new Promise(() => {});
        return mode === "fails" ? Promise.reject(new Error("away")) : Promise.resolve(undefined);
      },
    };
    const pulse = new EnginePulse({
      log,
      everyMs: 5,
      answerMs: 20,
      onPulse: (answered) => told.push(answered),
    });
    await expect.poll(() => told.at(-1)).toBe(true);
    mode = "hangs";
    await expect.poll(() => told.at(-1)).toBe(false);
    mode = "answers";
    await expect.poll(() => told.at(-1)).toBe(true);
    mode = "fails";
    await expect.poll(() => told.at(-1)).toBe(false);
    await pulse.close();
    const count = told.length;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(told).toHaveLength(count);
  });
});
