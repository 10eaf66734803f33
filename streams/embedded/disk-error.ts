import { messageOf, OpenCdnError } from "../errors.ts";

const noSpace = 28;
const quotaExceeded = 122;
const mapFull = -30_792;

function isDiskFull(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return (
    code === "ENOSPC" ||
    code === "EDQUOT" ||
    code === noSpace ||
    code === quotaExceeded ||
    code === mapFull
  );
}

/** What a failed file or LMDB call becomes; an `OpenCdnError` stays as it is. */
export function diskError(doing: string, error: unknown): OpenCdnError {
  if (error instanceof OpenCdnError) return error;
  const full = isDiskFull(error);
  const code = full ? "OCDN_DISK_FULL" : "OCDN_STORAGE";
  const text = full ? "no space is left on the disk" : messageOf(error);
  return new OpenCdnError(code, `${doing}: ${text}`, { cause: error });
}
