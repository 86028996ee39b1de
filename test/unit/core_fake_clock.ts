import type { Clock } from "../../src/core/mod.ts";

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  /** Timers that run, the earliest first. */
  readonly timers: { readonly at: number; readonly fn: () => void }[] = [];
  /** The number of timers that were started. */
  started = 0;
  #now: number;

  constructor(now = 1_000.5) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return 1_700_000_000_000 + this.#now;
  }

  after(ms: number, fn: () => void): () => void {
    if (ms === Infinity) return () => {};
    this.started++;
    const timer = { at: this.#now + Math.max(0, ms), fn };
    this.timers.push(timer);
    this.timers.sort((a, b) => a.at - b.at);
    return () => {
      const index = this.timers.indexOf(timer);
      if (index >= 0) this.timers.splice(index, 1);
    };
  }

  /** Lets time pass, each timer firing at its moment. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = this.timers[0];
      if (next === undefined || next.at > end) break;
      this.timers.shift();
      this.#now = Math.max(this.#now, next.at);
      next.fn();
    }
    this.#now = end;
  }

  /** Lets time pass while nothing can run, as a busy thread does; then whatever is due fires. */
  stall(ms: number): void {
    this.#now += ms;
    this.advance(0);
  }
}
