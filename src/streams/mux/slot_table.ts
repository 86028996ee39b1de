import { Deque } from "../../core/mod.ts";
import { maxSlotIndex } from "../wire/batch.ts";

// Free slots wait for others before they are used again, so that late answers do not meet their successors.
const restingSlots = 64;

/** The slots that one end writes: an index of 24 bits, above a generation of 8 bits that grows with each use. */
export class SlotTable<T extends { readonly id: number }> {
  readonly #slots: (T | null)[] = [];
  readonly #generations: number[] = [];
  readonly #resting: Deque<number> = new Deque();

  /** Slots in use. */
  get size(): number {
    return this.#slots.length - this.#resting.size;
  }

  /** Adds what `make` makes for a new id. The caller keeps the number of slots below 2^24. */
  add(make: (id: number) => T): T {
    const again = this.#resting.size > restingSlots || this.#slots.length > maxSlotIndex;
    const index = again ? this.#resting.peek()! : this.#slots.length;
    const generation = ((this.#generations[index] ?? -1) + 1) & 0xff;
    const made = make((index << 8 | generation) >>> 0);
    if (again) this.#resting.shift();
    this.#generations[index] = generation;
    return this.#slots[index] = made;
  }

  /** What the slot of an id holds, whatever its generation. */
  at(id: number): T | null {
    return this.#slots[id >>> 8] ?? null;
  }

  /** Removes an entry. Returns whether it was in. */
  remove(entry: { readonly id: number }): boolean {
    const index = entry.id >>> 8;
    if (this.#slots[index] !== entry) return false;
    this.#slots[index] = null;
    this.#resting.push(index);
    return true;
  }

  /** All entries. */
  all(): T[] {
    return this.#slots.filter((entry) => entry !== null);
  }
}
