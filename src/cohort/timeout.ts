import { type Clock, hold } from "../core/mod.ts";
import { type PartOfCall, spentMs, type WaitOptions } from "../messenger/mod.ts";

/** One end for all parts of something, however many there are and however long each one takes. */
export class Timeout {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #startedAt: number;
  readonly #signal: AbortSignal | undefined;

  /**
   * Begins now.
   *
   * @param timeoutMs How long it lasts.
   * @param options A signal that ends it before.
   */
  constructor(clock: Clock, timeoutMs: number, { signal }: Pick<WaitOptions, "signal"> = {}) {
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
  }

  /** What is left of it, in milliseconds; 0 when it is over. */
  get leftMs(): number {
    return Math.max(0, this.#startedAt + this.#timeoutMs - this.#clock.now());
  }

  /** Options of a call that has as long as this still lasts. */
  get wait(): WaitOptions & PartOfCall {
    const signal = this.#signal;
    return { timeoutMs: this.#timeoutMs, [spentMs]: this.#clock.now() - this.#startedAt, signal };
  }

  /**
   * What a promise comes to, if it does so in time.
   *
   * @param late Makes the error of a wait that was in vain; a signal's own reason is thrown as it is.
   */
  hold<T>(promise: PromiseLike<T>, late?: () => Error): Promise<T> {
    return hold(promise, { clock: this.#clock, timeoutMs: this.leftMs, signal: this.#signal, late });
  }
}
