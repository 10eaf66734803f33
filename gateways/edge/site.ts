import type { Logger } from "pino";
import { geoOptions, keyRingOptions } from "../site/config.ts";
import { type GeoEvent, type GeoHandle, openGeo } from "../site/geo-loader.ts";
import { type KeyRing, type KeyRingEvent, openKeyRing } from "../site/key-ring.ts";
import type { SiteConfig } from "./config.ts";

/** What a gateway or node holds beside its tables: the geo table and the keys. */
export interface Site {
  readonly geo: Pick<GeoHandle, "table" | "problem" | "onSwap">;
  readonly keys: Pick<KeyRing, "keys" | "problem" | "signingKey">;
  close(): void;
}

/** Opens both and watches their files; a failure to reload is one log line, the last good ones stay. */
export async function openSite(config: SiteConfig, logger: Logger): Promise<Site> {
  const onEvent = (event: GeoEvent | KeyRingEvent): void => tell(logger, event);
  const keys = await openKeyRing({ ...keyRingOptions(config.keyRing, config.folder), onEvent });
  const geo = await openGeo({ ...geoOptions(config.geo, config.folder), onEvent });
  return {
    geo,
    keys,
    close: () => {
      geo.close();
      keys.close();
    },
  };
}

/** A healthy site logs nothing. */
function tell(logger: Logger, event: GeoEvent | KeyRingEvent): void {
  if (event.kind === "geo.failed" || event.kind === "keyRing.failed") {
    logger.error({ code: event.error.code, event: event.kind }, event.error.message);
  }
}
