import { spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { createGunzip } from "node:zlib";
import { messageOf, OpenCdnError } from "../../streams/errors.ts";
import { maxMatrixBytes, maxMatrixEntries, maxSlices } from "./limits.ts";
import { parseRttMatrix, type RttMatrix } from "./rtt-matrix.ts";
import { readTar } from "./tar-reader.ts";

export interface RttSlices {
  /** What stands before `Data_<t>` in the file names, in lower case: `seattle`. */
  readonly network: string;
  readonly size: number;
  /** In the order of their numbers. */
  readonly slices: readonly RttMatrix[];
}

const fileName = /^([A-Za-z][A-Za-z0-9]{0,30})Data_(\d{1,9})$/;

interface Numbered {
  readonly network: string;
  readonly number: number;
  readonly matrix: RttMatrix;
}

/**
 * Reads the matrices of a folder (searched two levels deep) or of an archive (`.tar`, `.tar.gz`, `.tar.xz`; the
 * last with the program `xz`): files named `<Network>Data_<t>`. OCDN_NOT_FOUND when there is none,
 * OCDN_BAD_INPUT when one is no matrix or the sizes or networks differ.
 */
export async function readRttSlices(path: string): Promise<RttSlices> {
  const info = await stat(path).catch((error: unknown) => {
    throw new OpenCdnError("OCDN_NOT_FOUND", `reading ${path}: no such file or folder`, {
      cause: error,
    });
  });
  const found: Numbered[] = [];
  let entries = 0;
  for await (const { name, bytes } of info.isDirectory() ? folderFiles(path) : archiveFiles(path)) {
    const match = fileName.exec(basename(name)) as RegExpExecArray;
    const matrix = parseRttMatrix(bytes, name);
    entries += matrix.rttMs.length;
    if (found.length >= maxSlices || entries > maxMatrixEntries) {
      throw new OpenCdnError(
        "OCDN_LIMIT",
        `reading ${path}: more than ${maxSlices} slices or ${maxMatrixEntries} entries`,
      );
    }
    found.push({ network: (match[1] as string).toLowerCase(), number: Number(match[2]), matrix });
  }
  return inOrder(path, found);
}

function inOrder(path: string, found: Numbered[]): RttSlices {
  found.sort((left, right) => left.number - right.number);
  const first = found[0];
  if (first === undefined) {
    throw new OpenCdnError(
      "OCDN_NOT_FOUND",
      `reading ${path}: no file is named like SeattleData_1`,
    );
  }
  let before = -1;
  for (const { network, number, matrix } of found) {
    const what =
      network !== first.network
        ? `matrices of ${first.network} and of ${network}`
        : number === before
          ? `two slices number ${number}`
          : matrix.size !== first.matrix.size
            ? `slice ${number} has ${matrix.size} places instead of ${first.matrix.size}`
            : undefined;
    if (what !== undefined) throw new OpenCdnError("OCDN_BAD_INPUT", `reading ${path}: ${what}`);
    before = number;
  }
  return {
    network: first.network,
    size: first.matrix.size,
    slices: found.map(({ matrix }) => matrix),
  };
}

async function* folderFiles(path: string): AsyncGenerator<{ name: string; bytes: Uint8Array }> {
  const folders = [path];
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) folders.push(join(path, entry.name));
  }
  for (const folder of folders) {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (!entry.isFile() || !fileName.test(entry.name)) continue;
      const file = join(folder, entry.name);
      if ((await stat(file)).size > maxMatrixBytes) {
        throw new OpenCdnError(
          "OCDN_BAD_INPUT",
          `reading ${file}: more than ${maxMatrixBytes} bytes`,
        );
      }
      yield { name: file, bytes: await readFile(file) };
    }
  }
}

async function* archiveFiles(path: string): AsyncGenerator<{ name: string; bytes: Uint8Array }> {
  const wanted = (name: string): boolean => fileName.test(basename(name));
  yield* readTar(unpacked(path), wanted, maxMatrixBytes);
}

function unpacked(path: string): AsyncIterable<Uint8Array> {
  if (path.endsWith(".xz") || path.endsWith(".txz")) return throughXz(path);
  const file = createReadStream(path);
  if (!path.endsWith(".gz") && !path.endsWith(".tgz")) return file;
  const unzip = createGunzip();
  file.on("error", (error) => unzip.destroy(error));
  return asBadInput(file.pipe(unzip), path);
}

async function* asBadInput(
  stream: AsyncIterable<Uint8Array>,
  path: string,
): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
  } catch (error) {
    throw new OpenCdnError("OCDN_BAD_INPUT", `unpacking ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function* throughXz(path: string): AsyncGenerator<Uint8Array> {
  const child = spawn("xz", ["--decompress", "--stdout", "--", path], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (part: string) => {
    if (complaint.length < 500) complaint += part;
  });
  const ended = new Promise<number | Error>((resolve) => {
    child.once("error", resolve);
    child.once("close", (code) => resolve(code ?? 1));
  });
  try {
    yield* child.stdout;
    const end = await ended;
    if (end instanceof Error) throw missingXz(path, end);
    if (end !== 0) {
      throw new OpenCdnError(
        "OCDN_BAD_INPUT",
        `unpacking ${path}: ${complaint.trim().slice(0, 200)}`,
      );
    }
  } finally {
    child.kill();
  }
}

function missingXz(path: string, cause: Error): OpenCdnError {
  const hint =
    "install the program xz (package xz-utils), or unpack the archive and give its folder";
  return new OpenCdnError("OCDN_NOT_FOUND", `unpacking ${path}: ${hint}`, { cause });
}
