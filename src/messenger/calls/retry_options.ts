import { Backoff, option, type OptionTable } from "../../core/mod.ts";

/** Options of retries. */
export interface RetryOptions {
  /** The most attempts, with the first one. @default {3} */
  attempts?: number | undefined;
  /** The pause before the second attempt, in milliseconds; it doubles each time, up to 5 s. @default {100} */
  backoffMs?: number | undefined;
  /**
   * `no`: only calls that certainly did not run. `maybe`: also those that may have run, such as a call to an instance
   * that was killed; the handler must be idempotent then.
   *
   * @default {"no"}
   */
  ran?: "no" | "maybe" | undefined;
}

const longestBackoffMs = 5_000;

/** The options of `retry`. */
export const retryOptionTable = {
  attempts: option.whole(1, 2 ** 31).or(3),
  backoffMs: option.duration.or(100),
  ran: option.oneOf("no", "maybe").or("no"),
} satisfies OptionTable<RetryOptions>;

/** {@link RetryOptions} with its defaults. */
export type ResolvedRetry = { readonly [Name in keyof RetryOptions]-?: NonNullable<RetryOptions[Name]> };

/** The backoff between attempts. */
export function retryPauses({ backoffMs }: ResolvedRetry): Backoff {
  return new Backoff({ firstMs: backoffMs, maxMs: Math.max(backoffMs, longestBackoffMs) });
}
