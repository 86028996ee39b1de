import type { WritingSlot } from "./slot_peer.ts";

/** A writer that waits, and the bytes that it had on their way when that was noted last. */
interface Place {
  readonly writer: WritingSlot;
  bytes: number;
  /** Which of two with the same bytes comes first. */
  turn: number;
  /** Where it is in the heap. */
  at: number;
}

/**
 * Writers that wait for room at their peer. Whoever has fewer bytes on their way gets room before others, so that the
 * first one tells whether there is room for anybody: credit costs as much as the writers that it wakes.
 */
export class WaitingWriters {
  readonly #places: Map<WritingSlot, Place> = new Map();
  /** A binary heap. */
  readonly #heap: Place[] = [];
  #turns = 0;

  /** Adds a writer, or notes what it has on its way now. */
  add(writer: WritingSlot): void {
    const { outstanding: bytes } = writer;
    let place = this.#places.get(writer);
    if (place === undefined) {
      place = { writer, bytes, turn: this.#turns++, at: this.#heap.length };
      this.#places.set(writer, place);
      this.#heap.push(place);
    }
    place.bytes = bytes;
    this.#rise(place);
    this.#sink(place);
  }

  /** Removes a writer, if it waits. */
  remove(writer: WritingSlot): void {
    const place = this.#places.get(writer);
    if (place === undefined) return;
    this.#places.delete(writer);
    const last = this.#heap.pop()!;
    if (last === place) return;
    this.#put(last, place.at);
    this.#rise(last);
    this.#sink(last);
  }

  /** Wakes the writers that there is room for. Each of them leaves, and may come back. */
  wake(): void {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      const { writer, bytes } = first;
      if (writer.open) this.remove(writer);
      // One that still waits says so, by `add`.
      writer.wake();
      if (this.#heap[0] === first && first.bytes === bytes) return;
    }
  }

  #put(place: Place, at: number): void {
    place.at = at;
    this.#heap[at] = place;
  }

  /** Moves a place to the front, past those that come after it. */
  #rise(place: Place): void {
    for (let { at } = place; at > 0;) {
      const above = (at - 1) >>> 1;
      const other = this.#heap[above]!;
      if (!before(place, other)) return;
      this.#put(other, at);
      this.#put(place, at = above);
    }
  }

  /** Moves a place to the back, past those that come before it. */
  #sink(place: Place): void {
    const heap = this.#heap;
    for (let { at } = place;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      const other = left !== undefined && right !== undefined && before(right, left) ? right : left;
      if (other === undefined || !before(other, place)) return;
      const below = other.at;
      this.#put(other, at);
      this.#put(place, at = below);
    }
  }
}

function before(one: Place, other: Place): boolean {
  return one.bytes < other.bytes || (one.bytes === other.bytes && one.turn < other.turn);
}
