import { OpenCdnError } from "../../streams/errors.ts";
import type { Log } from "../../streams/log.ts";
import { EventProducer } from "../../streams/producer.ts";
import { readTable } from "../../streams/table-reader.ts";
import { nearestName, nodeDrains, nodeInventory } from "../../streams/topics.ts";
import { askControl, type UpStatus } from "../control.ts";
import { print, printJson, printTable } from "../output.ts";
import { places, type Settings } from "../settings.ts";

/** `opencdn node list` */
export async function listProcesses(
  settings: Settings,
  options: { readonly json: boolean },
): Promise<void> {
  const { body } = await askControl(places(settings.data).control, "GET", "/status");
  const status = body as UpStatus;
  if (options.json) {
    printJson(status);
    return;
  }
  printTable(
    ["process", "role", "state", "pid", "restarts"],
    status.processes.map((entry) => [
      entry.name,
      entry.role,
      entry.state,
      entry.pid ?? "",
      entry.restarts,
    ]),
  );
}

/** `opencdn node start NAME` */
export async function startNode(settings: Settings, name: string): Promise<void> {
  const { control } = places(settings.data);
  const { status, body } = await askControl(
    control,
    "POST",
    `/nodes/${encodeURIComponent(name)}/start`,
  );
  if (status === 200) {
    print(`${name} starts; it gets clients again by a ramp after 20 good checks`);
    return;
  }
  const known = ((await askControl(control, "GET", "/status")).body as UpStatus).processes
    .filter((entry) => entry.role === "node")
    .map((entry) => entry.name);
  const near =
    known.length === 0 ? "no node runs here" : `did you mean ${nearestName(name, known)}?`;
  throw new OpenCdnError(
    "OCDN_NOT_FOUND",
    `starting a node: ${(body as { error?: string }).error ?? "refused"}; ${near}`,
  );
}

/** `opencdn node drain NAME` and `undrain`: a request on the log, on which the overlay's one writer acts. */
export async function drainNode(
  log: Log,
  name: string,
  { draining, reason }: { readonly draining: boolean; readonly reason: string },
): Promise<void> {
  const nodes = [...(await readTable(log, nodeInventory)).keys()];
  if (!nodes.includes(name)) {
    const near =
      nodes.length === 0 ? "the fleet has no nodes" : `did you mean ${nearestName(name, nodes)}?`;
    throw new OpenCdnError(
      "OCDN_NOT_FOUND",
      `draining: no node is called ${name.slice(0, 60)}; ${near}`,
    );
  }
  const producer = new EventProducer({ log, name: "opencdn" });
  producer.send(
    nodeDrains,
    name,
    { nodeId: name, draining, requestedBy: process.env["USER"] ?? "cli", reason },
    Date.now(),
  );
  await producer.flush();
  await producer.close();
  print(draining ? `${name} is asked to drain` : `the drain of ${name} is asked to end`);
}
