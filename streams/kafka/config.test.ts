import { describe, expect, it } from "vitest";
import { readConfig } from "../read-config.ts";
import { kafkaSchema } from "./config.ts";
import { registrySchema } from "./registry-config.ts";

const read = (input: object): ReturnType<typeof kafkaSchema.parse> =>
  readConfig(kafkaSchema, input, "Kafka");

describe("kafkaSchema", () => {
  it("takes brokers as a list and as one word with commas", () => {
    const wanted = ["127.0.0.1:9092", "[::1]:9093"];
    expect(read({ brokers: "127.0.0.1:9092, [::1]:9093" }).brokers).toEqual(wanted);
    expect(read({ brokers: wanted }).brokers).toEqual(wanted);
  });

  it("refuses what is no broker, in one sentence", () => {
    for (const brokers of ["", "host", "http://host:1", "a:1,,b:2", [], "a:b"])
      expect(() => read({ brokers })).toThrow(/^reading the configuration of Kafka: brokers/);
  });

  it("refuses unknown keys with the nearest one", () => {
    expect(() => read({ brokers: "a:1", clientID: "x" })).toThrow(/did you mean clientId/);
    expect(() =>
      read({ brokers: "a:1", sasl: { username: "u", password: "s3cret", passwordFile: "f" } }),
    ).toThrow(/no option password, did you mean passwordFile/);
  });

  it("wants exactly one place of the password, and never the password", () => {
    const sasl = (more: object): object => ({ brokers: "a:1", sasl: { username: "u", ...more } });
    expect(() => read(sasl({}))).toThrow(/either passwordFile or passwordVariable/);
    expect(() => read(sasl({ passwordFile: "f", passwordVariable: "V" }))).toThrow(/either/);
    expect(read(sasl({ passwordVariable: "V" })).sasl?.mechanism).toBe("scram-sha-512");
  });

  it("wants certificate and key together", () => {
    expect(() => read({ brokers: "a:1", tls: { keyFile: "k" } })).toThrow(/go together/);
    expect(read({ brokers: "a:1", tls: {} }).tls).toEqual({});
  });
});

describe("registrySchema", () => {
  it("takes a plain URL and drops the slashes at its end", () => {
    const config = readConfig(registrySchema, { url: "http://h:1/apis/ccompat/v7//" }, "it");
    expect(config.url).toBe("http://h:1/apis/ccompat/v7");
  });

  it("refuses a URL that could hold a secret, without showing it", () => {
    for (const url of ["http://u:hush@h", "http://u@h", "http://h?token=hush", "ftp://h", "h"]) {
      const attempt = (): unknown => readConfig(registrySchema, { url }, "the registry");
      expect(attempt).toThrow(/without user/);
      expect(attempt).not.toThrow(/hush/);
    }
  });
});
