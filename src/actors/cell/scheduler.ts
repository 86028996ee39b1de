import { type Clock, TimeSlice } from "../../core/mod.ts";

/** Something that has turns to run. */
export interface Runnable {
  /** Link of the scheduler's list; kept by it. */
  nextReady: Runnable | null;
  /** Whether it is in the list; kept by it. */
  ready: boolean;
  /** Runs some turns. Returns whether more can run at once. */
  run(slice: TimeSlice): boolean;
}

const sliceMs = 1;

/**
 * Runs the actors that have something to do, in turns, in one microtask for all. After about a millisecond the event
 * loop has a turn.
 */
export class Scheduler {
  readonly #clock: Clock;
  readonly #slice: TimeSlice;
  #first: Runnable | null = null;
  #last: Runnable | null = null;
  #scheduled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#slice = new TimeSlice(clock, sliceMs);
  }

  /** Adds an actor that has turns to run; does nothing when it is in. */
  add(one: Runnable): void {
    if (one.ready) return;
    one.ready = true;
    if (this.#last === null) this.#first = one;
    else this.#last.nextReady = one;
    this.#last = one;
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#pass);
  }

  readonly #pass = (): void => {
    const slice = this.#slice;
    slice.begin();
    for (let one = this.#first; one !== null; one = this.#first) {
      if (slice.over) {
        slice.end(this.#clock.now());
        setImmediate(this.#pass);
        return;
      }
      this.#first = one.nextReady;
      if (this.#first === null) this.#last = null;
      one.nextReady = null;
      one.ready = false;
      if (one.run(slice)) this.add(one);
    }
    this.#scheduled = false;
    slice.end(this.#clock.now());
  };
}
