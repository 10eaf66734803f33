import { createHash } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { OpenCdnError } from "../errors.ts";
import { bootId, statOf } from "../process-identity.ts";
import type { StateDb } from "./state-db.ts";

const ownerFact = "owner";
/** Longest path of a Unix socket, one byte less than `sun_path`. */
const maxSocketPathBytes = 107;
const socketTimeoutMs = 500;
/** A claim looks again when the record changed under it, but not for ever. */
const maxClaims = 20;

/** Who owns a folder; the record stays when it stopped, with pid 0. */
export interface OwnerRecord {
  readonly epoch: number;
  readonly pid: number;
  /** When the process began (clock ticks since boot), so that a re-used pid is not taken for it; "" if unknown. */
  readonly startTime: string;
  readonly bootId: string;
  /** Device and inode of the folder: a copy of a folder is not owned by the original's owner. */
  readonly folderId: string;
  readonly socket: string;
}

/** Whether the process of a record still lives. */
export type Liveness = (record: OwnerRecord) => Promise<boolean>;

/**
 * Path of the socket that the owner of `folder` listens on: `owner.sock` in it, or, where that is too long for a
 * Unix socket, a name in a folder of this user's (mode 0700) under the system's temporary folder.
 */
export function ownerSocketPath(folder: string): string {
  const inside = path.join(path.resolve(folder), "owner.sock");
  if (Buffer.byteLength(inside) <= maxSocketPathBytes) return inside;
  const name = createHash("sha256").update(path.resolve(folder)).digest("hex").slice(0, 24);
  return path.join(runtimeFolder(), `${name}.sock`);
}

function runtimeFolder(): string {
  const uid = process.getuid?.() ?? 0;
  const folder = path.join(os.tmpdir(), `opencdn-${uid}`);
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const stat = fs.lstatSync(folder);
  if (!stat.isDirectory() || stat.uid !== uid || (stat.mode & 0o077) !== 0) {
    throw new OpenCdnError(
      "OCDN_STORAGE",
      `choosing the owner's socket: ${folder} must be a folder of this user's alone (mode 0700)`,
    );
  }
  return folder;
}

/** Records of this process that it could not take back (a full disk) when it closed their folders. */
const givenUp = new Set<string>();

/** Alive is a process with that pid and start time, or whoever answers on the socket (from another pid namespace). */
export const ownerIsAlive: Liveness = async (record) => {
  if (givenUp.has(JSON.stringify(record))) return false;
  if (record.pid > 0 && record.bootId === bootId() && processLives(record)) return true;
  return record.pid > 0 && (await socketAnswers(record.socket));
};

function processLives(record: OwnerRecord): boolean {
  try {
    process.kill(record.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const startTime = startTimeOf(record.pid);
  return startTime === "" || record.startTime === "" || startTime === record.startTime;
}

function socketAnswers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(socketPath);
    const done = (answers: boolean): void => {
      socket.destroy();
      resolve(answers);
    };
    socket.setTimeout(socketTimeoutMs, () => done(true));
    socket.on("connect", () => done(true));
    socket.on("error", () => done(false));
  });
}

/** As text; empty if unknown. */
function startTimeOf(pid: number): string {
  return String(statOf(pid)?.startTicks ?? "");
}

function folderIdOf(folder: string): string {
  const { dev, ino } = fs.statSync(folder);
  return `${dev}:${ino}`;
}

function readRecord(bytes: Buffer | undefined): OwnerRecord | undefined {
  return bytes === undefined ? undefined : (JSON.parse(bytes.toString()) as OwnerRecord);
}

function recordedOwner(db: StateDb): OwnerRecord | undefined {
  db.refresh();
  return readRecord(db.fact(ownerFact));
}

/**
 * One process's claim to a folder. Only one can hold it: taking it compares and sets the record in an exclusive
 * transaction and raises the epoch, and whoever finds another record than its own is fenced.
 */
export class Ownership {
  readonly epoch: number;
  /** Identity of the machine's running time since its last start; "" where it is not known. */
  readonly bootId: string;
  readonly #db: StateDb;
  readonly #record: OwnerRecord;
  readonly #bytes: Buffer;

  private constructor(db: StateDb, record: OwnerRecord) {
    this.bootId = record.bootId;
    this.#db = db;
    this.#record = record;
    this.#bytes = Buffer.from(JSON.stringify(record));
    this.epoch = record.epoch;
  }

  /** Takes the folder; throws OCDN_FOLDER_OWNED, naming the pid, when its owner lives. */
  static async claim(db: StateDb, folder: string, isAlive: Liveness): Promise<Ownership> {
    const folderId = folderIdOf(folder);
    for (let attempt = 0; attempt < maxClaims; attempt++) {
      const before = recordedOwner(db);
      if (before !== undefined && before.pid !== 0 && before.folderId === folderId) {
        if (await isAlive(before)) throw owned(folder, before);
      }
      const ownership = new Ownership(db, {
        epoch: (before?.epoch ?? 0) + 1,
        pid: process.pid,
        startTime: startTimeOf(process.pid),
        bootId: bootId(),
        folderId,
        socket: ownerSocketPath(folder),
      });
      if (ownership.#take(before)) return ownership;
    }
    throw new OpenCdnError("OCDN_FOLDER_OWNED", `opening ${folder}: its owner keeps changing`);
  }

  #take(before: OwnerRecord | undefined): boolean {
    const expected = before === undefined ? undefined : JSON.stringify(before);
    return this.#db.write("taking the ownership of a log", true, () => {
      const now = this.#db.fact(ownerFact)?.toString();
      if (now !== expected) return false;
      this.#db.setFact(ownerFact, this.#bytes);
      return true;
    });
  }

  /** Throws OCDN_FENCED when another process took the folder; looks at what is committed now. */
  check(): void {
    this.#db.refresh();
    this.checkInTransaction();
  }

  /** The same inside a write transaction, where nobody can take it before the transaction ends. */
  checkInTransaction(): void {
    const now = this.#db.fact(ownerFact);
    if (now?.equals(this.#bytes)) return;
    const by = readRecord(now)?.pid ?? 0;
    throw new OpenCdnError(
      "OCDN_FENCED",
      `writing to the log: process ${by} has taken the folder over, this process must stop`,
    );
  }

  /** Writes down that nobody owns the folder. When that fails this process, at least, knows. */
  release(): void {
    givenUp.add(this.#bytes.toString());
    this.#db.write("giving up the ownership of a log", true, () => {
      this.checkInTransaction();
      const free = { ...this.#record, pid: 0 };
      this.#db.setFact(ownerFact, Buffer.from(JSON.stringify(free)));
    });
    givenUp.delete(this.#bytes.toString());
  }
}

function owned(folder: string, record: OwnerRecord): OpenCdnError {
  return new OpenCdnError(
    "OCDN_FOLDER_OWNED",
    `opening ${folder}: process ${record.pid} owns it; stop it or go through it`,
  );
}
