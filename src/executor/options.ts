import {
  type Clock,
  type Logger,
  type Meter,
  option,
  type OptionTable,
  type Overflow,
  systemClock,
} from "../core/mod.ts";

/** Options of `ActiveMessageExecutor`. */
export interface ExecutorOptions {
  /** Handlers that run at a time. @default {4} */
  concurrency?: number | undefined;
  /** Messages that wait for a handler. @default {65_536} */
  maxQueued?: number | undefined;
  /** Policy of `ActiveMessageExecutor.send` at `maxQueued`. @default {"wait"} */
  overflow?: Extract<Overflow, "wait" | "fail"> | undefined;
  /**
   * Unread notifications; at the limit no message starts until some are read, and senders wait.
   *
   * @default {65_536}
   */
  maxUnreadResponses?: number | undefined;
  /** Deadline of a handler, in milliseconds; `Infinity` for none. @default {30_000} */
  handlerTimeoutMs?: number | undefined;
  /** Logger, for failures without a notification. @default {silent} */
  logger?: Logger | undefined;
  /** Meter of the executor's counters, until it is closed. @default {none} */
  meter?: Meter | undefined;
  /** Clock. @default {the system's clock} */
  clock?: Clock | undefined;
  /** Closes the executor when it aborts, as `ActiveMessageExecutor.close` does without options. */
  signal?: AbortSignal | undefined;
}

/** Options of `ActiveMessageExecutor.close`. */
export interface ExecutorCloseOptions {
  /** Time for running handlers before their `signal` aborts, in milliseconds. @default {5_000} */
  timeoutMs?: number | undefined;
  /** Whether queued messages are still handled, within the same time. @default {false} */
  drain?: boolean | undefined;
}

/** Options of `ActiveMessageExecutor.send` and `execute`. */
export interface SendOptions {
  /** Ends the wait for a place. */
  signal?: AbortSignal | undefined;
  /**
   * The sender of the message, for programs that forward messages of others. One sender gets at most sixteen times as
   * many places of the queue as it leaves free, and waiting senders get places in turns.
   * @default {none: no such limit}
   */
  sender?: string | undefined;
}

/** Counters of an executor; `accepted` is `queued + running + succeeded + failed + dropped` at every moment. */
export interface ExecutorStats {
  /** Messages that `ActiveMessageExecutor.send` accepted. */
  readonly accepted: number;
  /** Queued messages. */
  readonly queued: number;
  /** Running handlers. */
  readonly running: number;
  /** Handlers that succeeded. */
  readonly succeeded: number;
  /** Handlers that threw, rejected or overran their deadline, and messages without a handler. */
  readonly failed: number;
  /** Messages still queued when the executor was closed. */
  readonly dropped: number;
  /** Failed handlers that overran their deadline and still run. */
  readonly abandoned: number;
  /** Unread notifications. */
  readonly unreadResponses: number;
}

/** The options of an executor. */
export const executorOptionTable = {
  concurrency: option.whole(1, 2 ** 31).or(4),
  maxQueued: option.whole(1, 2 ** 31).or(65_536),
  overflow: option.oneOf("wait", "fail").or("wait"),
  maxUnreadResponses: option.whole(1, 2 ** 31).or(65_536),
  handlerTimeoutMs: option.duration.or(30_000),
  logger: option.logger,
  meter: option.meter,
  clock: option.clock.or(systemClock),
  signal: option.signal,
} satisfies OptionTable<ExecutorOptions>;

/** The options of closing an executor. */
export const executorCloseOptionTable = {
  timeoutMs: option.timeout.or(5_000),
  drain: option.flag.or(false),
} satisfies OptionTable<ExecutorCloseOptions>;

/** The options of sending a message to an executor. */
export const sendOptionTable: OptionTable<SendOptions> = {
  signal: option.signal,
  sender: option.text,
};
