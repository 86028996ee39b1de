import { Alarm, type Deadlines } from "../../core/mod.ts";

/** A stream that begins. */
export interface YoungSlot {
  /** It has lasted for some milliseconds, if it has not ended: it opens, and its deadlines begin. */
  grown(): void;
}

/**
 * Streams that began in the last milliseconds. Most streams of a busy instance are short, and end before they need a
 * deadline of their own: a timer, and a look at the clock at each end, cost as much as the rest of a short one.
 */
export class YoungSlots {
  readonly #deadlines: Deadlines;
  readonly #alarm: Alarm;
  #slots: YoungSlot[] = [];

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
    this.#alarm = new Alarm(() => {
      const slots = this.#slots;
      this.#slots = [];
      for (const slot of slots) slot.grown();
    });
  }

  /** Adds one. */
  add(slot: YoungSlot): void {
    if (this.#slots.push(slot) === 1) this.#deadlines.add(this.#alarm, 0);
  }
}
