import { Deque } from "./deque.ts";
import { onAbort } from "./wait.ts";

/** Options of an {@link AsyncSource}. */
export interface AsyncSourceOptions {
  /** Ends the source. A signal that has aborted already ends it in the next microtask. */
  readonly signal?: AbortSignal | null | undefined;
  /** Called once, when the source has ended. */
  readonly onEnd?: (() => unknown) | undefined;
}

/**
 * The reading half of a queue: readers take items, and wait while there are none.
 *
 * A subclass keeps the items. Several readers share them: each item goes to the reader that has waited longest.
 */
export abstract class AsyncSource<T> implements AsyncIterableIterator<T>, AsyncDisposable {
  readonly #readers = new Deque<PromiseWithResolvers<IteratorResult<T>>>();
  readonly #onEnd: (() => unknown) | undefined;
  #listening: Disposable | null = null;
  #failure: { readonly error: unknown } | null = null;
  #ended = false;

  /** Listens to the signal. */
  constructor({ signal, onEnd }: AsyncSourceOptions = {}) {
    this.#onEnd = onEnd;
    // The owner gets the source before it ends.
    if (signal?.aborted) queueMicrotask(() => this.end());
    else this.#listening = onAbort(signal, () => this.end());
  }

  /** Whether no items come any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Takes the next item, or undefined when there is none; undefined is no valid item. */
  abstract take(): T | undefined;

  /** Drops the items that no reader has taken. */
  protected discard(): void {}

  /** Gives items to waiting readers. A subclass calls it when it has some. */
  protected hand(): void {
    while (this.#readers.size > 0) {
      const value = this.take();
      if (value === undefined) return;
      this.#readers.shift()!.resolve({ done: false, value });
    }
  }

  /** Ends the source: readers get the remaining items first. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#listening?.[Symbol.dispose]();
    this.#onEnd?.();
    for (let one = this.#readers.shift(); one !== undefined; one = this.#readers.shift()) {
      one.resolve({ done: true, value: undefined });
    }
  }

  /** Ends the source with an error, which one reader gets. */
  fail(error: unknown): void {
    if (this.#ended) return;
    const reader = this.#readers.shift();
    if (reader === undefined) this.#failure = { error };
    else reader.reject(error);
    this.end();
  }

  /** Resolves to the next item. */
  next(): Promise<IteratorResult<T>> {
    const value = this.take();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) return Promise.reject(failure.error);
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    const reader = Promise.withResolvers<IteratorResult<T>>();
    this.#readers.push(reader);
    return reader.promise;
  }

  /** Ends the source and drops unread items. */
  return(): Promise<IteratorResult<T>> {
    this.discard();
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** The source itself: leaving the loop early ends it. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Same as {@link return}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
