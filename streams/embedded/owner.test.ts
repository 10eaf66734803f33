import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { defineSchema } from "../../schemas/event-schema.ts";
import { type OwnerRecord, ownerIsAlive, ownerSocketPath } from "./owner.ts";
import { Child } from "./testing/child.ts";
import {
  crashImage,
  feed,
  newFolder,
  openLog,
  readAll,
  removeFolders,
  section,
  segmentPaths,
} from "./testing/log-fixture.ts";

const children: Child[] = [];
function startChild(): Child {
  const child = new Child(new URL("./testing/owner-child.ts", import.meta.url));
  children.push(child);
  return child;
}
afterEach(async () => {
  for (const child of children.splice(0)) await child.kill("SIGKILL");
});
afterAll(removeFolders);

const dead = async (): Promise<boolean> => false;
const group = (n: number) => feed(n, n + 1, section("in.v1", 0, [["k", String(n)]]));

describe("a folder", () => {
  it("has one owner, whose pid the others are told", async () => {
    const folder = newFolder();
    const log = await openLog(folder);
    await expect(openLog(folder)).rejects.toMatchObject({
      code: "OCDN_FOLDER_OWNED",
      message: `opening ${folder}: process ${process.pid} owns it; stop it or go through it`,
    });
    await log.commit(group(0));
    await log.close();
    const next = await openLog(folder);
    expect(readAll(next, "in.v1", 0)).toEqual([["k", "0"]]);
    await next.close();
  });

  it("is never won by two processes that race for it", async () => {
    const [one, other] = [startChild(), startChild()];
    const folder = newFolder();
    const wins = [0, 0];
    for (let round = 0; round < 20; round++) {
      const answers = await Promise.all([one.ask(`open ${folder}`), other.ask(`open ${folder}`)]);
      expect([...answers].sort()).toEqual(["OCDN_FOLDER_OWNED", "ok"]);
      const winner = answers[0] === "ok" ? 0 : 1;
      wins[winner] = (wins[winner] as number) + 1;
      const owner = winner === 0 ? one : other;
      expect(await owner.ask(`commit ${round}`)).toBe("ok");
      expect(await owner.ask("close")).toBe("ok");
    }
    expect((wins[0] as number) + (wins[1] as number)).toBe(20);
    const log = await openLog(folder);
    expect(readAll(log, "in.v1", 0)).toHaveLength(20);
    await log.close();
  }, 10_000);

  it("is made once by two processes that make it at the same time", async () => {
    const [one, other] = [startChild(), startChild()];
    for (let round = 0; round < 30; round++) {
      const folder = newFolder();
      const answers = await Promise.all([one.ask(`open ${folder}`), other.ask(`open ${folder}`)]);
      expect([...answers].sort()).toEqual(["OCDN_FOLDER_OWNED", "ok"]);
      expect(await (answers[0] === "ok" ? one : other).ask("close")).toBe("ok");
    }
  }, 10_000);

  it("can be taken when its owner was killed", async () => {
    const child = startChild();
    const folder = newFolder();
    expect(await child.ask(`open ${folder}`)).toBe("ok");
    expect(await child.ask("commit 0")).toBe("ok");
    await expect(openLog(folder)).rejects.toMatchObject({
      message: expect.stringContaining(`process ${child.process.pid} owns it`),
    });
    await child.kill("SIGKILL");
    const log = await openLog(folder);
    expect(readAll(log, "in.v1", 0)).toEqual([["k", "0"]]);
    await log.close();
  }, 5_000);

  it("that is a copy does not belong to the original's owner", async () => {
    const folder = newFolder();
    const log = await openLog(folder);
    await log.commit(group(0));
    const copy = await openLog(crashImage(folder));
    expect(readAll(copy, "in.v1", 0)).toEqual([["k", "0"]]);
    await copy.close();
    await log.close();
  });
});

