import { type Clock, systemClock } from "../../core/mod.ts";

/** How long the items of all calls may be sent without a pause. */
const shareMs = 2;
// Items between two readings of the clock, which cost 40 to 140 ns.
const stride = 32;

/**
 * The part of each turn of the event loop that the sending of items may take. Where there is credit nothing waits, so that
 * generators of many streams, or one with a large window, would otherwise hold up timers and sockets.
 */
export class TurnShare {
  readonly #clock: Clock;
  #left = stride;
  #endsAt = 0;
  /** Resolves in the next turn; null before the first reading of the clock in this one. */
  #next: Promise<void> | null = null;
  /** The same once the share is used up. */
  #over: Promise<void> | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts an item. Returns what to await before the next one; null if the turn may go on. */
  spend(): Promise<void> | null {
    return --this.#left > 0 ? this.#over : this.#look();
  }

  #look(): Promise<void> | null {
    this.#left = stride;
    const now = this.#clock.now();
    if (this.#next === null) {
      this.#endsAt = now + shareMs;
      this.#next = new Promise((resolve) => {
        setImmediate(() => {
          this.#next = this.#over = null;
          resolve();
        });
      });
    } else if (now >= this.#endsAt) this.#over = this.#next;
    return this.#over;
  }
}

/** The share of the calls of this thread. */
export const turnShare: TurnShare = new TurnShare(systemClock);
