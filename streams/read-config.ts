import { z } from "zod";
import { OpenCdnError } from "./errors.ts";
import { nearestName } from "./topics.ts";

/**
 * Checks a configuration that was read from a file or made by a caller. Throws OCDN_CONFIG of one sentence that
 * names the place; for an unknown key with the nearest valid one.
 */
export function readConfig<T>(schema: z.ZodType<T>, raw: unknown, what: string): T {
  const checked = schema.safeParse(raw);
  if (checked.success) return checked.data;
  const issue = checked.error.issues[0];
  const place = issue === undefined || issue.path.length === 0 ? "" : `${issue.path.join(".")}: `;
  const reason =
    issue?.code === "unrecognized_keys"
      ? unknownKey(schema, issue.path, issue.keys[0] ?? "")
      : (issue?.message ?? "not valid");
  throw new OpenCdnError("OCDN_CONFIG", `reading the configuration of ${what}: ${place}${reason}`);
}

function unknownKey(schema: z.ZodType, path: readonly PropertyKey[], key: string): string {
  const known = keysAt(schema, path);
  const hint = known.length === 0 ? "" : `, did you mean ${nearestName(key, known)}?`;
  return `there is no option ${key.slice(0, 80)}${hint}`;
}

function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: unknown = schema;
  for (const step of [...path, undefined]) {
    while (
      at instanceof z.ZodOptional ||
      at instanceof z.ZodDefault ||
      at instanceof z.ZodPrefault ||
      at instanceof z.ZodNullable
    ) {
      at = at.unwrap();
    }
    if (step === undefined) break;
    if (at instanceof z.ZodObject) at = at.shape[String(step)];
    else if (at instanceof z.ZodArray) at = at.element;
    else if (at instanceof z.ZodRecord) at = at.valueType;
    else return [];
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}
