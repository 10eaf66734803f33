import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import type { Reporter, SerializedError, TestModule } from "vitest/node";

/** How many slow files are named. */
const slowest = 5;

/**
 * Writes what `test/run.sh` needs for its last lines to the file named by TEST_SUMMARY, tab-separated:
 * `counts passed failed skipped` (test cases of all projects; a module, a hook or a process that failed outside
 * of a test counts as one failed), `time project seconds` (wall), `slow file seconds` and `skip reason` for each
 * reason that tests give for not running.
 */
export default class SummaryReporter implements Reporter {
  readonly #from = new Map<string, number>();
  readonly #to = new Map<string, number>();

  onTestModuleStart({ project }: TestModule): void {
    if (!this.#from.has(project.name)) this.#from.set(project.name, performance.now());
  }

  onTestModuleEnd({ project }: TestModule): void {
    this.#to.set(project.name, performance.now());
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const file = process.env["TEST_SUMMARY"];
    if (file === undefined) throw new Error("writing the summary: TEST_SUMMARY names no file");
    const { passed, failed, skipped } = countsOf(modules);
    const lines = [`counts\t${passed}\t${failed + unhandled.length}\t${skipped}`];
    for (const [name, from] of this.#from) {
      lines.push(`time\t${name}\t${seconds((this.#to.get(name) ?? from) - from)}`);
    }
    const slow = modules.map((module) => ({ module, ms: module.diagnostic().duration }));
    slow.sort((a, b) => b.ms - a.ms);
    for (const { module, ms } of slow.slice(0, slowest)) {
      lines.push(`slow\t${relative(process.cwd(), module.moduleId)}\t${seconds(ms)}`);
    }
    for (const reason of reasonsOf(modules)) lines.push(`skip\t${reason}`);
    writeFileSync(file, `${lines.join("\n")}\n`);
  }
}

function countsOf(modules: readonly TestModule[]): Record<"passed" | "failed" | "skipped", number> {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const module of modules) {
    counts.failed += module.errors().length;
    for (const suite of module.children.allSuites()) counts.failed += suite.errors().length;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      // One that was collected and never came to an end did not pass.
      counts[state === "pending" ? "failed" : state] += 1;
    }
  }
  return counts;
}

/** What follows `skipped:` in the notes and names of skipped tests and of the suites around them. */
function reasonsOf(modules: readonly TestModule[]): Set<string> {
  const reasons = new Set<string>();
  for (const module of modules) {
    for (const test of module.children.allTests("skipped")) {
      const { note } = test.result() as { readonly note?: string };
      const text = /skipped: ([^()\n]+)/.exec(`${note ?? ""}\n${test.fullName}`)?.[1];
      reasons.add((text ?? test.fullName).trim());
    }
  }
  return reasons;
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}
