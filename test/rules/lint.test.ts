import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const imports = "lint/style/noRestrictedImports";
const globals = "lint/style/noRestrictedGlobals";
const environment = "lint/style/noProcessEnv";
const plugin = "plugin";

interface Case {
  readonly file: string;
  readonly bad: string;
  readonly good: string;
  readonly rule: string;
}

const from = (path: string): string =>
  `import { thing } from "${path}";\nexport const it = thing;\n`;

/** The arrows of the layout: what stands at `file` may import `good` and may not import `bad`. */
const arrows = [
  { file: "schemas/x.ts", bad: "../streams/y.ts", good: "./y.ts" },
  { file: "schemas/x.ts", bad: "../domain/y.ts", good: "avsc" },
  { file: "schemas/generated/x.ts", bad: "../../domain/y.ts", good: "../y.ts" },
  { file: "streams/x.ts", bad: "../domain/y.ts", good: "../schemas/y.ts" },
  { file: "streams/x.ts", bad: "./embedded/y.ts", good: "./windows/y.ts" },
  { file: "streams/x.ts", bad: "./testing/y.ts", good: "./y.ts" },
  { file: "streams/embedded/x.ts", bad: "../kafka/y.ts", good: "../y.ts" },
  { file: "streams/embedded/x.ts", bad: "../../processors/p/y.ts", good: "../../schemas/y.ts" },
  { file: "domain/x.ts", bad: "../streams/topics.ts", good: "../schemas/y.ts" },
  { file: "domain/x.ts", bad: "node:fs", good: "node:crypto" },
  { file: "domain/x.ts", bad: "maxmind", good: "node:buffer" },
  { file: "processors/router/x.ts", bad: "../anomaly/y.ts", good: "./y.ts" },
  { file: "processors/router/rib/x.ts", bad: "../decide/y.ts", good: "../y.ts" },
  { file: "processors/router/rib/x.ts", bad: "../../anomaly/y.ts", good: "../../../domain/y.ts" },
  { file: "processors/router/x.ts", bad: "../../gateways/edge/y.ts", good: "../../domain/y.ts" },
  { file: "processors/router/x.ts", bad: "../../sinks/scores/y.ts", good: "../../schemas/y.ts" },
  { file: "processors/router/x.ts", bad: "../../cli/y.ts", good: "../../streams/topics.ts" },
  {
    file: "processors/router/x.ts",
    bad: "../../streams/embedded/y.ts",
    good: "../../streams/store.ts",
  },
  {
    file: "processors/router/x.ts",
    bad: "../../streams/replay/y.ts",
    good: "../../streams/slots.ts",
  },
  {
    file: "processors/router/x.ts",
    bad: "../../streams/testing/y.ts",
    good: "../../streams/errors.ts",
  },
  {
    file: "processors/router/x.ts",
    bad: "../../streams/log.ts",
    good: "../../streams/windows/sliding.ts",
  },
  { file: "processors/router/x.ts", bad: "node:crypto", good: "zod" },
  { file: "processors/router/x.ts", bad: "maxmind", good: "zod" },
  { file: "processors/router/x.ts", bad: "avsc", good: "zod" },
  { file: "gateways/edge/x.ts", bad: "../probes/y.ts", good: "../site/y.ts" },
  { file: "gateways/edge/protocols/x.ts", bad: "../../dns/y.ts", good: "../../site/y.ts" },
  { file: "gateways/site/x.ts", bad: "../edge/y.ts", good: "maxmind" },
  {
    file: "gateways/edge/x.ts",
    bad: "../../processors/router/y.ts",
    good: "../../streams/embedded/client.ts",
  },
  { file: "gateways/edge/x.ts", bad: "../../sinks/scores/y.ts", good: "../../domain/y.ts" },
  { file: "gateways/edge/x.ts", bad: "../../cli/y.ts", good: "../../schemas/y.ts" },
  { file: "gateways/edge/x.ts", bad: "../../sdk/y.ts", good: "./y.ts" },
  { file: "sinks/alerts/x.ts", bad: "../scores/y.ts", good: "./y.ts" },
  { file: "sinks/alerts/x.ts", bad: "../../gateways/site/y.ts", good: "../../streams/y.ts" },
  { file: "sinks/alerts/x.ts", bad: "../../processors/anomaly/y.ts", good: "../../schemas/y.ts" },
  { file: "sdk/x.ts", bad: "../gateways/edge/y.ts", good: "../domain/y.ts" },
  { file: "cli/x.ts", bad: "../test/kits/y.ts", good: "../gateways/edge/y.ts" },
  { file: "cli/x.ts", bad: "../bench/y.ts", good: "../processors/router/y.ts" },
  { file: "gateways/edge/x.ts", bad: "./x.test-kit.ts", good: "./y.ts" },
  {
    file: "processors/router/x.test.ts",
    bad: "../anomaly/y.ts",
    good: "../../streams/testing/y.ts",
  },
  { file: "gateways/edge/x.test.ts", bad: "../probes/y.ts", good: "../../test/kits/y.ts" },
  {
    file: "sinks/alerts/x.test.ts",
    bad: "../../gateways/edge/y.ts",
    good: "../../streams/testing/y.ts",
  },
  { file: "domain/x.test.ts", bad: "../streams/y.ts", good: "node:fs" },
  { file: "schemas/x.test.ts", bad: "../streams/y.ts", good: "node:fs" },
  { file: "streams/x.test.ts", bad: "../domain/y.ts", good: "./testing/y.ts" },
];

