import { appendFileSync, readFileSync } from "node:fs";
import { hex16 } from "../../streams/identity.ts";
import type { Log } from "../../streams/log.ts";
import { EventProducer } from "../../streams/producer.ts";
import { pathSamples } from "../../streams/topics.ts";

const cells = ["BR/SP/28573", "JP/13/2497", "DE/HE/3320", "US/VA/7922", "AR/C/7303", "FR/IDF/3215"];
const nodes = ["SAO", "TYO", "FRA", "IAD"];

/**
 * A client outside of the system that measures paths, and writes the identity of every event that the log says it has
 * to a file of its own.
 */
export class LedgerClient {
  readonly #file: string;
  readonly #producer: EventProducer;
  readonly #random: () => number;
  #timer: NodeJS.Timeout | undefined;
  #sent = 0;

  constructor(log: Log, file: string, random: () => number) {
    this.#file = file;
    this.#random = random;
    this.#producer = new EventProducer({
      log,
      name: "ledger",
      flushMs: 60_000,
      onAcknowledged: (ids) =>
        appendFileSync(file, ids.map((id) => `${hex16(id)}\n`).join(""), "latin1"),
    });
  }

  /** Events sent, and events that the producer gave up. */
  get sent(): number {
    return this.#sent;
  }

  get dropped(): number {
    return this.#producer.dropped;
  }

  /** Sends so many events every 50 ms until `stop`. */
  start(events: number): void {
    this.#timer = setInterval(() => {
      for (let i = 0; i < events; i++) this.#send();
    }, 50);
  }

  /** Stops sending and waits until everything is acknowledged. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#producer.flush();
    await this.#producer.close();
  }

  /** The identities in the file. */
  acknowledged(): string[] {
    return readFileSync(this.#file, "latin1").split("\n").slice(0, -1);
  }

  #send(): void {
    this.#sent += 1;
    const one = (of: readonly string[]): string =>
      of[Math.floor(this.#random() * of.length)] as string;
    const cell = one(cells);
    const sample = {
      cell,
      nodeId: one(nodes),
      rttMs: 5 + 200 * this.#random(),
      lossRatio: 0,
      jitterMs: 1,
      sampleCount: 1,
      origin: "BEACON" as const,
      vantage: `ledger-${this.#sent}`,
      synthetic: true,
    };
    this.#producer.send(pathSamples, cell, sample, Date.now());
  }
}
