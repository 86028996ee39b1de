import { type AnySchema, Deque, type SchemaFailure, validate } from "../../core/mod.ts";
import type { ChannelCounts } from "../cell/channel_counts.ts";
import { itemsWaiting } from "../failures.ts";
import type { ChannelLimits } from "../options/system_options.ts";
import type { ChannelLink } from "./link.ts";

/** What an {@link Outbox} needs. */
export interface OutboxParts {
  /** The name of the channel's kind. */
  readonly name: string;
  /** The way to the other side. */
  readonly link: ChannelLink;
  /** Schema of an item. */
  readonly schema: AnySchema;
  /** The limits of items that wait for room. */
  readonly limits: ChannelLimits;
  /** Counters. */
  readonly counts: ChannelCounts;
  /** Makes the error of an invalid item. */
  readonly invalid: SchemaFailure;
  /** Everything was sent after {@link Outbox.finish}. */
  finished(): void;
}

/** An item that waits, for its schema or for room. */
interface Waiting {
  /** What the link keeps of it. */
  readonly kept: unknown;
  readonly bytes: number;
  /** What its schema made of it, and whether it has. */
  checked: unknown;
  ready: boolean;
  /** Whether it is not to be sent any more. */
  gone: boolean;
  readonly settle: PromiseWithResolvers<void>;
}

const done: Promise<void> = Promise.resolve();
const nothing = (): void => {};

/** The sending half of a channel's side: items are checked, and wait for room in their order. */
export class Outbox {
  /** Items that were sent. */
  sent = 0;
  readonly #parts: OutboxParts;
  readonly #waiting = new Deque<Waiting>();
  #bytes = 0;
  #ending: PromiseWithResolvers<void> | null = null;
  #endSent = false;
  #finishing = false;
  #draining = false;
  #refusal: unknown = null;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  /** Items that wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Whether {@link end} was called. */
  get ending(): boolean {
    return this.#ending !== null;
  }

  /** Whether an error is what {@link send} fails with now. */
  refuses(error: unknown): boolean {
    return this.#refusal !== null && error === this.#refusal;
  }

  /** Sends an item; resolves when the link has it. */
  send(value: unknown): Promise<void> {
    if (this.#refusal !== null) return refused(this.#refusal);
    const { link, schema, invalid } = this.#parts;
    try {
      const checked = validate(schema, value, invalid);
      if (checked instanceof Promise) return this.#checkLater(value, checked);
      if (this.#waiting.size === 0 && link.write(value, checked)) {
        this.sent++;
        return done;
      }
      const one = this.#wait(link.keep(value));
      one.checked = checked;
      one.ready = true;
      return one.settle.promise;
    } catch (error) {
      return refused(error);
    }
  }

  /** Refuses items from now on; what waits is still sent. */
  refuse(error: unknown): void {
    this.#refusal ??= error;
  }

  /** Sends the mark of the end of sending, behind what waits. */
  end(error: unknown): Promise<void> {
    if (this.#ending === null) {
      this.#ending = Promise.withResolvers();
      this.#ending.promise.catch(nothing);
      if (this.#refusal === null) {
        this.#refusal = error;
        this.drain();
      } else this.#ending.resolve();
    }
    return this.#ending.promise;
  }

  /** Calls `finished` as soon as nothing waits. */
  finish(error: unknown): void {
    this.#refusal = error;
    this.#finishing = true;
    this.drain();
  }

  /** Refuses what waits, and everything later. */
  fail(error: unknown): void {
    this.#refusal = error;
    for (let one = this.#waiting.shift(); one !== undefined; one = this.#waiting.shift()) {
      refuse(one, error);
    }
    this.#bytes = 0;
    this.#ending?.resolve();
    this.#endSent = true;
    this.drain();
  }

  /** Sends what waits, as far as there is room. */
  drain(): void {
    // The other side of this process may give room back while it takes an item.
    if (this.#draining) return;
    this.#draining = true;
    const sent = this.#sendWaiting();
    this.#draining = false;
    if (!sent || !this.#finishing) return;
    this.#finishing = false;
    this.#parts.finished();
  }

  /** Returns whether nothing waits any more. */
  #sendWaiting(): boolean {
    const { link } = this.#parts;
    for (let one = this.#waiting.peek(); one !== undefined; one = this.#waiting.peek()) {
      if (!one.gone) {
        if (!one.ready) return false;
        try {
          if (!link.writeKept(one.kept, one.checked)) return false;
          this.sent++;
          one.settle.resolve();
        } catch (error) {
          refuse(one, error);
        }
        this.#bytes -= one.bytes;
      }
      this.#waiting.shift();
    }
    if (this.#ending === null || this.#endSent) return true;
    if (!link.writeEnd()) return false;
    this.#endSent = true;
    this.#ending.resolve();
    return true;
  }

  #wait(kept: unknown): Waiting {
    const { name, link, limits: { maxUnsent, maxUnsentBytes }, counts } = this.#parts;
    const bytes = link.bytesOf(kept);
    const { size } = this.#waiting;
    if (size >= maxUnsent || (size > 0 && this.#bytes + bytes > maxUnsentBytes)) {
      counts.itemsRefused++;
      throw itemsWaiting(name, size);
    }
    const settle = Promise.withResolvers<void>();
    const one: Waiting = { kept, bytes, checked: undefined, ready: false, gone: false, settle };
    this.#waiting.push(one);
    this.#bytes += bytes;
    return one;
  }

  #checkLater(value: unknown, checked: Promise<unknown>): Promise<void> {
    // If there is no place for it, nobody asks for the result.
    checked.catch(nothing);
    let kept: unknown;
    let broken: { readonly error: unknown } | null = null;
    // Encoded at once, since what waits is bounded by its bytes.
    try {
      kept = this.#parts.link.keep(value);
    } catch (error) {
      broken = { error };
    }
    const one = this.#wait(kept);
    checked.then((result) => {
      if (broken !== null) throw broken.error;
      one.checked = result;
      one.ready = true;
    }).catch((error) => this.#drop(one, error)).then(() => this.drain());
    return one.settle.promise;
  }

  /** Gives up an item that waits. */
  #drop(one: Waiting, error: unknown): void {
    if (one.gone) return;
    this.#bytes -= one.bytes;
    refuse(one, error);
  }
}

/** Rejects the promise of an item, which nobody need await. */
function refuse(one: Waiting, error: unknown): void {
  if (one.gone) return;
  one.gone = true;
  one.settle.promise.catch(nothing);
  one.settle.reject(error);
}

/** A rejected promise that nobody need await. */
export function refused(error: unknown): Promise<never> {
  const promise = Promise.reject(error);
  promise.catch(nothing);
  return promise;
}
