/** Cancels a timer of {@link Clock.after}. Further or late calls do nothing. */
export type CancelTimer = () => void;

/** Clock of the library. The composition root passes it down, so that tests can control time. */
export interface Clock {
  /** Monotonic milliseconds; only differences have a meaning. */
  now(): number;
  /** Milliseconds since 1970, for people and other machines. */
  wallNow(): number;
  /**
   * Calls `fn` once, not before `ms` milliseconds have passed; with `Infinity` never. The timer alone does not keep the
   * process alive.
   */
  after(ms: number, fn: () => void): CancelTimer;
}

/** Parts of a component with a clock. */
export interface Timed {
  /** Clock. */
  readonly clock: Clock;
}

/** Keeps the process alive until disposed, for waits that depend on a {@link Clock} alone. */
export function holdProcess(): Disposable {
  const timer = setInterval(() => {}, longestTimerMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Keeps the process alive from time to time, with one timer for all times. */
export class ProcessHold {
  #timer: ReturnType<typeof setInterval> | null = null;

  /** Keeps it alive until {@link free}. */
  hold(): void {
    if (this.#timer === null) this.#timer = setInterval(() => {}, longestTimerMs);
    else this.#timer.ref();
  }

  /** Does not keep it alive any more. */
  free(): void {
    this.#timer?.unref();
  }

  /** Ends the timer. */
  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}

const longestTimerMs = 2 ** 31 - 1;

/** The system's clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  after(ms, fn) {
    if (ms === Infinity) return () => {};
    const timer = setTimeout(fn, Math.min(Math.max(ms, 0), longestTimerMs));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
