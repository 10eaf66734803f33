import type { NodeInventory } from "../../../schemas/generated/events.ts";
import type { Emitted } from "../../../streams/processor.ts";

/** A node of the demonstration's kind; what is not given is unremarkable. */
export function inventoryOf(
  nodeId: string,
  given: Partial<Emitted<NodeInventory>> = {},
): Emitted<NodeInventory> {
  return {
    nodeId,
    place: "",
    country: "BR",
    region: "",
    latitude: 0,
    longitude: 0,
    baseUrl: `http://${nodeId.toLowerCase()}.test`,
    capacityRps: 1_000,
    serviceTimeMs: 5,
    prefixes: [],
    originAsns: [],
    protocols: ["http"],
    jurisdiction: "BR",
    synthetic: true,
    ...given,
  };
}
