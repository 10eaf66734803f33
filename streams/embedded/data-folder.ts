import fs from "node:fs";
import path from "node:path";
import { OpenCdnError } from "../errors.ts";
import { diskError } from "./disk-error.ts";
import { folderFormat } from "./storage-limits.ts";

const formatFile = "FORMAT";
const formatPattern = /^opencdn log (\d{1,9})\n$/;
const formatText = `opencdn log ${folderFormat}\n`;
const maxFormatBytes = 64;
/** What may lie in a folder that is being created by another process, or was when the machine stopped. */
const ours = /^(FORMAT(\.new(-\d+)?)?|segments|state|owner\.sock)$/;

export interface FolderPaths {
  readonly segments: string;
  readonly state: string;
  /** Whether it was made just now. */
  readonly created: boolean;
}

/**
 * Makes sure that `folder` is a data folder of a version that we can read, creating it when it is missing or empty.
 * Throws OCDN_FOLDER_NEWER for a newer one and OCDN_BAD_INPUT for a folder that holds something else.
 */
export function prepareFolder(folder: string): FolderPaths {
  const segments = path.join(folder, "segments");
  const state = path.join(folder, "state");
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    const format = readFormat(folder);
    if (format === undefined) create(folder);
    else checkFormat(folder, format);
    fs.mkdirSync(segments, { recursive: true, mode: 0o700 });
    fs.mkdirSync(state, { recursive: true, mode: 0o700 });
    return { segments, state, created: format === undefined };
  } catch (error) {
    throw diskError(`opening the data folder ${folder}`, error);
  }
}

/** Whether `folder` is there and is a data folder of ours; nothing is created. */
export function isDataFolder(folder: string): boolean {
  return readFormat(folder) !== undefined;
}

function readFormat(folder: string): string | undefined {
  const file = path.join(folder, formatFile);
  if (!fs.existsSync(file)) return undefined;
  const size = fs.statSync(file).size;
  return size > maxFormatBytes ? "" : fs.readFileSync(file, "utf8");
}

function checkFormat(folder: string, format: string): void {
  const version = Number(formatPattern.exec(format)?.[1] ?? Number.NaN);
  if (version > folderFormat) {
    throw new OpenCdnError(
      "OCDN_FOLDER_NEWER",
      `opening ${folder}: it was written by a newer version (format ${version}, this one reads ${folderFormat}); use that version`,
    );
  }
  if (version !== folderFormat) {
    throw new OpenCdnError(
      "OCDN_BAD_INPUT",
      `opening ${folder}: its file ${formatFile} is not ours`,
    );
  }
}

/** The format file is the first thing in a new folder, so that whatever else appears in it is known to be ours. */
function create(folder: string): void {
  const foreign = fs.readdirSync(folder).find((name) => !ours.test(name));
  if (foreign !== undefined) {
    throw new OpenCdnError(
      "OCDN_BAD_INPUT",
      `opening ${folder}: it holds ${foreign} and is no data folder; choose an empty one`,
    );
  }
  // A name of this process's own: several may create the folder at once, and only then claim it.
  const temporary = path.join(folder, `${formatFile}.new-${process.pid}`);
  const file = fs.openSync(temporary, "w", 0o600);
  try {
    fs.writeSync(file, formatText);
    fs.fsyncSync(file);
  } finally {
    fs.closeSync(file);
  }
  fs.renameSync(temporary, path.join(folder, formatFile));
}
