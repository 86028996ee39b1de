import { Deque } from "./deque.ts";
import { onAbort } from "./wait.ts";

/** Options of an {@link AsyncSource}. */
export interface AsyncSourceOptions {
  /** Ends the source. One that has aborted already ends it in the next microtask. */
  readonly signal?: AbortSignal | null | undefined;
  /** Called once, when the source has ended. */
  readonly onEnd?: (() => unknown) | undefined;
}

/**
 * Something that readers take items from, and wait at while there are none: the reading half of a queue.
 *
 * A subclass keeps the items. Several readers share them: each item goes to the one that has waited longest.
 */
export abstract class AsyncSource<T> implements AsyncIterableIterator<T>, AsyncDisposable {
  readonly #readers = new Deque<PromiseWithResolvers<IteratorResult<T>>>();
  readonly #onEnd: (() => unknown) | undefined;
  #listening: Disposable | null = null;
  #failure: { readonly error: unknown } | null = null;
  #ended = false;

  /** Begins to listen to the signal. */
  constructor({ signal, onEnd }: AsyncSourceOptions = {}) {
    this.#onEnd = onEnd;
    // An owner is given the source first, and an end after that.
    if (signal?.aborted) queueMicrotask(() => this.end());
    else this.#listening = onAbort(signal, () => this.end());
  }

  /** Whether nothing comes any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Takes the next item, or undefined where there is none; no item is undefined. */
  abstract take(): T | undefined;

  /** Forgets the items that nobody has taken. */
  protected discard(): void {}

  /** Gives items to the readers that wait. Called by the subclass when there may be some. */
  protected hand(): void {
    while (this.#readers.size > 0) {
      const value = this.take();
      if (value === undefined) return;
      this.#readers.shift()!.resolve({ done: false, value });
    }
  }

  /** Nothing comes any more: readers end once they have taken the rest. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#listening?.[Symbol.dispose]();
    this.#onEnd?.();
    for (let one = this.#readers.shift(); one !== undefined; one = this.#readers.shift()) {
      one.resolve({ done: true, value: undefined });
    }
  }

  /** Ends with an error, which one reader gets. */
  fail(error: unknown): void {
    if (this.#ended) return;
    const reader = this.#readers.shift();
    if (reader === undefined) this.#failure = { error };
    else reader.reject(error);
    this.end();
  }

  /** The next item, when there is one. */
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

  /** Ends the source, and forgets what was not read. */
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
