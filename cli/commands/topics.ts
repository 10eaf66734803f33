import type { Log } from "../../streams/log.ts";
import { allTopics, topicByName } from "../../streams/topics.ts";
import { printJson, printTable } from "../output.ts";

/** `opencdn topics`: what each topic holds, summed over its slots. */
export async function listTopics(log: Log, options: { readonly json: boolean }): Promise<void> {
  const sums = new Map<string, { records: number; sizeBytes: number; slots: number }>();
  for (const { topic, startOffset, endOffset, sizeBytes } of await log.status()) {
    const sum = sums.get(topic) ?? { records: 0, sizeBytes: 0, slots: 0 };
    sum.records += endOffset - startOffset;
    sum.sizeBytes += sizeBytes;
    sum.slots += endOffset > startOffset ? 1 : 0;
    sums.set(topic, sum);
  }
  const known = allTopics.map((topic) => topic.name);
  const names = [...known, ...[...sums.keys()].filter((name) => !known.includes(name)).sort()];
  const rows = names.map((name) => {
    const sum = sums.get(name) ?? { records: 0, sizeBytes: 0, slots: 0 };
    const topic = known.includes(name) ? topicByName(name) : undefined;
    return { topic: name, kind: topic?.kind ?? "", ...sum, doc: topic?.doc ?? "" };
  });
  if (options.json) {
    printJson({ logId: log.logId, slots: log.slots, historical: log.historical, topics: rows });
    return;
  }
  printTable(
    ["topic", "kind", "records", "bytes", "slots used", "what"],
    rows.map((row) => [row.topic, row.kind, row.records, row.sizeBytes, row.slots, row.doc]),
  );
}
