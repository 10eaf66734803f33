import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Decoder } from "../../schemas/codec.ts";
import { isFailure } from "../../schemas/failure.ts";
import type { NodeOverlay } from "../../schemas/generated/events.ts";
import { RecordCursor } from "../../streams/chunk.ts";
import { randomNumbers } from "../../streams/embedded/testing/kill-plan.ts";
import type { Log } from "../../streams/log.ts";
import { nodeOverlay, routeDecisions } from "../../streams/topics.ts";
import { runSeed } from "../kits/seed.ts";
import { type Redirect, UpSystem, until } from "../kits/up-system.ts";

const random = randomNumbers(runSeed);
const downSeconds = 15;
/** From here on after a kill no client is sent to the dead node. */
const leaveMs = 2_000;

const below = (limit: number): number => Math.floor(random() * limit);

/** An address of Brazil, as the registry of the region gave them out there. */
function brazilian(): string {
  return `177.${below(256)}.${below(256)}.${below(256)}`;
}

/** Clients of everywhere, most of them in Brazil. */
function anybody(): string {
  if (random() < 0.7) return brazilian();
  return `${1 + below(9)}.${below(256)}.${below(256)}.${below(256)}`;
}

/** Clients that ask one after the other, four at a time, until they are stopped. */
class Load {
  readonly answers: Redirect[] = [];
  readonly #done: Promise<unknown>;
  #stopped = false;

  constructor(system: UpSystem) {
    const client = async (): Promise<void> => {
      while (!this.#stopped) {
        this.answers.push(await system.redirect(anybody()));
        await new Promise((resolve) => setTimeout(resolve, 4));
      }
    };
    this.#done = Promise.all([client(), client(), client(), client()]);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  /** Share of a node, 0..1, among the answers of a time. */
  share(node: string, fromMs: number, toMs: number): number {
    const asked = this.answers.filter(({ sentMs }) => sentMs >= fromMs && sentMs < toMs);
    return asked.filter((answer) => answer.node === node).length / Math.max(1, asked.length);
  }
}

/** The overlay's records of one node from now on. */
function followOverlay(log: Log, nodeId: string): readonly NodeOverlay[] {
  const records: NodeOverlay[] = [];
  const decoder = new Decoder(nodeOverlay.schema, log.schemas);
  const cursor = new RecordCursor();
  log.follow({
    topics: [nodeOverlay.name],
    from: "latest",
    onChunk: (chunk) => {
      cursor.open(chunk);
      while (cursor.next()) {
        const value = decoder.decodeFrame(cursor.buffer, cursor.valueStart, cursor.valueEnd);
        if (!isFailure(value) && value.nodeId === nodeId) records.push(value);
      }
    },
  });
  return records;
}

describe(`a demonstration node that is killed under load (OPENCDN_SEED=${runSeed})`, () => {
  let system: UpSystem;
  let log: Log;

  beforeAll(async () => {
    system = await UpSystem.start({ settings: { demonstration: { downSeconds } } });
    log = await system.log();
  });

  afterAll(async () => {
    await log?.close();
    await system?.dispose();
  });

  it("loses its clients within 2 s, and gets them back by the ramp", async () => {
    const overlay = followOverlay(log, "SAO");
    const load = new Load(system);
    const began = Date.now();
    const usual = await until("SAO's clients", () =>
      load.answers.filter(({ node }) => node === "SAO").length > 100
        ? load.share("SAO", began, Date.now())
        : undefined,
    );
    const { pid } = await system.process("SAO");
    process.kill(pid as number, "SIGKILL");
    const killedMs = Date.now();
    await new Promise((resolve) => setTimeout(resolve, leaveMs + 1_000));
    const started = await system.command("node", "start", "SAO");
    expect(started).toMatchObject({ code: 0, stdout: expect.stringContaining("SAO starts") });
    const again = await until("the new process", async () => {
      const now = await system.process("SAO");
      return now.state === "ready" ? now : undefined;
    });
    expect(again.pid).not.toBe(pid);
    expect(Date.now() - killedMs).toBeLessThan(downSeconds * 1_000);

    await until("the end of the ramp", () => overlay.find(({ reason }) => reason === "RECOVERED"));
    const recoveredMs = Date.now();
    await until("its usual share", () =>
      load.share("SAO", Math.max(recoveredMs, Date.now() - 1_000), Date.now()) > usual * 0.8
        ? true
        : undefined,
    );
    await load.stop();

    expect(overlay.map(({ alive, multiplier }) => (alive ? multiplier : 0))).toEqual([
      0, 0.1, 0.25, 0.5, 0.75, 1,
    ]);
    const [, ...steps] = overlay.map(({ eventMs }) => eventMs);
    const returnMs = steps[0] as number;
    const late = load.answers.filter(
      ({ node, sentMs }) => node === "SAO" && sentMs >= killedMs + leaveMs && sentMs < returnMs,
    );
    expect(late).toEqual([]);
    expect(load.answers.filter(({ status }) => status !== 302)).toEqual([]);

    const shares = steps
      .slice(0, 4)
      .map((fromMs, step) => load.share("SAO", fromMs, steps[step + 1] as number));
    // The first step is a tenth of its clients, cold caches first; then more with every step.
    expect(shares[0]).toBeGreaterThan(0);
    expect(shares[0]).toBeLessThan(usual * 0.3);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares[3]).toBeLessThan(usual);
  });

  it("stays down for the time that is set when nobody starts it", async () => {
    const before = await system.process("TYO");
    process.kill(before.pid as number, "SIGKILL");
    const killedMs = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(await system.process("TYO")).toMatchObject({ state: "down", restarts: 1 });
    expect(system.err).toContain(`TYO ended (SIGKILL); it stays down for ${downSeconds} s`);
    await until("TYO's return", async () => {
      const { state, pid } = await system.process("TYO");
      return state === "ready" && pid !== before.pid ? true : undefined;
    });
    expect(Date.now() - killedMs).toBeGreaterThanOrEqual(downSeconds * 1_000);
  });
});

