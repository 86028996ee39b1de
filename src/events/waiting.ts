import {
  Deadline,
  type Deadlines,
  LinkedQueue,
  onAbort,
  option,
  type OptionTable,
  QueueNode,
  ZeromeshError,
} from "../core/mod.ts";
import { elapsedOf } from "../messenger/mod.ts";
import type { EventHandle } from "./handle.ts";
import { type Outcome, poisonedError } from "./outcome.ts";

/** Options of a wait for an event. */
export interface AwaiterOptions {
  /** Gives up; the promise rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
  /** Timeout in milliseconds, after which it fails with `TIMEOUT`. @default {Infinity: while the event has an owner} */
  timeoutMs?: number | undefined;
}

/** The options of a wait for an event. */
export const awaiterOptionTable: OptionTable<AwaiterOptions> = {
  signal: option.signal,
  timeoutMs: option.timeout,
};

/**
 * The waiters of one event.
 *
 * Waiters without signal or deadline share one promise. Each other waiter has an entry in a list, and leaves the list
 * when it gives up.
 */
export class Waiting {
  #promise: Promise<unknown> | null = null;
  #resolve!: (value: unknown) => void;
  #reject!: (error: unknown) => void;
  /** Waiters with a signal or a deadline; null before the first one. */
  #waiters: LinkedQueue<Waiter> | null = null;

  /** Whether there are no waiters. */
  get idle(): boolean {
    return this.#promise === null && (this.#waiters === null || this.#waiters.size === 0);
  }

  /** The promise of waiters without signal or deadline. */
  promise(): Promise<unknown> {
    return this.#promise ??= new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** A promise that gives up at its signal or deadline. `onIdle` is called if no waiter is left then. */
  conditional(
    handle: EventHandle,
    options: AwaiterOptions,
    deadlines: Deadlines,
    onIdle: (() => void) | null,
  ): Promise<unknown> {
    const { signal, timeoutMs = Infinity } = options;
    const left = timeoutMs - elapsedOf(options);
    return new Promise((resolve, reject) => {
      const waiter = new Waiter(this, handle, timeoutMs, resolve, reject, deadlines, onIdle);
      if (signal?.aborted) return waiter.giveUp(signal.reason);
      if (left <= 0) return waiter.expire();
      (this.#waiters ??= new LinkedQueue()).push(waiter.node);
      if (signal !== undefined) waiter.watch(signal);
      deadlines.add(waiter, left);
    });
  }

  /** Settles all waiters with the event's outcome. */
  settle(handle: EventHandle, outcome: Outcome): void {
    if (this.idle) return;
    if (outcome.reason !== null) return this.fail(poisonedError(handle, outcome.reason));
    const { value } = outcome;
    if (this.#promise !== null) {
      this.#promise = null;
      this.#resolve(value);
    }
    for (let waiter = this.#next(); waiter !== null; waiter = this.#next()) waiter.resolve(value);
  }

  /** Fails all waiters. */
  fail(error: unknown): void {
    if (this.#promise !== null) {
      this.#promise = null;
      this.#reject(error);
    }
    for (let waiter = this.#next(); waiter !== null; waiter = this.#next()) waiter.reject(error);
  }

  /** Removes a waiter from the list. */
  take(waiter: Waiter): void {
    if (this.#waiters?.remove(waiter.node)) waiter.release();
  }

  #next(): Waiter | null {
    const waiter = this.#waiters?.shift() ?? null;
    waiter?.release();
    return waiter;
  }
}

/** A waiter with a signal or a deadline. */
class Waiter extends Deadline {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly node: QueueNode<Waiter> = new QueueNode<Waiter>(this);
  readonly #waiting: Waiting;
  readonly #handle: EventHandle;
  readonly #timeoutMs: number;
  readonly #deadlines: Deadlines;
  readonly #onIdle: (() => void) | null;
  #listening: Disposable | null = null;

  constructor(
    waiting: Waiting,
    handle: EventHandle,
    timeoutMs: number,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
    deadlines: Deadlines,
    onIdle: (() => void) | null,
  ) {
    super();
    this.#waiting = waiting;
    this.#handle = handle;
    this.#timeoutMs = timeoutMs;
    this.resolve = resolve;
    this.reject = reject;
    this.#deadlines = deadlines;
    this.#onIdle = onIdle;
  }

  watch(signal: AbortSignal): void {
    this.#listening = onAbort(signal, () => this.giveUp(signal.reason));
  }

  release(): void {
    this.#deadlines.remove(this);
    this.#listening?.[Symbol.dispose]();
  }

  override expire(): void {
    this.giveUp(
      new ZeromeshError("TIMEOUT", `Event ${this.#handle} did not complete within ${this.#timeoutMs} ms`, {
        details: { handle: String(this.#handle) },
      }),
    );
  }

  /** Ends the wait. */
  giveUp(error: unknown): void {
    this.#waiting.take(this);
    this.reject(error);
    if (this.#waiting.idle) this.#onIdle?.();
  }
}
