import { createSecretKey, randomBytes } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { z } from "zod";
import { isKeyId, MIN_SECRET_BYTES, signingKey, type TokenKey } from "../../domain/token.ts";
import { OpenCdnError } from "../../streams/errors.ts";
import { FileWatch } from "./file-watch.ts";
import { MAX_KEY_RING_BYTES, MAX_KEYS } from "./limits.ts";

/** Where the key ring lies and how often to look for a new one. */
export interface KeyRingOptions {
  readonly file: string;
  readonly reloadPollMs: number;
  readonly onEvent?: (event: KeyRingEvent) => void;
}

/** What a key ring has to tell: ids, never secrets. */
export type KeyRingEvent =
  | { readonly kind: "keyRing.loaded"; readonly keyIds: readonly string[] }
  | { readonly kind: "keyRing.failed"; readonly error: OpenCdnError };

/** How long a key verifies by default, and how long before it signs the others should have it. */
export const DEFAULT_KEY_LIFETIME_MS: number = 90 * 86_400_000;
export const DEFAULT_KEY_LEAD_MS = 60_000;

const PRIVATE_MODE = 0o600;
const OTHERS = 0o077;

const keySchema = z.strictObject({
  id: z.string().refine(isKeyId),
  secret: z.base64().max(1_024),
  notBefore: z.iso.datetime(),
  notAfter: z.iso.datetime(),
});
const ringSchema = z.strictObject({ keys: z.array(keySchema).min(1).max(MAX_KEYS) });
type KeyRecord = z.infer<typeof keySchema>;

/** The keys of a site, as the file has them or last had them. */
export class KeyRing {
  readonly #options: KeyRingOptions;
  #keys: readonly TokenKey[];
  #problem: OpenCdnError | undefined;
  #watch: FileWatch | undefined;

  constructor(options: KeyRingOptions, keys: readonly TokenKey[]) {
    this.#options = options;
    this.#keys = keys;
  }

  /** All keys, for `verifyToken`. */
  get keys(): readonly TokenKey[] {
    return this.#keys;
  }

  /** Why the keys are not those of the file: the last good ones are in use. */
  get problem(): OpenCdnError | undefined {
    return this.#problem;
  }

  /** The key that signs now; undefined when none is valid. */
  signingKey(nowMs: number): TokenKey | undefined {
    return signingKey(this.#keys, nowMs);
  }

  /** Takes over the file as it is now; on failure the keys stay and `problem` says why. */
  async reload(): Promise<void> {
    try {
      this.#keys = await readKeyRing(this.#options.file);
      this.#problem = undefined;
      this.#options.onEvent?.({ kind: "keyRing.loaded", keyIds: this.#keys.map(({ id }) => id) });
    } catch (error) {
      this.#problem =
        error instanceof OpenCdnError ? error : ringFault(this.#options.file, "failed");
      this.#options.onEvent?.({ kind: "keyRing.failed", error: this.#problem });
    }
  }

  /** Looks for a new file from now on. */
  async watch(): Promise<void> {
    const { file, reloadPollMs } = this.#options;
    const onChange = (): Promise<void> => this.reload();
    this.#watch ??= await FileWatch.start({ files: [file], pollMs: reloadPollMs, onChange });
  }

  close(): void {
    this.#watch?.close();
  }
}

/** Opens and watches a key ring; throws `OCDN_KEY_RING` when the file is absent, open to others or not valid. */
export async function openKeyRing(options: KeyRingOptions): Promise<KeyRing> {
  const ring = new KeyRing(options, await readKeyRing(options.file));
  await ring.watch();
  return ring;
}

/**
 * Reads a key-ring file: JSON of `{"keys":[{"id","secret","notBefore","notAfter"}]}`, secrets in
 * base64, times in ISO 8601. Throws `OCDN_KEY_RING`; no text or cause of it holds file content.
 */
export async function readKeyRing(file: string): Promise<readonly TokenKey[]> {
  const parsed = ringSchema.safeParse(await readRing(file));
  if (!parsed.success) {
    const place = parsed.error.issues[0]?.path.map(String).join(".") ?? "";
    throw ringFault(file, place === "" ? "the file has another layout" : `${place} is not valid`);
  }
  const keys = parsed.data.keys.map((record) => keyOf(file, record));
  if (new Set(keys.map(({ id }) => id)).size < keys.length) {
    throw ringFault(file, "two keys have the same id");
  }
  return keys;
}

async function readRing(file: string): Promise<unknown> {
  const handle = await openRing(file);
  try {
    const info = await handle.stat();
    if (!info.isFile()) throw ringFault(file, "it is no file");
    if ((info.mode & OTHERS) !== 0) {
      throw ringFault(
        file,
        `others may read it (mode ${(info.mode & 0o777).toString(8)}); set it to 600`,
      );
    }
    if (info.size > MAX_KEY_RING_BYTES)
      throw ringFault(file, `more than ${MAX_KEY_RING_BYTES} bytes`);
    return parseJson(file, await handle.readFile("utf8"));
  } finally {
    await handle.close();
  }
}

async function openRing(file: string): Promise<FileHandle> {
  try {
    return await open(file, "r");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    throw ringFault(file, code === "ENOENT" ? "file not found" : `it cannot be opened (${code})`);
  }
}

/** The parser's own message quotes the text, which holds secrets: it goes nowhere. */
function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw ringFault(file, "it is no JSON");
  }
}

