import { AsyncQueue } from "./async_queue.ts";
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
  readonly #subscribers = new Set<AsyncQueue<T | DroppedEntries>>();
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
    const { maxBuffered: limit = 256, signal } = readOptions(given, subscribeOptionTable, "Cannot subscribe");
    const subscriber = new AsyncQueue<T | DroppedEntries>({
      limit,
      overflow: "dropOldest",
      notice: (count) => ({ type: "dropped", count }),
      signal,
      onEnd: (): boolean => this.#subscribers.delete(subscriber),
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
