import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import type { Server } from "node:http";
import path from "node:path";
import { createKeyRing, readKeyRing, rotateKeyRing } from "../../gateways/site/key-ring.ts";
import { connectLog } from "../../streams/embedded/client.ts";
import { OpenCdnError } from "../../streams/errors.ts";
import { readTable } from "../../streams/table-reader.ts";
import { routeDecisions } from "../../streams/topics.ts";
import { Child } from "../child-process.ts";
import { askControl, serveControl, type UpStatus } from "../control.ts";
import { type Fleet, readFleet } from "../fleet.ts";
import { note, print, printTable } from "../output.ts";
import { packageFolder, places, type Settings } from "../settings.ts";
import {
  choosePorts,
  geoAttribution,
  type PlannedProcess,
  type Ports,
  planProcesses,
  withPorts,
} from "../up-plan.ts";
import { applyChanges, diffFleet } from "./apply.ts";

/** Longest wait until everything is ready. */
const readyMs = 60_000;
/** How long to wait for the first decisions before saying "ready" without them. */
const decisionsMs = 8_000;

/** Two addresses whose clients are sent to different nodes: registro.br and WIDE. */
export const sampleAddresses = { brazil: "200.160.2.3", japan: "202.12.27.33" } as const;

/** `opencdn up`: runs everything on this machine until it is stopped. */
export async function up(settings: Settings): Promise<void> {
  const system = new System(settings);
  await system.start();
  await system.stopped();
}

interface Running {
  readonly planned: PlannedProcess;
  readonly child: Child;
  ready: Readonly<Record<string, unknown>>;
}

