import { Deque } from "../../core/mod.ts";
import type { ChannelEnd } from "../references/actor_channel.ts";
import { endMark } from "./link.ts";
import type { Receiver, Side } from "./side.ts";

const over: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/** Items of a channel that are iterated, once. Leaving the loop early closes the channel. */
export class ItemIterator implements Receiver, AsyncIterableIterator<unknown> {
  readonly drops = true;
  #side!: Side;
  readonly #waiting = new Deque<PromiseWithResolvers<IteratorResult<unknown>>>();
  #iterated = false;
  #handing = false;
  /** Whether no items come any more. */
  #last = false;
  /** The error that ends the iteration, behind all items. */
  #loss: unknown = null;

  attach(side: Side): void {
    this.#side = side;
  }

  arrived(): void {
    this.#hand();
  }

  ended(_end: ChannelEnd, told: () => void): void {
    // One that has ended already, also by its other side's end of sending, has lost nothing.
    if (!this.#last) this.#loss = this.#side.loss;
    this.#last = true;
    this.#hand();
    told();
  }

  iterate(): AsyncIterator<unknown> {
    if (this.#iterated) throw new TypeError("Cannot iterate twice over a channel: its items come only once");
    this.#iterated = true;
    return this;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<unknown>> {
    const reader = Promise.withResolvers<IteratorResult<unknown>>();
    this.#waiting.push(reader);
    this.#hand();
    return reader.promise;
  }

  async return(): Promise<IteratorResult<unknown>> {
    this.#last = true;
    this.#loss = null;
    this.#side.drop();
    this.#hand();
    await this.#side.close();
    return over;
  }

  #hand(): void {
    // The other side of this process may send while an item is taken.
    if (this.#handing) return;
    this.#handing = true;
    while (this.#waiting.size > 0 && (this.#side.readable || this.#last)) this.#step(this.#waiting.shift()!);
    this.#handing = false;
  }

  #step(reader: PromiseWithResolvers<IteratorResult<unknown>>): void {
    try {
      const item = this.#side.readable ? this.#side.take() : this.#endMark();
      if (item === endMark) {
        this.#last = true;
        this.#loss = null;
        reader.resolve(over);
      } else if (item instanceof Promise) {
        item.then((value) => reader.resolve({ done: false, value }), (error) => {
          this.#side.broken(error);
          reader.reject(error);
        });
      } else reader.resolve({ done: false, value: item });
    } catch (error) {
      this.#last = true;
      this.#loss = null;
      reader.reject(error);
    }
  }

  #endMark(): typeof endMark {
    if (this.#loss !== null) throw this.#loss;
    return endMark;
  }
}
