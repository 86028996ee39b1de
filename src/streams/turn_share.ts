import type { Clock } from "../core/mod.ts";

/** How long items may be sent without a pause. */
const shareMs = 2;
// Items between two readings of the clock, which cost 40 to 140 ns.
const stride = 32;

/** The promise of an item that was sent, while the turn may go on. */
export const atOnce: Promise<void> = Promise.resolve();

/** Calls a function when this turn of the event loop has ended. */
export function afterTurn(run: () => void): void {
  setImmediate(run);
}

/**
 * The part of each turn of the event loop that the sending of items may take. Where there is credit nothing waits, so that
 * generators of many streams, one with a large window, or a sender and a reader in one process would otherwise hold up
 * timers and sockets.
 */
export class TurnShare {
  readonly #clock: Clock;
  #left = stride;
  #endsAt = 0;
  /** Resolves in the next turn; null before the first reading of the clock in this one. */
  #next: Promise<void> | null = null;
  /** What is to be awaited: {@link atOnce}, or the next turn once the share is used up. */
  #wait: Promise<void> = atOnce;

  /** Used by the streams of a messenger. @param clock Clock. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves the promise of an item that has waited, and was sent. */
  settle(resolve: (next?: Promise<void>) => void): void {
    const next = this.spend();
    if (next === atOnce) resolve();
    else resolve(next);
  }

  /** Counts an item that was sent. Returns what to await before the next one: a settled promise, or the next turn. */
  spend(): Promise<void> {
    return --this.#left > 0 ? this.#wait : this.#look();
  }

  #look(): Promise<void> {
    this.#left = stride;
    const now = this.#clock.now();
    if (this.#next === null) {
      this.#endsAt = now + shareMs;
      this.#next = new Promise((resolve) => {
        setImmediate(() => {
          this.#next = null;
          this.#wait = atOnce;
          resolve();
        });
      });
    } else if (now >= this.#endsAt) this.#wait = this.#next;
    return this.#wait;
  }
}

const shares = new WeakMap<Clock, TurnShare>();

/** The share of the streams that go by a clock, which are all of a thread. */
export function turnShareOf(clock: Clock): TurnShare {
  let share = shares.get(clock);
  if (share === undefined) shares.set(clock, share = new TurnShare(clock));
  return share;
}
