import { type Clock, type Logger, type Meter, option, type OptionTable, type Overflow } from "../core/mod.ts";

/** Options of `ActiveMessageExecutor`. */
export interface ExecutorOptions {
  /** How many handlers run at a time. @default {4} */
  concurrency?: number | undefined;
  /** How many messages wait for a handler. @default {65_536} */
  maxQueued?: number | undefined;
  /** What `ActiveMessageExecutor.send` does when as many wait. @default {"wait"} */
  overflow?: Extract<Overflow, "wait" | "fail"> | undefined;
  /**
   * How many notifications may be unread; then no further message begins until some are read, and senders wait.
   *
   * @default {65_536}
   */
  maxUnreadResponses?: number | undefined;
  /** How long a handler may take, in milliseconds; `Infinity` for as long as it likes. @default {30_000} */
  handlerTimeoutMs?: number | undefined;
  /** Where trouble is reported that nobody asked to be told of. @default {silent} */
  logger?: Logger | undefined;
  /** Where its counters go, until it is closed. @default {nowhere} */
  meter?: Meter | undefined;
  /** Where time comes from. @default {the system's clock} */
  clock?: Clock | undefined;
  /** Closes it, as `ActiveMessageExecutor.close` does without options. */
  signal?: AbortSignal | undefined;
}

/** Options of `ActiveMessageExecutor.close`. */
export interface ExecutorCloseOptions {
  /** How long running handlers may go on before their `signal` aborts, in milliseconds. @default {5_000} */
  timeoutMs?: number | undefined;
  /** Whether messages that wait are still handled, within the same time. @default {false} */
  drain?: boolean | undefined;
}

/** Options of `ActiveMessageExecutor.send` and `execute`. */
export interface SendOptions {
  /** Ends the wait for a place. */
  signal?: AbortSignal | undefined;
  /**
   * Whose message it is, for whoever hands on what others send: one of them gets sixteen times the places of the queue
   * that it leaves free, and those that wait for one get it in turns.
   * @default {nobody's: it may take them all}
   */
  sender?: string | undefined;
}

/** Counters of an executor; `accepted` is `queued + running + succeeded + failed + dropped` at every moment. */
export interface ExecutorStats {
  /** Messages that `ActiveMessageExecutor.send` took. */
  readonly accepted: number;
  /** Messages that wait. */
  readonly queued: number;
  /** Handlers that run. */
  readonly running: number;
  /** Handlers that finished. */
  readonly succeeded: number;
  /** Handlers that threw, rejected or overran their time, and messages without a handler. */
  readonly failed: number;
  /** Messages that were still waiting when the executor was closed. */
  readonly dropped: number;
  /** Failed handlers that were given up at their deadline and have not ended since. */
  readonly abandoned: number;
  /** Notifications that nobody has read. */
  readonly unreadResponses: number;
}

/** What holds where nothing is said. */
export const executorDefaults = {
  concurrency: 4,
  maxQueued: 65_536,
  overflow: "wait",
  maxUnreadResponses: 65_536,
  handlerTimeoutMs: 30_000,
  closeTimeoutMs: 5_000,
} as const;

/** All that an executor knows. */
export const executorOptionTable: OptionTable<ExecutorOptions> = {
  concurrency: option.whole(1, 2 ** 31),
  maxQueued: option.whole(1, 2 ** 31),
  overflow: option.oneOf("wait", "fail"),
  maxUnreadResponses: option.whole(1, 2 ** 31),
  handlerTimeoutMs: option.duration,
  logger: option.logger,
  meter: option.meter,
  clock: option.clock,
  signal: option.signal,
};

/** All that closing an executor knows. */
export const executorCloseOptionTable: OptionTable<ExecutorCloseOptions> = {
  timeoutMs: option.timeout,
  drain: option.flag,
};

/** All that handing a message to an executor knows. */
export const sendOptionTable: OptionTable<SendOptions> = {
  signal: option.signal,
  sender: option.text,
};
