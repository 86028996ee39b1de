import {
  checkPermits,
  type ErrorPolicy,
  type Limiter,
  logOnly,
  semaphore,
  tokenBucket,
  type TokenBucketOptions,
} from "../../core/mod.ts";

/** What happens at the limit of a queue of messages for a handler. */
export type QueueOverflow = "fail" | "dropNewest" | "dropOldest";

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

/** Every default of {@link TaskOptions} and {@link OrderedDispatch} that is a number or a word. */
export const taskDefaults = Object.freeze({
  maxQueued: 65_536,
  maxQueuedPerLane: 16_384,
  idleLaneTtlMs: 60_000,
  overflow: "fail" as QueueOverflow,
});

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

/**
 * Checks a handler's options and fills in defaults.
 *
 * @throws {TypeError} If one has the wrong type.
 * @throws {RangeError} If a number is out of its range.
 */
export function resolveTasks(name: string, options: TaskOptions): ResolvedTasks {
  const { dispatch = "spawn" } = options;
  const ordered = typeof dispatch === "object" && dispatch !== null ? dispatch : null;
  const overflow = ordered?.overflow ?? taskDefaults.overflow;
  const idleLaneTtlMs = ordered?.idleLaneTtlMs ?? taskDefaults.idleLaneTtlMs;
  if (ordered === null ? dispatch !== "spawn" && dispatch !== "inline" : !isOrder(ordered.ordered)) {
    throw new TypeError(
      `Cannot make handler "${name}": dispatch must be "spawn", "inline" or { ordered: "sender" | "global" }`,
    );
  }
  if (overflow !== "fail" && overflow !== "dropNewest" && overflow !== "dropOldest") {
    throw new TypeError(
      `Cannot make handler "${name}": overflow must be "fail", "dropNewest" or "dropOldest"`,
    );
  }
  if (typeof idleLaneTtlMs !== "number" || !(idleLaneTtlMs >= 0)) {
    throw new RangeError(`Cannot make handler "${name}": idleLaneTtlMs must be 0 or more`);
  }
  const limits: Limiter[] = [];
  const concurrency = checkPermits(`concurrency of handler "${name}"`, options.concurrency ?? Infinity);
  if (concurrency !== Infinity) limits.push(semaphore(concurrency));
  if (options.rate !== undefined) limits.push(tokenBucket(options.rate));
  limits.push(...(options.limits ?? []));
  for (const limit of limits) {
    if (typeof limit?.ready === "function" && typeof limit.take === "function") continue;
    throw new TypeError(
      `Cannot make handler "${name}": limits takes what semaphore(), tokenBucket() and unlimited() make`,
    );
  }
  const onError = options.onError ?? logOnly();
  if (typeof onError?.failed !== "function") {
    throw new TypeError(`Cannot make handler "${name}": onError takes what logOnly() and cancelAfter() make`);
  }
  return Object.freeze({
    ordered: ordered?.ordered ?? null,
    limits: Object.freeze([...new Set(limits)]),
    maxQueued: checkPermits("maxQueued", options.maxQueued ?? taskDefaults.maxQueued),
    maxQueuedPerLane: checkPermits("maxQueued", ordered?.maxQueued ?? taskDefaults.maxQueuedPerLane),
    idleLaneTtlMs,
    overflow,
    onError,
  });
}

function isOrder(order: unknown): boolean {
  return order === "sender" || order === "global";
}
