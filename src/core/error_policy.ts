/** Consequence of a failed task. */
export type ErrorVerdict = "log" | "cancel";

/**
 * Decides the consequence of a handler's failure. Made by {@link logOnly} and {@link cancelAfter}; others can implement
 * it.
 */
export interface ErrorPolicy {
  /**
   * A task has failed.
   *
   * @param error The error that the handler threw.
   * @param failures Failures of this handler so far, with this one.
   * @returns `"log"`: nothing more. `"cancel"`: running tasks of the handler are aborted, waiting ones are cancelled,
   * and it takes no new ones. A promise is awaited; a policy that throws or returns another value changes nothing.
   */
  failed(error: unknown, failures: number): ErrorVerdict | Promise<ErrorVerdict>;
}

const log: ErrorPolicy = Object.freeze({ failed: (): ErrorVerdict => "log" });

/** The default policy: failures are counted and reported to the caller. */
export function logOnly(): ErrorPolicy {
  return log;
}

/**
 * Stops a handler at its nth failure: running tasks are aborted, waiting ones are cancelled, and it takes no new ones
 * until it is registered again.
 *
 * @param failures A whole number, 1 or more.
 * @throws {RangeError} If it is below 1 or not whole.
 */
export function cancelAfter(failures: number): ErrorPolicy {
  if (!Number.isInteger(failures) || failures < 1) {
    throw new RangeError(`Cannot cancel after ${failures} failures: it must be a whole number from 1 on`);
  }
  return Object.freeze({
    failed: (_error: unknown, seen: number): ErrorVerdict => seen >= failures ? "cancel" : "log",
  });
}
