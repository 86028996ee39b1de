/** Links by routing id, found without making a string of the id. */
export class LinkTable<L> {
  readonly #buckets = new Map<number, Entry<L>>();
  #size = 0;
  #last: Entry<L> | null = null;

  get size(): number {
    return this.#size;
  }

  *values(): IterableIterator<L> {
    for (let entry of this.#buckets.values()) {
      for (;;) {
        yield entry.link;
        if (entry.next === null) break;
        entry = entry.next;
      }
    }
  }

  /** The link whose id is the first `size` bytes. */
  find(bytes: Uint8Array, view: DataView, size: number): L | undefined {
    // Consecutive messages often have the same sender.
    const last = this.#last;
    if (last !== null && last.size === size && equal(last.view, view, bytes, size, last.bytes)) {
      return last.link;
    }
    let entry = this.#buckets.get(hash(bytes, view, size)) ?? null;
    while (entry !== null) {
      if (entry.size === size && equal(entry.view, view, bytes, size, entry.bytes)) {
        this.#last = entry;
        return entry.link;
      }
      entry = entry.next;
    }
    return undefined;
  }

  /** Adds a link and keeps `id`. */
  add(id: Uint8Array, link: L): void {
    const view = new DataView(id.buffer, id.byteOffset, id.length);
    const key = hash(id, view, id.length);
    const next = this.#buckets.get(key) ?? null;
    this.#buckets.set(key, { bytes: id, view, size: id.length, link, next });
    this.#size++;
  }

  /** Removes a link. Returns whether it was in. */
  remove(id: Uint8Array, link: L): boolean {
    const view = new DataView(id.buffer, id.byteOffset, id.length);
    const key = hash(id, view, id.length);
    let previous: Entry<L> | null = null;
    let entry = this.#buckets.get(key) ?? null;
    while (entry !== null && entry.link !== link) {
      previous = entry;
      entry = entry.next;
    }
    if (entry === null) return false;
    if (previous !== null) previous.next = entry.next;
    else if (entry.next !== null) this.#buckets.set(key, entry.next);
    else this.#buckets.delete(key);
    if (this.#last === entry) this.#last = null;
    this.#size--;
    return true;
  }
}

interface Entry<L> {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly size: number;
  readonly link: L;
  next: Entry<L> | null;
}

function hash(bytes: Uint8Array, view: DataView, size: number): number {
  // The last eight bytes of an id are random, and well mixed in a UUID.
  if (size >= 8) return (view.getUint32(size - 8, true) ^ view.getUint32(size - 4, true)) >>> 0;
  let value = 2_166_136_261;
  for (let i = 0; i < size; i++) value = Math.imul(value ^ (bytes[i] ?? 0), 16_777_619);
  return value >>> 0;
}

function equal(a: DataView, b: DataView, bBytes: Uint8Array, size: number, aBytes: Uint8Array): boolean {
  let at = 0;
  for (; at + 4 <= size; at += 4) if (a.getUint32(at, true) !== b.getUint32(at, true)) return false;
  for (; at < size; at++) if (aBytes[at] !== bBytes[at]) return false;
  return true;
}
