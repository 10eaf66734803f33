import { createHash } from "node:crypto";
import { maxContentCacheBytes } from "./limits.ts";
import { pngOf } from "./png.ts";

/** An object as a node serves it. */
export interface Content {
  readonly type: string;
  readonly body: Buffer;
  /** Strong validator (RFC 9110 section 8.8.3), with its quotes. */
  readonly etag: string;
}

/** Whose content it is. */
export interface ContentNode {
  readonly nodeId: string;
  readonly place: string;
  /** Bytes of objects that are kept; `maxContentCacheBytes` by default. */
  readonly cacheBytes?: number;
}

const binaryBytes = 16_384;
const pictureSize = 96;

/**
 * The demonstration's origin: every path has content, made from the path alone, so that all nodes serve the same
 * bytes with the same validator. The ending chooses the kind: `.json`, `.png`, `.bin` (16 KiB), text otherwise.
 * Only `/` says which node this is.
 */
export class ContentStore {
  readonly #home: Content;
  readonly #maxCachedBytes: number;
  readonly #cache = new Map<string, Content>();
  #cachedBytes = 0;

  constructor(node: ContentNode) {
    this.#maxCachedBytes = node.cacheBytes ?? maxContentCacheBytes;
    const name = node.place === "" ? node.nodeId : `${node.nodeId} (${node.place})`;
    const text = `Served by edge node ${name}.\nTry /hello.txt, /catalog.json, /picture.png, /blob.bin\n`;
    this.#home = withEtag("text/plain; charset=utf-8", Buffer.from(text));
  }

  /** The object at a path that was checked; made once and kept within a bound. */
  get(path: string): Content {
    if (path === "/") return this.#home;
    const known = this.#cache.get(path);
    if (known !== undefined) return known;
    const content = contentOf(path);
    const size = content.body.length + path.length;
    if (this.#cachedBytes + size > this.#maxCachedBytes) {
      this.#cache.clear();
      this.#cachedBytes = 0;
    }
    this.#cache.set(path, content);
    this.#cachedBytes += size;
    return content;
  }
}

function contentOf(path: string): Content {
  const seed = createHash("sha256").update(path).digest();
  if (path.endsWith(".json")) {
    const value = { path, sha256: seed.toString("hex"), items: [...seed.subarray(0, 8)] };
    return withEtag("application/json", Buffer.from(`${JSON.stringify(value)}\n`));
  }
  if (path.endsWith(".png")) return withEtag("image/png", pngOf(pictureSize, seed));
  if (path.endsWith(".bin")) return withEtag("application/octet-stream", expanded(seed));
  const text = `${path}\n${seed.toString("hex")}\nAn object of the OpenCDN demonstration.\n`;
  return withEtag("text/plain; charset=utf-8", Buffer.from(text));
}

function withEtag(type: string, body: Buffer): Content {
  const digest = createHash("sha256").update(body).digest("base64url");
  return { type, body, etag: `"${digest.slice(0, 22)}"` };
}

/** 16 KiB that follow from the seed. */
function expanded(seed: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let block = 0; block * 32 < binaryBytes; block++) {
    parts.push(createHash("sha256").update(seed).update(String(block)).digest());
  }
  return Buffer.concat(parts, binaryBytes);
}
