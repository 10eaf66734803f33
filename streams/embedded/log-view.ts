import { SchemaTable } from "../../schemas/schema-table.ts";
import { OpenCdnError } from "../errors.ts";
import { nearestName } from "../topics.ts";
import type { TopicNames } from "./protocol.ts";
import type { Welcome } from "./protocol-answers.ts";

/**
 * What all connections of a client know of the log. A log whose folder was replaced has another id; then
 * `schemas` is another table too, so that whoever keeps decoders can tell.
 */
export class LogView {
  logId: string;
  slots: number;
  historical: boolean;
  topics: TopicNames;
  schemas: SchemaTable = new SchemaTable();

  constructor(welcome: Welcome) {
    this.logId = welcome.logId;
    this.slots = welcome.slots;
    this.historical = welcome.historical;
    this.topics = welcome.topics;
    this.learn(welcome.schemas);
  }

  /** Takes over what a new connection was told. */
  adopt(welcome: Welcome): void {
    if (welcome.logId !== this.logId) this.schemas = new SchemaTable();
    this.logId = welcome.logId;
    this.slots = welcome.slots;
    this.historical = welcome.historical;
    this.topics = welcome.topics;
    this.learn(welcome.schemas);
  }

  /** Enters schemas that are new; where they contradict what is known, another table begins. */
  learn(told: SchemaTable): void {
    if (!enter(told, this.schemas)) {
      this.schemas = new SchemaTable();
      enter(told, this.schemas);
    }
  }

  /** Throws OCDN_UNKNOWN_TOPIC with the nearest name that the log knows. */
  requireTopic(doing: string, topic: string): void {
    if (this.topics.idOf(topic) !== undefined) return;
    const names = this.topics.rows.map((row) => row.name);
    const hint = names.length === 0 ? "" : `; did you mean ${nearestName(topic, names)}?`;
    throw new OpenCdnError("OCDN_UNKNOWN_TOPIC", `${doing}: no topic ${topic.slice(0, 80)}${hint}`);
  }

  /** Throws OCDN_BAD_INPUT for a slot that the log does not have. */
  requireSlot(doing: string, slot: number): void {
    if (Number.isInteger(slot) && slot >= 0 && slot < this.slots) return;
    throw new OpenCdnError("OCDN_BAD_INPUT", `${doing}: slot ${slot} of a log with ${this.slots}`);
  }
}

/** False when `into` holds another schema under one of the ids. */
function enter(told: SchemaTable, into: SchemaTable): boolean {
  return told.toJSON().every(({ id }) => {
    const schema = told.schemaOf(id);
    return schema === undefined || into.set(id, schema) === undefined;
  });
}
