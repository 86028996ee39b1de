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

/** What happens at the limit of a queue of messages for a handler. */
export type QueueOverflow = Exclude<Overflow, "wait">;

/** One message after the other, in the order they came. */
export interface OrderedDispatch {
  /** `"sender"`: those of one sender; senders do not wait for each other. `"global"`: all. */
  readonly ordered: "sender" | "global";
  /** Messages that may wait in one lane. @default {16_384} */
  readonly maxQueued?: number | undefined;
  /** How long the lane of a silent sender is kept, in milliseconds. @default {60_000} */
  readonly idleLaneTtlMs?: number | undefined;
  /** Which message is refused when the lane is full: the one that comes, or the oldest that waits. @default {"fail"} */
  readonly overflow?: QueueOverflow | undefined;
}

/** How messages reach a handler. */
export type Dispatch = "spawn" | "inline" | OrderedDispatch;

/** Options of a handler about how many of its tasks run, and what follows when they fail. */
export interface TaskOptions {
  /**
   * `"spawn"` runs each message as a task of its own that shutdown waits for; `"inline"` runs it inside the
   * receive loop with the least overhead, for short synchronous work; `{ ordered: "sender" }` one after the other.
   * @default {"spawn"}
   */
  dispatch?: Dispatch | undefined;
  /** The most messages it works on at a time; a place is held until its promise settles. @default {Infinity} */
  concurrency?: number | undefined;
  /** The most messages it starts per second. @default {no limit} */
  rate?: TokenBucketOptions | undefined;
  /** More limits, which may be shared with other handlers. @default {[]} */
  limits?: readonly Limiter[] | undefined;
  /**
   * Messages that may wait for this handler, of all senders. What comes then is answered `OVERLOADED`, or, when
   * nobody waits for an answer, dropped and counted.
   * @default {65_536}
   */
  maxQueued?: number | undefined;
  /** What follows when it fails. @default {logOnly()} */
  onError?: ErrorPolicy | undefined;
}

/** {@link TaskOptions} with every default filled in. */
export interface ResolvedTasks {
  /** Null: in any order. */
  readonly ordered: "sender" | "global" | null;
  /** All limits, concurrency and rate included. */
  readonly limits: readonly Limiter[];
  /** Messages that may wait, of all senders. */
  readonly maxQueued: number;
  /** Messages that may wait in one lane. */
  readonly maxQueuedPerLane: number;
  /** How long the lane of a silent sender is kept, in milliseconds. */
  readonly idleLaneTtlMs: number;
  /** Which message is refused at the limit. */
  readonly overflow: QueueOverflow;
  /** What follows when it fails. */
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

/** All that a handler's tasks know. */
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
 * Fills in the defaults of options of a handler that were checked by their table.
 *
 * @throws {TypeError} If an order, or a rate, is not said.
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