describe(`gateways without an engine (OPENCDN_SEED=${runSeed})`, () => {
  let system: UpSystem | undefined;

  afterEach(async () => {
    await system?.dispose();
  });

  it("answer as before, flagged stale, after everything was killed and they were started alone", async () => {
    system = await UpSystem.start();
    const up = system;
    const clients = Array.from({ length: 60 }, anybody);
    const before = await quietAnswers(up, clients);
    expect(new Set(before.values()).size).toBeGreaterThan(1);
    expect(await up.admin("/_opencdn/health")).toMatchObject({ stale: false });
    const explained = (ip: string) => up.admin(`/_opencdn/route?ip=${ip}&service=web`);
    const first = clients[0] as string;
    const decided = await explained(first);
    expect(decided).toMatchObject({ stale: false });

    await up.signal("SIGKILL");
    await expect(up.redirect(first)).rejects.toThrow();
    await up.startGatewayAlone();

    expect(await up.nodesOf(clients)).toEqual(before);
    expect(await up.redirect(first)).toMatchObject({ status: 302, stale: true });
    expect(await up.admin("/_opencdn/health")).toMatchObject({ stale: true, engine: "away" });
    expect(await explained(first)).toEqual({ ...decided, stale: true });
  });
});

/** The clients' nodes when nothing that gateways keep has changed for so long that they saved it. */
async function quietAnswers(
  system: UpSystem,
  clients: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const quietMs = 5_000;
  const log = await system.log();
  let changedMs = performance.now();
  log.follow({
    topics: [nodeOverlay.name, routeDecisions.name],
    from: "latest",
    onChunk: () => {
      changedMs = performance.now();
    },
  });
  // Every measurement moves a decision a little: without them it is quiet, and nobody is called dead.
  for (const { role, pid } of (await system.status()).processes) {
    if (role === "vantage") process.kill(pid as number, "SIGSTOP");
  }
  try {
    await until("a quiet time", () => (performance.now() - changedMs > quietMs ? true : undefined));
    return await system.nodesOf(clients);
  } finally {
    await log.close();
  }
}
