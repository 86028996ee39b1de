import {
  type ErrorPolicy,
  type Limiter,
  logOnly,
  option,
  type OptionTable,
  type Overflow,
  requireOption,
  semaphore,
  tokenBucket,
  type TokenBucketOptions,
  tokenBucketOptionTable,
  withDefaults,
} from "../../core/mod.ts";

/** Policy at the limit of a handler's queue. */
export type QueueOverflow = Exclude<Overflow, "wait">;

/** One message after the other, in order of arrival. */
export interface OrderedDispatch {
  /** `"sender"`: those of one sender; senders do not wait for each other. `"global"`: all. */
  readonly ordered: "sender" | "global";
  /** Waiting messages of one lane. @default {16_384} */
  readonly maxQueued?: number | undefined;
  /** Time for which an idle sender's lane is kept, in milliseconds. @default {60_000} */
  readonly idleLaneTtlMs?: number | undefined;
  /** The refused message at the limit: the new one, or the oldest one. @default {"fail"} */
  readonly overflow?: QueueOverflow | undefined;
}

/** Dispatch mode of a handler. */
export type Dispatch = "spawn" | "inline" | OrderedDispatch;

/** Options of a handler about its tasks: limits, order, and failures. */
export interface TaskOptions {
  /**
   * `"spawn"` runs each message as a task that shutdown waits for; `"inline"` runs it inside the receive loop with the
   * least overhead, for short synchronous work; `{ ordered: "sender" }` runs one after the other.
   * @default {"spawn"}
   */
  dispatch?: Dispatch | undefined;
  /** Concurrent messages; a place is held until the handler's promise settles. @default {Infinity} */
  concurrency?: number | undefined;
  /** Messages started per second. @default {no limit} */
  rate?: TokenBucketOptions | undefined;
  /** Further limiters, which handlers may share. @default {[]} */
  limits?: readonly Limiter[] | undefined;
  /**
   * Waiting messages of all senders. Further ones are answered `OVERLOADED`, or, without an answer, dropped and
   * counted.
   * @default {65_536}
   */
  maxQueued?: number | undefined;
  /** Policy for failures. @default {logOnly()} */
  onError?: ErrorPolicy | undefined;
}

/** {@link TaskOptions} with its defaults. */
export interface ResolvedTasks {
  /** Null for no order. */
  readonly ordered: "sender" | "global" | null;
  /** All limiters, with those of concurrency and rate. */
  readonly limits: readonly Limiter[];
  /** Waiting messages of all senders. */
  readonly maxQueued: number;
  /** Waiting messages of one lane. */
  readonly maxQueuedPerLane: number;
  /** Time for which an idle sender's lane is kept, in milliseconds. */
  readonly idleLaneTtlMs: number;
  /** Policy at the limit. */
  readonly overflow: QueueOverflow;
  /** Policy for failures. */
  readonly onError: ErrorPolicy;
}

const orderedOptionTable = {
  ordered: option.oneOf("sender", "global"),
  maxQueued: option.permits.or(16_384),
  idleLaneTtlMs: option.duration.or(60_000),
  overflow: option.oneOf("fail", "dropNewest", "dropOldest").or("fail"),
} satisfies OptionTable<OrderedDispatch>;

const isLimiter = (value: unknown): boolean => {
  const { ready, take } = (value ?? {}) as Partial<Limiter>;
  return typeof ready === "function" && typeof take === "function";
};

/** The options of a handler's tasks. */
export const taskOptionTable = {
  dispatch: option.oneOfOrOptions(["spawn", "inline"], orderedOptionTable).or("spawn"),
  concurrency: option.permits.or(Infinity),
  rate: option.options(tokenBucketOptionTable),
  limits: option.kind(
    "an array of what semaphore(), tokenBucket() and unlimited() make",
    (value) => Array.isArray(value) && value.every(isLimiter),
  ),
  maxQueued: option.permits.or(65_536),
  onError: option.kind(
    "what logOnly() and cancelAfter() make",
    (value) => typeof (value as Partial<ErrorPolicy> | null)?.failed === "function",
  ),
} satisfies OptionTable<TaskOptions>;

/**
 * Fills in the defaults of checked options.
 *
 * @throws {TypeError} If an order or a rate is incomplete.
 */
export function resolveTasks(name: string, options: TaskOptions): ResolvedTasks {
  const { dispatch, concurrency, rate, maxQueued, onError = logOnly() } = withDefaults(
    options,
    taskOptionTable,
  );
  const cannot = `Cannot make handler "${name}"`;
  const given: Partial<OrderedDispatch> = typeof dispatch === "object" ? dispatch : {};
  const order = withDefaults(given, orderedOptionTable);
  const limits: Limiter[] = [];
  if (concurrency !== Infinity) limits.push(semaphore(concurrency));
  if (rate !== undefined) {
    requireOption(rate, "perSecond", tokenBucketOptionTable, `${cannot} with this rate`);
    limits.push(tokenBucket(rate));
  }
  limits.push(...(options.limits ?? []));
  return Object.freeze({
    ordered: typeof dispatch === "object"
      ? requireOption(dispatch, "ordered", orderedOptionTable, `${cannot} with this dispatch`)
      : null,
    limits: Object.freeze([...new Set(limits)]),
    maxQueued,
    maxQueuedPerLane: order.maxQueued,
    idleLaneTtlMs: order.idleLaneTtlMs,
    overflow: order.overflow,
    onError,
  });
}
