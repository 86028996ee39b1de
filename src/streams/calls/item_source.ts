import { type SchemaFailure, validateArrived, type ZeromeshError } from "../../core/mod.ts";
import type { DecodedPayload } from "../../wire/mod.ts";
import type { ByteReader } from "../byte_stream.ts";
import type { ItemCodec } from "./item_codec.ts";
import { type Direction, invalidItem, type ItemOwner } from "./stream_errors.ts";

const over: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/** Who waits for an item. */
interface Waiting {
  readonly resolve: (step: IteratorResult<unknown> | Promise<IteratorResult<unknown>>) => void;
  readonly reject: (error: unknown) => void;
}

/** The receiving half of a stream of items: decodes and checks them when they are asked for. */
export class ItemSource implements AsyncIterableIterator<unknown> {
  /** Items that were taken. */
  received = 0;
  readonly #direction: Direction;
  readonly #owner: ItemOwner;
  readonly #codec: ItemCodec;
  readonly #waiting: Waiting[] = [];
  #reader: ByteReader | null = null;
  #end: { readonly failed: boolean; readonly error: unknown } | null = null;
  #iterated = false;
  // The first item whose validator answers later; 0 for none. From then on each item is refused by its own number.
  #later = 0;
  readonly #refuse: SchemaFailure = (...about) => this.#invalid(this.#later || this.received, ...about);

  /** It starts without a stream. */
  constructor(direction: Direction, owner: ItemOwner) {
    this.#direction = direction;
    this.#owner = owner;
    this.#codec = direction.codec;
  }

  /** Frames that were not read yet. */
  get size(): number {
    return this.#reader?.size ?? 0;
  }

  /** Reads from this stream. */
  attach(reader: ByteReader): void {
    this.#reader = reader;
    this.hand();
  }

  /** Ends it after the items that have arrived; only the first end counts. */
  finish(): void {
    this.#finish({ failed: false, error: undefined });
  }

  /** Ends it with an error after the items that have arrived. */
  fail(error: unknown): void {
    this.#finish({ failed: true, error });
  }

  /** Drops the items that have arrived, and tells the writer. */
  cancel(): void {
    this.#reader?.cancel();
    this.#reader = null;
  }

  #finish(end: { readonly failed: boolean; readonly error: unknown }): void {
    this.#end ??= end;
    this.hand();
  }

  /** See `ReaderEvents.decode`. */
  decode(bytes: Uint8Array, start: number, end: number): DecodedPayload | null {
    return this.#codec.decodePlain(bytes, start, end);
  }

  /** Gives what is there to those who wait. */
  hand(): void {
    while (this.#waiting.length > 0) {
      const reader = this.#reader;
      if ((reader === null || reader.size === 0) && this.#end === null) return;
      const first = this.#waiting.shift()!;
      try {
        const step = this.#step();
        if (step === null) {
          this.#waiting.unshift(first);
          return;
        }
        first.resolve(step);
      } catch (error) {
        first.reject(error);
      }
    }
  }

  /** The next item, or the end. A second iteration is refused. */
  [Symbol.asyncIterator](): this {
    if (this.#iterated) throw new TypeError("Cannot iterate twice over a stream: its items come only once");
    this.#iterated = true;
    return this;
  }

  next(): Promise<IteratorResult<unknown>> {
    if (this.#waiting.length === 0) {
      try {
        const step = this.#step();
        if (step !== null) return step instanceof Promise ? step : Promise.resolve(step);
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<unknown>> {
    const early = this.#end === null;
    // Before the owner ends it with an error: those who wait for an item are told the end alone.
    this.#end = { failed: false, error: undefined };
    this.cancel();
    if (early) this.#owner.left();
    for (const one of this.#waiting.splice(0)) one.resolve(over);
    return Promise.resolve(over);
  }

  /** An item, the end, or null for none of them yet. @throws The error of the end, once. */
  #step(): IteratorResult<unknown> | Promise<IteratorResult<unknown>> | null {
    const reader = this.#reader;
    if (reader !== null && reader.advance()) return this.#item(reader);
    const end = this.#end;
    if (end === null) return null;
    // Its writer may not have ended it, or not opened it at all.
    this.cancel();
    if (!end.failed) return over;
    this.#end = { failed: false, error: undefined };
    throw end.error;
  }

  #item(reader: ByteReader): IteratorResult<unknown> | Promise<IteratorResult<unknown>> {
    const number = ++this.received;
    this.#owner.moved?.();
    try {
      const decoded = reader.decoded ?? this.#codec.decode(reader);
      if (decoded.error !== undefined) throw this.#invalid(number, [{ message: decoded.error }]);
      const refuse: SchemaFailure = this.#later > 0
        ? (...about) => this.#invalid(number, ...about)
        : this.#refuse;
      const value = validateArrived(this.#direction.schema, decoded.value, false, refuse);
      if (!(value instanceof Promise)) return { done: false, value };
      this.#later ||= number;
      return value.then((checked) => ({ done: false, value: checked }), (error) => this.#broken(error));
    } catch (error) {
      return this.#broken(error);
    }
  }

  #invalid(number: number, ...about: Parameters<SchemaFailure>): ZeromeshError {
    return invalidItem(this.#owner, this.#direction, number, ...about);
  }

  #broken(error: unknown): never {
    this.#end = { failed: false, error: undefined };
    this.cancel();
    this.#owner.broken(error);
    throw error;
  }
}
