import { Decoder } from "../schemas/codec.ts";
import type { SchemaTable } from "../schemas/schema-table.ts";
import type { Input, Processor } from "./processor.ts";
import type { Topic } from "./topic.ts";

/** One input of a task: which slots it reads and how it decodes them. */
export interface TaskInput {
  readonly input: Input<never>;
  readonly topic: Topic<unknown>;
  /** Slots of the topic that this task reads. */
  readonly slots: readonly number[];
  readonly decoder: Decoder<unknown>;
}

/** The inputs of `processor` on `slot`, in the order in which the processor declares them. */
export function taskInputs(
  processor: Processor,
  slot: number,
  slots: number,
  schemas: SchemaTable,
): TaskInput[] {
  const all = Array.from({ length: slots }, (_, index) => index);
  return processor.inputs.map((input) => {
    const topic = input.topic as Topic<unknown>;
    const wide = input.scope === "global" || processor.tasks === "one";
    return {
      input,
      topic,
      slots: wide ? all : [slot],
      decoder: new Decoder(topic.schema, schemas),
    };
  });
}
