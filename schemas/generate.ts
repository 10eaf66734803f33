import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { readCurrent, release } from "./released.ts";
import type { RecordNode, SchemaNode } from "./schema-node.ts";
import { type EventSource, printEvents } from "./typescript-source.ts";

/** The three fields that every event begins with, as name and canonical kind. */
const EVENT_HEAD: readonly (readonly [string, string])[] = [
  ["eventId", "fixed opencdn.EventId 16"],
  ["eventMs", "long"],
  ["logicVersion", "int"],
];

/** The folder of the schemas: this file's own. */
export const schemaFolder: string = dirname(fileURLToPath(import.meta.url));

/** Where the generated module lies, in the schemas' folder. */
export const generatedPath: string = join("generated", "events.ts");

/**
 * The text of `generated/events.ts` for the `.avsc` files in `folder`. Throws TypeError for a file
 * that is no event: a record whose first fields are eventId, eventMs and logicVersion.
 */
export function generateEvents(folder: string): string {
  const sources = readCurrent(folder).map(
    ({ name, text, schema }): EventSource => ({ node: asEvent(schema.node, name), json: text }),
  );
  return printEvents(sources);
}

function asEvent(node: SchemaNode, file: string): RecordNode {
  if (node.kind !== "record") {
    throw new TypeError(`${file}.avsc is no record`);
  }
  for (const [index, [name, type]] of EVENT_HEAD.entries()) {
    const field = node.fields[index];
    if (field?.name !== name || describe(field.type) !== type) {
      throw new TypeError(`field ${index + 1} of ${file}.avsc must be ${name}: ${type}`);
    }
  }
  return node;
}

function describe(node: SchemaNode): string {
  return node.kind === "fixed" ? `fixed ${node.name} ${node.size}` : node.kind;
}

function main(parameters: readonly string[]): number {
  const unknown = parameters.find((parameter) => parameter !== "--release");
  if (unknown !== undefined) {
    process.stderr.write(`unknown option ${unknown}: the only one is --release\n`);
    return 2;
  }
  const target = join(schemaFolder, generatedPath);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, generateEvents(schemaFolder));
  process.stdout.write(`wrote schemas/${generatedPath}\n`);
  if (parameters.length === 0) {
    return 0;
  }
  const { written, refused } = release(schemaFolder);
  process.stdout.write(written.map((file) => `released ${file}\n`).join(""));
  process.stderr.write(refused.map((sentence) => `${sentence}\n`).join(""));
  return refused.length === 0 ? 0 : 1;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = main(process.argv.slice(2));
}