function keyOf(file: string, { id, secret, notBefore, notAfter }: KeyRecord): TokenKey {
  const bytes = Buffer.from(secret, "base64");
  if (bytes.length < MIN_SECRET_BYTES) {
    throw ringFault(file, `the secret of key ${id} has fewer than ${MIN_SECRET_BYTES} bytes`);
  }
  const notBeforeMs = Date.parse(notBefore);
  const notAfterMs = Date.parse(notAfter);
  if (!(notBeforeMs < notAfterMs)) throw ringFault(file, `key ${id} ends before it begins`);
  return { id, secret: createSecretKey(bytes), notBeforeMs, notAfterMs };
}

/** How a new key begins and ends. */
export interface NewKeyOptions {
  readonly nowMs: number;
  readonly lifetimeMs?: number;
}

/** Makes a key-ring file with one key that is valid from now on; throws `OCDN_KEY_RING` when there is a file. */
export async function createKeyRing(file: string, options: NewKeyOptions): Promise<void> {
  const { nowMs, lifetimeMs = DEFAULT_KEY_LIFETIME_MS } = options;
  await writeRing(file, [newKey(nowMs, nowMs + lifetimeMs)], "wx");
}

/**
 * Adds a key that signs after `leadMs`, when every gateway has looked at the file, and drops keys
 * that are over; the file is replaced in one step.
 */
export async function rotateKeyRing(
  file: string,
  options: NewKeyOptions & { readonly leadMs?: number },
): Promise<void> {
  const { nowMs, lifetimeMs = DEFAULT_KEY_LIFETIME_MS, leadMs = DEFAULT_KEY_LEAD_MS } = options;
  const kept = (await readKeyRing(file)).filter(({ notAfterMs }) => notAfterMs > nowMs);
  if (kept.length >= MAX_KEYS) throw ringFault(file, `it has ${MAX_KEYS} valid keys`);
  const beginMs = nowMs + leadMs;
  const records = [...kept.map(recordOf), newKey(beginMs, beginMs + lifetimeMs)];
  const temporary = `${file}.${process.pid}.part`;
  await rm(temporary, { force: true });
  await writeRing(temporary, records, "wx");
  await rename(temporary, file);
}

function newKey(beginMs: number, endMs: number): KeyRecord {
  return {
    id: `k-${Math.floor(beginMs / 1000).toString(36)}-${randomBytes(2).toString("hex")}`,
    secret: randomBytes(MIN_SECRET_BYTES).toString("base64"),
    notBefore: new Date(beginMs).toISOString(),
    notAfter: new Date(endMs).toISOString(),
  };
}

function recordOf({ id, secret, notBeforeMs, notAfterMs }: TokenKey): KeyRecord {
  return {
    id,
    secret: secret.export().toString("base64"),
    notBefore: new Date(notBeforeMs).toISOString(),
    notAfter: new Date(notAfterMs).toISOString(),
  };
}

async function writeRing(file: string, keys: readonly KeyRecord[], flags: "wx"): Promise<void> {
  try {
    const handle = await open(file, flags, PRIVATE_MODE);
    try {
      await handle.writeFile(`${JSON.stringify({ keys }, undefined, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    throw ringFault(
      file,
      code === "EEXIST" ? "there is one already" : `it cannot be written (${code})`,
    );
  }
}

function ringFault(file: string, cause: string): OpenCdnError {
  return new OpenCdnError("OCDN_KEY_RING", `reading the key ring ${file}: ${cause}`);
}
