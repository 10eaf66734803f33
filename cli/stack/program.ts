import { accessSync, constants } from "node:fs";
import path from "node:path";
import { OpenCdnError } from "../../streams/errors.ts";

/** Programs that the stack calls, with the Debian package that has each. */
const packages = {
  java: "openjdk-17-jre-headless",
  mvn: "maven",
  "redis-server": "redis-server",
} as const;

export type Program = keyof typeof packages;

/** Throws OCDN_NOT_FOUND that says what to install where one of the programs is not on the path. */
export function requirePrograms(wanted: Iterable<Program>, search: string | undefined): void {
  const missing = [...new Set(wanted)].filter((program) => !isOnPath(program, search));
  if (missing.length === 0) return;
  throw new OpenCdnError(
    "OCDN_NOT_FOUND",
    `starting the stack: ${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} not installed; on Debian: apt-get install ${missing.map((program) => packages[program]).join(" ")}`,
  );
}

function isOnPath(program: string, search: string | undefined): boolean {
  return (search ?? "").split(path.delimiter).some((folder) => {
    if (folder === "") return false;
    try {
      accessSync(path.join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** What a server may see of our environment: nothing that could be a secret. */
export function baseEnvironment(): Record<string, string> {
  return Object.fromEntries(
    ["PATH", "HOME", "LANG", "LC_ALL", "TZ"].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}