/** Ways around a relative path, or around the word `import`. */
const detours: Case[] = [
  "import { thing } from '../../schemas/../gateways/edge/y.ts';\nexport const it = thing;",
  "import { thing } from './../anomaly/y.ts';\nexport const it = thing;",
  "import type { Thing } from '../anomaly/y.ts';\nexport type It = Thing;",
  "export const it = await import('../anomaly/y.ts');",
  "import '../anomaly/y.ts';",
].map((bad) => ({
  file: "processors/router/x.ts",
  bad,
  good: "export const it = 1;\n",
  rule: imports,
}));

const pure = [
  ["Date.now()", "new Map()", globals],
  ["new Date()", "[1].map(Number)", globals],
  ["performance.now()", "Math.floor(1.5)", globals],
  ["setTimeout(() => {}, 1)", "BigInt(1)", globals],
  ["process.hrtime()", "Math.max(1, 2)", globals],
  ["crypto.randomUUID()", "new Uint8Array(4)", globals],
  ["globalThis.Date", "Number.NaN", globals],
  ["Math.random()", "Math.fround(1)", plugin],
  ["Math['random']()", "Math.sqrt(2)", plugin],
] as const;

const values: Case[] = [
  ...["processors/router/x.ts", "domain/x.ts", "streams/windows/x.ts"].flatMap((file) =>
    pure.map(([bad, good, rule]) => ({ file, ...asConstants(bad, good), rule })),
  ),
  {
    file: "processors/router/x.ts",
    ...asConstants("[Math].map((m) => m)", "[1].map((m) => m)"),
    bad: "const { random } = Math;\nexport const it = random();\n",
    rule: plugin,
  },
  ...["streams/x.ts", "gateways/edge/x.ts", "sinks/alerts/x.ts", "schemas/x.ts"].map((file) => ({
    file,
    ...asConstants('process.env["HOME"]', "process.pid"),
    rule: environment,
  })),
  {
    file: "gateways/edge/x.ts",
    bad: "const { env } = process;\nexport const it = env;\n",
    good: "export const it = process.pid;\n",
    rule: plugin,
  },
  {
    file: "gateways/edge/x.ts",
    bad: from("node:process"),
    good: from("node:http"),
    rule: plugin,
  },
  {
    file: "gateways/edge/x.ts",
    bad: 'export { thing } from "./y.ts";\n',
    good: from("./y.ts"),
    rule: "lint/performance/noBarrelFile",
  },
];

const cases: Case[] = [
  ...arrows.map(({ file, bad, good }) => ({
    file,
    bad: from(bad),
    good: from(good),
    rule: imports,
  })),
  ...detours,
  ...values,
];

function asConstants(bad: string, good: string): { bad: string; good: string } {
  return { bad: `export const it = ${bad};\n`, good: `export const it = ${good};\n` };
}

/** Puts a suffix before the ending, so that many cases of one place lie side by side. */
function numbered(file: string, mark: string): string {
  const ending = /(\.test|\.test-kit)?\.ts$/.exec(file)?.[0] ?? "";
  return `${file.slice(0, -ending.length)}-${mark}${ending}`;
}

let folder = "";
let found: Map<string, Set<string>>;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "opencdn-lint-"));
  for (const name of ["biome.json", "package.json", "test/rules"]) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  for (const [index, { file, bad, good }] of cases.entries()) {
    for (const [mark, text] of [
      [`bad${index}`, bad],
      [`good${index}`, good],
    ] as const) {
      const path = join(folder, numbered(file, mark));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
  }
  for (const [path, text] of Object.entries(allowed)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  found = lint();
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Where the environment may be read. */
const readsEnvironment = 'export const it = process.env["HOME"];\n';
const allowed: Record<string, string> = {
  "gateways/edge/main.ts": readsEnvironment,
  "sinks/main.ts": readsEnvironment,
  "cli/settings.ts": readsEnvironment,
};

/** Errors by file, of one run over the folder. */
function lint(): Map<string, Set<string>> {
  const { stdout, stderr } = spawnSync(
    join(root, "node_modules/.bin/biome"),
    ["lint", "--reporter=json", "--max-diagnostics=none", "--diagnostic-level=error", "."],
    { cwd: folder, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 },
  );
  expect(stdout, stderr).toContain('"diagnostics"');
  const report = JSON.parse(stdout) as {
    diagnostics: { category: string; location: { path: string | { file: string } } }[];
  };
  const errors = new Map<string, Set<string>>();
  for (const { category, location } of report.diagnostics) {
    const path = typeof location.path === "string" ? location.path : location.path.file;
    const rules = errors.get(path) ?? new Set();
    errors.set(path, rules.add(category));
  }
  return errors;
}

describe("lint", () => {
  for (const [index, { file, bad, good, rule }] of cases.entries()) {
    it(`refuses in ${file}: ${bad.split("\n")[0]}`, () => {
      expect([...(found.get(numbered(file, `bad${index}`)) ?? [])]).toContain(rule);
    });

    it(`accepts in ${file}: ${good.split("\n")[0]}`, () => {
      expect([...(found.get(numbered(file, `good${index}`)) ?? [])]).toEqual([]);
    });
  }

  for (const path of Object.keys(allowed)) {
    it(`lets ${path} read the environment`, () => {
      expect([...(found.get(path) ?? [])]).toEqual([]);
    });
  }
});
