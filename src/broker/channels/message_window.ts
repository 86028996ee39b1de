import { type Clock, Deque, LinkedQueue, onAbort, QueueNode, ZeromeshError } from "../../core/mod.ts";
import type { Kept } from "../../streams/mod.ts";
import type { ChannelSendOptions, SendLimits } from "./options.ts";

/** A message whose sender waits for a place. */
interface Waiting {
  readonly frame: Kept;
  readonly shared: boolean;
  /** Messages that are missing before it. */
  missing: number;
  readonly settle: PromiseWithResolvers<void>;
  leave: (() => void) | null;
}

const nothing = (): void => {};

/** What a {@link MessageWindow} needs. */
export interface MessageWindowParts {
  readonly limits: SendLimits;
  readonly clock: Clock;
  /** Whose messages they are, for errors: `channel "lab/temperature"`. */
  readonly whose: string;
}

/** The messages that wait for credit, in their order and within bounds, and the senders that wait for a place. */
export class MessageWindow {
  /** Messages that were dropped. */
  dropped = 0;
  readonly #parts: MessageWindowParts;
  readonly #queue = new Deque<Kept>();
  /** Messages missing before some of the queue, by their numbers, and before the next one. */
  readonly #gaps = new Map<number, number>();
  /** The number of the first message of the queue. */
  #head = 0;
  readonly #senders = new LinkedQueue<Waiting>();
  #bytes = 0;
  #senderBytes = 0;
  /** Messages missing behind the last sender. */
  #trailing = 0;

  constructor(parts: MessageWindowParts) {
    this.#parts = parts;
  }

  /** Messages in the window. */
  get size(): number {
    return this.#queue.size;
  }

  /** Senders that wait for a place. */
  get senders(): number {
    return this.#senders.size;
  }

  /** Whether a message would be refused, with the overflow `fail`. */
  refuses(bytes: number): boolean {
    return this.#parts.limits.overflow === "fail" && !this.#hasRoom(bytes);
  }

  /**
   * Adds a message behind those that wait.
   *
   * @param frame Not changed by the caller any more.
   * @param shared Whether others get it, too: then it is missing here if there is no place for it in time.
   * @returns Null if it is taken or dropped now; else the wait for a place, which need not be awaited.
   * @throws {ZeromeshError} `QUEUE_FULL`, `TIMEOUT`.
   * @throws The signal's reason.
   */
  add(frame: Kept, options: ChannelSendOptions | null, shared: boolean): Promise<void> | null {
    if (!this.#hasRoom(frame.length)) {
      const { overflow } = this.#parts.limits;
      if (overflow === "fail") throw this.full();
      if (overflow === "wait") return this.#wait(frame, options, shared);
      if (overflow === "dropNewest") {
        this.miss();
        return null;
      }
      while (!this.#hasRoom(frame.length)) this.#dropFirst();
    }
    this.#push(frame);
    return null;
  }

  /** The next message is missing. */
  miss(): void {
    this.dropped++;
    this.#miss(1);
  }

  /** Messages that are missing before the first one, or before the next one if none waits. */
  get missing(): number {
    return this.#gaps.size === 0 ? 0 : this.#gaps.get(this.#head) ?? 0;
  }

  /** So many of the missing ones were told. */
  told(count: number): void {
    const left = this.missing - count;
    if (left === 0) this.#gaps.delete(this.#head);
    else this.#gaps.set(this.#head, left);
  }

  /** The first message; undefined without one. */
  get first(): Kept | undefined {
    return this.#queue.peek();
  }

  /** Removes the first message, which was sent, and lets senders in. */
  shift(): void {
    this.#bytes -= this.#queue.shift()!.length;
    if (this.#gaps.size > 0) this.#gaps.delete(this.#head);
    this.#head++;
    if (this.#senders.size > 0) this.#admit();
  }

  /** Removes the first message, which cannot be sent. */
  drop(): void {
    this.#dropFirst();
    this.#admit();
  }

  /** Nothing is sent any more: senders are refused. Returns how many messages were in the window. */
  end(error: unknown): number {
    const lost = this.#queue.size;
    for (let one = this.#senders.shift(); one !== null; one = this.#senders.shift()) refuse(one, error);
    this.#queue.clear();
    this.#gaps.clear();
    this.#bytes = this.#senderBytes = this.#trailing = 0;
    return lost;
  }

  /** The error of a message that finds no place. */
  full(): ZeromeshError {
    const { size } = this.#queue;
    const why =
      `${size} messages (${this.#bytes} bytes) wait already, as many as may (maxUnsent, maxUnsentBytes)`;
    return this.#error("QUEUE_FULL", why, { waitingMessages: size, waitingBytes: this.#bytes });
  }

  #hasRoom(bytes: number): boolean {
    return this.#senders.size === 0 && this.#fits(bytes);
  }

  #fits(bytes: number): boolean {
    const { maxUnsent, maxUnsentBytes } = this.#parts.limits;
    const { size } = this.#queue;
    return size < maxUnsent && (size === 0 || this.#bytes + bytes <= maxUnsentBytes);
  }

  #push(frame: Kept): void {
    this.#queue.push(frame);
    this.#bytes += frame.length;
  }

  #miss(count: number): void {
    if (count === 0) return;
    if (this.#senders.size > 0) {
      this.#trailing += count;
      return;
    }
    const next = this.#head + this.#queue.size;
    this.#gaps.set(next, (this.#gaps.get(next) ?? 0) + count);
  }

  #dropFirst(): void {
    const { missing } = this;
    this.#gaps.delete(this.#head);
    this.#bytes -= this.#queue.shift()!.length;
    this.#head++;
    this.dropped++;
    this.#gaps.set(this.#head, this.missing + missing + 1);
  }

