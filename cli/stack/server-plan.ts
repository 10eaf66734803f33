import path from "node:path";
import type { StackVersions } from "./stack-versions.ts";

/** The servers, in the order in which they start. */
export const serverNames = ["kafka", "redis", "registry", "connect"] as const;
export type ServerName = (typeof serverNames)[number];

/** Servers that a server cannot start without. */
export const serverNeeds: Readonly<Record<ServerName, readonly ServerName[]>> = {
  kafka: [],
  redis: [],
  registry: ["kafka"],
  connect: ["kafka"],
};

/** Ports on 127.0.0.1. */
export interface StackPorts {
  readonly kafka: number;
  readonly controller: number;
  readonly registry: number;
  readonly connect: number;
  readonly redis: number;
}

/** Everything that a server's plan depends on. */
export interface StackSite {
  /** Folder of the configuration files. */
  readonly docker: string;
  /** Folder of what was fetched. */
  readonly dist: string;
  /** Folder of what is kept. */
  readonly data: string;
  readonly ports: StackPorts;
  readonly versions: StackVersions;
}

/** How one server is started, and how it is asked whether it is well. */
export interface ServerPlan {
  readonly name: ServerName;
  readonly version: string;
  readonly port: number;
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Makes the folders that it needs; does nothing where they are. */
  readonly prepare: () => Promise<void>;
  /** Resolves when it is well; rejects otherwise, within `withinMs`. */
  readonly check: (withinMs: number) => Promise<void>;
}

/** Where things lie in the stack's data folder. */
export function stackPlaces(data: string): {
  readonly run: string;
  readonly ports: string;
  readonly lock: string;
  readonly log: (server: ServerName) => string;
  readonly of: (server: ServerName) => string;
} {
  return {
    run: path.join(data, "run"),
    ports: path.join(data, "run", "ports.json"),
    lock: path.join(data, "run", "lock.json"),
    log: (server) => path.join(data, "logs", `${server}.log`),
    of: (server) => path.join(data, server),
  };
}

/** These servers and what they need, in the order in which they start. */
export function withNeeds(wanted: readonly ServerName[]): ServerName[] {
  const all = new Set(wanted.flatMap((name) => [...serverNeeds[name], name]));
  return serverNames.filter((name) => all.has(name));
}
