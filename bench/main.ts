import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { BenchOptions, BenchResult } from "./result.ts";

/** A file `bench/NAME.ts` with a bench in it. */
interface BenchModule {
  readonly run?: (options: BenchOptions) => Promise<BenchResult>;
}

const folder = dirname(fileURLToPath(import.meta.url));

/** Names of the benches: files with one word that stand beside this one and say `run`. */
function benchNames(): readonly string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && !file.includes("-"))
    .map((file) => file.slice(0, -".ts".length))
    .filter((name) => name !== "main" && name !== "result")
    .sort();
}

/** Edits (insert, delete, replace) that turn one word into the other. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...from].entries()) {
    const next = [i + 1];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (letter === to[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, replaced));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

function nearest(word: string, words: readonly string[]): string {
  return [...words].sort((a, b) => editDistance(word, a) - editDistance(word, b))[0] ?? "";
}

async function main(parameters: readonly string[]): Promise<number> {
  const names = benchNames();
  const option = parameters.find((word) => word.startsWith("-") && word !== "--quick");
  if (option !== undefined) {
    process.stderr.write(`unknown option ${option}: the only one is --quick\n`);
    return 2;
  }
  const [name, extra] = parameters.filter((word) => !word.startsWith("-"));
  if (name === undefined || extra !== undefined) {
    process.stderr.write(`name one bench: ${names.join(", ")}\n`);
    return 2;
  }
  if (!names.includes(name)) {
    process.stderr.write(`unknown bench ${name}: did you mean ${nearest(name, names)}?\n`);
    return 2;
  }
  const module = (await import(pathToFileURL(join(folder, `${name}.ts`)).href)) as BenchModule;
  if (module.run === undefined) {
    process.stderr.write(`bench/${name}.ts has no run\n`);
    return 2;
  }
  const result = await module.run({ quick: parameters.includes("--quick") });
  process.stdout.write(`${JSON.stringify(result)}\n`);
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
