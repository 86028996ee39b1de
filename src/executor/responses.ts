import { Deque } from "../core/mod.ts";
import type { ResponseNotification } from "./notification.ts";

/**
 * Notifications that nobody has read yet. Several readers share them: each item goes to one. A reader that leaves
 * takes nothing with it.
 */
export class Responses implements AsyncIterable<ResponseNotification> {
  readonly #items = new Deque<ResponseNotification>();
  readonly #readers = new Deque<(result: IteratorResult<ResponseNotification>) => void>();
  readonly #onRead: () => void;
  #ended = false;

  /** @param onRead Called after an item was taken: there is room for another. */
  constructor(onRead: () => void) {
    this.#onRead = onRead;
  }

  /** How many items wait for a reader. */
  get size(): number {
    return this.#items.size;
  }

  /** Adds an item, for the reader that has waited longest. */
  push(item: ResponseNotification): void {
    const reader = this.#readers.shift();
    if (reader === undefined) this.#items.push(item);
    else reader({ done: false, value: item });
  }

  /** Nothing comes any more: readers end when everything is read. */
  end(): void {
    this.#ended = true;
    for (let reader = this.#readers.shift(); reader !== undefined; reader = this.#readers.shift()) {
      reader({ done: true, value: undefined });
    }
  }

  /** A reader: it shares the items with all others. */
  [Symbol.asyncIterator](): AsyncIterator<ResponseNotification> {
    return {
      next: () => {
        const item = this.#items.shift();
        if (item !== undefined) {
          this.#onRead();
          return Promise.resolve({ done: false, value: item });
        }
        if (this.#ended) return Promise.resolve({ done: true, value: undefined });
        return new Promise((resolve) => this.#readers.push(resolve));
      },
    };
  }
}
