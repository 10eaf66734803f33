import { Counter, Gauge, type Registry } from "prom-client";
import { type SinkInput, sinkInput } from "../../streams/sink.ts";
import { deadLetters, taskCommits } from "../../streams/topics.ts";
import type { LabelSpace } from "./label-space.ts";

/** What processors did and what could not be processed. */
export function taskSeries(
  registry: Registry,
  labels: { readonly processors: LabelSpace; readonly codes: LabelSpace },
): SinkInput<never>[] {
  const { processors, codes } = labels;
  const registers = [registry];
  const commits = new Counter({
    name: "opencdn_task_commits_total",
    help: "Commits of tasks, by processor.",
    labelNames: ["processor"],
    registers,
  });
  const records = new Counter({
    name: "opencdn_task_records_total",
    help: "Records that tasks took, by processor.",
    labelNames: ["processor"],
    registers,
  });
  const last = new Gauge({
    name: "opencdn_task_last_commit_timestamp_seconds",
    help: "When a task of the processor last committed.",
    labelNames: ["processor"],
    registers,
  });
  const letters = new Counter({
    name: "opencdn_dead_letters_total",
    help: "Records that could not be processed, by who refused them and why.",
    labelNames: ["processor", "code"],
    registers,
  });
  return [
    sinkInput(taskCommits, ({ value, timestampMs }) => {
      if (value === null) return;
      const processor = processors.of(value.processor);
      commits.inc({ processor });
      records.inc({ processor }, Math.max(0, value.inputCount));
      last.set({ processor }, timestampMs / 1_000);
    }),
    sinkInput(deadLetters, ({ value }) => {
      if (value === null) return;
      letters.inc({ processor: processors.of(value.processor), code: codes.of(value.code) });
    }),
  ];
}
