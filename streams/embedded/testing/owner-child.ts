import readline from "node:readline";
import { codeOf } from "../../errors.ts";
import type { EmbeddedLog } from "../embedded-log.ts";
import { feed, openLog, section } from "./log-fixture.ts";

/**
 * A process that opens logs as it is told, one command a line: `open FOLDER`, `commit N`, `close`. It answers each
 * with one line: `ok` or the code of the error.
 */
let log: EmbeddedLog | undefined;

async function run(command: string, argument: string): Promise<void> {
  if (command === "open") log = await openLog(argument, { sync: true });
  else if (command === "commit") {
    const n = Number(argument);
    await log?.commit(feed(n, n + 1, section("in.v1", 0, [["k", String(n)]])));
  } else await log?.close();
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const [command = "", argument = ""] = line.split(" ");
  try {
    await run(command, argument);
    process.stdout.write("ok\n");
  } catch (error) {
    process.stdout.write(`${codeOf(error)}\n`);
  }
}
