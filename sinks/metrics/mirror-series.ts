import { Counter, Gauge, type Registry } from "prom-client";

/** What is shown of a table that is kept in Redis. */
export interface MirrorFigures {
  readonly connected: boolean;
  readonly equal: boolean;
  readonly waiting: number;
  readonly rebuilds: number;
  readonly rebuildSeconds: number;
  readonly failures: number;
}

/** Gauges of the scores in Redis, read when somebody asks. */
export function mirrorSeries(registry: Registry, now: () => MirrorFigures): void {
  const gauge = (name: string, help: string, value: () => number): void => {
    const collect = function (this: Gauge): void {
      this.set(value());
    };
    new Gauge({ name: `opencdn_redis_${name}`, help, registers: [registry], collect });
  };
  const counter = (name: string, help: string, value: () => number): void => {
    const collect = function (this: Counter): void {
      this.reset();
      this.inc(value());
    };
    new Counter({ name: `opencdn_redis_${name}_total`, help, registers: [registry], collect });
  };
  gauge("connected", "1 while Redis is reached.", () => Number(now().connected));
  gauge("scores_equal", "1 while the scores in Redis are those of the log.", () =>
    Number(now().equal),
  );
  gauge("scores_waiting", "Nodes whose score waits to be written to Redis.", () => now().waiting);
  gauge("scores_rebuild_seconds", "What the last rebuild of the scores in Redis took.", () => {
    return now().rebuildSeconds;
  });
  counter("scores_rebuilds", "Rebuilds of the scores in Redis.", () => now().rebuilds);
  counter("failures", "Attempts to write scores to Redis that failed.", () => now().failures);
}
