import {
  AvroDeserializer,
  AvroSerializer,
  SchemaRegistryClient,
  SerdeType,
  SubjectNameStrategyType,
} from "@confluentinc/schemaregistry";
import { describe, expect, it } from "vitest";
import { Arena } from "./arena.ts";
import { Decoder, encodeFrame } from "./codec.ts";
import { eventSchemas } from "./generated/events.ts";
import { SchemaTable } from "./schema-table.ts";

const strategy = { subjectNameStrategyType: SubjectNameStrategyType.TOPIC };

describe("frames and Confluent's own serializer", () => {
  it.each(eventSchemas.map((schema) => [schema.name, schema] as const))(
    "agree byte for byte on %s, and each reads the other's",
    async (name, schema) => {
      const client = SchemaRegistryClient.newClient({ baseURLs: ["mock://"] });
      const id = await client.register(
        `${name}-value`,
        {
          schemaType: "AVRO",
          schema: schema.json,
        },
        false,
      );
      const serializer = new AvroSerializer(client, SerdeType.VALUE, {
        ...strategy,
        useLatestVersion: true,
      });
      const deserializer = new AvroDeserializer(client, SerdeType.VALUE, strategy);
      const table = new SchemaTable();
      table.set(id, schema);
      const decoder = new Decoder(schema, table);
      const arena = new Arena();
      for (let turn = 0; turn < 20; turn += 1) {
        const value = schema.type.random();
        const start = arena.position;
        expect(encodeFrame(schema, id, value, arena)).toBeGreaterThan(5);
        const ours = Buffer.from(arena.bytes(start));
        const theirs = await serializer.serialize(name, value);
        expect(ours).toEqual(theirs);
        expect(await deserializer.deserialize(name, ours)).toEqual(
          decoder.decodeFrame(theirs, 0, theirs.length),
        );
      }
    },
  );
});
