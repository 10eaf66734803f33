import { z } from "zod";
import { anomalyOptions } from "../processors/anomaly/config.ts";
import { anomalyProcessor } from "../processors/anomaly/processor.ts";
import { failoverOptions } from "../processors/failover/config.ts";
import { failoverProcessor } from "../processors/failover/processor.ts";
import { allocatorOptions } from "../processors/router/allocator/config.ts";
import { allocatorProcessor } from "../processors/router/allocator/processor.ts";
import { decideOptions } from "../processors/router/decide/config.ts";
import { decideProcessor } from "../processors/router/decide/processor.ts";
import { estimatesOptions } from "../processors/router/estimates/config.ts";
import { estimatesProcessor } from "../processors/router/estimates/processor.ts";
import { ribOptions } from "../processors/router/rib/config.ts";
import { ribProcessor } from "../processors/router/rib/processor.ts";
import { visibilityOptions } from "../processors/router/visibility/config.ts";
import { visibilityProcessor } from "../processors/router/visibility/processor.ts";
import type { Processor } from "../streams/processor.ts";

/** Options of every processor, by its name. */
export interface TopologyOptions {
  readonly rib: z.output<typeof ribOptions>;
  readonly visibility: z.output<typeof visibilityOptions>;
  readonly estimates: z.output<typeof estimatesOptions>;
  readonly decide: z.output<typeof decideOptions>;
  readonly allocator: z.output<typeof allocatorOptions>;
  readonly failover: z.output<typeof failoverOptions>;
  readonly anomaly: z.output<typeof anomalyOptions>;
}

export interface TopologyInput {
  readonly rib?: z.input<typeof ribOptions> | undefined;
  readonly visibility?: z.input<typeof visibilityOptions> | undefined;
  readonly estimates?: z.input<typeof estimatesOptions> | undefined;
  readonly decide?: z.input<typeof decideOptions> | undefined;
  readonly allocator?: z.input<typeof allocatorOptions> | undefined;
  readonly failover?: z.input<typeof failoverOptions> | undefined;
  readonly anomaly?: z.input<typeof anomalyOptions> | undefined;
}

/** Unknown processors and options are refused. */
export const topologySchema: z.ZodType<TopologyOptions, TopologyInput> = z.strictObject({
  rib: ribOptions.prefault({}),
  visibility: visibilityOptions.prefault({}),
  estimates: estimatesOptions.prefault({}),
  decide: decideOptions.prefault({}),
  allocator: allocatorOptions.prefault({}),
  failover: failoverOptions.prefault({}),
  anomaly: anomalyOptions.prefault({}),
});

/** The processors of a whole system, in the order in which an event travels. */
export function topology(input: TopologyInput = {}): Processor[] {
  const options = topologySchema.parse(input);
  return [
    ribProcessor(options.rib),
    visibilityProcessor(options.visibility),
    estimatesProcessor(options.estimates),
    decideProcessor(options.decide),
    allocatorProcessor(options.allocator),
    failoverProcessor(options.failover),
    anomalyProcessor(options.anomaly),
  ];
}

/** The part that turns path samples into decisions, without clocks: what a log of recorded samples runs. */
export function routing(options: TopologyOptions): Processor[] {
  return [estimatesProcessor(options.estimates), decideProcessor(options.decide)];
}
