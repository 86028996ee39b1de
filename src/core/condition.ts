import type { Clock } from "./clock.ts";
import { hold } from "./wait.ts";

/** Options of a wait for a {@link Condition}. */
export interface ConditionWait {
  /** Milliseconds; `Infinity` for no limit. */
  readonly timeoutMs: number;
  /** Ends the wait. */
  readonly signal?: AbortSignal | null | undefined;
  /** Makes the error of a timeout. */
  late?: (() => unknown) | undefined;
}

/** A state that several waiters check again after each change. */
export class Condition {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Tells the waiters that the state has changed. */
  changed(): void {
    for (const look of [...this.#waiting]) look();
  }

  /**
   * Waits until `reached` returns true, now or after a change.
   *
   * @throws The error of `reached`, when the state can never be reached; the signal's reason; the error of `late`.
   */
  async until(reached: () => boolean, wait: ConditionWait): Promise<void> {
    wait.signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      try {
        if (reached()) resolve();
      } catch (error) {
        reject(error);
      }
    };
    this.#waiting.add(look);
    look();
    try {
      await hold(promise, { clock: this.#clock, ...wait });
    } finally {
      this.#waiting.delete(look);
    }
  }

  /** Waits for the next change, the timeout or the signal, whichever is first. Never rejects. */
  async change(timeoutMs: number, signal: AbortSignal): Promise<void> {
    let looks = 0;
    // `until` calls it once at the beginning.
    await this.until(() => looks++ > 0, { timeoutMs, signal }).catch(() => {});
  }
}
