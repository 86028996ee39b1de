import type { StreamOptions } from "../byte_stream.ts";
import type { ReaderSlot } from "./reader_slot.ts";
import type { ReadingSlot } from "./slot_peer.ts";

const mostAlike = BigInt(Number.MAX_SAFE_INTEGER);

/** The streams of one peer that this instance reads, or will read. */
export class ReaderTable {
  /** Streams not yet opened, by anchor and session. */
  readonly #bound = new Map<Key, ReaderSlot>();
  /** Streams that wait for their reader, open or finished by their writer, by anchor and session. */
  readonly #unclaimed = new Map<Key, ReaderSlot>();
  /** Open streams, by the index of their slot. */
  readonly #open = new Map<number, ReaderSlot>();
  /** Streams that wait for their reader and are finished by their writer, by the index of their slot. */
  readonly #finished = new Map<number, ReaderSlot>();

  /** Streams that are open or awaited. */
  get size(): number {
    return this.#open.size + this.#bound.size;
  }

  /** Streams that wait for their reader. */
  get unclaimed(): number {
    return this.#unclaimed.size;
  }

  /** Adds a stream that its writer will open. */
  bind(reader: ReaderSlot): void {
    this.#bound.set(keyOf(reader.options), reader);
  }

  /** Adds an opened stream that has no reader. */
  park(reader: ReaderSlot): void {
    this.#unclaimed.set(keyOf(reader.options), reader);
  }

  /** Takes the stream out that waits for a reader; null without one. */
  claim(anchor: bigint, session: bigint): ReaderSlot | null {
    const reader = takeFrom(this.#unclaimed, keyOf({ anchor, session }));
    if (reader !== null) this.#forgetFinished(reader);
    return reader;
  }

  /** Takes the stream out that waits for its writer; null without one. */
  awaited(anchor: bigint, session: bigint): ReaderSlot | null {
    return takeFrom(this.#bound, keyOf({ anchor, session }));
  }

  /** Whether a stream waits for its reader. */
  parks(anchor: bigint, session: bigint): boolean {
    return this.#unclaimed.has(keyOf({ anchor, session }));
  }

  /** Adds a stream as open in a slot. */
  open(slot: number, reader: ReaderSlot): void {
    this.#open.set(slot >>> 8, reader);
  }

  /** What is open in a slot, whatever its generation. */
  at(slot: number): ReaderSlot | undefined {
    return this.#open.get(slot >>> 8);
  }

  /** What was finished in a slot and waits for its reader. */
  finished(slot: number): ReaderSlot | undefined {
    const reader = this.#finished.get(slot >>> 8);
    return reader?.id === slot ? reader : undefined;
  }

  /** A stream has ended. */
  ended(reader: ReadingSlot): void {
    const key = keyOf(reader.options);
    if (!reader.opened) return void this.#bound.delete(key);
    const index = reader.id >>> 8;
    const waiting = this.#unclaimed.get(key);
    if (waiting === reader) this.#finished.set(index, waiting);
    if (this.#open.get(index) === reader) this.#open.delete(index);
  }

  /** No reader has come for a stream. Returns whether it waited. */
  abandon(reader: ReadingSlot): boolean {
    this.#forgetFinished(reader);
    return this.#unclaimed.delete(keyOf(reader.options));
  }

  #forgetFinished(reader: ReadingSlot): void {
    const index = reader.id >>> 8;
    if (this.#finished.get(index) === reader) this.#finished.delete(index);
  }

  /** All open streams. */
  allOpen(): ReaderSlot[] {
    return [...this.#open.values()];
  }

  /** All streams. */
  all(): ReaderSlot[] {
    return [...this.#open.values(), ...this.#bound.values(), ...this.#unclaimed.values()];
  }
}

/** Anchor and session as one key. A key of a map that is a bigint costs several times as much as a number. */
type Key = number | bigint;

function takeFrom(map: Map<Key, ReaderSlot>, key: Key): ReaderSlot | null {
  const reader = map.size === 0 ? undefined : map.get(key);
  if (reader === undefined) return null;
  map.delete(key);
  return reader;
}

function keyOf({ anchor, session }: Pick<StreamOptions, "anchor" | "session">): Key {
  // As the streams of contracts have it.
  if (anchor === session && session <= mostAlike) return Number(session);
  return anchor << 64n | session;
}
