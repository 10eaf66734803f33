import { OpenCdnError } from "../../streams/errors.ts";

/** An `OCDN_GEO` error that names the file, what is wrong with it and where. */
export function geoFault(file: string, cause: string, at?: number, error?: unknown): OpenCdnError {
  const where = at === undefined ? "" : ` at byte ${at}`;
  const options = error === undefined ? undefined : { cause: error };
  return new OpenCdnError(
    "OCDN_GEO",
    `reading the geo database ${file}: ${cause}${where}`,
    options,
  );
}
