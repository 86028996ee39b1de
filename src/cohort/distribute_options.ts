import { Backoff, ZeromeshError } from "../core/mod.ts";
import { checkOptionNames, checkTimeout, type WaitOptions } from "../messenger/mod.ts";
import { duration, whole } from "./options.ts";

/** When an item of `cohort.distribute` that failed is given to a worker again. */
export interface DistributeRetry {
  /** How often an item is sent at most, the first time included. @default {3} */
  attempts?: number | undefined;
  /** The pause before it is sent again, in milliseconds; it doubles each time, up to 5 s. @default {100} */
  backoffMs?: number | undefined;
  /**
   * `no`: only an item that certainly did not run. `maybe`: also one that may have run, such as that of a worker that
   * was killed; then the handler must bear to run twice.
   *
   * @default {"no"}
   */
  ran?: "no" | "maybe" | undefined;
}

/** Options of `cohort.distribute`. */
export interface DistributeOptions extends WaitOptions {
  /** How many items each worker has at a time. @default {1} */
  concurrency?: number | undefined;
  /** When an item is given to a worker again. @default {three times in all, if it did not run} */
  retry?: DistributeRetry | undefined;
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

const defaults = { concurrency: 1, attempts: 3, backoffMs: 100, ran: "no" } as const;
const longestBackoffMs = 5_000;
const optionNames: Readonly<Record<keyof DistributeOptions, true>> = {
  concurrency: true,
  retry: true,
  timeoutMs: true,
  itemTimeoutMs: true,
  headers: true,
  signal: true,
};
const retryNames: Readonly<Record<keyof DistributeRetry, true>> = {
  attempts: true,
  backoffMs: true,
  ran: true,
};

/** Checks options and fills in what is missing. @throws {RangeError} @throws {TypeError} */
export function resolveDistribution(options: DistributeOptions, timeoutMs: number): ResolvedDistribution {
  checkOptionNames(options, optionNames, "Cannot distribute");
  const retry = options.retry ?? {};
  checkOptionNames(retry, retryNames, "Cannot distribute with this retry");
  const { signal, headers } = options;
  const ran = retry.ran ?? defaults.ran;
  if (ran !== "no" && ran !== "maybe") {
    throw new TypeError(`retry.ran must be "no" or "maybe", not ${String(ran)}`);
  }
  const backoffMs = duration("retry.backoffMs", retry.backoffMs ?? defaults.backoffMs);
  return {
    concurrency: whole("concurrency", options.concurrency ?? defaults.concurrency),
    attempts: whole("retry.attempts", retry.attempts ?? defaults.attempts),
    ran,
    timeoutMs: checkTimeout("timeoutMs", options.timeoutMs ?? Infinity),
    itemTimeoutMs: checkTimeout("itemTimeoutMs", options.itemTimeoutMs ?? timeoutMs),
    signal,
    headers,
    backoff: () => new Backoff({ firstMs: backoffMs, maxMs: Math.max(backoffMs, longestBackoffMs) }),
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
