import { type Clock, hold } from "../core/mod.ts";
import { elapsedMs, type PartOfCall, type WaitOptions } from "../messenger/mod.ts";

/** One deadline for all parts of an operation. */
export class Timeout {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #startedAt: number;
  readonly #signal: AbortSignal | undefined;

  /**
   * Starts the time.
   *
   * @param options A signal that ends it early.
   */
  constructor(clock: Clock, timeoutMs: number, { signal }: Pick<WaitOptions, "signal"> = {}) {
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
  }

  /** Remaining milliseconds; 0 when it is over. */
  get leftMs(): number {
    return Math.max(0, this.#startedAt + this.#timeoutMs - this.#clock.now());
  }

  /** Options of a call that may take the remaining time. */
  get wait(): WaitOptions & PartOfCall {
    const signal = this.#signal;
    return { timeoutMs: this.#timeoutMs, [elapsedMs]: this.#clock.now() - this.#startedAt, signal };
  }

  /**
   * Waits for a promise within the time.
   *
   * @param late Makes the error of a timeout; a signal's reason is thrown unchanged.
   */
  hold<T>(promise: PromiseLike<T>, late?: () => Error): Promise<T> {
    return hold(promise, { clock: this.#clock, timeoutMs: this.leftMs, signal: this.#signal, late });
  }
}
