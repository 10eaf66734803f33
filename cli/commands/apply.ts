import { createInterface } from "node:readline/promises";
import { isDeepStrictEqual } from "node:util";
import { RecordBatch } from "../../streams/batch.ts";
import { OpenCdnError } from "../../streams/errors.ts";
import type { Log } from "../../streams/log.ts";
import type { Emitted } from "../../streams/processor.ts";
import { SourceWriter } from "../../streams/source-writer.ts";
import { readTable } from "../../streams/table-reader.ts";
import type { Topic } from "../../streams/topic.ts";
import { nodeInventory, servicePolicies } from "../../streams/topics.ts";
import type { Fleet } from "../fleet.ts";
import { print, printJson } from "../output.ts";

/** One change of one key; `before` or `after` is undefined where there is none. */
export interface Change {
  readonly topic: "node.inventory.v1" | "service.policies.v1";
  readonly key: string;
  readonly before: Readonly<Record<string, unknown>> | undefined;
  readonly after: Readonly<Record<string, unknown>> | undefined;
}

/** What has to change on the log so that it says what the fleet file says. */
export async function diffFleet(log: Log, fleet: Fleet): Promise<Change[]> {
  const nodes = await readTable(log, nodeInventory);
  const policies = await readTable(log, servicePolicies);
  return [
    ...changesOf("node.inventory.v1", nodes, fleet.nodes),
    ...changesOf("service.policies.v1", policies, fleet.services),
  ];
}

function changesOf(
  topic: Change["topic"],
  current: ReadonlyMap<string, object>,
  wanted: ReadonlyMap<string, object>,
): Change[] {
  const changes: Change[] = [];
  for (const key of [...new Set([...current.keys(), ...wanted.keys()])].sort()) {
    const before = withoutHeader(current.get(key));
    let after = withoutHeader(wanted.get(key));
    if (after !== undefined && "version" in after) {
      const version = (before?.["version"] as number | undefined) ?? 0;
      const same = before !== undefined && isDeepStrictEqual({ ...after, version }, before);
      after = { ...after, version: same ? version : version + 1 };
    }
    if (!isDeepStrictEqual(before, after)) changes.push({ topic, key, before, after });
  }
  return changes;
}

function withoutHeader(event: object | undefined): Record<string, unknown> | undefined {
  if (event === undefined) return undefined;
  const {
    eventId: _id,
    eventMs: _ms,
    logicVersion: _version,
    ...rest
  } = event as Record<string, unknown>;
  // A plain copy: decoded records and zod's objects have other prototypes.
  return JSON.parse(JSON.stringify(rest)) as Record<string, unknown>;
}

/** Prints changes as `+`, `-` and `~` lines, field by field. */
export function printDiff(changes: readonly Change[]): void {
  for (const { key, topic, before, after } of changes) {
    const kind = topic === "node.inventory.v1" ? "node" : "service";
    if (before === undefined) print(`+ ${kind} ${key} ${JSON.stringify(after)}`);
    else if (after === undefined) print(`- ${kind} ${key}`);
    else {
      print(`~ ${kind} ${key}`);
      for (const field of Object.keys(after)) {
        if (isDeepStrictEqual(before[field], after[field])) continue;
        print(`    ${field}: ${JSON.stringify(before[field])} -> ${JSON.stringify(after[field])}`);
      }
    }
  }
}

/**
 * Writes the changes in one append. Throws OCDN_SOURCE_POSITION when somebody else applied since `after` was read.
 */
export async function applyChanges(
  log: Log,
  changes: readonly Change[],
  nowMs: number,
): Promise<void> {
  const previous = await log.sourcePosition(applySource);
  const position = String(Number(previous ?? "0") + 1);
  const writer = new SourceWriter(log, applySource);
  const batch = new RecordBatch();
  for (const change of changes) {
    const topic: Topic<unknown> =
      change.topic === "node.inventory.v1" ? nodeInventory : servicePolicies;
    if (change.after === undefined) {
      writer.remove(batch, topic, change.key);
      continue;
    }
    const value = change.after as unknown as Emitted<unknown>;
    writer.add(batch, topic, change.key, value, nowMs, `${position}/${change.topic}/${change.key}`);
  }
  await log.append({ source: applySource, previous, position, batch });
}

const applySource = "apply";

/** `opencdn apply FLEET.yaml`: shows what would change, asks (or `--yes`), and writes it. */
export async function applyFleet(
  log: Log,
  fleet: Fleet,
  options: { readonly yes: boolean; readonly json: boolean; readonly dryRun: boolean },
): Promise<void> {
  const changes = await diffFleet(log, fleet);
  if (options.json)
    printJson({ changes, applied: changes.length > 0 && options.yes && !options.dryRun });
  else if (changes.length === 0) print("nothing to change");
  else printDiff(changes);
  if (changes.length === 0 || options.dryRun) return;
  if (!options.yes && !(await confirmed())) {
    if (!options.json) print("nothing was changed");
    return;
  }
  await applyChanges(log, changes, Date.now());
  if (!options.json) print(`${changes.length} applied`);
}

/** Asks on the terminal. Throws OCDN_USAGE where nobody can be asked. */
export async function confirmed(): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new OpenCdnError("OCDN_USAGE", "applying: say --yes where nobody can be asked");
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question("apply these changes? [y/N] ");
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}
