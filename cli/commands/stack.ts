import { homedir } from "node:os";
import path from "node:path";
import { OpenCdnError } from "../../streams/errors.ts";
import { nearestName } from "../../streams/topics.ts";
import { note, print, printJson, printTable } from "../output.ts";
import { packageFolder } from "../settings.ts";
import type { WantedPorts } from "../stack/ports.ts";
import { type ServerName, serverNames } from "../stack/server-plan.ts";
import { downStack, type StackEvent, stackStatus, upStack } from "../stack/stack.ts";

export interface StackCommandOptions {
  /** Data folder of `opencdn`; the stack's lies in it. */
  readonly data: string;
  readonly json: boolean;
}

const folderOf = (data: string): string => path.join(data, "stack");
const docker = (): string => path.join(packageFolder(), "docker");

/** `opencdn stack up` */
export async function startStack(
  options: StackCommandOptions & {
    readonly only: string | undefined;
    readonly cache: string | undefined;
    readonly ports: WantedPorts;
  },
): Promise<void> {
  const beganMs = performance.now();
  await upStack({
    docker: docker(),
    data: folderOf(options.data),
    cache: cacheFolder(options.cache),
    servers: serversOf(options.only),
    ports: options.ports,
    tell: teller(options.json),
  });
  if (options.json) return;
  const seconds = ((performance.now() - beganMs) / 1_000).toFixed(1);
  print(`The stack is up after ${seconds} s. Data and logs lie in ${folderOf(options.data)}.`);
  print("Stop it with `opencdn stack down`; what Kafka keeps is there at the next start.");
}

/** `opencdn stack down` */
export async function stopStack(options: StackCommandOptions): Promise<void> {
  let count = 0;
  const tell = teller(options.json);
  await downStack({
    docker: docker(),
    data: folderOf(options.data),
    tell: (event) => {
      count += 1;
      tell(event);
    },
  });
  if (count === 0 && !options.json) print("nothing of the stack runs here");
}

/** `opencdn stack status` */
export async function showStack(options: StackCommandOptions): Promise<void> {
  const servers = await stackStatus({ docker: docker(), data: folderOf(options.data) });
  if (options.json) {
    for (const server of servers) printJson(server);
    return;
  }
  printTable(
    ["server", "state", "pid", "port", "version", "log"],
    servers.map((one) => [one.server, one.state, one.pid, one.port, one.version, one.logFile]),
  );
}

/** Names separated by commas; all without any. Throws OCDN_USAGE for an unknown one. */
export function serversOf(only: string | undefined): readonly ServerName[] {
  if (only === undefined) return serverNames;
  return only.split(",").map((word) => {
    const name = serverNames.find((known) => known === word.trim());
    if (name !== undefined) return name;
    const near = nearestName(word.trim().slice(0, 40), serverNames);
    throw new OpenCdnError(
      "OCDN_USAGE",
      `starting the stack: there is no server ${word.trim().slice(0, 40)}, did you mean ${near}?`,
    );
  });
}

/** Where fetched servers are kept: the option, OPENCDN_STACK_CACHE, or the user's cache folder. */
export function cacheFolder(option: string | undefined): string {
  const named = option ?? process.env["OPENCDN_STACK_CACHE"];
  if (named !== undefined && named !== "") return path.resolve(named);
  return path.join(homedir(), ".cache/opencdn/stack");
}

function teller(json: boolean): (event: StackEvent) => void {
  return json ? ({ kind, ...rest }) => printJson({ event: kind, ...rest }) : tellPerson;
}

function tellPerson(event: StackEvent): void {
  switch (event.kind) {
    case "fetching":
      note(`fetching the servers from Maven Central, once, into ${event.folder}`);
      break;
    case "fetched":
      note(
        `fetching: ${Math.round(event.sizeBytes / 1_000_000)} MB after ${Math.round(event.elapsedMs / 1_000)} s`,
      );
      break;
    case "starting":
      note(`${event.server}: starting (pid ${event.pid})`);
      break;
    case "running": {
      const how =
        event.tookMs === undefined
          ? "runs already"
          : `ready after ${(event.tookMs / 1_000).toFixed(1)} s`;
      print(
        `${event.server} ${event.version}: ${how} on 127.0.0.1:${event.port} (pid ${event.pid})`,
      );
      break;
    }
    case "failed":
      note(`${event.server} failed; the end of its log:`);
      for (const line of event.lines) note(`  ${line}`);
      break;
    case "stopped":
      print(`${event.server}: ${stopWords[event.how] ?? event.how}`);
      break;
  }
}

const stopWords: Readonly<Record<string, string>> = {
  stopped: "stopped",
  killed: "did not end by itself and was killed",
  gone: "was gone already",
};
