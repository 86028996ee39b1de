import { type Clock, Deque, TimeSlice } from "../../core/mod.ts";

/** Something that has turns to run. */
export interface Runnable {
  /** Whether it is in the scheduler's queue; kept by it. */
  ready: boolean;
  /** Runs some turns, or one without a slice. Returns whether more can run at once. */
  run(slice: TimeSlice | null): boolean;
}

const sliceMs = 1;
// Messages sent in one turn of the event loop after which another slice follows in it. Their sender keeps the loop busy
// anyway, and would only fill the memory.
const pushesPerSlice = 1_024;

/**
 * Runs the actors that have something to do, in turns, in one microtask for all. After about a millisecond the event
 * loop has a turn.
 */
export class Scheduler {
  readonly #clock: Clock;
  readonly #slice: TimeSlice;
  readonly #ready = new Deque<Runnable>();
  /** Whether a microtask will run a pass, or one runs. */
  #scheduled = false;
  /** Whether it waits for a turn of the event loop. */
  #waits = false;
  #pushes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#slice = new TimeSlice(clock, sliceMs);
  }

  /** Adds an actor that has turns to run; does nothing when it is in. */
  add(one: Runnable): void {
    if (one.ready) return;
    one.ready = true;
    this.#ready.push(one);
    if (this.#waits || this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#inMicrotask);
  }

  /** A message was put into a mailbox. */
  pushed(): void {
    if (!this.#waits || ++this.#pushes < pushesPerSlice) return;
    this.#pushes = 0;
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#inMicrotask);
  }

  readonly #inMicrotask = (): void => this.#pass();

  readonly #inTurn = (): void => {
    this.#waits = false;
    this.#pushes = 0;
    this.#pass();
  };

  #pass(): void {
    // What is added meanwhile needs no pass of its own.
    this.#scheduled = true;
    this.#next(null);
    if (this.#ready.size > 0) this.#more();
    this.#scheduled = false;
    if (this.#ready.size === 0 || this.#waits) return;
    this.#waits = true;
    setImmediate(this.#inTurn);
  }

  /** Goes on for a slice. A pass of one turn has none, because two looks at the clock cost more than the turn. */
  #more(): void {
    const slice = this.#slice;
    slice.begin();
    while (!slice.over && this.#next(slice));
    slice.end(this.#clock.now());
  }

  /** Lets the first actor run. Returns whether there was one. */
  #next(slice: TimeSlice | null): boolean {
    const one = this.#ready.shift();
    if (one === undefined) return false;
    one.ready = false;
    if (one.run(slice)) this.add(one);
    return true;
  }
}
