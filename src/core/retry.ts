import type { Backoff } from "./backoff.ts";
import type { Timed } from "./clock.ts";
import { pause } from "./wait.ts";

/** Options of a repetition. */
export interface RepeatOptions extends Timed {
  /** Pauses between attempts. */
  readonly backoff: Backoff;
  /** Ends the repetition. */
  readonly signal?: AbortSignal | null | undefined;
  /** Receives the error of a failed attempt, for a log. */
  readonly failed?: ((error: unknown) => void) | undefined;
}

/** Options of {@link retry}. */
export interface AttemptOptions extends RepeatOptions {
  /** Attempts begin within this time, in milliseconds from the first one. @default {no limit} */
  readonly timeoutMs?: number | undefined;
  /** Whether to try again after an error. @default {always} */
  readonly again?: ((error: unknown) => boolean) | undefined;
}

/**
 * Tries until an attempt succeeds.
 *
 * @throws The last attempt's error, when `again` denies another or it would begin too late; the signal's reason, when
 * it aborts during a pause.
 */
export async function retry<T>(attempt: () => T | PromiseLike<T>, options: AttemptOptions): Promise<T> {
  const { clock, backoff, signal, failed, timeoutMs = Infinity, again } = options;
  const startedAt = clock.now();
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      failed?.(error);
      const pauseMs = backoff.next();
      if (again?.(error) === false || clock.now() + pauseMs >= startedAt + timeoutMs) throw error;
      await pause(clock, pauseMs, signal);
      signal?.throwIfAborted();
    }
  }
}

/**
 * Runs a function again and again, with a pause after each end or failure, until the signal aborts. Never rejects.
 *
 * @param run Calls `healthy` when it works, which makes the next pause the shortest one.
 */
export async function supervise(
  run: (healthy: () => void) => Promise<void>,
  options: RepeatOptions & { readonly signal: AbortSignal },
): Promise<void> {
  const { clock, backoff, signal, failed } = options;
  while (!signal.aborted) {
    try {
      await run(() => backoff.reset());
    } catch (error) {
      if (!signal.aborted) failed?.(error);
    }
    await pause(clock, backoff.next(), signal);
  }
}
