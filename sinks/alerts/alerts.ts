import { hex16 } from "../../streams/identity.ts";
import { type Sink, sinkInput } from "../../streams/sink.ts";
import { alerts } from "../../streams/topics.ts";

/** Delivers one alert; throws when it could not after its own retries. */
export type Deliver = (body: string, idempotencyKey: string) => Promise<void>;

/**
 * Carries `alerts.v1` to people: one delivery a change of an alert, in order for each alert, at least once, from where
 * the last run stopped. What cannot be delivered becomes a dead letter, and the others go on.
 */
export function alertSink(deliver: Deliver): Sink {
  return {
    name: "alerts",
    from: "committed",
    inputs: [
      sinkInput(alerts, ({ value }) => {
        if (value === null) return;
        const { eventId, logicVersion: _logicVersion, ...alert } = value;
        const id = hex16(eventId);
        return deliver(JSON.stringify({ id, ...alert }), id);
      }),
    ],
    flush: () => Promise.resolve(),
  };
}
