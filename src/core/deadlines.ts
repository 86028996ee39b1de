import type { CancelTimer, Clock } from "./clock.ts";

const slotMs = 4;
const slotCount = 1024; // one turn of the wheel takes about four seconds
const freshSlot = slotCount; // entries added in this turn of the event loop
const dueSlot = slotCount + 1; // entries that fire next, earliest first

/** An entry with a deadline. Waiting objects extend it, so that a deadline needs no allocation of its own. */
export abstract class Deadline {
  /** The moment on the clock, in milliseconds; kept by {@link Deadlines}. */
  dueAt = Infinity;
  /** Links of the wheel's list; kept by {@link Deadlines}. */
  previous: Deadline | null = null;
  /** See {@link previous}. */
  next: Deadline | null = null;
  /** The slot that holds it, or −1. */
  slot = -1;
  /** Called once when the deadline passes. */
  abstract expire(): void;
}

/** A deadline that calls a function. */
export class Alarm extends Deadline {
  readonly expire: () => void;

  constructor(expire: () => void) {
    super();
    this.expire = expire;
  }
}

/**
 * One timer for all deadlines: a hashed wheel of 4 ms slots.
 *
 * A deadline never fires early, and normally within one slot after its time. Adding and removing are O(1). The timer
 * keeps running when the wheel is empty, because starting it for each call costs more than a rare idle tick. It does
 * not keep the process alive.
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

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#tick = Math.floor(clock.now() / slotMs);
  }

  /** Waiting deadlines. */
  get size(): number {
    return this.#count;
  }

  /** Starts a deadline `ms` from now. `Infinity` never fires; after {@link close} no deadline does. */
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

  /** Removes a deadline; does nothing when it is not in. */
  remove(entry: Deadline): void {
    if (entry.slot < 0) return;
    this.#unlink(entry);
    this.#count--;
  }

  /** Stops the timer. Waiting deadlines never fire. */
  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#cancel = null;
    this.#armedFor = Infinity;
  }

  /**
   * Puts the entries of this turn into the wheel. Reading the time costs 50 to 140 ns, so it is read once a turn, and
   * again at the end if several entries share it: in a long turn the last calls must not get an early deadline.
   */
  readonly #endTurn = (): void => {
    const now = this.#turnUses > 1 ? this.#clock.now() : this.#turnNow;
    const late = now - this.#turnNow;
    this.#turnUses = 0;
    let entry = this.#slots[freshSlot] ?? null;
    this.#slots[freshSlot] = null;
    while (entry?.next) entry = entry.next; // oldest first
    while (entry !== null) {
      const newer: Deadline | null = entry.previous;
      entry.dueAt += late;
      const tick = Math.max(Math.ceil(entry.dueAt / slotMs), this.#tick + 1);
      this.#link(entry, tick % slotCount);
      // A far deadline is visited once per turn of the wheel.
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
    // Collected first, because expire() may add and remove entries; a slot holds them newest first.
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
