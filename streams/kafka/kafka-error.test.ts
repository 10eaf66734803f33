import { describe, expect, it } from "vitest";
import { OpenCdnError } from "../errors.ts";
import { isLeaderless, kafkaCodeOf, kafkaError } from "./kafka-error.ts";

function thrown(name: string, message: string, more: object = {}): Error {
  return Object.assign(new Error(message), { name, ...more });
}

describe("kafkaError", () => {
  it("tells what was being done and what really happened below retries", () => {
    const root = thrown("KafkaJSConnectionError", "Connection error:\n refused");
    const retries = thrown("KafkaJSNumberOfRetriesExceeded", "again", { cause: root });
    const error = kafkaError("listing topics", retries);
    expect(error.code).toBe("OCDN_DISCONNECTED");
    expect(error.message).toBe("listing topics: Connection error: refused");
  });

  it("names the topic of the first error of several", () => {
    const one = thrown("KafkaJSCreateTopicError", "no room", { topic: "a.v1" });
    const error = kafkaError(
      "making topics",
      thrown("KafkaJSAggregateError", "", { errors: [one] }),
    );
    expect(error.message).toBe("making topics: a.v1: no room");
    expect(error.code).toBe("OCDN_KAFKA");
  });

  it.each([
    ["KafkaJSSASLAuthenticationError", undefined, "OCDN_ACCESS"],
    ["KafkaJSProtocolError", "TOPIC_AUTHORIZATION_FAILED", "OCDN_ACCESS"],
    ["KafkaJSProtocolError", "CLUSTER_AUTHORIZATION_FAILED", "OCDN_ACCESS"],
    ["KafkaJSRequestTimeoutError", undefined, "OCDN_TIMEOUT"],
    ["KafkaJSBrokerNotFound", undefined, "OCDN_DISCONNECTED"],
    ["KafkaJSProtocolError", "INVALID_PRODUCER_EPOCH", "OCDN_FENCED"],
    ["KafkaJSProtocolError", "INVALID_CONFIG", "OCDN_KAFKA"],
  ])("gives %s %s the code %s", (name, type, code) => {
    expect(kafkaCodeOf(thrown(name, "x", { type }))).toBe(code);
  });

  it("lets ours pass, bounds the text and survives what is no error", () => {
    const ours = new OpenCdnError("OCDN_TIMEOUT", "late");
    expect(kafkaError("x", ours)).toBe(ours);
    expect(kafkaError("x", thrown("E", "y".repeat(9_999))).message.length).toBeLessThan(400);
    expect(kafkaError("x", null).message).toBe("x: null");
    const loop = thrown("KafkaJSNumberOfRetriesExceeded", "loop");
    Object.assign(loop, { cause: loop });
    expect(kafkaError("x", loop).message).toBe("x: loop");
  });

  it("says what to do without an authorizer", () => {
    const error = kafkaError(
      "x",
      thrown("KafkaJSProtocolError", "off", { type: "SECURITY_DISABLED" }),
    );
    expect(error.message).toMatch(/authorizer\.class\.name/);
  });

  it("tells a partition without a leader from other refusals", () => {
    const refusal = (type: string): boolean =>
      isLeaderless(
        thrown("KafkaJSNumberOfRetriesExceeded", "x", { cause: thrown("K", "y", { type }) }),
      );
    expect(refusal("NOT_LEADER_FOR_PARTITION")).toBe(true);
    expect(refusal("INVALID_CONFIG")).toBe(false);
  });
});
