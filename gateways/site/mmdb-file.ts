import { Reader, type Response } from "maxmind";
import { messageOf } from "../../streams/errors.ts";
import { geoFault } from "./geo-fault.ts";
import { MAX_METADATA_BYTES } from "./limits.ts";
import { MAP, MmdbData } from "./mmdb-data.ts";

/** An opened database: geometry, the data section with bounds, and maxmind's own reader. */
export interface MmdbFile {
  readonly file: string;
  readonly bytes: Buffer;
  readonly reader: Reader<Response>;
  readonly data: MmdbData;
  readonly databaseType: string;
  readonly buildMs: number;
  readonly ipVersion: 4 | 6;
  readonly nodeCount: number;
  readonly recordSize: 24 | 28 | 32;
  /** Where the data section begins; a record value `v` above the node count points to byte `v - nodeCount + dataStart - 16`. */
  readonly dataStart: number;
  readonly dataEnd: number;
}

const MARKER = Buffer.from("\xab\xcd\xefMaxMind.com", "latin1");
export const SEPARATOR_BYTES = 16;
const FORMAT_VERSION = 2;
const LAST_BUILD_MS = 253_402_300_799_000;

/** Whether the bytes end in the metadata of a MaxMind DB file. */
export function isMmdb(bytes: Buffer): boolean {
  return bytes.subarray(-MAX_METADATA_BYTES).includes(MARKER);
}

/**
 * Opens the bytes of a MaxMind DB file: the metadata is checked with bounds, then read by maxmind,
 * then every number in it is held against the file's size. Throws `OCDN_GEO`, naming the file and
 * the cause, for a file that is none or is damaged.
 */
export function openMmdb(file: string, bytes: Buffer): MmdbFile {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    throw geoFault(file, "the file is compressed with gzip; unpack it first");
  }
  const markerAt = bytes.lastIndexOf(MARKER);
  if (markerAt < 0 || bytes.length - markerAt > MAX_METADATA_BYTES) {
    throw geoFault(file, "the file has no metadata of a MaxMind database");
  }
  const metadataStart = markerAt + MARKER.length;
  const metadata = new MmdbData(file, bytes, metadataStart, bytes.length);
  metadata.check(metadataStart);
  metadata.open(metadataStart);
  if (metadata.type !== MAP) throw geoFault(file, "the metadata is no map", metadataStart);
  return checkGeometry(file, bytes, openReader(file, bytes), markerAt);
}

function openReader(file: string, bytes: Buffer): Reader<Response> {
  try {
    return new Reader<Response>(bytes);
  } catch (error) {
    throw geoFault(file, `the metadata cannot be read (${messageOf(error)})`, undefined, error);
  }
}

function checkGeometry(
  file: string,
  bytes: Buffer,
  reader: Reader<Response>,
  dataEnd: number,
): MmdbFile {
  const { metadata } = reader;
  const { nodeCount, recordSize, ipVersion } = metadata;
  const fault = (cause: string): never => {
    throw geoFault(file, cause);
  };
  if (metadata.binaryFormatMajorVersion !== FORMAT_VERSION) {
    fault(`format version ${metadata.binaryFormatMajorVersion} is not ${FORMAT_VERSION}`);
  }
  if (ipVersion !== 4 && ipVersion !== 6)
    return fault(`IP version ${ipVersion} is neither 4 nor 6`);
  if (recordSize !== 24 && recordSize !== 28 && recordSize !== 32) {
    return fault(`record size ${recordSize} is not 24, 28 or 32`);
  }
  if (!Number.isInteger(nodeCount) || nodeCount < 1) fault(`a node count of ${nodeCount}`);
  const buildMs = metadata.buildEpoch.getTime();
  if (!(buildMs >= 0 && buildMs <= LAST_BUILD_MS)) fault("the build time in the metadata is none");
  const treeBytes = (nodeCount * recordSize) / 4;
  const dataStart = treeBytes + SEPARATOR_BYTES;
  if (dataStart > dataEnd) {
    fault(`a search tree of ${nodeCount} nodes does not fit the file of ${bytes.length} bytes`);
  }
  if (bytes.subarray(treeBytes, dataStart).some((byte) => byte !== 0)) {
    fault("the search tree does not end where the metadata says");
  }
  const databaseType = String(metadata.databaseType ?? "").slice(0, 64);
  const data = new MmdbData(file, bytes, dataStart, dataEnd);
  return {
    file,
    bytes,
    reader,
    data,
    databaseType,
    buildMs,
    ipVersion,
    nodeCount,
    recordSize,
    dataStart,
    dataEnd,
  };
}
