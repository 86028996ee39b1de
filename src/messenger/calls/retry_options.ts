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

const longestBackoffMs = 5_000;

/** All that `retry` knows. */
export const retryOptionTable = {
  attempts: option.whole(1, 2 ** 31).or(3),
  backoffMs: option.duration.or(100),
  ran: option.oneOf("no", "maybe").or("no"),
} satisfies OptionTable<RetryOptions>;

/** {@link RetryOptions} with its defaults. */
export type ResolvedRetry = { readonly [Name in keyof RetryOptions]-?: NonNullable<RetryOptions[Name]> };

/** The pauses between attempts. */
export function retryPauses({ backoffMs }: ResolvedRetry): Backoff {
  return new Backoff({ firstMs: backoffMs, maxMs: Math.max(backoffMs, longestBackoffMs) });
}