describe("an owner that was replaced", () => {
  it("is fenced with its next commit, which counts for nobody", async () => {
    const folder = newFolder();
    const zombie = await openLog(folder);
    await zombie.commit(group(0));
    const log = await openLog(folder, {}, { ownerIsAlive: dead });
    await log.commit(group(1));
    await expect(zombie.commit(group(1))).rejects.toMatchObject({
      code: "OCDN_FENCED",
      message: expect.stringContaining("this process must stop"),
    });
    await expect(zombie.commit(group(1))).rejects.toMatchObject({ code: "OCDN_FENCED" });
    await log.commit(group(2));
    await zombie.close();
    const all = [0, 1, 2].map((n) => ["k", String(n)]);
    expect(readAll(log, "in.v1", 0)).toEqual(all);
    await log.close();
    const again = await openLog(folder);
    expect(readAll(again, "in.v1", 0)).toEqual(all);
    expect(again.sourcePosition("feed")).toBe("3");
    await again.close();
  });

  it("while it was stopped writes nothing into the state when it goes on", async () => {
    const child = startChild();
    const folder = newFolder();
    await child.ask(`open ${folder}`);
    for (let n = 0; n < 3; n++) expect(await child.ask(`commit ${n}`)).toBe("ok");
    child.process.kill("SIGSTOP");
    const log = await openLog(folder, {}, { ownerIsAlive: dead });
    expect(log.recovered.groups).toBe(3);
    await log.commit(group(3));
    child.process.kill("SIGCONT");
    expect(await child.ask("commit 3")).toBe("OCDN_FENCED");
    expect(await child.ask("commit 4")).toBe("OCDN_FENCED");
    expect(await child.ask("close")).toBe("ok");
    await log.commit(group(4));
    expect(readAll(log, "in.v1", 0)).toEqual([0, 1, 2, 3, 4].map((n) => ["k", String(n)]));
    await log.close();
    const again = await openLog(folder);
    expect(readAll(again, "in.v1", 0)).toHaveLength(5);
    await again.close();
  }, 5_000);

  it("can't bring LMDB up to its own log, register schemas or remove segments", async () => {
    const folder = newFolder();
    const value = "v".repeat(1_000);
    const zombie = await openLog(folder, { retentionMs: 0, segmentBytes: 4_096 });
    for (let n = 0; n < 20; n++) {
      await zombie.commit(feed(n, n + 1, section("in.v1", 0, [["k", value]])));
    }
    const log = await openLog(folder, {}, { ownerIsAlive: dead });
    await expect(zombie.retain(1_000_000)).rejects.toMatchObject({ code: "OCDN_FENCED" });
    const schema = defineSchema<never>('"string"');
    await expect(zombie.registerSchemas([schema])).rejects.toMatchObject({ code: "OCDN_FENCED" });
    expect(zombie.schemas.size).toBe(0);
    await zombie.close();
    await log.commit(group(20));
    const killed = await openLog(crashImage(folder));
    expect(killed.endOffset("in.v1", 0)).toBe(21);
    await killed.close();
    await log.close();
  });

  it("leaves segments of its own that nobody reads", async () => {
    const folder = newFolder();
    const zombie = await openLog(folder, { segmentBytes: 4_096 });
    const value = "v".repeat(5_000);
    await zombie.commit(feed(0, 1, section("in.v1", 0, [["k", value]])));
    const log = await openLog(folder, {}, { ownerIsAlive: dead });
    // The zombie's next segment gets the number that the new owner's first one gets.
    const late = feed(1, 2, section("in.v1", 0, [["k", "zombie"]]));
    await expect(zombie.commit(late)).rejects.toMatchObject({ code: "OCDN_FENCED" });
    await log.commit(group(1));
    const image = crashImage(folder);
    expect(segmentPaths(image).map((file) => path.basename(file))).toEqual([
      "0000000001-000001.seg",
      "0000000002-000001.seg",
      "0000000002-000002.seg",
    ]);
    const killed = await openLog(image);
    expect(readAll(killed, "in.v1", 0).map(([, text]) => text)).toEqual([value, "1"]);
    expect(segmentPaths(image)).toHaveLength(2);
    await killed.close();
    await zombie.close();
    await log.close();
  });
});

describe("liveness", () => {
  const record = (fields: Partial<OwnerRecord>): OwnerRecord => {
    const bootId = fs.readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    const none = { epoch: 1, pid: process.pid, startTime: "", folderId: "", socket: "/nowhere" };
    return { ...none, bootId, ...fields };
  };

  it("is that of the process, not of another that got its pid", async () => {
    expect(await ownerIsAlive(record({}))).toBe(true);
    expect(await ownerIsAlive(record({ startTime: "1" }))).toBe(false);
    expect(await ownerIsAlive(record({ pid: 4_194_304 }))).toBe(false);
    expect(await ownerIsAlive(record({ bootId: "before the restart" }))).toBe(false);
    expect(await ownerIsAlive(record({ pid: 0 }))).toBe(false);
  });

  it("is also that of whoever answers on the socket", async () => {
    const folder = newFolder();
    fs.mkdirSync(folder);
    const socket = ownerSocketPath(folder);
    const server = net.createServer();
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    expect(await ownerIsAlive(record({ pid: 4_194_304, socket }))).toBe(true);
    await new Promise((resolve) => server.close(resolve));
    expect(await ownerIsAlive(record({ pid: 4_194_304, socket }))).toBe(false);
  });
});

describe("the owner's socket", () => {
  it("lies in the folder where the path is short enough", () => {
    expect(ownerSocketPath("/data/log")).toBe("/data/log/owner.sock");
  });

  it("lies in a folder of this user's alone where it is not, the same for the same folder", () => {
    const long = `/data/${"d".repeat(100)}`;
    const socket = ownerSocketPath(long);
    expect(ownerSocketPath(`${long}/`)).toBe(socket);
    expect(ownerSocketPath(`${long}x`)).not.toBe(socket);
    expect(Buffer.byteLength(socket)).toBeLessThanOrEqual(107);
    const parent = path.dirname(socket);
    expect(parent.startsWith(os.tmpdir())).toBe(true);
    expect(fs.statSync(parent).mode & 0o777).toBe(0o700);
  });
});
