import type { Place } from "../../domain/geo-table.ts";

/** A place that a vantage process of the demonstration measures from, as clients of `cell` would. */
export interface VantagePlace extends Place {
  readonly cell: string;
  readonly name: string;
}

/**
 * The demonstration's places: the largest city of each country, and one of each continent for the countries that
 * are not listed. Degrees, rounded to 0.1 (public knowledge; e.g. GeoNames).
 */
export const demonstrationPlaces: readonly VantagePlace[] = [
  { cell: "JP", name: "Tokyo", latitude: 35.7, longitude: 139.7 },
  { cell: "BR", name: "São Paulo", latitude: -23.5, longitude: -46.6 },
  { cell: "DE", name: "Berlin", latitude: 52.5, longitude: 13.4 },
  { cell: "US", name: "New York", latitude: 40.7, longitude: -74 },
  { cell: "GB", name: "London", latitude: 51.5, longitude: -0.1 },
  { cell: "FR", name: "Paris", latitude: 48.9, longitude: 2.4 },
  { cell: "NL", name: "Amsterdam", latitude: 52.4, longitude: 4.9 },
  { cell: "ES", name: "Madrid", latitude: 40.4, longitude: -3.7 },
  { cell: "IT", name: "Rome", latitude: 41.9, longitude: 12.5 },
  { cell: "PL", name: "Warsaw", latitude: 52.2, longitude: 21 },
  { cell: "SE", name: "Stockholm", latitude: 59.3, longitude: 18.1 },
  { cell: "CH", name: "Zürich", latitude: 47.4, longitude: 8.5 },
  { cell: "AT", name: "Vienna", latitude: 48.2, longitude: 16.4 },
  { cell: "PT", name: "Lisbon", latitude: 38.7, longitude: -9.1 },
  { cell: "UA", name: "Kyiv", latitude: 50.5, longitude: 30.5 },
  { cell: "RU", name: "Moscow", latitude: 55.8, longitude: 37.6 },
  { cell: "TR", name: "Istanbul", latitude: 41, longitude: 29 },
  { cell: "CA", name: "Toronto", latitude: 43.7, longitude: -79.4 },
  { cell: "MX", name: "Mexico City", latitude: 19.4, longitude: -99.1 },
  { cell: "AR", name: "Buenos Aires", latitude: -34.6, longitude: -58.4 },
  { cell: "CL", name: "Santiago", latitude: -33.4, longitude: -70.7 },
  { cell: "CO", name: "Bogotá", latitude: 4.7, longitude: -74.1 },
  { cell: "PE", name: "Lima", latitude: -12, longitude: -77 },
  { cell: "KR", name: "Seoul", latitude: 37.6, longitude: 127 },
  { cell: "CN", name: "Shanghai", latitude: 31.2, longitude: 121.5 },
  { cell: "TW", name: "Taipei", latitude: 25, longitude: 121.6 },
  { cell: "HK", name: "Hong Kong", latitude: 22.3, longitude: 114.2 },
  { cell: "SG", name: "Singapore", latitude: 1.4, longitude: 103.8 },
  { cell: "IN", name: "Mumbai", latitude: 19.1, longitude: 72.9 },
  { cell: "ID", name: "Jakarta", latitude: -6.2, longitude: 106.8 },
  { cell: "TH", name: "Bangkok", latitude: 13.8, longitude: 100.5 },
  { cell: "VN", name: "Ho Chi Minh City", latitude: 10.8, longitude: 106.7 },
  { cell: "PH", name: "Manila", latitude: 14.6, longitude: 121 },
  { cell: "AU", name: "Sydney", latitude: -33.9, longitude: 151.2 },
  { cell: "NZ", name: "Auckland", latitude: -36.8, longitude: 174.8 },
  { cell: "AE", name: "Dubai", latitude: 25.2, longitude: 55.3 },
  { cell: "IL", name: "Tel Aviv", latitude: 32.1, longitude: 34.8 },
  { cell: "ZA", name: "Johannesburg", latitude: -26.2, longitude: 28 },
  { cell: "NG", name: "Lagos", latitude: 6.5, longitude: 3.4 },
  { cell: "EG", name: "Cairo", latitude: 30, longitude: 31.2 },
  { cell: "KE", name: "Nairobi", latitude: -1.3, longitude: 36.8 },
  { cell: "@EU", name: "Prague, for Europe", latitude: 50.1, longitude: 14.4 },
  { cell: "@NA", name: "Chicago, for North America", latitude: 41.9, longitude: -87.6 },
  { cell: "@SA", name: "Brasília, for South America", latitude: -15.8, longitude: -47.9 },
  { cell: "@AS", name: "Dhaka, for Asia", latitude: 23.8, longitude: 90.4 },
  { cell: "@AF", name: "Kinshasa, for Africa", latitude: -4.3, longitude: 15.3 },
  { cell: "@OC", name: "Brisbane, for Oceania", latitude: -27.5, longitude: 153 },
];

/** The places of one of `parts` vantage processes: every one belongs to exactly one. */
export function placesOfPart(part: number, parts: number): VantagePlace[] {
  return demonstrationPlaces.filter((_, index) => index % parts === part);
}
