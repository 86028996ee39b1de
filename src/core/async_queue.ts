import { AsyncSource, type AsyncSourceOptions } from "./async_source.ts";
import { Deque } from "./deque.ts";
import { ZeromeshError } from "./errors.ts";
import type { Overflow } from "./overflow.ts";
import { Shares } from "./shares.ts";
import { onAbort } from "./wait.ts";

/** Options of an {@link AsyncQueue}. */
export interface AsyncQueueOptions<T> extends AsyncSourceOptions {
  /** The most items; `Infinity` where the caller keeps the bound. */
  readonly limit: number;
  /** Policy at the limit. */
  readonly overflow: Overflow;
  /** The sender of an item. With `wait` and `fail` a sender has a share of the places, and senders wait in turns. */
  readonly senderOf?: ((item: T) => string | null) | undefined;
  /** Makes the item that a reader gets in place of dropped ones. */
  readonly notice?: ((count: number) => T) | undefined;
  /** Makes the error of an item that gets no place. */
  readonly refusal?: ((item: T, why: "full" | "ended") => unknown) | undefined;
}

/** An item that waits for a place. */
interface Waiting<T> {
  readonly item: T;
  readonly sender: string | null;
  /** Ends the wait: with a place, or with an error. */
  readonly settle: PromiseWithResolvers<void>;
  readonly listening: Disposable;
}

/** A bounded queue: readers wait for items, and writers wait for places or follow the overflow policy. */
export class AsyncQueue<T> extends AsyncSource<T> {
  readonly #items = new Deque<T>();
  readonly #options: AsyncQueueOptions<T>;
  /** The places that are taken; null when items replace each other. */
  readonly #places: Shares<string> | null;
  // By sender, in the order of turns.
  readonly #waiting = new Map<string | null, Set<Waiting<T>>>();
  #dropped = 0;
  #untold = 0;

  /** The queue starts empty. */
  constructor(options: AsyncQueueOptions<T>) {
    super(options);
    this.#options = options;
    const { overflow, limit } = options;
    this.#places = overflow === "wait" || overflow === "fail" ? new Shares(limit) : null;
  }

  /** Items that wait for a reader. */
  get size(): number {
    return this.#items.size;
  }

  /** Items dropped at the limit. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Adds an item if no wait is necessary; returns whether it was added. */
  push(item: T): boolean {
    if (this.ended) return false;
    const { overflow, limit } = this.#options;
    if (this.#places !== null) {
      if (this.#waiting.size > 0 || !this.#places.take(this.#senderOf(item))) return false;
    } else if (this.#items.size >= limit) {
      this.#dropped++;
      this.#untold++;
      if (overflow === "dropNewest") return false;
      this.#items.shift();
    }
    this.#items.push(item);
    this.hand();
    return true;
  }

  /**
   * Adds an item; with the overflow `wait` it waits for a place.
   *
   * @throws The signal's reason, or the error of `refusal`: at the limit with `fail`, and once the queue has ended.
   */
  put(item: T, signal?: AbortSignal | null): Promise<void> {
    if (this.ended) return Promise.reject(this.#refusal(item, "ended"));
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.push(item)) return Promise.resolve();
    const { overflow } = this.#options;
    if (overflow === "fail") return Promise.reject(this.#refusal(item, "full"));
    return overflow === "wait" ? this.#wait(item, signal) : Promise.resolve();
  }

  override take(): T | undefined {
    if (this.#untold > 0 && this.#options.notice !== undefined) {
      const notice = this.#options.notice(this.#untold);
      this.#untold = 0;
      return notice;
    }
    const item = this.#items.shift();
    if (item === undefined) return undefined;
    this.#places?.give(this.#senderOf(item));
    if (this.#waiting.size > 0) this.#admit();
    return item;
  }

  /** Ends the queue: waiting writers are refused, and readers can still take the items in it. */
  override end(): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    super.end();
    for (const theirs of waiting) {
      for (const { item, settle, listening } of theirs) {
        listening[Symbol.dispose]();
        settle.reject(this.#refusal(item, "ended"));
      }
    }
  }

  protected override discard(): void {
    this.#items.clear();
    this.#untold = 0;
  }

  #senderOf(item: T): string | null {
    return this.#options.senderOf?.(item) ?? null;
  }

  #refusal(item: T, why: "full" | "ended"): unknown {
    return this.#options.refusal?.(item, why) ??
      (why === "full"
        ? new ZeromeshError("QUEUE_FULL", `${this.size} items wait already, which is the limit`, {
          ran: "no",
        })
        : new ZeromeshError("CLOSED", "The queue has ended", { ran: "no" }));
  }

  #wait(item: T, signal: AbortSignal | null | undefined): Promise<void> {
    const settle = Promise.withResolvers<void>();
    const sender = this.#senderOf(item);
    const listening = onAbort(signal, () => {
      if (this.#leave(one)) settle.reject(signal?.reason);
    });
    const one: Waiting<T> = { item, sender, settle, listening };
    this.#waiting.set(sender, (this.#waiting.get(sender) ?? new Set<Waiting<T>>()).add(one));
    // Other senders may wait for their share only.
    this.#admit();
    return settle.promise;
  }

  #leave(one: Waiting<T>): boolean {
    const theirs = this.#waiting.get(one.sender);
    if (theirs === undefined || !theirs.delete(one)) return false;
    if (theirs.size === 0) this.#waiting.delete(one.sender);
    return true;
  }

  /** Admits waiting items as far as there are places. */
  #admit(): void {
    for (let one = this.#next(); one !== null; one = this.#next()) {
      one.listening[Symbol.dispose]();
      one.settle.resolve();
      this.#items.push(one.item);
      this.hand();
    }
  }

  /** Takes the first item of the sender whose turn it is, with its place. */
  #next(): Waiting<T> | null {
    for (const [sender, theirs] of this.#waiting) {
      if (this.#places?.take(sender) !== true) continue;
      for (const first of theirs) {
        this.#leave(first);
        // The other senders have their turns before this one again.
        if (this.#waiting.delete(sender)) this.#waiting.set(sender, theirs);
        return first;
      }
    }
    return null;
  }
}
