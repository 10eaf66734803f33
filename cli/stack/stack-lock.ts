import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { OpenCdnError } from "../../streams/errors.ts";
import { identityOf, isAlive, type ProcessIdentity } from "../../streams/process-identity.ts";

/** Runs `work` while no other command changes this stack. Throws OCDN_FOLDER_OWNED when one does. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  await take(file);
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

async function take(file: string): Promise<void> {
  const own = `${file}.${process.pid}`;
  await writeFile(own, JSON.stringify(identityOf(process.pid)), { mode: 0o600 });
  try {
    // One second attempt, after the lock of a dead process was taken away.
    for (const attempt of [1, 2]) {
      try {
        // A link appears with its content, or not at all.
        await link(own, file);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
        const owner = await ownerOf(file);
        if (attempt === 2 || (owner !== undefined && isAlive(owner))) throw owned(owner, error);
        // Whoever renames it first takes it away.
        await rename(file, `${own}.stale`).catch(() => undefined);
        await rm(`${own}.stale`, { force: true });
      }
    }
  } finally {
    await rm(own, { force: true });
  }
}

async function ownerOf(file: string): Promise<ProcessIdentity | undefined> {
  try {
    return (JSON.parse(await readFile(file, "utf8")) as ProcessIdentity | null) ?? undefined;
  } catch {
    return undefined;
  }
}

function owned(owner: ProcessIdentity | undefined, cause: unknown): OpenCdnError {
  return new OpenCdnError(
    "OCDN_FOLDER_OWNED",
    `locking the stack: another \`opencdn stack\` command (pid ${owner?.pid ?? "unknown"}) is changing it; try again when it is done`,
    { cause },
  );
}
