import { type Backoff, option, type OptionTable, readOptions, ZeromeshError } from "../core/mod.ts";
import {
  resolveRetry,
  type RetryOptions,
  retryOptionTable,
  retryPauses,
  type WaitOptions,
  waitOptionTable,
} from "../messenger/mod.ts";

/** Options of `cohort.distribute`. */
export interface DistributeOptions extends WaitOptions {
  /** Items per worker at a time. @default {1} */
  concurrency?: number | undefined;
  /** Retries of an item. @default {three attempts, while it has not run} */
  retry?: RetryOptions | undefined;
  /** Deadline of all items together, in milliseconds. @default {none} */
  timeoutMs?: number | undefined;
  /**
   * Deadline of one attempt, in milliseconds, and of the wait for a worker while there is none.
   *
   * @default {the cohort's timeoutMs, 30_000}
   */
  itemTimeoutMs?: number | undefined;
  /** Headers of each item's message. */
  headers?: Readonly<Record<string, string>> | undefined;
}

/** {@link DistributeOptions} with its defaults. */
export interface ResolvedDistribution {
  readonly concurrency: number;
  readonly attempts: number;
  readonly ran: "no" | "maybe";
  readonly timeoutMs: number;
  readonly itemTimeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
  /** The backoff of one item. */
  backoff(): Backoff;
}

const defaultConcurrency = 1;
const optionTable: OptionTable<DistributeOptions> = {
  ...waitOptionTable,
  concurrency: option.whole(1, 2 ** 31),
  retry: option.options(retryOptionTable),
  itemTimeoutMs: option.timeout,
  headers: option.object,
};

/** Checks the options and fills in defaults. @throws {RangeError} @throws {TypeError} */
export function resolveDistribution(
  given: DistributeOptions | undefined,
  timeoutMs: number,
): ResolvedDistribution {
  const options = readOptions(given, optionTable, "Cannot distribute");
  const retry = resolveRetry(options.retry ?? {});
  const { signal, headers } = options;
  return {
    concurrency: options.concurrency ?? defaultConcurrency,
    attempts: retry.attempts,
    ran: retry.ran,
    timeoutMs: options.timeoutMs ?? Infinity,
    itemTimeoutMs: options.itemTimeoutMs ?? timeoutMs,
    signal,
    headers,
    backoff: () => retryPauses(retry),
  };
}

// Errors of the item or the call itself: no other worker would accept it.
const hopeless: ReadonlySet<string> = new Set([
  "PAYLOAD_INVALID",
  "PAYLOAD_TOO_LARGE",
  "HEADERS_TOO_LARGE",
  "NAME_INVALID",
  "ENCODING_FAILED",
  "CANCELLED",
]);

/** Whether a failed item may be sent again. */
export function mayRunAgain(error: unknown, ran: "no" | "maybe"): boolean {
  if (!(error instanceof ZeromeshError) || hopeless.has(error.code)) return false;
  return error.ran === "no" || error.ran === ran;
}
