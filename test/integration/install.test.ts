import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const programs = ["node", "npm", "npx", "sh", "env", "dirname", "basename", "uname", "sed", "cat"];
const builders = ["cc", "gcc", "g++", "c++", "clang", "make", "cmake", "python", "python3"];
const installMs = 400_000;

let folder = "";
let environment: NodeJS.ProcessEnv = {};

function run(program: string, ...parameters: readonly string[]): ReturnType<typeof outcome> {
  return outcome(
    spawnSync(program, parameters, {
      cwd: join(folder, "checkout"),
      env: environment,
      encoding: "utf8",
      timeout: installMs,
    }),
  );
}

function outcome({ status, stdout, stderr }: ReturnType<typeof spawnSync>) {
  return { status, stdout: String(stdout), stderr: String(stderr) };
}

/** Where a program lies, by this process's own PATH. */
function whereIs(name: string): string | undefined {
  const places = (process.env["PATH"] ?? "").split(delimiter);
  return places.map((place) => join(place, name)).find((path) => existsSync(path));
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "opencdn-install-"));
  const files = execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" });
  for (const file of files.split("\0")) {
    if (file === "" || !existsSync(join(root, file))) continue;
    mkdirSync(dirname(join(folder, "checkout", file)), { recursive: true });
    cpSync(join(root, file), join(folder, "checkout", file));
  }
  const path = join(folder, "programs");
  mkdirSync(path);
  for (const name of programs) {
    const found = whereIs(name);
    if (found !== undefined) symlinkSync(found, join(path, name));
  }
  const kept = ["HOME", "npm_config_cache", "npm_config_registry"] as const;
  environment = { PATH: path };
  for (const name of kept) {
    if (process.env[name] !== undefined) environment[name] = process.env[name];
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("npm ci with no compiler in PATH", () => {
  it("finds none", () => {
    expect(builders.filter((name) => run(name, "--version").status === 0)).toEqual([]);
    expect(run("node", "--version").status).toBe(0);
  });

  it(
    "installs without a warning, and the command runs",
    () => {
      const install = run("npm", "ci", "--prefer-offline", "--no-audit", "--no-fund");
      expect(install.stderr).not.toMatch(/warn|error/i);
      expect(install.status).toBe(0);
      const command = run("npx", "--no-install", "opencdn", "--version");
      expect(command).toMatchObject({ status: 0, stderr: "" });
      expect(command.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    },
    installMs,
  );
});
