import type { Clock } from "./clock.ts";

// The most units between two readings of the clock. A reading costs 40 ns on Bun and 140 on Deno, a message in a batch
// as little as 250 in all.
const longestStride = 32;
// Units of the first slice; the number doubles while the microtasks that they leave behind are short.
const firstLimit = 64;
const highestLimit = 4_096;
// Below this the microtasks left behind are not measured: they are part of a lone call.
const few = 4;
// A handler's promise continues in a microtask, and in another one after each settled promise that it awaits.
const hops = 8;
// On a busy machine the system stops the process for milliseconds now and then, which says nothing about the units: one
// long slice after several short ones is ignored once. Without this, batches of 64 calls fell apart into some 47 on two
// processors that four threads shared, and each part went on by itself.
const shortBefore = 8;
// The system stops a process for less than this.
const longestStopMs = 20;

/**
 * Time that a loop may use before the event loop continues.
 *
 * The clock is not read for each unit: less and less often while units are short, and each time after a long one.
 * Microtasks that follow cannot be interrupted, but while they take longer than the slice, fewer units are begun next
 * time.
 */
export class TimeSlice {
  readonly #clock: Clock;
  readonly #lengthMs: number;
  #endsAt = 0;
  #lookedAt = 0;
  #stride = 1;
  #step = 1;
  #left = 1;
  #grace = 0;
  #done = 0;
  #over = false;
  #limit = firstLimit;
  #forgiven = false;
  #longEnd = false;
  #begun = 0;
  #endedAt = 0;
  #hops = 0;

  /** @param lengthMs Length of a slice in milliseconds. */
  constructor(clock: Clock, lengthMs: number) {
    this.#clock = clock;
    this.#lengthMs = lengthMs;
  }

  /** Whether the slice is over. */
  get over(): boolean {
    return this.#over;
  }

  /** Units until the next reading of the clock, if they are as short as the last ones. */
  get left(): number {
    return this.#left;
  }

  /** Units that fit into a quarter of a slice if they are as short as the last ones: so few may still follow its end. */
  get grace(): number {
    return this.#grace;
  }

  /** Begins a slice. */
  begin(): void {
    this.#lookedAt = this.#clock.now();
    this.#endsAt = this.#lookedAt + this.#lengthMs;
    this.#done = 0;
    this.#step = this.#left = Math.min(this.#stride, this.#limit);
    this.#over = this.#forgiven = false;
  }

  /** Counts units. Returns whether the slice is over. */
  spend(count = 1): boolean {
    return (this.#left -= count) > 0 ? this.#over : this.#look();
  }

  /** Ends the slice at this time of the clock, and measures the microtasks that it leaves behind. */
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
    const count = this.#step - this.#left;
    this.#stride = long ? 1 : Math.min(longestStride, this.#stride + 1);
    this.#done += count;
    const room = this.#limit - this.#done;
    this.#grace = room <= 0 ? 0 : Math.floor(this.#lengthMs / 4 * count / took);
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
