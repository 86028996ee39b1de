/** Why something has ended: a text such as `"closed"` after a regular end, an error after a failure. */
export type Ending = string | Error;

/** The end of a component, for its waiters. It is set once; a failure is its value, not thrown. */
export class EndOf {
  #ending: Ending | null = null;
  /** Made when somebody waits. */
  #told: PromiseWithResolvers<Ending> | null = null;

  /** Resolves to the reason, and never rejects. */
  get closed(): Promise<Ending> {
    if (this.#told === null) {
      this.#told = Promise.withResolvers();
      if (this.#ending !== null) this.#told.resolve(this.#ending);
    }
    return this.#told.promise;
  }

  /** Ends it. Only the first reason counts. */
  tell(ending: Ending): void {
    if (this.#ending !== null) return;
    this.#ending = ending;
    this.#told?.resolve(ending);
  }

  /**
   * Ends with the outcome of a promise.
   *
   * @param closing The promise of closing.
   * @param ending The reason if it resolves.
   * @returns The same promise.
   */
  follow<T>(closing: Promise<T>, ending: () => Ending = () => "closed"): Promise<T> {
    closing.then(() => this.tell(ending()), (error) => this.tell(asError(error)));
    return closing;
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
}
