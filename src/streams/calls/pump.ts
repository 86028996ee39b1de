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

/** The call whose items a {@link Pump} sends. It is told an end once. */
export interface PumpOwner {
  /** An item was refused; the iterator's `return` is called after this. */
  itemRefused(error: unknown): void;
  /** The iterator is done, or was stopped and has returned or thrown. */
  pumped(): void;
  /** The iterator threw, or has returned after an item was refused. */
  pumpFailed(error: unknown): void;
}

/**
 * Sends the items of an iterator. It is no async function, of which each call would keep several objects while it waits.
 */
export class Pump {
  readonly #iterator: AsyncIterator<unknown> | Iterator<unknown>;
  readonly #sink: ItemSink;
  readonly #owner: PumpOwner;
  #stopped = false;
  #over = false;

  constructor(iterator: AsyncIterator<unknown> | Iterator<unknown>, sink: ItemSink, owner: PumpOwner) {
    this.#iterator = iterator;
    this.#sink = sink;
    this.#owner = owner;
  }

  /** Sends until the iterator is done, or {@link stop} is called. The iterator's `return` is called if it is not done. */
  run(): void {
    let step: unknown;
    try {
      step = this.#iterator.next();
    } catch (error) {
      step = Promise.reject(error);
    }
    Promise.resolve(step as IteratorResult<unknown>).then(this.#took, this.#threw);
  }

  readonly #took = (step: IteratorResult<unknown>): void => {
    // What stopped it tells the end.
    if (this.#stopped) return;
    try {
      if (step.done === true) return this.#done();
      const sent = this.#sink.send(step.value);
      if (sent === atOnce) this.run();
      else sent.then(() => this.run(), (error) => this.#refused(error));
    } catch (error) {
      this.#threw(error);
    }
  };

  readonly #threw = (error: unknown): void => {
    // Its end may be what fails the item that it waits for.
    if (this.#stopped) this.#done();
    else this.#fail(error);
  };

  #fail(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.pumpFailed(error);
  }

  #done(): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.pumped();
  }

  #refused(error: unknown): void {
    if (this.#stopped) return;
    this.#owner.itemRefused(error);
    this.#stop(() => this.#fail(error));
  }

  /** Ends the iterator, which may be between two items or within one that never comes. */
  stop(): void {
    this.#stop(() => this.#done());
  }

  #stop(returned: () => void): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#return().then(returned);
  }

  async #return(): Promise<void> {
    try {
      await this.#iterator.return?.();
    } catch {
      // The stream has ended already, and the reason for it is told.
    }
  }
}
