import { ProcessHold } from "../../core/mod.ts";

/** Keeps the process alive while somebody waits: for an answer, for room, for a start or an end. */
export class Holding {
  readonly #hold: (() => Disposable) | null;
  readonly #process = new ProcessHold();
  #held: Disposable | null = null;
  #count = 0;

  /** @param hold How a messenger holds the process; null without a messenger. */
  constructor(hold: (() => Disposable) | null) {
    this.#hold = hold;
  }

  /** Somebody waits, until {@link end}. */
  begin(): void {
    if (this.#count++ > 0) return;
    if (this.#hold === null) this.#process.hold();
    else this.#held = this.#hold();
  }

  /** Somebody waits no more. */
  end(): void {
    if (--this.#count > 0) return;
    if (this.#hold === null) this.#process.free();
    this.#held?.[Symbol.dispose]();
    this.#held = null;
  }

  /** {@link begin}, with the end as the result. */
  hold(): Disposable {
    this.begin();
    return { [Symbol.dispose]: () => this.end() };
  }

  /** Waits for a promise. */
  async during<T>(promise: Promise<T>): Promise<T> {
    this.begin();
    try {
      return await promise;
    } finally {
      this.end();
    }
  }

  /** Keeps the process alive no more. */
  close(): void {
    this.#process.close();
    this.#held?.[Symbol.dispose]();
  }
}
