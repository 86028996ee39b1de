import { hold, systemClock } from "../core/mod.ts";
import type { WaitOptions } from "../messenger/mod.ts";

/** Something that many wait for, and that is looked at again whenever something has changed. */
export class TurningPoint {
  readonly #waiting = new Set<() => void>();
  readonly #reached: () => boolean;

  /** @param reached Whether it has come; throws when it never will. */
  constructor(reached: () => boolean) {
    this.#reached = reached;
  }

  /** Something has changed. */
  check(): void {
    for (const look of [...this.#waiting]) look();
  }

  /** Waits for it. @param late Makes the error of a wait that was in vain. */
  async wait(timeoutMs: number, { signal }: WaitOptions, late: () => Error): Promise<void> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      try {
        if (this.#reached()) resolve();
      } catch (error) {
        reject(error);
      }
    };
    this.#waiting.add(look);
    look();
    try {
      await hold(promise, { clock: systemClock, timeoutMs, signal, late });
    } finally {
      this.#waiting.delete(look);
    }
  }
}
