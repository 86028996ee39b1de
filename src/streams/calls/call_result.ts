/** How a call has ended. */
export interface CallOutcome {
  /** Whether {@link value} is an error. */
  readonly failed: boolean;
  /** The handler's result, or the error. */
  readonly value: unknown;
}

const never = (): void => {};

/** The outcome of a call, with a promise that is made when somebody wants it: many calls may be open. */
export class CallResult {
  /** Null while the call goes on. */
  outcome: CallOutcome | null = null;
  #told: PromiseWithResolvers<unknown> | null = null;

  /** A rejection that nobody awaits is not reported. */
  get promise(): Promise<unknown> {
    if (this.#told === null) {
      this.#told = Promise.withResolvers();
      this.#told.promise.catch(never);
      this.#tell();
    }
    return this.#told.promise;
  }

  /** Ends it. Only the first outcome counts. */
  end(outcome: CallOutcome): void {
    this.outcome ??= outcome;
    this.#tell();
  }

  #tell(): void {
    if (this.outcome === null) return;
    const { failed, value } = this.outcome;
    if (failed) this.#told?.reject(value);
    else this.#told?.resolve(value);
  }
}
