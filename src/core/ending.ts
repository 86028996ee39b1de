/**
 * Why something is over: a text after an end that went as it should, such as `"closed"`, and an error after one that did
 * not.
 */
export type Ending = string | Error;

/** The end of something, for those who wait for it. It is told once, and what failed is told and not thrown. */
export class EndOf {
  readonly #told: PromiseWithResolvers<Ending> = Promise.withResolvers();

  /** Resolves to why it is over, and never rejects. */
  get closed(): Promise<Ending> {
    return this.#told.promise;
  }

  /** It is over. Only the first reason counts. */
  tell(ending: Ending): void {
    this.#told.resolve(ending);
  }

  /**
   * Tells how closing ends.
   *
   * @param closing What ends it.
   * @param ending Why it is over when that went well.
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
