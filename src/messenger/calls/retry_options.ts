import { Backoff, option, type OptionTable } from "../../core/mod.ts";

/** When something that failed is sent again. */
export interface RetryOptions {
  /** How often it is sent at most, the first time included. @default {3} */
  attempts?: number | undefined;
  /** The pause before it is sent again, in milliseconds; it doubles each time, up to 5 s. @default {100} */
  backoffMs?: number | undefined;
  /**
   * `no`: only what certainly did not run. `maybe`: also what may have run, such as a call to an instance that was
   * killed; then the handler must bear to run twice.
   *
   * @default {"no"}
   */
  ran?: "no" | "maybe" | undefined;
}

/** {@link RetryOptions} with everything filled in. */
export interface ResolvedRetry {
  readonly attempts: number;
  readonly backoffMs: number;
  readonly ran: "no" | "maybe";
}

const defaults: ResolvedRetry = Object.freeze({ attempts: 3, backoffMs: 100, ran: "no" });
const longestBackoffMs = 5_000;

/** All that `retry` knows. */
export const retryOptionTable: OptionTable<RetryOptions> = {
  attempts: option.whole(1, 2 ** 31),
  backoffMs: option.duration,
  ran: option.oneOf("no", "maybe"),
};

/** Fills in what is missing in options that were checked. */
export function resolveRetry({ attempts, backoffMs, ran }: RetryOptions): ResolvedRetry {
  return {
    attempts: attempts ?? defaults.attempts,
    backoffMs: backoffMs ?? defaults.backoffMs,
    ran: ran ?? defaults.ran,
  };
}

/** The pauses between attempts. */
export function retryPauses({ backoffMs }: ResolvedRetry): Backoff {
  return new Backoff({ firstMs: backoffMs, maxMs: Math.max(backoffMs, longestBackoffMs) });
}
