/** Ends a timer that {@link Clock.after} started. Calling it twice, or late, does nothing. */
export type CancelTimer = () => void;

/**
 * Where the library gets its time from. Passed down by the composition root, so that tests can hold it.
 *
 * `now()` is monotonic and in milliseconds; only differences mean anything.
 */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number;
  /** Milliseconds since 1970, for what people and other machines read. */
  wallNow(): number;
  /**
   * Calls `fn` once, not before `ms` milliseconds have passed. The timer alone does not keep the process
   * alive. `Infinity` never fires.
   */
  after(ms: number, fn: () => void): CancelTimer;
}

/** Keeps the process alive until disposed of, for those who wait by nothing but a {@link Clock}. */
export function holdProcess(): Disposable {
  const timer = setInterval(() => {}, longestTimerMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

const longestTimerMs = 2 ** 31 - 1;

/** The real clock. */
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
