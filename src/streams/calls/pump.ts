import { describeValue } from "../../core/mod.ts";
import { atOnce } from "../turn_share.ts";
import type { ItemSink } from "./item_sink.ts";

/** The iterator of a source of items. @throws {TypeError} If it is none, or a string. */
export function iteratorOf(source: unknown, cannot: string): AsyncIterator<unknown> | Iterator<unknown> {
  if (typeof source === "object" && source !== null) {
    const { [Symbol.asyncIterator]: later, [Symbol.iterator]: now } = source as
      & Partial<AsyncIterable<unknown>>
      & Partial<Iterable<unknown>>;
    if (typeof later === "function") return later.call(source);
    if (typeof now === "function") return now.call(source);
  }
  throw new TypeError(
    `${cannot}: the items must come from an async iterable, or an iterable object, got ${
      describeValue(source)
    }`,
  );
}

/** Sends the items of an iterator. */
export class Pump {
  readonly #iterator: AsyncIterator<unknown> | Iterator<unknown>;
  readonly #sink: ItemSink;
  #stopped = false;
  #returned: Promise<void> = atOnce;
  #finish: () => void = () => {};

  constructor(iterator: AsyncIterator<unknown> | Iterator<unknown>, sink: ItemSink) {
    this.#iterator = iterator;
    this.#sink = sink;
  }

  /**
   * Sends until the iterator is done, or {@link stop} is called. The iterator's `return` is called if it is not done.
   *
   * @param early Called before that `return` after an item that was refused.
   * @throws What the iterator throws, or the refusal of an item.
   */
  run(early?: (error: unknown) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#finish = resolve;
      this.#send(early).then(resolve, reject);
    });
  }

  async #send(early: ((error: unknown) => void) | undefined): Promise<void> {
    for (;;) {
      const step = await this.#iterator.next();
      if (step.done === true) break;
      if (this.#stopped) break;
      const sent = this.#sink.send(step.value);
      if (sent === atOnce) continue;
      try {
        await sent;
      } catch (error) {
        if (this.#stopped) break;
        early?.(error);
        // With its error, not as stopped.
        this.#finish = () => {};
        this.stop();
        await this.#returned;
        throw error;
      }
    }
    await this.#returned;
  }

  /** Ends the iterator, which may be between two items or within one that never comes. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#returned = this.#return().then(() => this.#finish());
  }

  async #return(): Promise<void> {
    try {
      await this.#iterator.return?.();
    } catch {
      // The stream has ended already, and the reason for it is told.
    }
  }
}
