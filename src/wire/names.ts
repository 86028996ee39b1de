import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

/** Names longer than this many bytes are never cached. */
export const maxCachedNameBytes = 256;

/** Most names of one hash bucket, so that chosen collisions cannot make lookups slow. */
const maxChain = 8;

interface NameEntry {
  readonly hash: number;
  /** The bytes of a name beyond ASCII; null if the text's units are the bytes. */
  readonly bytes: Uint8Array | null;
  readonly text: string;
  readonly next: NameEntry | undefined;
  readonly depth: number;
}

/** Options of a {@link NameCache}. */
export interface NameCacheOptions {
  /** Names kept for each direction. Further names work, but slower. @default {4096} */
  maxNames?: number | undefined;
}

/** The defaults of {@link NameCacheOptions}. */
export const nameCacheDefaults: { readonly maxNames: number } = Object.freeze({ maxNames: 4096 });

/**
 * A cache of handler names as bytes and as text, so that a known name needs neither decoding nor encoding.
 *
 * It is bounded in entries per direction, bytes per entry ({@link maxCachedNameBytes}) and entries per hash bucket;
 * other names are decoded each time. No entry is evicted: the names a service uses arrive first, and a flood of
 * invented ones must not displace them.
 *
 * @example Usage
 * ```ts ignore
 * const names = new NameCache();
 * names.decode(names.encode("add"), 0, 3); // "add"
 * ```
 */
export class NameCache {
  readonly #maxNames: number;
  readonly #mask: number;
  readonly #buckets: (NameEntry | undefined)[];
  readonly #encoded = new Map<string, Uint8Array>();
  #size = 0;

  /**
   * @param options Most names to keep.
   * @throws {RangeError} If `maxNames` is not an integer from 0 to 1 048 576.
   */
  constructor(options: NameCacheOptions = {}) {
    const maxNames = options.maxNames ?? nameCacheDefaults.maxNames;
    if (!Number.isInteger(maxNames) || maxNames < 0 || maxNames > 1_048_576) {
      throw new RangeError(
        `Cannot create a name cache as 'maxNames' must be an integer from 0 to 1048576: current value is ${maxNames}`,
      );
    }
    let buckets = 16;
    while (buckets < maxNames) buckets *= 2;
    this.#maxNames = maxNames;
    this.#mask = buckets - 1;
    this.#buckets = new Array<NameEntry | undefined>(buckets).fill(undefined);
  }

  /** Decoded names in the cache. */
  get size(): number {
    return this.#size;
  }

  /**
   * The text of `bytes[start..end)`, or `null` if it is not valid UTF-8. The bytes are compared with the cached ones
   * and not retained.
   */
  decode(bytes: Uint8Array, start: number, end: number): string | null {
    const length = end - start;
    if (length > maxCachedNameBytes) return decodeUtf8(bytes, start, end);
    let hash = 0x811c9dc5; // FNV-1a
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
    const index = (hash ^ (hash >>> 15)) & this.#mask;
    const head = this.#buckets[index];
    for (let entry = head; entry !== undefined; entry = entry.next) {
      if (entry.hash === hash && isName(entry, bytes, start, length)) return entry.text;
    }
    const text = decodeUtf8(bytes, start, end);
    const depth = head === undefined ? 1 : head.depth + 1;
    if (text !== null && this.#size < this.#maxNames && depth <= maxChain) {
      // Text of as many units as bytes is ASCII. Without its bytes a lookup visits cold memory twice less.
      const kept = text.length === length ? null : bytes.slice(start, end);
      this.#buckets[index] = { hash, bytes: kept, text, next: head, depth };
      this.#size++;
    }
    return text;
  }

  /** The UTF-8 bytes of a name that {@link validateHandlerName} accepts. They are shared: do not write to them. */
  encode(name: string): Uint8Array {
    const known = this.#encoded.get(name);
    if (known !== undefined) return known;
    const bytes = encodeUtf8(name);
    if (this.#encoded.size < this.#maxNames && bytes.length <= maxCachedNameBytes) {
      this.#encoded.set(name, bytes);
    }
    return bytes;
  }
}

function isName(entry: NameEntry, bytes: Uint8Array, start: number, length: number): boolean {
  const { bytes: known, text } = entry;
  if (known !== null) return sameBytes(known, bytes, start, length);
  if (text.length !== length) return false;
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}

function sameBytes(known: Uint8Array, bytes: Uint8Array, start: number, length: number): boolean {
  if (known.length !== length) return false;
  for (let i = 0; i < length; i++) if (known[i] !== bytes[start + i]) return false;
  return true;
}
