import {
  AsyncQueue,
  type Ending,
  EndOf,
  errorText,
  type Filled,
  Guard,
  type Logger,
  observeStats,
  onAbort,
  readOptions,
  withDefaults,
  ZeromeshError,
} from "../core/mod.ts";
import { executorMetrics } from "./executor_metrics.ts";
import {
  type ActiveMessage,
  type ActiveMessageHandler,
  type ActiveMessageHandlerObject,
  asFunction,
  checkMessage,
} from "./message.ts";
import { failed, type ResponseNotification, succeeded } from "./notification.ts";
import {
  type ExecutorCloseOptions,
  executorCloseOptionTable,
  type ExecutorOptions,
  executorOptionTable,
  type ExecutorStats,
  type SendOptions,
  sendOptionTable,
} from "./options.ts";

interface Job {
  readonly message: ActiveMessage;
  /** Receives the notification in place of the common stream. */
  readonly tell: ((notification: ResponseNotification | null) => void) | null;
  /** The sender; null if none is given. */
  readonly sender: string | null;
}

/**
 * Runs handlers for messages, a limited number at a time and in the order of sending, and reports how each ended.
 *
 * @example Usage
 * ```ts
 * import { ActiveMessageExecutor } from "zeromesh/executor";
 * import assert from "node:assert/strict";
 *
 * await using executor = new ActiveMessageExecutor({ concurrency: 2 });
 * executor.registerHandlers({ resize: (data) => assert.equal(data.length, 3) });
 * await executor.send({
 *   messageType: "resize",
 *   messageData: new Uint8Array(3),
 *   responseNotification: "request_1",
 * });
 * for await (const { notification } of executor.responses) {
 *   assert.equal(notification, "request_1:ok");
 *   break;
 * }
 * ```
 */
export class ActiveMessageExecutor implements AsyncDisposable {
  readonly #options: Filled<ExecutorOptions, typeof executorOptionTable>;
  readonly #logger: Logger;
  readonly #metrics: Disposable;
  #listening: Disposable | null = null;
  readonly #handlers = new Map<string, ActiveMessageHandler>();
  readonly #queue: AsyncQueue<Job>;
  readonly #running = new Set<AbortController>();
  // Unbounded: no handlers start while too many are unread.
  readonly #responses = new AsyncQueue<ResponseNotification>({ limit: Infinity, overflow: "wait" });
  #idle: PromiseWithResolvers<void> | null = null;
  readonly #end = new EndOf();
  #closing: Promise<void> | null = null;
  #succeeded = 0;
  #failed = 0;
  #dropped = 0;
  #abandoned = 0;