class System {
  readonly #settings: Settings;
  readonly #processes = new Map<string, Running>();
  readonly #waiting = new Map<string, () => void>();
  readonly #stopped: Promise<void>;
  #resolveStopped: () => void = () => {};
  #control: Server | undefined;
  #announced = false;
  #stopping = false;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
  }

  stopped(): Promise<void> {
    return this.#stopped;
  }

  async start(): Promise<void> {
    const began = Date.now();
    const { data } = this.#settings;
    const at = places(data);
    await refuseSecond(at.control, data);
    await mkdir(at.run, { recursive: true, mode: 0o700 });
    await ensureKeys(at.keys);
    const file = this.#settings.fleet ?? path.join(packageFolder(), "cli/demo/fleet.yaml");
    const written = await readFleet(file);
    const ports = await choosePorts(this.#settings, written);
    const fleet = withPorts(written, ports);
    this.#control = await serveControl(at.control, {
      status: () => this.#status(ports),
      startNode: (name) => this.#startNode(name),
    });
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.on(signal, () => void this.#stop());
    try {
      const all = planProcesses(this.#settings, fleet, ports).map((planned) =>
        this.#launch(planned),
      );
      await Promise.all(all);
      await this.#applyFleet(at.log, fleet);
    } catch (error) {
      await this.#stop();
      throw error;
    }
    if (this.#stopping) return;
    this.#announced = true;
    this.#announce(fleet, ports, Date.now() - began);
  }

  /** Starts one process and resolves when it is ready. */
  async #launch(planned: PlannedProcess): Promise<void> {
    const configFile = path.join(places(this.#settings.data).run, `${planned.name}.json`);
    const stayDown =
      planned.role === "node"
        ? { stayDownMs: this.#settings.demonstration.downSeconds * 1_000 }
        : {};
    const child = new Child({
      name: planned.name,
      module: planned.module,
      configFile,
      ...stayDown,
      onReady: (_, ready) => this.#ready(planned.name, ready),
      onExit: (_, how, backInMs) => this.#exited(planned, how, backInMs),
    });
    this.#processes.set(planned.name, { planned, child, ready: {} });
    const ready = new Promise<void>((resolve) => this.#waiting.set(planned.name, resolve));
    await writeFile(configFile, JSON.stringify(planned.config, null, 2), { mode: 0o600 });
    child.start();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(
          new OpenCdnError(
            "OCDN_TIMEOUT",
            `starting ${planned.name}: not ready after ${readyMs / 1_000} s; its messages above say why`,
          ),
        );
      }, readyMs);
    });
    await Promise.race([ready, late, this.#stopped]).finally(() => clearTimeout(timer));
  }

  #ready(name: string, ready: Readonly<Record<string, unknown>>): void {
    const running = this.#processes.get(name);
    if (running !== undefined) running.ready = ready;
    this.#waiting.get(name)?.();
    this.#waiting.delete(name);
    if (this.#announced) note(`${name} is back (pid ${running?.child.pid})`);
  }

  #exited(planned: PlannedProcess, how: string, backInMs: number | undefined): void {
    if (this.#stopping) return;
    const back =
      backInMs === undefined || backInMs < 1_000
        ? "starting it again"
        : `it stays down for ${Math.round(backInMs / 1_000)} s, or until \`opencdn node start ${planned.name}\``;
    note(`${planned.name} ended (${how}); ${planned.role === "node" ? back : "starting it again"}`);
  }

  async #applyFleet(folder: string, fleet: Fleet): Promise<void> {
    const log = await connectLog({ folder, name: "up", timeoutMs: 10_000 });
    try {
      const changes = await diffFleet(log, fleet);
      if (changes.length > 0) await applyChanges(log, changes, Date.now());
      const until = Date.now() + decisionsMs;
      const service = [...fleet.services.keys()][0];
      const wanted = [`BR|${service}`, `JP|${service}`];
      while (this.#settings.demonstration.nodes && Date.now() < until && !this.#stopping) {
        const decisions = await readTable(log, routeDecisions);
        if (wanted.every((key) => decisions.has(key))) break;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    } finally {
      await log.close();
    }
  }

  #startNode(name: string): boolean {
    const running = this.#processes.get(name);
    if (running?.planned.role !== "node") return false;
    running.child.start();
    return true;
  }

  #status(ports: Ports): UpStatus {
    return {
      pid: process.pid,
      data: this.#settings.data,
      edgePort: ports.edge,
      adminPort: ports.admin,
      processes: [...this.#processes.values()].map(({ planned, child, ready }) => ({
        name: planned.name,
        role: planned.role,
        state: child.state,
        pid: child.pid,
        restarts: child.restarts,
        ready,
      })),
    };
  }

  #announce(fleet: Fleet, ports: Ports, tookMs: number): void {
    const nodes = [...this.#processes.values()].filter(({ planned }) => planned.role === "node");
    const { brazil, japan } = sampleAddresses;
    const url = `http://127.0.0.1:${ports.edge}`;
    const { data } = this.#settings;
    const own = data === path.resolve(".opencdn") ? "" : ` --data ${data}`;
    print(`OpenCDN is ready after ${(tookMs / 1_000).toFixed(1)} s.`);
    print();
    printTable(
      ["process", "what", "where", "pid"],
      [...this.#processes.values()].map(({ planned, child }) => [
        planned.name,
        planned.role === "node"
          ? `demonstration node in ${fleet.nodes.get(planned.name)?.place}`
          : roleWords[planned.role],
        whereOf(planned, ports),
        child.pid ?? 0,
      ]),
    );
    print();
    print("Try:");
    if (nodes.length > 0) {
      print(
        `  curl -sI -H 'X-Forwarded-For: ${brazil}' ${url}/hello.txt    # a client in Brazil: see Location`,
      );
      print(`  curl -sI -H 'X-Forwarded-For: ${japan}' ${url}/hello.txt   # a client in Japan`);
      print(
        `  curl -sL -H 'X-Forwarded-For: ${japan}' ${url}/hello.txt   # the same, with the content`,
      );
    }
    print(`  npx opencdn route --ip ${brazil}${own}            # why that node`);
    if (nodes.length > 0) {
      const first = nodes.find(({ planned }) => planned.name === "SAO") ?? nodes[0];
      print(
        `  kill -9 ${first?.child.pid}                                 # ${first?.planned.name} dies: clients leave it within 2 s`,
      );
      print(
        `  npx opencdn node start ${first?.planned.name}${own}                  # it comes back by a ramp`,
      );
    }
    print(`  npx opencdn tail edge.events.v1${own}             # what happens to clients`);
    print(
      `  npx opencdn replay verify${own}                   # re-run every decision and compare`,
    );
    print(`  curl -s http://127.0.0.1:${ports.metrics}/metrics         # Prometheus`);
    print();
    print(`Data lies in ${data}. Stop with Ctrl-C; the next start goes on where it stopped.`);
    print(
      `${geoAttribution}.${nodes.length > 0 ? " Distances of the demonstration are modelled." : ""}`,
    );
  }

  async #stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    if (this.#announced) note("stopping");
    for (const { child } of this.#processes.values()) child.retire();
    // Writers first, the engine last, so that what they hold is still taken.
    const order: readonly PlannedProcess["role"][] = ["vantage", "node", "sinks", "edge", "engine"];
    for (const role of order) {
      const children = [...this.#processes.values()].filter(({ planned }) => planned.role === role);
      await Promise.all(children.map(({ child }) => child.stop()));
    }
    await new Promise<void>((resolve) => {
      if (this.#control === undefined) resolve();
      else this.#control.close(() => resolve());
      this.#control?.closeAllConnections();
    });
    this.#resolveStopped();
  }
}

const roleWords: Readonly<Record<PlannedProcess["role"], string>> = {
  engine: "the log and the processors",
  edge: "access gateway: redirects by 302",
  node: "node",
  vantage: "checks nodes, measures paths",
  sinks: "scores, metrics, alerts",
};

function whereOf(planned: PlannedProcess, ports: Ports): string {
  const port =
    planned.role === "edge"
      ? ports.edge
      : planned.role === "sinks"
        ? ports.metrics
        : ports.nodes.get(planned.name);
  return port === undefined ? "" : `http://127.0.0.1:${port}`;
}

/** Two systems on one folder would rewrite each other's files. Throws OCDN_FOLDER_OWNED when one runs. */
async function refuseSecond(control: string, data: string): Promise<void> {
  const status = await askControl(control, "GET", "/status").catch(() => undefined);
  if (status === undefined) return;
  const { pid } = status.body as UpStatus;
  throw new OpenCdnError(
    "OCDN_FOLDER_OWNED",
    `starting: \`opencdn up\` (pid ${pid}) runs on ${data} already; stop it first, or give this one a folder with --data`,
  );
}

/** Keys that end within this are joined by new ones. */
const renewMs = 14 * 86_400_000;

/** The key ring is made at the first start; a later one adds a key before the last one ends. */
async function ensureKeys(file: string): Promise<void> {
  const nowMs = Date.now();
  if (!existsSync(file)) {
    await createKeyRing(file, { nowMs });
    return;
  }
  const lastMs = Math.max(...(await readKeyRing(file)).map((key) => key.notAfterMs));
  if (lastMs <= nowMs) await rotateKeyRing(file, { nowMs, leadMs: 0 });
  else if (lastMs < nowMs + renewMs) await rotateKeyRing(file, { nowMs });
}
