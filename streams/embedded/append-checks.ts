import type { Section } from "../batch.ts";
import { OpenCdnError } from "../errors.ts";
import type { AppendRequest } from "../log.ts";
import { maxFrameBytes, maxPositionBytes, maxSections, maxSourceBytes } from "./socket-limits.ts";

/** What an append says beside its records. */
const headroomBytes = 8_192;
const sectionHeadBytes = 12;

/** Throws OCDN_LIMIT when an append could not travel, OCDN_BAD_INPUT for a source without a name. */
export function checkAppend(
  doing: string,
  { source, previous, position }: AppendRequest,
  sections: readonly Section[],
): void {
  if (source.length === 0) throw new OpenCdnError("OCDN_BAD_INPUT", `${doing}: it has no name`);
  checkText(doing, "name", source, maxSourceBytes);
  checkText(doing, "position", position, maxPositionBytes);
  checkText(doing, "position", previous ?? "", maxPositionBytes);
  let sizeBytes = headroomBytes;
  for (const section of sections) sizeBytes += sectionHeadBytes + section.length;
  if (sizeBytes > maxFrameBytes || sections.length > maxSections) {
    throw new OpenCdnError(
      "OCDN_LIMIT",
      `${doing}: a batch of ${sizeBytes} bytes for ${sections.length} slots is over ${maxFrameBytes} bytes or ${maxSections} slots; send smaller ones`,
    );
  }
}

function checkText(doing: string, what: string, text: string, maxBytes: number): void {
  if (text.length <= maxBytes && Buffer.byteLength(text) <= maxBytes) return;
  throw new OpenCdnError("OCDN_LIMIT", `${doing}: a ${what} is over ${maxBytes} bytes`);
}

/** Throws OCDN_BAD_INPUT unless `offset` is a whole number from 0 on. */
export function checkOffset(doing: string, offset: number): void {
  if (Number.isSafeInteger(offset) && offset >= 0) return;
  throw new OpenCdnError("OCDN_BAD_INPUT", `${doing}: ${offset} is no offset`);
}

/** The log holds another position of the source than the append began at. */
export function sourceConflict(
  { source, previous, position }: AppendRequest,
  held: string | undefined,
): OpenCdnError {
  return new OpenCdnError(
    "OCDN_SOURCE_POSITION",
    `appending records of ${source}: they lead from ${previous ?? "the beginning"} to ${position}, but the log is at ${held ?? "the beginning"}`,
  );
}
