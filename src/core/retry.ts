import type { Backoff } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { pause } from "./wait.ts";

/** How something is done again. */
export interface RepeatOptions {
  /** Where time comes from. */
  readonly clock: Clock;
  /** The pauses in between. */
  readonly backoff: Backoff;
  /** Ends it. */
  readonly signal?: AbortSignal | null | undefined;
  /** Told what an attempt failed with, to log it. */
  readonly failed?: ((error: unknown) => void) | undefined;
}

/** How something is tried again. */
export interface AttemptOptions extends RepeatOptions {
  /** For how long attempts begin, in milliseconds from the first one on. @default {for ever} */
  readonly timeoutMs?: number | undefined;
  /** Whether it is worth another attempt after an error. @default {after every error} */
  readonly again?: ((error: unknown) => boolean) | undefined;
}

/**
 * Tries until an attempt succeeds.
 *
 * @throws What the last attempt failed with, when another one is not worth it or would begin too late; the signal's
 * reason, when it aborts during a pause.
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
 * Runs something again and again, with a pause after each end, until the signal aborts; whether it ended by itself or
 * failed. Never rejects.
 *
 * @param run Calls `healthy` when it works: then the pauses begin with the shortest one again.
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
