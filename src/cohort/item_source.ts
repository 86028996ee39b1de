/** The items of an iterable, synchronous or asynchronous. */
export class ItemSource<T> {
  readonly #iterator: Iterator<T> | AsyncIterator<T>;
  readonly #later: (item: T) => void;
  readonly #ended: (error: { readonly reason: unknown } | null) => void;
  #asking = false;
  #taken = 0;
  /** Number of items; null while unknown. */
  total: number | null;
  /** Whether all items were taken. */
  exhausted = false;

  /**
   * Takes no item yet.
   *
   * @param later Gets an item that {@link ItemSource.take} could not return at once.
   * @param ended Called at an asynchronous end, with the source's error if it threw.
   */
  constructor(
    items: Iterable<T> | AsyncIterable<T>,
    later: (item: T) => void,
    ended: (error: { readonly reason: unknown } | null) => void,
  ) {
    this.#later = later;
    this.#ended = ended;
    this.total = Array.isArray(items) ? items.length : null;
    this.#iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  }

  /** The next item, if it is available at once. */
  take(): { readonly item: T } | null {
    if (this.exhausted || this.#asking) return null;
    let result: IteratorResult<T> | Promise<IteratorResult<T>>;
    try {
      result = this.#iterator.next();
    } catch (reason) {
      this.#end({ reason });
      return null;
    }
    if (!(result instanceof Promise)) return this.#taking(result);
    this.#asking = true;
    result.then((given) => {
      this.#asking = false;
      const taken = this.#taking(given);
      if (taken === null) this.#ended(null);
      else this.#later(taken.item);
    }, (reason) => this.#end({ reason }));
    return null;
  }

  /** Ends the source. */
  close(): void {
    if (this.exhausted) return;
    this.exhausted = true;
    try {
      Promise.resolve(this.#iterator.return?.()).catch(() => {});
    } catch {
      // The remaining items have no receiver.
    }
  }

  #taking(result: IteratorResult<T>): { readonly item: T } | null {
    if (result.done !== true) {
      this.#taken++;
      return { item: result.value };
    }
    this.exhausted = true;
    this.total = this.#taken;
    return null;
  }

  #end(error: { readonly reason: unknown }): void {
    this.exhausted = true;
    this.#ended(error);
  }
}
