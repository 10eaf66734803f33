import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CellSums } from "./cell-sums.ts";
import { maxCellsPerSecond } from "./limits.ts";

describe("sums by cell", () => {
  it("lose nothing and begin anew", () => {
    const request = fc.record({
      cell: fc.constantFrom("JP", "JP/13", "BR", "ZZ"),
      serviceId: fc.constantFrom("web", "video"),
      nodeId: fc.constantFrom("TYO", "SAO"),
      bytes: fc.nat({ max: 1_000 }),
    });
    fc.assert(
      fc.property(fc.array(request), (requests) => {
        const sums = new CellSums("edge-1");
        for (const { cell, serviceId, nodeId, bytes } of requests)
          sums.add(cell, serviceId, nodeId, bytes);
        const events = sums.take(1_000);
        const flat = events.flatMap(({ cell, serviceId, nodes }) =>
          nodes.map((node) => ({ cell, serviceId, ...node })),
        );
        const keys = flat.map(({ cell, serviceId, nodeId }) => `${cell} ${serviceId} ${nodeId}`);
        expect(new Set(keys).size).toBe(keys.length);
        for (const { cell, serviceId, nodeId, requests: count, bytesSent } of flat) {
          const own = requests.filter(
            (one) => one.cell === cell && one.serviceId === serviceId && one.nodeId === nodeId,
          );
          expect(count).toBe(own.length);
          expect(bytesSent).toBe(own.reduce((total, one) => total + one.bytes, 0));
        }
        expect(flat.reduce((total, one) => total + one.requests, 0)).toBe(requests.length);
        expect(sums.take(1_000)).toEqual([]);
      }),
    );
  });

  it("stay bounded: more cells are summed under their country", () => {
    const sums = new CellSums("edge-1");
    for (let asn = 1; asn <= maxCellsPerSecond + 500; asn++)
      sums.add(`JP/13/${asn}`, "web", "TYO", 0);
    const events = sums.take(1_000);
    expect(events.length).toBe(maxCellsPerSecond + 1);
    expect(events.find(({ cell }) => cell === "JP")?.nodes).toEqual([
      { nodeId: "TYO", requests: 500, bytesSent: 0 },
    ]);
  });
});
