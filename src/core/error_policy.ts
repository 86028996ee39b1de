/** What an {@link ErrorPolicy} wants done about a failed task. */
export type ErrorVerdict = "log" | "cancel";

/** Decides what follows when a handler fails. Made by {@link logOnly} and {@link cancelAfter}; others can implement it. */
export interface ErrorPolicy {
  /**
   * A task has failed.
   *
   * @param error What the handler threw.
   * @param failures How often this handler has failed, this time included.
   * @returns `"log"`: nothing more. `"cancel"`: whatever the handler works on is aborted, what waits for it is
   * cancelled, and it takes nothing more. A promise is waited for; a policy that throws, or answers anything else,
   * changes nothing.
   */
  failed(error: unknown, failures: number): ErrorVerdict | Promise<ErrorVerdict>;
}

const log: ErrorPolicy = Object.freeze({ failed: (): ErrorVerdict => "log" });

/** Failures are counted and reported to the caller, and change nothing else. The default. */
export function logOnly(): ErrorPolicy {
  return log;
}

/**
 * Stops a handler at its so manieth failure: what it works on is aborted, what waits is cancelled, and it takes
 * nothing more until it is registered again.
 *
 * @param failures A whole number from 1 on.
 * @throws {RangeError} If it is below 1 or no whole number.
 */
export function cancelAfter(failures: number): ErrorPolicy {
  if (!Number.isInteger(failures) || failures < 1) {
    throw new RangeError(`Cannot cancel after ${failures} failures: it must be a whole number from 1 on`);
  }
  return Object.freeze({
    failed: (_error: unknown, seen: number): ErrorVerdict => seen >= failures ? "cancel" : "log",
  });
}
