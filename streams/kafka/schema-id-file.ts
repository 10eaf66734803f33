import { createHash } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { readSchema } from "../../schemas/event-schema.ts";
import { isFailure } from "../../schemas/failure.ts";
import { MAX_SCHEMA_BYTES, MAX_TABLE_SCHEMAS } from "../../schemas/limits.ts";
import { messageOf, OpenCdnError } from "../errors.ts";
import { maxIdFileBytes } from "./limits.ts";
import { fingerprintOf, type SchemaId } from "./schema-ids.ts";

const fileSchema = z.strictObject({
  format: z.literal(1),
  check: z.string().regex(/^[0-9a-f]{64}$/),
  url: z.string().max(2_048),
  ids: z
    .array(
      z.strictObject({
        subject: z.string().min(1).max(512),
        version: z.number().int().min(1),
        id: z.number().int().min(0).max(0x7fff_ffff),
        fingerprint: z.string().regex(/^[0-9a-f]{16}$/),
        schema: z.string().max(MAX_SCHEMA_BYTES),
      }),
    )
    .max(MAX_TABLE_SCHEMAS),
});

/** What a file of ids gave: the ids, or why they are of no use. */
export type IdFileResult =
  | { readonly kind: "ids"; readonly ids: readonly SchemaId[] }
  | { readonly kind: "none"; readonly reason: string };

/** Text of a file of ids. */
export function printIds(url: string, ids: readonly SchemaId[]): string {
  const rows = ids.map(({ subject, version, id, schema }) => ({
    subject,
    version,
    id,
    fingerprint: fingerprintOf(schema),
    schema: schema.json,
  }));
  return `${JSON.stringify({ format: 1, check: checkOf(url, rows), url, ids: rows })}\n`;
}

/** SHA-256 of everything in the file: an id that lost a digit would decode records with another schema. */
function checkOf(url: string, rows: readonly object[]): string {
  return createHash("sha256")
    .update(JSON.stringify([url, rows]))
    .digest("hex");
}

/** Reads what `printIds` gave, for the registry at `url` only; every schema must be what its fingerprint says. */
export function parseIds(text: string, url: string): IdFileResult {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return { kind: "none", reason: "it is no JSON" };
  }
  const checked = fileSchema.safeParse(raw);
  if (!checked.success) return { kind: "none", reason: "it is no list of schema ids" };
  if (checked.data.url !== url)
    return { kind: "none", reason: `it is of the registry ${checked.data.url}` };
  if (checkOf(url, checked.data.ids) !== checked.data.check)
    return { kind: "none", reason: "its content is not what its check says" };
  const ids: SchemaId[] = [];
  for (const { subject, version, id, fingerprint, schema: json } of checked.data.ids) {
    const schema = readSchema(json);
    if (isFailure(schema) || fingerprintOf(schema) !== fingerprint)
      return { kind: "none", reason: `${subject} version ${version} is damaged` };
    ids.push({ subject, version, id, schema });
  }
  return { kind: "ids", ids };
}

/** Reads a file of ids; a missing, damaged or foreign one is a reason, not an error. */
export async function loadIds(file: string, url: string): Promise<IdFileResult> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(file, "r");
  } catch (error) {
    return { kind: "none", reason: messageOf(error) };
  }
  try {
    const { size } = await handle.stat();
    if (size > maxIdFileBytes) return { kind: "none", reason: `it has ${size} bytes` };
    return parseIds(await handle.readFile("utf8"), url);
  } catch (error) {
    return { kind: "none", reason: messageOf(error) };
  } finally {
    await handle.close();
  }
}

/** Writes a file of ids whole or not at all. Throws OCDN_STORAGE. */
export async function saveIds(file: string, url: string, ids: readonly SchemaId[]): Promise<void> {
  const part = `${file}.${process.pid}.part`;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    const handle = await open(part, "w", 0o644);
    try {
      await handle.writeFile(printIds(url, ids));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    throw new OpenCdnError("OCDN_STORAGE", `writing the schema ids ${file}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
