import { isMain } from "../../streams/process-shell.ts";
import { geoSchema, installedGeoFolder } from "./config.ts";
import { prepareGeo } from "./geo-loader.ts";

/**
 * Compiles the default geo and AS databases into the package's cache, so that the first start need
 * not. Run when the program is installed; the first start compiles them itself where this was not.
 */
export async function prepareInstalledGeo(): Promise<void> {
  const { cityDatabases, asnDatabases } = geoSchema.parse({});
  await prepareGeo({ cityDatabases, asnDatabases, cacheFolder: installedGeoFolder() });
}

if (isMain(import.meta.url)) await prepareInstalledGeo();
