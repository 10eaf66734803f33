import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const run = (program: string, ...parameters: readonly string[]): string =>
  execFileSync(program, parameters, { cwd: root, encoding: "utf8", maxBuffer: 2 ** 26 });
const binary = (name: string): string => join(root, "node_modules/.bin", name);

const tracked = run("git", "ls-files", "-z")
  .split("\0")
  .filter((file) => existsSync(join(root, file)));
const sources = tracked.filter((file) => file.endsWith(".ts"));

describe("every test", () => {
  it("belongs to exactly one project", () => {
    const listed = JSON.parse(run(binary("vitest"), "list", "--filesOnly", "--json")) as {
      file: string;
      projectName: string;
    }[];
    const projects = new Map<string, string[]>();
    for (const { file, projectName } of listed) {
      const name = relative(root, file);
      projects.set(name, [...(projects.get(name) ?? []), projectName]);
    }
    const strays = sources
      .filter((file) => file.endsWith(".test.ts"))
      .map((file) => ({ file, projects: projects.get(file) ?? [] }))
      .filter((test) => test.projects.length !== 1);
    expect(strays).toEqual([]);
    expect(projects.size).toBeGreaterThan(0);
  });
});

describe("every source", () => {
  it("is checked by tsc", () => {
    const settings = readdirSync(root).filter((name) => /^tsconfig(?!\.build).*\.json$/.test(name));
    const checked = new Set(
      settings
        .flatMap((name) => run(binary("tsc"), "-p", name, "--listFilesOnly").split("\n"))
        .map((file) => relative(root, file)),
    );
    expect(sources.filter((file) => !checked.has(file))).toEqual([]);
  });

  it("that is no test and no test kit ships, and nothing else does", () => {
    const shipped = run(binary("tsc"), "-p", "tsconfig.build.json", "--listFilesOnly")
      .split("\n")
      .filter((file) => file !== "")
      .map((file) => relative(root, file))
      .filter((file) => !file.startsWith("node_modules"));
    const isKit = (file: string): boolean =>
      /\.test(-kit)?\.ts$|(^|\/)testing\/|^test\//.test(file);
    expect(shipped.filter(isKit)).toEqual([]);
    const rooms = /^(schemas|streams|domain|processors|gateways|sinks|sdk|cli)\//;
    const left = sources.filter((file) => rooms.test(file) && !isKit(file));
    expect(left.filter((file) => !shipped.includes(file))).toEqual([]);
  });

  it("is no barrel", () => {
    expect(sources.filter((file) => basename(file) === "index.ts")).toEqual([]);
  });

  it("does not switch off a rule about arrows, purity or the environment", () => {
    const off =
      /biome-ignore(-\w+)?\s+(lint\/style\/(noRestricted|noProcessEnv)|lint\/plugin|lint\/?:|lint:)/;
    const silent = sources.filter((file) => off.test(readFileSync(join(root, file), "utf8")));
    expect(silent).toEqual([]);
  });
});
