import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";

/** Scheduling policy and niceness of each thread of a process that gave way, from /proc/PID/task/TID/stat. */
const script = `
  import { readdirSync, readFileSync } from "node:fs";
  import { giveWay } from ${JSON.stringify(new URL("./give-way.ts", import.meta.url).href)};
  giveWay();
  const threads = readdirSync("/proc/self/task").map((thread) => {
    const fields = readFileSync("/proc/self/task/" + thread + "/stat", "utf8").split(") ")[1].split(" ");
    return { nice: Number(fields[16]), policy: Number(fields[38]) };
  });
  console.log(JSON.stringify(threads));
`;
const idlePolicy = 5;

const onLinux = it.skipIf(process.platform !== "linux");

function threadsOf(path: string): { readonly nice: number; readonly policy: number }[] {
  const parameters = ["--import", "tsx", "--input-type=module", "--eval", script];
  const env = { ...process.env, PATH: path };
  return JSON.parse(execFileSync(process.execPath, parameters, { encoding: "utf8", env }));
}

onLinux("every thread gives way, by the idle policy or, without chrt, by its priority", () => {
  const idle = threadsOf(process.env["PATH"] ?? "");
  expect(idle.length).toBeGreaterThan(1);
  for (const { nice, policy } of idle) expect(policy === idlePolicy || nice === 19).toBe(true);
  const nice = threadsOf("/nowhere");
  for (const thread of nice) expect(thread).toEqual({ nice: 19, policy: 0 });
});
