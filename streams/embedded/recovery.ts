import type { Checkpointer } from "./checkpointer.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import { GroupReader, type MissingGroup, type StoredGroup } from "./group-reader.ts";
import { storeChangesOf } from "./group-state.ts";
import type { Checkpoint, LogFacts } from "./log-facts.ts";
import { corrupt, type SegmentFiles } from "./segment-files.ts";
import {
  checkSegmentHeader,
  parseSegmentName,
  type SegmentName,
  segmentFileName,
  segmentHeaderBytes,
} from "./segment-format.ts";

export interface RecoveryTarget {
  readonly logId: string;
  readonly files: SegmentFiles;
  readonly facts: LogFacts;
  readonly index: ChunkIndex;
  readonly checkpointer: Checkpointer;
}

export interface RecoveryStart {
  readonly from: Checkpoint;
  /** Epoch of the new owner. */
  readonly epoch: number;
  /** The machine has run without a break since the last owner wrote, so nothing that was written is lost. */
  readonly sameBoot: boolean;
}

interface Progress {
  sequence: number;
  /** Where the group after `sequence` was expected and not found. */
  brokenAt: { readonly name: string; readonly position: number; readonly what: string } | undefined;
  groups: number;
}

/**
 * Reads what the segments hold after the checkpoint: only files of the checkpoint's epoch count, so nothing that a
 * replaced owner wrote later. A write that was never finished (at the end, nothing after it) does not count; damage
 * that no unfinished write explains throws OCDN_FOLDER_CORRUPT with file and position. Nothing on disk changes.
 * Gives how many groups were not in LMDB, and the point where `epoch` goes on: at the start of a segment of its own.
 */
export function recover(
  target: RecoveryTarget,
  { from, epoch, sameBoot }: RecoveryStart,
): { readonly groups: number; readonly next: Checkpoint } {
  const { files } = target;
  const names = segmentNames(files);
  checkKnown(target, names, from);
  const progress: Progress = { sequence: from.sequence, brokenAt: undefined, groups: 0 };
  const tail = names.filter((name) => name.epoch === from.epoch && name.number >= from.segment);
  for (const name of tail) {
    const start = name.number === from.segment ? from.position : segmentHeaderBytes;
    recoverSegment(target, name, start, progress, sameBoot);
  }
  const number = Math.max(from.segment - 1, ...names.map((name) => name.number)) + 1;
  const { groups, sequence } = progress;
  return { groups, next: { sequence, segment: number, epoch, position: segmentHeaderBytes } };
}

function segmentNames(files: SegmentFiles): SegmentName[] {
  return files.disk
    .list(files.folder)
    .map(parseSegmentName)
    .filter((name) => name !== undefined)
    .sort((a, b) => a.number - b.number || a.epoch - b.epoch);
}

/**
 * After the recovered state is durable under `epoch`: cuts what earlier owners wrote to what counts of it and
 * removes their files that do not. Files of a later owner are never touched. Gives the bytes cut off.
 */
export function tidySegments(
  files: SegmentFiles,
  segments: LogFacts["segments"],
  epoch: number,
): number {
  let cutBytes = 0;
  for (const name of segmentNames(files)) {
    if (name.epoch >= epoch) continue;
    const known = segments.get(name.number);
    if (known?.epoch === name.epoch) cutBytes += cut(files, name, known.length);
    else files.disk.remove(files.pathOf(name));
  }
  return cutBytes;
}

/** Segments that LMDB counts on must be there, whole. */
function checkKnown(target: RecoveryTarget, names: readonly SegmentName[], from: Checkpoint): void {
  const { files, facts } = target;
  const present = new Set(names.map(segmentFileName));
  for (const [number, { epoch, length }] of facts.segments) {
    const name = { number, epoch };
    files.know(name);
    const fileName = segmentFileName(name);
    if (!present.has(fileName)) throw corrupt(fileName, 0, "the file is missing");
    const size = sizeOf(files, name);
    const least = number === from.segment && epoch === from.epoch ? from.position : length;
    if (size < least) throw corrupt(fileName, size, "the file is cut short");
  }
}

function sizeOf(files: SegmentFiles, name: SegmentName): number {
  const file = files.disk.openForReading(files.pathOf(name));
  try {
    return files.disk.sizeOf(file);
  } finally {
    files.disk.close(file);
  }
}

function recoverSegment(
  target: RecoveryTarget,
  name: SegmentName,
  start: number,
  progress: Progress,
  sameBoot: boolean,
): void {
  const { files, facts } = target;
  files.know(name);
  const file = files.disk.openForReading(files.pathOf(name));
  try {
    const size = files.disk.sizeOf(file);
    const reader = new GroupReader(files.disk, file, size, (id) => facts.topics.byId(id)?.name);
    const header = Buffer.alloc(segmentHeaderBytes);
    const headerBytes = files.disk.read(file, header, 0);
    const wrong = checkSegmentHeader(header.subarray(0, headerBytes), name, target.logId);
    let position = wrong === undefined ? start : 0;
    let missing: MissingGroup | undefined =
      wrong === undefined ? undefined : { kind: "torn", what: wrong };
    while (missing === undefined && position < size) {
      const group = reader.read(position, progress.sequence + 1);
      if ("kind" in group) missing = group;
      else {
        progress.brokenAt = undefined;
        progress.sequence += 1;
        progress.groups += 1;
        applyGroup(target, name, position, group);
        position += group.sizeBytes;
      }
    }
    if (missing !== undefined) stopAt(reader, name, position, missing, progress, sameBoot);
  } finally {
    files.disk.close(file);
  }
}

/** A stop is fine when nothing acknowledged can stand there or behind it, in this file or in the next ones. */
function stopAt(
  reader: GroupReader,
  name: SegmentName,
  position: number,
  { kind, what }: MissingGroup,
  progress: Progress,
  sameBoot: boolean,
): void {
  const here = { name: segmentFileName(name), position, what };
  if (kind === "gap") {
    const { name: file, position: at, what: why } = progress.brokenAt ?? here;
    throw corrupt(file, at, why);
  }
  const later = reader.findLater(position + 1, progress.sequence + 1) !== undefined;
  if (later || (kind === "damaged" && sameBoot)) throw corrupt(here.name, position, what);
  progress.brokenAt ??= here;
}

function applyGroup(
  target: RecoveryTarget,
  name: SegmentName,
  position: number,
  group: StoredGroup,
): void {
  const { facts, index, checkpointer } = target;
  const { header, state, chunks, head, sizeBytes } = group;
  const end = position + sizeBytes;
  facts.apply({ topics: state.topics, sources: state.sources, tasks: state.tasks, chunks });
  for (const chunk of chunks) {
    const { baseOffset, count, length } = chunk;
    const place = { baseOffset, count, segment: name.number, position: chunk.position, length };
    index.add(chunk.topicId, chunk.slot, place);
  }
  facts.setSegment(name.number, { epoch: name.epoch, length: end, lastMs: header.timestampMs });
  const at = { sequence: header.sequence, segment: name.number, epoch: name.epoch, position: end };
  checkpointer.add(at, head, storeChangesOf(state), sizeBytes);
}

/** Cuts a file to what counts of it; gives the bytes cut off. */
function cut(files: SegmentFiles, name: SegmentName, length: number): number {
  const size = sizeOf(files, name);
  if (size > length) files.disk.truncate(files.pathOf(name), length);
  return Math.max(0, size - length);
}
