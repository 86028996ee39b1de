import type { Clock } from "./clock.ts";

// So many things are done at most between two looks at the clock. One costs 40 ns on Bun and 140 on Deno, a message in
// a batch as little as 250 in all.
const longestStride = 32;

/**
 * How long something may go on before others have their turn.
 *
 * The clock is not read for each thing done: more and more seldom while they are short, and each time once one was
 * long.
 */
export class TimeSlice {
  readonly #clock: Clock;
  readonly #lengthMs: number;
  #endsAt = 0;
  #lookedAt = 0;
  #stride = 1;
  #left = 1;
  #over = false;

  /**
   * @param clock Where time comes from.
   * @param lengthMs How long it is.
   */
  constructor(clock: Clock, lengthMs: number) {
    this.#clock = clock;
    this.#lengthMs = lengthMs;
  }

  /** Whether the time is over. */
  get over(): boolean {
    return this.#over;
  }

  /** How many things may be done before the next look, as short as they were last. */
  get stride(): number {
    return this.#stride;
  }

  /** Starts anew. */
  begin(): void {
    this.#lookedAt = this.#clock.now();
    this.#endsAt = this.#lookedAt + this.#lengthMs;
    this.#left = this.#stride;
    this.#over = false;
  }

  /** Says that something was done. Returns whether the time is over. */
  spend(): boolean {
    return --this.#left > 0 ? this.#over : this.#look();
  }

  #look(): boolean {
    const now = this.#clock.now();
    const long = now - this.#lookedAt > this.#lengthMs / 4;
    this.#lookedAt = now;
    this.#left = this.#stride = long ? 1 : Math.min(longestStride, this.#stride + 1);
    return this.#over = now >= this.#endsAt;
  }
}