  #wait(frame: Kept, options: ChannelSendOptions | null, shared: boolean): Promise<void> {
    const { maxUnsent, maxUnsentBytes } = this.#parts.limits;
    const { size } = this.#senders;
    if (size >= maxUnsent || (size > 0 && this.#senderBytes + frame.length > maxUnsentBytes)) {
      const why = `${size} senders wait for a place already; await send()`;
      throw this.#error("QUEUE_FULL", why, { waitingSenders: size });
    }
    const signal = options?.signal;
    const timeoutMs = options?.timeoutMs ?? Infinity;
    signal?.throwIfAborted();
    if (timeoutMs <= 0) throw this.#late(timeoutMs);
    const settle = Promise.withResolvers<void>();
    // Nobody need await it.
    settle.promise.catch(nothing);
    const one: Waiting = { frame, shared, missing: this.#trailing, settle, leave: null };
    this.#trailing = 0;
    const node = new QueueNode(one);
    this.#senders.push(node);
    this.#senderBytes += frame.length;
    if (signal === undefined && timeoutMs === Infinity) return settle.promise;
    const listening = onAbort(signal, () => this.#giveUp(node, signal?.reason));
    const cancel = this.#parts.clock.after(timeoutMs, () => this.#giveUp(node, this.#late(timeoutMs)));
    one.leave = () => {
      listening[Symbol.dispose]();
      cancel();
    };
    return settle.promise;
  }

  #giveUp(node: QueueNode<Waiting>, error: unknown): void {
    const { next, value } = node;
    if (!this.#senders.remove(node)) return;
    this.#senderBytes -= value.frame.length;
    if (value.shared) this.dropped++;
    const missing = value.missing + (value.shared ? 1 : 0);
    if (next === null) this.#miss(missing);
    else next.value.missing += missing;
    refuse(value, error);
    this.#admit();
  }

  /** Lets senders in as far as there is room. */
  #admit(): void {
    const senders = this.#senders;
    for (let one = senders.peek(); one !== null && this.#fits(one.frame.length); one = senders.peek()) {
      senders.shift();
      this.#senderBytes -= one.frame.length;
      if (one.missing > 0) {
        const next = this.#head + this.#queue.size;
        this.#gaps.set(next, (this.#gaps.get(next) ?? 0) + one.missing);
      }
      this.#push(one.frame);
      one.leave?.();
      one.settle.resolve();
    }
    if (senders.size > 0 || this.#trailing === 0) return;
    const trailing = this.#trailing;
    this.#trailing = 0;
    this.#miss(trailing);
  }

  #late(timeoutMs: number): ZeromeshError {
    return this.#error("TIMEOUT", `there was no place for it within ${timeoutMs} ms`);
  }

  #error(code: "QUEUE_FULL" | "TIMEOUT", why: string, details?: object): ZeromeshError {
    const { whose } = this.#parts;
    return new ZeromeshError(code, `A message of ${whose} cannot be sent: ${why}`, { ran: "no", details });
  }
}

function refuse({ leave, settle }: Waiting, error: unknown): void {
  leave?.();
  settle.reject(error);
}
