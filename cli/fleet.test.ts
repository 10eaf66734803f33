import { describe, expect, it } from "vitest";
import { parseFleet } from "./fleet.ts";

const node = `{ place: x, country: DE, latitude: 1, longitude: 2, baseUrl: "http://127.0.0.1:1", capacityRps: 10 }`;

describe("a fleet file", () => {
  it("becomes inventory and policies with their defaults", () => {
    const fleet = parseFleet(
      `nodes:\n  A: ${node}\nservices:\n  web: { nodeWeights: { A: 2 } }\n`,
      "f",
    );
    expect(fleet.nodes.get("A")).toMatchObject({
      nodeId: "A",
      jurisdiction: "DE",
      serviceTimeMs: 5,
      prefixes: [],
    });
    expect(fleet.services.get("web")).toMatchObject({
      serviceId: "web",
      nodeWeights: [{ nodeId: "A", weight: 2 }],
      ttlSeconds: 30,
    });
  });

  it("is refused with the place, the reason and the nearest key", () => {
    const cases: readonly [string, RegExp][] = [
      [`nodes: { A: { prefixs: [] } }\nservices: {}`, /nodes\.A/],
      [
        `nodes: { A: ${node.replace("}", ", prefixs: [] }")} }\nservices: {}`,
        /nodes\.A: there is no option prefixs, did you mean prefixes/,
      ],
      [
        `nodes: { A: ${node.replace("DE", "Germany")} }\nservices: {}`,
        /nodes\.A\.country: two capital letters/,
      ],
      [
        `nodes: { A: ${node.replace("}", ', prefixes: ["10.0.0.0/33"] }')} }\nservices: {}`,
        /prefixes\.0: no prefix/,
      ],
      [`nodes: { A: ${node.replace("http:", "ftp:")} }\nservices: {}`, /baseUrl/],
      [`nodes: { A: ${node} }\nservices: { web: { permittedNodes: [B] } }`, /names the node B/],
      ["nodes: [", /reading the fleet f/],
      ["", /the fleet f/],
    ];
    for (const [text, reason] of cases) expect(() => parseFleet(text, "f")).toThrow(reason);
  });
});
