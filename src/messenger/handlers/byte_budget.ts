/** Memory that several share: who finds too little left waits, first come first served. */
export class ByteBudget {
  readonly #limit: number;
  readonly #waiting: { readonly bytes: number; readonly go: () => void }[] = [];
  #taken = 0;

  /** @param limit Bytes that may be taken at a time. Who wants more than that gets it when nobody else has any. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes taken now. */
  get taken(): number {
    return this.#taken;
  }

  /** Takes bytes, as soon as there is room. */
  take(bytes: number): Promise<void> {
    if (this.#waiting.length === 0 && this.#fits(bytes)) {
      this.#taken += bytes;
      return Promise.resolve();
    }
    return new Promise((go) => this.#waiting.push({ bytes, go }));
  }

  /** Gives bytes back. */
  give(bytes: number): void {
    this.#taken -= bytes;
    for (
      let first = this.#waiting[0];
      first !== undefined && this.#fits(first.bytes);
      first = this.#waiting[0]
    ) {
      this.#waiting.shift();
      this.#taken += first.bytes;
      first.go();
    }
  }

  #fits(bytes: number): boolean {
    return this.#taken === 0 || this.#taken + bytes <= this.#limit;
  }
}