  /**
   * Makes an executor without handlers.
   *
   * @param given Limits, deadline, logger.
   * @throws {TypeError} If an option is unknown, or has the wrong type.
   * @throws {RangeError} If a limit is below 1, or a time is negative.
   */
  constructor(given?: ExecutorOptions) {
    const read = readOptions(given, executorOptionTable, "Cannot make an executor");
    const { maxQueued: limit, overflow, meter, signal } = this.#options = withDefaults(
      read,
      executorOptionTable,
    );
    this.#queue = new AsyncQueue({
      limit,
      overflow,
      senderOf: ({ sender }) => sender,
      refusal: (job, why) => this.#refusal(job, why),
    });
    const guard = new Guard(read.logger);
    this.#logger = guard.logger;
    this.#metrics = observeStats(meter, guard, executorMetrics, () => this.stats());
    this.#listening = onAbort(signal, () => {
      void this.#close({}, `the signal aborted: ${errorText(signal?.reason)}`);
    });
  }

  /**
   * Notifications of messages with a prefix. Several readers share them. The iteration ends when {@link close} is done
   * and all are read.
   */
  get responses(): AsyncIterable<ResponseNotification> {
    const reader: AsyncIterator<ResponseNotification> = {
      next: () => {
        const response = this.#responses.next();
        this.#pump();
        return response;
      },
    };
    // A reader that leaves does not end the stream.
    return { [Symbol.asyncIterator]: () => reader };
  }

  /** A snapshot of the counters. */
  stats(): ExecutorStats {
    return {
      accepted: this.#queue.size + this.#running.size + this.#succeeded + this.#failed + this.#dropped,
      queued: this.#queue.size,
      running: this.#running.size,
      succeeded: this.#succeeded,
      failed: this.#failed,
      dropped: this.#dropped,
      abandoned: this.#abandoned,
      unreadResponses: this.#responses.size,
    };
  }

  /**
   * Registers handlers by message type and replaces existing ones, for messages that start from now on.
   *
   * @throws {TypeError} If one is neither a function nor an object with `handleMessage`. None is registered then.
   */
  registerHandlers(
    handlers: Readonly<Record<string, ActiveMessageHandler | ActiveMessageHandlerObject>>,
  ): void {
    const checked = Object.entries(handlers).map(([type, handler]) =>
      [type, asFunction(type, handler)] as const
    );
    for (const [type, handler] of checked) this.#handlers.set(type, handler);
  }

  /** Unregisters a handler; returns whether there was one. */
  unregisterHandler(messageType: string): boolean {
    return this.#handlers.delete(messageType);
  }

  /**
   * Sends a message. Resolves when it has a place in the queue, not when it was handled.
   *
   * @param message The message, with the prefix of its notification.
   * @param options A signal that ends the wait for a place.
   * @throws {ZeromeshError} `CLOSED` after {@link close}; `QUEUE_FULL` with `overflow: "fail"`.
   */
  send(message: ActiveMessage, options?: SendOptions): Promise<void> {
    return this.#accept(message, null, options);
  }

  /**
   * Sends a message and waits until it was handled. Resolves to its notification, which does not go to
   * {@link responses}, or to null when it has no prefix.
   *
   * @throws {ZeromeshError} As {@link send}.
   */
  async execute(message: ActiveMessage, options?: SendOptions): Promise<ResponseNotification | null> {
    const { promise, resolve } = Promise.withResolvers<ResponseNotification | null>();
    await this.#accept(message, resolve, options);
    return await promise;
  }

  /**
   * Accepts no more messages, and waits for running handlers. Queued messages are handled only with `drain`; otherwise
   * those with a prefix get a notification. Handlers that overrun the time are reported as failed. Another call waits
   * for the same end.
   */
  async close(given?: ExecutorCloseOptions): Promise<void> {
    await this.#close(readOptions(given, executorCloseOptionTable, "Cannot close the executor"), "closed");
  }

  /** Alias of {@link close}, after the stop of the receiver in Dynamo's document. */
  stop(options?: ExecutorCloseOptions): Promise<void> {
    return this.close(options);
  }

  /**
   * Resolves when the executor is closed, and never rejects: to `"closed"`, to the text of the signal that closed it,
   * or to an error when handlers overran the time.
   */
  get closed(): Promise<Ending> {
    return this.#end.closed;
  }

  /** Same as {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #close(options: ExecutorCloseOptions, reason: string): Promise<void> {
    if (this.#closing !== null) return this.#closing;
    const { timeoutMs, drain } = withDefaults(options, executorCloseOptionTable);
    let late = 0;
    this.#closing = this.#finish(drain, timeoutMs, (count) => late = count);
    return this.#end.follow(this.#closing, () =>
      late === 0 ? reason : new ZeromeshError(
        "TIMEOUT",
        `${late} handlers of the executor had not finished within ${timeoutMs} ms`,
      ));
  }

  async #finish(drain: boolean, timeoutMs: number, tellLate: (count: number) => void): Promise<void> {
    this.#queue.end();
    if (!drain) this.#dropQueue();
    this.#idle = Promise.withResolvers();
    if (this.#isIdle()) this.#idle.resolve();
    const cancel = this.#options.clock.after(timeoutMs, () => {
      this.#dropQueue();
      tellLate(this.#running.size);
      const message = `The executor was closed and waited ${timeoutMs} ms`;
      for (const controller of this.#running) {
        controller.abort(new ZeromeshError("CLOSED", message, { ran: "maybe" }));
      }
    });
    await this.#idle.promise;
    cancel();
    this.#listening?.[Symbol.dispose]();
    this.#metrics[Symbol.dispose]();
    this.#responses.end();
  }

  #isIdle(): boolean {
    return this.#running.size === 0 && this.#queue.size === 0;
  }

  #dropQueue(): void {
    for (let job = this.#queue.take(); job !== undefined; job = this.#queue.take()) {
      this.#dropped++;
      this.#notify(job, new Error("The executor was closed before this message was handled"));
    }
  }

  async #accept(message: ActiveMessage, tell: Job["tell"], options: SendOptions | undefined): Promise<void> {
    checkMessage(message);
    const read = readOptions(options, sendOptionTable, "Cannot send", message.messageType);
    const placed = this.#queue.put({ message, tell, sender: read.sender ?? null }, read.signal);
    this.#pump();
    await placed;
  }

  #refusal({ message: { messageType } }: Job, why: "full" | "ended"): ZeromeshError {
    const reason = why === "ended"
      ? "the executor was closed"
      : `${this.#queue.size} messages wait for a handler, ` +
        "which is the limit (maxQueued), or one sender's share of it";
    return new ZeromeshError(
      why === "ended" ? "CLOSED" : "QUEUE_FULL",
      `Cannot send "${messageType}": ${reason}`,
      { handler: messageType, ran: "no" },
    );
  }

  /** Starts queued messages as far as possible. */
  #pump(): void {
    const { concurrency, maxUnreadResponses } = this.#options;
    while (this.#queue.size > 0 && this.#running.size < concurrency) {
      // Each running handler will add one notification.
      if (this.#closing === null && this.#responses.size + this.#running.size >= maxUnreadResponses) return;
      this.#begin(this.#queue.take()!);
    }
  }

  #begin(job: Job): void {
    const { messageType, messageData } = job.message;
    const handler = this.#handlers.get(messageType);
    const controller = new AbortController();
    this.#running.add(controller);
    let over = false;
    const end = (error: unknown): void => {
      if (over) return;
      over = true;
      cancel();
      this.#running.delete(controller);
      if (error === undefined) this.#succeeded++;
      else this.#failed++;
      this.#notify(job, error);
      this.#pump();
      if (this.#isIdle()) this.#idle?.resolve();
    };
    // At the deadline, or when closing took too long.
    onAbort(controller.signal, () => {
      if (over) return;
      this.#abandoned++;
      end(controller.signal.reason);
    });
    const { clock, handlerTimeoutMs } = this.#options;
    const cancel = clock.after(handlerTimeoutMs, () => {
      const waited = `The handler of "${messageType}" was not done within ${handlerTimeoutMs} ms`;
      controller.abort(new ZeromeshError("TIMEOUT", waited, { handler: messageType, ran: "maybe" }));
    });
    // In a microtask: `send` does not run handlers itself.
    queueMicrotask(() => {
      if (handler === undefined) return end(new Error(`No handler for message type: ${messageType}`));
      let result: unknown;
      try {
        result = handler(messageData, { messageType, signal: controller.signal });
      } catch (error) {
        return end(error ?? new Error("The handler threw nothing"));
      }
      Promise.resolve(result).then(() => {
        if (over) this.#abandoned--;
        else end(undefined);
      }, (error) => {
        if (over) this.#abandoned--;
        else end(error ?? new Error("The handler rejected with nothing"));
      });
    });
  }

  #notify(job: Job, error: unknown): void {
    const { messageType, responseNotification: prefix } = job.message;
    if (prefix === undefined) {
      if (error !== undefined) {
        this.#logger.warn("a message failed that asked for no notification", {
          messageType,
          error: errorText(error),
        });
      }
      return job.tell?.(null);
    }
    const notification = error === undefined ? succeeded(prefix) : failed(prefix, errorText(error));
    if (job.tell !== null) job.tell(notification);
    else this.#responses.push(notification);
  }
}
