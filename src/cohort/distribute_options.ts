import {
  codesOfCallers,
  option,
  type OptionTable,
  readOptions,
  withDefaults,
  ZeromeshError,
} from "../core/mod.ts";
import {
  type ResolvedRetry,
  type RetryOptions,
  retryOptionTable,
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

const optionTable = {
  ...waitOptionTable,
  timeoutMs: option.timeout.or(Infinity),
  concurrency: option.whole(1, 2 ** 31).or(1),
  retry: option.options(retryOptionTable),
  itemTimeoutMs: option.timeout,
  headers: option.object,
} satisfies OptionTable<DistributeOptions>;

/** {@link DistributeOptions} with its defaults. */
export interface ResolvedDistribution extends Pick<DistributeOptions, "signal" | "headers"> {
  readonly concurrency: number;
  readonly retry: ResolvedRetry;
  readonly timeoutMs: number;
  readonly itemTimeoutMs: number;
}

/** Checks the options and fills in defaults. @throws {RangeError} @throws {TypeError} */
export function resolveDistribution(
  given: DistributeOptions | undefined,
  timeoutMs: number,
): ResolvedDistribution {
  const options = withDefaults(readOptions(given, optionTable, "Cannot distribute"), optionTable);
  const { retry = {}, itemTimeoutMs = timeoutMs } = options;
  return { ...options, retry: withDefaults(retry, retryOptionTable), itemTimeoutMs };
}

/** Whether a failed item may be sent again. */
export function mayRunAgain(error: unknown, ran: "no" | "maybe"): boolean {
  // An item that is wrong itself would fail at every worker.
  if (!(error instanceof ZeromeshError) || codesOfCallers.has(error.code)) return false;
  return error.ran === "no" || error.ran === ran;
}
