import { Deque } from "../../core/mod.ts";

/** Functions that run between two turns of an actor, one after the other. Messages wait while there are some. */
export class Boundary {
  readonly #waiting = new Deque<() => Promise<void>>();
  readonly #betweenTurns: () => boolean;
  readonly #freed: () => void;
  #running = false;
  #closed: { readonly error: unknown } | null = null;

  /**
   * @param betweenTurns Whether no turn runs.
   * @param freed Called when messages can go on.
   */
  constructor(betweenTurns: () => boolean, freed: () => void) {
    this.#betweenTurns = betweenTurns;
    this.#freed = freed;
  }

  /** Whether no function waits or runs. */
  get free(): boolean {
    return !this.#running && this.#waiting.size === 0;
  }

  /** Adds a function, which runs at once if no turn runs. */
  add<T>(run: () => T | Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#waiting.push(async () => {
      if (this.#closed !== null) return reject(this.#closed.error);
      try {
        resolve(await run());
      } catch (error) {
        reject(error);
      }
    });
    this.advance();
    return promise;
  }

  /** Runs the next function, if no turn runs. */
  advance(): void {
    if (this.#running || !this.#betweenTurns()) return;
    const run = this.#waiting.shift();
    if (run === undefined) return this.#freed();
    this.#running = true;
    void run().then(() => {
      this.#running = false;
      this.advance();
    });
  }

  /** Rejects those that wait. */
  close(error: unknown): void {
    this.#closed = { error };
    for (let run = this.#waiting.shift(); run !== undefined; run = this.#waiting.shift()) void run();
  }
}
