import type { GeoSource } from "./geo-sources.ts";

/** A notice that the licence of a database asks for, wherever results of it are shown. */
export interface Attribution {
  readonly text: string;
  readonly link: string;
  readonly licence: string;
}

/** City database of the default configuration. */
export const dbIpAttribution: Attribution = {
  text: "IP Geolocation by DB-IP",
  link: "https://db-ip.com",
  licence: "CC BY 4.0",
};

/** AS table of the default configuration. */
export const asnAttribution: Attribution = {
  text: "AS numbers by ip-location-db from RouteViews, DB-IP and NRO data",
  link: "https://github.com/sapics/ip-location-db",
  licence: "CC BY 4.0",
};

const maxMindAttribution: Attribution = {
  text: "This product includes GeoLite Data created by MaxMind",
  link: "https://www.maxmind.com",
  licence: "GeoLite End User License Agreement",
};

/** The notices for the databases in use; both licences above say that changes must be named. */
export function attributionsOf(sources: readonly GeoSource[]): readonly Attribution[] {
  const found = new Set<Attribution>();
  for (const { databaseType } of sources) {
    if (/^(GeoIP2?|GeoLite2)\b/.test(databaseType)) found.add(maxMindAttribution);
    else if (databaseType === "csv" || /\basn\b/i.test(databaseType)) found.add(asnAttribution);
    else found.add(dbIpAttribution);
  }
  return [...found];
}

/** One line for people: who made the data, and that it was changed. */
export function attributionText(sources: readonly GeoSource[]): string {
  const notices = attributionsOf(sources).map(
    ({ text, link, licence }) => `${text} (${link}, ${licence})`,
  );
  return notices.length === 0 ? "" : `${notices.join("; ")}; compiled into cells and blocks.`;
}
