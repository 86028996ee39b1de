import type { Clock } from "./clock.ts";

// So many things are done at most between two looks at the clock. One costs 40 ns on Bun and 140 on Deno, a message in
// a batch as little as 250 in all.
const longestStride = 32;
// So many are begun the first time, and twice as many each time while what they leave behind is short.
const firstLimit = 64;
const highestLimit = 4_096;
// Below this what they leave behind is not looked at: it is part of a lone call's way.
const few = 4;
// A handler's promise goes on in a microtask, and after each thing that it awaits and has already in another one.
const hops = 8;
// On a busy machine the system takes the processor away for milliseconds now and then, and that says nothing of the things
// that are done: one long time among short ones is passed over once. Without this, batches of 64 calls fell apart into some
// 47 on two processors that four threads shared, and each part went on by itself.
const shortBefore = 8;
// A stop of the system is shorter than this.
const longestStopMs = 20;

/**
 * How long something may go on before others have their turn.
 *
 * The clock is not read for each thing done: more and more seldom while they are short, and each time once one was
 * long. What goes on in microtasks afterwards cannot be interrupted, but as long as it takes more than the time there
 * is, fewer things are begun the next time.
 */
export class TimeSlice {
  readonly #clock: Clock;
  readonly #lengthMs: number;
  #endsAt = 0;
  #lookedAt = 0;
  #stride = 1;
  #step = 1;
  #left = 1;
  #done = 0;
  #over = false;
  #limit = firstLimit;
  #forgiven = false;
  #longEnd = false;
  #begun = 0;
  #endedAt = 0;
  #hops = 0;

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

  /** How many things may be done before the next look, if they are as short as the last ones. */
  get left(): number {
    return this.#left;
  }

  /** Starts anew. */
  begin(): void {
    this.#lookedAt = this.#clock.now();
    this.#endsAt = this.#lookedAt + this.#lengthMs;
    this.#done = 0;
    this.#step = this.#left = Math.min(this.#stride, this.#limit);
    this.#over = this.#forgiven = false;
  }

  /** Says that so many things were done. Returns whether the time is over. */
  spend(count = 1): boolean {
    return (this.#left -= count) > 0 ? this.#over : this.#look();
  }

  /** Says that it ends, at this time of the clock, and looks how long that what was begun goes on. */
  end(now: number): void {
    if (this.#hops > 0) return;
    this.#begun = this.#done + this.#step - this.#left;
    if (this.#begun < few && this.#limit > few) return;
    this.#endedAt = now;
    this.#hops = hops;
    queueMicrotask(this.#hop);
  }

  #look(): boolean {
    const now = this.#clock.now();
    const took = now - this.#lookedAt;
    const long = took > this.#lengthMs / 4;
    if (long && took < longestStopMs && this.#stride >= shortBefore && !this.#forgiven) {
      this.#forgiven = true;
      this.#endsAt += took;
    }
    this.#lookedAt = now;
    this.#stride = long ? 1 : Math.min(longestStride, this.#stride + 1);
    this.#done += this.#step - this.#left;
    const room = this.#limit - this.#done;
    this.#step = this.#left = Math.max(1, Math.min(this.#stride, room));
    return this.#over = now >= this.#endsAt || room <= 0;
  }

  readonly #hop = (): void => {
    if (--this.#hops > 0) return queueMicrotask(this.#hop);
    const took = this.#clock.now() - this.#endedAt;
    const again = this.#longEnd;
    this.#longEnd = took > this.#lengthMs;
    if (this.#longEnd) {
      if (!again && took < longestStopMs) return;
      this.#limit = Math.max(1, Math.floor(this.#begun * this.#lengthMs / took));
    } else if (this.#begun >= this.#limit) {
      this.#limit = this.#limit < highestLimit ? this.#limit * 2 : Infinity;
    }
  };
}
