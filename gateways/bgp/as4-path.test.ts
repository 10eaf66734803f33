import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asPathLength, formatAsPath, unpackAsPath } from "../../domain/as-path.ts";
import { widenAsPath } from "./as4-path.ts";
import { asPath } from "./testing/mrt-writer.ts";

const TRANS = 23_456;

function widen(
  short: readonly (readonly number[])[],
  long: readonly (readonly number[])[] = [],
): string {
  const shortBytes = asPath(short, 2);
  const bytes = Buffer.concat([shortBytes, asPath(long, 4)]);
  return formatAsPath(widenAsPath(bytes, 0, shortBytes.length, shortBytes.length, bytes.length));
}

describe("AS_PATH and AS4_PATH", () => {
  it("are joined as RFC 6793 section 4.2.3 says", () => {
    expect(widen([[2, 1, 2, 3]])).toBe("1 2 3");
    expect(widen([[2, 64500, TRANS, TRANS, 7]], [[2, 70_001, 70_002, 7]])).toBe(
      "64500 70001 70002 7",
    );
    expect(widen([[2, TRANS, 7]], [[2, 70_001, 7]])).toBe("70001 7");
    expect(widen([[2, TRANS]], [[2, 70_001, 7]])).toBe("23456");
    expect(
      widen(
        [
          [2, 9, TRANS],
          [1, 5, TRANS],
        ],
        [
          [2, 70_001],
          [1, 5, 70_002],
        ],
      ),
    ).toBe("9 70001 {5,70002}");
    expect(
      widen(
        [
          [1, 4, 5],
          [2, 6, TRANS],
        ],
        [[2, 70_001]],
      ),
    ).toBe("{4,5} 6 70001");
  });

  it("keep leading confederation segments and drop those of the long path", () => {
    expect(
      widen(
        [
          [3, 65_001, 65_002],
          [2, 9, TRANS],
        ],
        [
          [3, 65_009],
          [2, 70_001],
        ],
      ),
    ).toBe("(65001 65002) 9 70001");
  });

  it("make one segment of a sequence that goes on", () => {
    const short = asPath([[2, 9, TRANS]], 2);
    const bytes = Buffer.concat([short, asPath([[2, 70_001]], 4)]);
    const path = widenAsPath(bytes, 0, short.length, short.length, bytes.length);
    expect(unpackAsPath(path.slice())).toEqual([{ kind: "sequence", asns: [9, 70_001] }]);
  });

  it("have the length of the short path when the long one is not longer", () => {
    const asns = fc.array(fc.integer({ min: 1, max: 65_535 }), { minLength: 1, maxLength: 8 });
    const segment = fc.tuple(fc.constantFrom(1, 2), asns).map(([type, list]) => [type, ...list]);
    const path = fc.array(segment, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(path, path, (shortSegments, longSegments) => {
        const short = asPath(shortSegments, 2);
        const long = asPath(longSegments, 4);
        const bytes = Buffer.concat([short, long]);
        const merged = widenAsPath(bytes, 0, short.length, short.length, bytes.length).slice();
        expect(asPathLength(merged)).toBe(asPathLength(asPath(shortSegments, 4)));
        if (asPathLength(merged) >= asPathLength(long)) {
          expect(formatAsPath(merged).endsWith(formatAsPath(long))).toBe(true);
        }
      }),
    );
  });
});
