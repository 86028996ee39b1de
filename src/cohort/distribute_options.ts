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
  /** How many items each worker has at a time. @default {1} */
  concurrency?: number | undefined;
  /** When an item is given to a worker again. @default {three times in all, if it did not run} */
  retry?: RetryOptions | undefined;
  /** How long all items together may take, in milliseconds. @default {no end} */
  timeoutMs?: number | undefined;
  /**
   * How long one attempt at one item may take, and how long items wait for a worker while there is none, in
   * milliseconds.
   *
   * @default {the cohort's timeoutMs, 30_000}
   */
  itemTimeoutMs?: number | undefined;
  /** Text by name, sent beside each item. */
  headers?: Readonly<Record<string, string>> | undefined;
}

/** {@link DistributeOptions} with everything filled in. */
export interface ResolvedDistribution {
  readonly concurrency: number;
  readonly attempts: number;
  readonly ran: "no" | "maybe";
  readonly timeoutMs: number;
  readonly itemTimeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
  /** The pauses of one item. */
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

/** Checks options and fills in what is missing. @throws {RangeError} @throws {TypeError} */
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

// These say that the item, or the call, is wrong: no other worker would take it.
const hopeless: ReadonlySet<string> = new Set([
  "PAYLOAD_INVALID",
  "PAYLOAD_TOO_LARGE",
  "HEADERS_TOO_LARGE",
  "NAME_INVALID",
  "ENCODING_FAILED",
  "CANCELLED",
]);

/** Whether an item that ended with an error may be sent again. */
export function mayRunAgain(error: unknown, ran: "no" | "maybe"): boolean {
  if (!(error instanceof ZeromeshError) || hopeless.has(error.code)) return false;
  return error.ran === "no" || error.ran === ran;
}
