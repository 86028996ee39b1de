import type { CancelTimer, Clock } from "./clock.ts";

const slotMs = 4;
const slotCount = 1024; // one turn of the wheel is about four seconds
const freshSlot = slotCount; // what was added in this turn of the event loop
const dueSlot = slotCount + 1; // what is due and fires next, the earliest first

/**
 * Something with a deadline. Extended by what waits, so that a deadline costs no allocation of its own.
 */
export abstract class Deadline {
  /** The moment on the clock, in milliseconds; kept by {@link Deadlines}. */
  dueAt = Infinity;
  /** Links of the wheel's list; kept by {@link Deadlines}. */
  previous: Deadline | null = null;
  /** See {@link previous}. */
  next: Deadline | null = null;
  /** The slot it lies in, or −1. */
  slot = -1;
  /** Called once when the deadline passes. */
  abstract expire(): void;
}

/**
 * One timer for all deadlines: a hashed wheel of 4 ms slots.
 *
 * A deadline fires not before its time and normally within one slot after it. Adding and removing are O(1);
 * the timer is left running when the wheel empties, because arming one per call would cost more than a
 * rare idle tick. It never keeps the process alive.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #slots: (Deadline | null)[] = new Array<Deadline | null>(dueSlot + 1).fill(null);
  #count = 0;
  #tick: number;
  #armedFor = Infinity;
  #cancel: CancelTimer | null = null;
  #closed = false;
  #turnNow = 0;
  #turnUses = 0;

  /** @param clock Where time comes from. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.#tick = Math.floor(clock.now() / slotMs);
  }

  /** How many deadlines are waiting. */
  get size(): number {
    return this.#count;
  }

  /** Starts a deadline `ms` from now. `Infinity` is never kept; after {@link close} nothing is. */
  add(entry: Deadline, ms: number): void {
    if (ms === Infinity || this.#closed) return;
    if (this.#turnUses++ === 0) {
      this.#turnNow = this.#clock.now();
      queueMicrotask(this.#endTurn);
    }
    entry.dueAt = this.#turnNow + ms;
    this.#link(entry, freshSlot);
    this.#count++;
  }

  /** Takes a deadline out. Harmless when it is not in. */
  remove(entry: Deadline): void {
    if (entry.slot < 0) return;
    this.#unlink(entry);
    this.#count--;
  }

  /** Stops the timer. Deadlines still waiting never fire. */
  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#cancel = null;
    this.#armedFor = Infinity;
  }

  /**
   * Puts what was added in this turn into the wheel. The time is asked once a turn, since asking costs 50 to
   * 140 ns, and again at its end if several share it: a long turn must not date its last calls back.
   */
  readonly #endTurn = (): void => {
    const now = this.#turnUses > 1 ? this.#clock.now() : this.#turnNow;
    const late = now - this.#turnNow;
    this.#turnUses = 0;
    let entry = this.#slots[freshSlot] ?? null;
    this.#slots[freshSlot] = null;
    while (entry?.next) entry = entry.next; // oldest first, as they came
    while (entry !== null) {
      const newer: Deadline | null = entry.previous;
      entry.dueAt += late;
      const tick = Math.max(Math.ceil(entry.dueAt / slotMs), this.#tick + 1);
      this.#link(entry, tick % slotCount);
      // A far deadline is looked at once a turn, when its slot comes by.
      const wakeTick = Math.min(tick, this.#tick + slotCount);
      if (wakeTick < this.#armedFor && !this.#closed) this.#arm(wakeTick, now);
      entry = newer;
    }
  };

  #unlink(entry: Deadline): void {
    if (entry.previous !== null) entry.previous.next = entry.next;
    else this.#slots[entry.slot] = entry.next;
    if (entry.next !== null) entry.next.previous = entry.previous;
    entry.previous = entry.next = null;
    entry.slot = -1;
  }

  #link(entry: Deadline, slot: number): void {
    const head = this.#slots[slot] ?? null;
    entry.slot = slot;
    entry.next = head;
    entry.previous = null;
    if (head !== null) head.previous = entry;
    this.#slots[slot] = entry;
  }

  #arm(tick: number, now: number): void {
    this.#cancel?.();
    this.#armedFor = tick;
    this.#cancel = this.#clock.after(tick * slotMs - now, this.#onTimer);
  }

  readonly #onTimer = (): void => {
    this.#armedFor = Infinity;
    this.#cancel = null;
    if (this.#closed) return;
    const now = this.#clock.now();
    const target = Math.floor(now / slotMs);
    const steps = Math.min(target - this.#tick, slotCount);
    const first = target - steps + 1;
    this.#tick = target;
    // Collected first, because expire() may add and remove others; a slot holds its entries newest first.
    for (let tick = target; tick >= first; tick--) {
      let entry = this.#slots[tick % slotCount] ?? null;
      while (entry !== null) {
        const { next }: Deadline = entry;
        if (entry.dueAt <= now) {
          this.#unlink(entry);
          this.#link(entry, dueSlot);
        }
        entry = next;
      }
    }
    for (let due = this.#slots[dueSlot] ?? null; due !== null; due = this.#slots[dueSlot] ?? null) {
      this.remove(due);
      due.expire();
    }
    if (this.#count === 0 || this.#closed) return;
    for (let ahead = 1; ahead <= slotCount; ahead++) {
      const tick = this.#tick + ahead;
      if (this.#slots[tick % slotCount] === null) continue;
      if (tick < this.#armedFor) this.#arm(tick, now);
      return;
    }
  };
}
