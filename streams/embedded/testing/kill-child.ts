import { writeSync } from "node:fs";
import { killGroup, openKillLog } from "./kill-plan.ts";

/**
 * Goes on with the groups of a kill test until somebody kills it. A line "N" on the standard output says that the
 * groups 0 to N-1 are acknowledged. Arguments: folder and seed.
 */
const [folder = "", seed = "0"] = process.argv.slice(2);
const log = await openKillLog(folder);
let next = Number(log.sourcePosition("feed") ?? "0");
writeSync(1, `${next}\n`);
for (;;) {
  const { outcome, group } = killGroup(Number(seed), next);
  const { appends } = await log.commit(group);
  if (appends[0]?.kind !== outcome) throw new Error(`group ${next}: ${appends[0]?.kind}`);
  next += 1;
  writeSync(1, `${next}\n`);
}
