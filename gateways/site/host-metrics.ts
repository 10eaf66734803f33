import { cpus, freemem, totalmem } from "node:os";
import { monitorEventLoopDelay } from "node:perf_hooks";

/**
 * `host`: the whole machine, as on a real edge node. `process`: this process against the machine, for several
 * demonstration nodes on one.
 */
export type MetricsScope = "host" | "process";

/** What one interval looked like. */
export interface HostSample {
  /** 0..1 of all cores. */
  readonly cpuRatio: number;
  /** 0..1 of the machine's memory. */
  readonly memoryRatio: number;
  /** Mean delay of the event loop beyond its timer. */
  readonly eventLoopDelayMs: number;
}

const resolutionMs = 20;

/** Measures CPU, memory and event-loop delay between two calls of `take`. */
export class HostMetrics {
  readonly #scope: MetricsScope;
  readonly #loop = monitorEventLoopDelay({ resolution: resolutionMs });
  #busyMs: number;
  #totalMs: number;
  #loopCount = 0;
  #loopMs = 0;

  constructor(scope: MetricsScope) {
    this.#scope = scope;
    const { busyMs, totalMs } = cpuTimes(scope);
    this.#busyMs = busyMs;
    this.#totalMs = totalMs;
    this.#loop.enable();
  }

  /** What happened since the last call, or since the start. */
  take(): HostSample {
    const { busyMs, totalMs } = cpuTimes(this.#scope);
    const passedMs = totalMs - this.#totalMs;
    const cpuRatio = passedMs > 0 ? (busyMs - this.#busyMs) / passedMs : 0;
    this.#busyMs = busyMs;
    this.#totalMs = totalMs;
    return {
      cpuRatio: clamp(cpuRatio),
      memoryRatio: clamp(memoryRatio(this.#scope)),
      eventLoopDelayMs: this.#loopDelayMs(),
    };
  }

  close(): void {
    this.#loop.disable();
  }

  /** From the totals: a reset would forget the delay that is just under way. */
  #loopDelayMs(): number {
    const count = this.#loop.count;
    const totalMs = count === 0 ? 0 : (this.#loop.mean * count) / 1_000_000;
    const ticks = count - this.#loopCount;
    const meanMs = ticks === 0 ? 0 : (totalMs - this.#loopMs) / ticks;
    this.#loopCount = count;
    this.#loopMs = totalMs;
    return Math.max(0, meanMs - resolutionMs);
  }
}

function cpuTimes(scope: MetricsScope): { busyMs: number; totalMs: number } {
  if (scope === "process") {
    const { user, system } = process.cpuUsage();
    return { busyMs: (user + system) / 1_000, totalMs: performance.now() * cpus().length };
  }
  let busyMs = 0;
  let totalMs = 0;
  for (const { times } of cpus()) {
    const allMs = times.user + times.nice + times.sys + times.idle + times.irq;
    busyMs += allMs - times.idle;
    totalMs += allMs;
  }
  return { busyMs, totalMs };
}

function memoryRatio(scope: MetricsScope): number {
  const usedBytes = scope === "process" ? process.memoryUsage.rss() : totalmem() - freemem();
  return usedBytes / totalmem();
}

function clamp(ratio: number): number {
  return Math.min(1, Math.max(0, ratio));
}
