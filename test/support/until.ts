/** Waiting in tests. No other file in the tests starts a timer, so that no test sleeps for luck. */

// Taken before the leak check replaces the globals: waiting here is no leak of the test's.
const startTimer = globalThis.setTimeout;

/** Options of {@link until}. */
export interface UntilOptions {
  /** The longest wait, in milliseconds. @default {5000} */
  timeoutMs?: number | undefined;
  /** The time between two looks, in milliseconds. @default {5} */
  intervalMs?: number | undefined;
  /** The awaited state, for the error; a function is called when the time is over. */
  message?: string | (() => string) | undefined;
}

/**
 * Waits until a condition holds and returns the value by which it held.
 *
 * @param condition Looked at until it is neither `false`, `null` nor `undefined`. A throw ends the wait.
 * @param options How long, how often, and what to say when it never holds.
 * @throws {Error} If the time is up.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<Exclude<T, false | null | undefined>> {
  const { timeoutMs = 5000, intervalMs = 5, message = "the condition" } = options;
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value !== false && value !== null && value !== undefined) {
      return value as Exclude<T, false | null | undefined>;
    }
    if (performance.now() >= end) {
      const what = typeof message === "string" ? message : message();
      throw new Error(`Waited ${timeoutMs} ms in vain for ${what}`);
    }
    await pause(intervalMs);
  }
}

/** Lets `ms` milliseconds pass: for showing that something does *not* happen. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    startTimer(resolve, ms);
  });
}

/** Returns the outcome of a promise, or throws an error if it does not settle in time. */
export async function within<T>(promise: Promise<T>, timeoutMs: number, message = "the promise"): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = startTimer(() => reject(new Error(`Waited ${timeoutMs} ms in vain for ${message}`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
