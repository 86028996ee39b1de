import { option, type OptionTable, readOptions } from "./options.ts";

/** What a subscriber sees in place of entries it was too slow for. */
export interface DroppedEntries {
  /** Tag of the union. */
  readonly type: "dropped";
  /** How many entries were dropped since the last one delivered. */
  readonly count: number;
}

/** How to listen. */
export interface SubscribeOptions {
  /** Entries kept for a slow reader; beyond it the oldest is dropped. @default {256} */
  maxBuffered?: number | undefined;
  /** Ends the iteration. */
  signal?: AbortSignal | undefined;
}

/** All that subscribing knows. */
export const subscribeOptionTable: OptionTable<SubscribeOptions> = {
  maxBuffered: option.whole(1, 2 ** 30),
  signal: option.signal,
};

/**
 * Entries for any number of readers, each with a bounded buffer of its own.
 *
 * A reader that falls behind loses its oldest entries and is told how many. Subscribing starts at the call,
 * not at the first `next()`.
 */
export class Broadcast<T> {
  readonly #subscribers = new Set<Subscriber<T>>();
  #closed = false;

  /** How many read along. */
  get subscribers(): number {
    return this.#subscribers.size;
  }

  /** Hands an entry to everybody who listens now. */
  publish(entry: T): void {
    for (const subscriber of this.#subscribers) subscriber.push(entry);
  }

  /**
   * Starts listening.
   *
   * @throws {TypeError} If an option is not known, or has the wrong type.
   * @throws {RangeError} If `maxBuffered` is not positive.
   */
  subscribe(given?: SubscribeOptions): AsyncIterableIterator<T | DroppedEntries> {
    const { maxBuffered = 256, signal } = readOptions(given, subscribeOptionTable, "Cannot subscribe");
    const subscriber = new Subscriber<T>(maxBuffered, signal, () => {
      this.#subscribers.delete(subscriber);
    });
    if (this.#closed || signal?.aborted) subscriber.end();
    else this.#subscribers.add(subscriber);
    return subscriber;
  }

  /** Ends every iteration once its buffer is read. */
  close(): void {
    this.#closed = true;
    for (const subscriber of [...this.#subscribers]) subscriber.end();
  }
}

class Subscriber<T> implements AsyncIterableIterator<T | DroppedEntries> {
  readonly #buffer: T[] = [];
  readonly #maxBuffered: number;
  readonly #signal: AbortSignal | undefined;
  readonly #onEnd: () => void;
  readonly #stop = () => this.end();
  readonly #waiting: ((result: IteratorResult<T | DroppedEntries>) => void)[] = [];
  #dropped = 0;
  #ended = false;

  constructor(maxBuffered: number, signal: AbortSignal | undefined, onEnd: () => void) {
    this.#maxBuffered = maxBuffered;
    this.#signal = signal;
    this.#onEnd = onEnd;
    signal?.addEventListener("abort", this.#stop, { once: true });
  }

  push(entry: T): void {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) return waiting({ done: false, value: entry });
    if (this.#buffer.length >= this.#maxBuffered) {
      this.#buffer.shift();
      this.#dropped++;
    }
    this.#buffer.push(entry);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#signal?.removeEventListener("abort", this.#stop);
    this.#onEnd();
    for (const waiting of this.#waiting.splice(0)) waiting({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<T | DroppedEntries>> {
    if (this.#dropped > 0) {
      const count = this.#dropped;
      this.#dropped = 0;
      return Promise.resolve({ done: false, value: { type: "dropped", count } });
    }
    const entry = this.#buffer.shift();
    if (entry !== undefined) return Promise.resolve({ done: false, value: entry });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  return(): Promise<IteratorResult<T | DroppedEntries>> {
    this.#buffer.length = 0;
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.return().then(() => {});
  }
}
