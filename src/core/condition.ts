import type { Clock } from "./clock.ts";
import { hold } from "./wait.ts";

/** How long to wait for a {@link Condition}. */
export interface ConditionWait {
  /** Milliseconds; `Infinity` for as long as it takes. */
  readonly timeoutMs: number;
  /** Gives the wait up. */
  readonly signal?: AbortSignal | null | undefined;
  /** Makes the error of a wait that took too long. */
  late?: (() => unknown) | undefined;
}

/** Something that many wait for, and that each of them looks at again whenever something has changed. */
export class Condition {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();

  /** Nobody waits yet. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something has changed. */
  changed(): void {
    for (const look of [...this.#waiting]) look();
  }

  /**
   * Waits until `reached` says true, now or after a change.
   *
   * @throws What `reached` throws: then it never will be; the signal's reason; or what `late` makes.
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

  /** Waits for the next change, the end of the time or the signal, whichever is first. Never rejects. */
  async change(timeoutMs: number, signal: AbortSignal): Promise<void> {
    let looks = 0;
    // The first look is the one at the beginning.
    await this.until(() => looks++ > 0, { timeoutMs, signal }).catch(() => {});
  }
}
