import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "opencdn-summary-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the test files and gives what the reporter wrote. */
function summaryOf(files: Readonly<Record<string, string>>): string[] {
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const file = join(folder, "summary");
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const reporter = join(root, "test/summary-reporter.ts");
  spawnSync(process.execPath, [vitest, "run", "--root", folder, `--reporter=${reporter}`], {
    cwd: folder,
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], TEST_SUMMARY: file },
    stdio: "ignore",
  });
  return readFileSync(file, "utf8").split("\n");
}

describe("the summary of a test run", () => {
  it("counts every case, and what failed outside of one", () => {
    const lines = summaryOf({
      "cases.test.js": `
        import { beforeAll, describe, expect, it } from "vitest";
        it("passes", () => expect(1).toBe(1));
        it("fails", () => expect(1).toBe(2));
        it.skip("is skipped (skipped: needs a thing)", () => {});
        it("skips itself", (context) => context.skip("skipped: needs luck"));
        it.todo("is to do");
        describe("a suite whose hook fails", () => {
          beforeAll(() => { throw new Error("hook"); });
          it("does not run", () => {});
        });`,
      "broken.test.js": `throw new Error("module");`,
      "stray.test.js": `
        import { expect, it } from "vitest";
        it("leaves a rejection behind", () => {
          Promise.reject(new Error("nobody waits for it"));
          expect(1).toBe(1);
        });`,
    });
    // Failed: the case, the hook, the module and the rejection. Skipped: three, and the one behind the hook.
    expect(lines[0]).toBe("counts\t2\t4\t4");
    const named = (kind: string): string[] =>
      lines.filter((line) => line.startsWith(kind)).map((line) => line.split("\t")[1] as string);
    expect(named("skip")).toEqual(expect.arrayContaining(["needs a thing", "needs luck"]));
    expect(named("slow").sort()).toEqual(["broken.test.js", "cases.test.js", "stray.test.js"]);
    expect(named("time")).toHaveLength(1);
  });
});
