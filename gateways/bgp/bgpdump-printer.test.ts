import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { MrtGenerator } from "./testing/mrt-generator.ts";
import { printText } from "./testing/mrt-reading.ts";
import {
  asPath,
  attribute,
  endpoints,
  message,
  record,
  route,
  routes,
  updateBody,
} from "./testing/mrt-writer.ts";

const shared = "../shared/data/bgp";
const names = [
  "bview.20020722.2337",
  "bview.64k_stream_overflow",
  "bview.ipv4_unicast_add_path",
  "bview.ipv6_unicast_add_path",
  "updates.20020722.2238",
  "updates.20070211.0141",
  "updates.20100722.2015",
  "updates.long_withdrawal",
  "updates.nlri_mask_trailing_bits",
];

/**
 * `bgpdump` prints the peer in place of the prefix for withdrawals in records of type BGP (two
 * calls of inet_ntoa in one printf); we print the prefix.
 */
const WRONG_IN_BGPDUMP = /^BGP\|\d+\|W\|/;

function comparable(text: string): string[] {
  return text.split("\n").filter((line) => !WRONG_IN_BGPDUMP.test(line));
}

describe("printing as bgpdump -m", () => {
  for (const name of names) {
    const path = `${shared}/${name}.gz`;
    it.skipIf(!existsSync(path))(`prints ${name} (skipped: needs ${path})`, () => {
      const expected = gunzipSync(readFileSync(`${path}.expected.gz`)).toString("latin1");
      const text = printText(gunzipSync(readFileSync(path)));
      expect(text === expected).toBe(true);
      expect(text.length).toBeGreaterThan(0);
    });
  }

  const installed = spawnSync("bgpdump", ["-q", "-m", "/dev/null"]).error === undefined;
  for (const seed of [11, 12, 13]) {
    it.skipIf(!installed)(
      `prints what is generated from seed ${seed} (skipped: needs bgpdump)`,
      () => {
        const folder = mkdtempSync(join(tmpdir(), "opencdn-mrt-"));
        try {
          const generator = new MrtGenerator(seed);
          for (const bytes of [
            generator.updates(400),
            generator.table(250),
            generator.oldTable(150),
          ]) {
            writeFileSync(join(folder, "file"), bytes);
            const theirs = execFileSync("bgpdump", ["-q", "-m", join(folder, "file")]);
            const lines = comparable(theirs.toString("latin1"));
            expect(comparable(printText(bytes, 4096))).toEqual(lines);
            expect(lines.length).toBeGreaterThan(100);
          }
        } finally {
          rmSync(folder, { recursive: true });
        }
      },
    );
  }

  it("clears host bits and prints withdrawals of old records", () => {
    const session = { peerAsn: 7018, localAsn: 12654, peer: "12.0.1.63", local: "193.0.4.28" };
    const body = updateBody({
      withdrawn: routes([route("10.255.0.0/9")]),
      attributes: [
        attribute(
          0x40,
          2,
          asPath(
            [
              [2, 7018],
              [1, 1, 2],
            ],
            2,
          ),
        ),
      ],
      announced: routes([route("11.13.0.0/13")]),
    });
    const bgp4mp = Buffer.concat([endpoints(session, 2), message(2, body)]);
    const bgp = Buffer.concat([Buffer.from([27, 106, 12, 0, 1, 63, 49, 110, 193, 0, 4, 28]), body]);
    const bytes = Buffer.concat([
      record({ seconds: 1289168632, type: 16, subtype: 1 }, bgp4mp),
      record({ seconds: 1289168632, type: 5, subtype: 1 }, bgp),
    ]);
    expect(printText(bytes).split("\n")).toEqual([
      "BGP4MP|1289168632|W|12.0.1.63|7018|10.128.0.0/9",
      "BGP4MP|1289168632|A|12.0.1.63|7018|11.8.0.0/13|7018 {1,2}|INCOMPLETE|255.255.255.255|0|0||NAG||",
      "BGP|1289168632|W|12.0.1.63|7018|10.128.0.0/9",
      "BGP|1289168632|A|12.0.1.63|7018|11.8.0.0/13|7018 {1,2}|INCOMPLETE|255.255.255.255|0|0|NAG||",
      "",
    ]);
  });
});
