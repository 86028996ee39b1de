import { AsyncQueue } from "./async_queue.ts";
import { option, type OptionTable, readOptions } from "./options.ts";

/** The entry that a slow subscriber gets in place of dropped ones. */
export interface DroppedEntries {
  /** Tag of the union. */
  readonly type: "dropped";
  /** Entries dropped since the last one delivered. */
  readonly count: number;
}

/** Options of a subscription. */
export interface SubscribeOptions {
  /** Entries kept for a slow reader; at the limit the oldest is dropped. @default {256} */
  maxBuffered?: number | undefined;
  /** Ends the iteration. */
  signal?: AbortSignal | undefined;
}

/** The options of a subscription. */
export const subscribeOptionTable: OptionTable<SubscribeOptions> = {
  maxBuffered: option.whole(1, 2 ** 30),
  signal: option.signal,
};

/**
 * Entries for several readers, each with its own bounded buffer.
 *
 * A reader that falls behind loses its oldest entries and gets their number. Subscribing starts at the call, not at the
 * first `next()`.
 */
export class Broadcast<T> {
  readonly #subscribers = new Set<AsyncQueue<T | DroppedEntries>>();
  #closed = false;

  /** Current subscribers. */
  get subscribers(): number {
    return this.#subscribers.size;
  }

  /** Gives an entry to each current subscriber. */
  publish(entry: T): void {
    for (const subscriber of this.#subscribers) subscriber.push(entry);
  }

  /**
   * Subscribes.
   *
   * @throws {TypeError} If an option is unknown or has the wrong type.
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

  /** Ends each subscription once its buffer is read. */
  close(): void {
    this.#closed = true;
    for (const subscriber of [...this.#subscribers]) subscriber.end();
  }
}
