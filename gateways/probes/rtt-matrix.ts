import { OpenCdnError } from "../../streams/errors.ts";
import {
  longestRttMs,
  maxMatrixBytes,
  maxMatrixRows,
  shortestRttMs,
  underResolutionMs,
} from "./limits.ts";

/** Round-trip times of one slice of time, ms, row by row: from place `row` to place `column`. */
export interface RttMatrix {
  readonly size: number;
  readonly rttMs: Float32Array;
}

const space = 0x20;
const tab = 0x09;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/**
 * Reads a square matrix of seconds, blank-separated, one row a line. 0 counts as under the resolution; what is
 * shorter or longer than any path is clipped. OCDN_BAD_INPUT names the file and the line.
 */
export function parseRttMatrix(bytes: Uint8Array, file: string): RttMatrix {
  if (bytes.length > maxMatrixBytes) throw bad(file, 1, `more than ${maxMatrixBytes} bytes`);
  const size = columnsOf(bytes);
  if (size < 2 || size > maxMatrixRows) {
    throw bad(file, 1, `${size} columns; a matrix has 2 to ${maxMatrixRows}`);
  }
  const rttMs = new Float32Array(size * size);
  let row = 0;
  let at = 0;
  let line = 0;
  while (at < bytes.length) {
    const end = lineEnd(bytes, at);
    line += 1;
    const count = parseRow(bytes, at, end, { rttMs, from: row * size, size, file, line });
    if (count > 0) row += 1;
    if (count > 0 && count !== size) throw bad(file, line, `${count} columns instead of ${size}`);
    if (row > size) throw bad(file, line, `more rows than columns (${size})`);
    at = end + 1;
  }
  if (row !== size) throw bad(file, line, `${row} rows for ${size} columns`);
  return { size, rttMs };
}

interface Row {
  readonly rttMs: Float32Array;
  readonly from: number;
  readonly size: number;
  readonly file: string;
  readonly line: number;
}

/** Writes the numbers of one line and gives their count. */
function parseRow(bytes: Uint8Array, start: number, end: number, row: Row): number {
  let count = 0;
  let at = start;
  for (;;) {
    while (at < end && isBlank(bytes[at] as number)) at += 1;
    if (at >= end) return count;
    const from = at;
    while (at < end && !isBlank(bytes[at] as number)) at += 1;
    const seconds = secondsOf(bytes, from, at);
    if (!Number.isFinite(seconds)) throw bad(row.file, row.line, `column ${count + 1} is no time`);
    if (count < row.size && row.from + count < row.rttMs.length) {
      row.rttMs[row.from + count] = clipped(seconds * 1_000);
    }
    count += 1;
  }
}

/**
 * A decimal number. Up to 15 digits the quotient of two exact integers is the nearest double; everything longer
 * or with an exponent takes the slow way. NaN when it is none.
 */
function secondsOf(bytes: Uint8Array, start: number, end: number): number {
  let digits = 0;
  let scale = 1;
  let inFraction = false;
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] as number) - 0x30;
    if (digit >= 0 && digit <= 9 && end - start <= 16) {
      digits = digits * 10 + digit;
      if (inFraction) scale *= 10;
    } else if (digit === -2 && !inFraction && at > start) {
      inFraction = true;
    } else {
      return slowSecondsOf(bytes, start, end);
    }
  }
  return digits / scale;
}

function slowSecondsOf(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > 32) return Number.NaN;
  const text = String.fromCharCode(...bytes.subarray(start, end));
  return /^\d/.test(text) ? Number(text) : Number.NaN;
}

function clipped(rttMs: number): number {
  if (rttMs === 0) return underResolutionMs;
  return Math.min(longestRttMs, Math.max(shortestRttMs, rttMs));
}

function columnsOf(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length && (isBlank(bytes[at] as number) || bytes[at] === lineFeed)) at += 1;
  const end = lineEnd(bytes, at);
  let count = 0;
  let inside = false;
  for (; at < end; at++) {
    const blank = isBlank(bytes[at] as number);
    if (!blank && !inside) count += 1;
    inside = !blank;
  }
  return count;
}

function lineEnd(bytes: Uint8Array, from: number): number {
  const end = bytes.indexOf(lineFeed, from);
  return end < 0 ? bytes.length : end;
}

function isBlank(byte: number): boolean {
  return byte === space || byte === tab || byte === carriageReturn;
}

function bad(file: string, line: number, what: string): OpenCdnError {
  return new OpenCdnError("OCDN_BAD_INPUT", `reading ${file}, line ${line}: ${what}`);
}
