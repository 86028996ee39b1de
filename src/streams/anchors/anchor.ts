import { checkArgument, type Ending, option, readOptions, withDefaults } from "../../core/mod.ts";
import type { StreamHandle } from "../wire/handle.ts";
import type { AnchorCore } from "./anchor_core.ts";
import type { AnchorFrame } from "./frames.ts";
import { type TicketOptions, ticketOptionTable } from "./options.ts";
import type { StreamTicket } from "./ticket.ts";

/**
 * The reading end of a stream, made by `streams(messenger).anchor()`. Its handle is given to a sender, which attaches
 * to it.
 *
 * With one sender it yields the items, and ends when the sender finalizes. A sender that detaches can be followed by
 * another one. An error that a sender reports (`sendError`) is thrown, and a new loop goes on behind it. With many
 * senders it yields {@link AnchorFrame}s, and ends when no sender has been attached for `unattachedTimeoutMs`, or by
 * {@link cancel}.
 *
 * Leaving a loop early cancels it.
 *
 * @typeParam T Type of an item.
 * @typeParam Out What it yields.
 */
export class Anchor<T, Out = T> implements AsyncIterableIterator<Out>, AsyncDisposable {
  readonly #core: AnchorCore<T>;

  /** Used by `streams(messenger).anchor()`. */
  constructor(core: AnchorCore<T>) {
    this.#core = core;
  }

  /** Its name, for senders. `String(handle)` can be sent in every payload. */
  get handle(): StreamHandle {
    return this.#core.parts.handle;
  }

  /** Senders that are attached. */
  get senders(): number {
    return this.#core.live;
  }

  /**
   * Resolves to why it ended, and never rejects: `"finalized"`, `"cancelled"`, `"unattached"` when the last of many
   * senders stayed away, or the error that its reader gets.
   */
  get closed(): Promise<Ending> {
    return this.#core.closed;
  }

  /**
   * Resolves to the next item, or the next frame of many senders.
   *
   * @throws {ZeromeshError} `STREAM_SENDER_ERROR` for an error of the sender, which goes on. All others end the anchor:
   * `PAYLOAD_INVALID`, `STREAM_DROPPED`, `STREAM_FAILED`, `PEER_DISCONNECTED`, `TIMEOUT` without a sender, `CLOSED`.
   */
  async next(): Promise<IteratorResult<Out>> {
    for (;;) {
      const frame = await this.#core.next();
      if (frame === null) return { done: true, value: undefined };
      if (this.#core.parts.many) return { done: false, value: frame as Out };
      if (frame.type === "item") return { done: false, value: frame.item as unknown as Out };
      if (frame.type === "error") throw frame.error;
    }
  }

  /** Cancels the anchor. */
  return(): Promise<IteratorResult<Out>> {
    this.cancel();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** The anchor itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Its frames, which tell errors and departures of senders apart from items. It has the same items to read. */
  frames(): AsyncIterableIterator<AnchorFrame<T>> {
    const frames: AsyncIterableIterator<AnchorFrame<T>> = {
      next: async () => {
        const value = await this.#core.next();
        return value === null ? { done: true, value: undefined } : { done: false, value };
      },
      return: () => {
        this.cancel();
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]: () => frames,
    };
    return frames;
  }

  /**
   * Prepares the stream of its next sender. Whoever gets the ticket with the handle, first of all, sends at once: `attach(handle,
   * { ticket })` asks nothing of this instance before, not even its `authorize`.
   *
   * A sender that attaches without it makes it void. The anchor waits for as long as the ticket lasts.
   *
   * @throws {ZeromeshError} `STREAM_TAKEN` while it has a sender, or a ticket that nobody has used; `CLOSED` after its end.
   * @throws {TypeError} If it takes many senders, or an option is unknown or has the wrong type.
   */
  ticket(given?: TicketOptions): StreamTicket {
    const cannot = "Cannot make a ticket for an anchor";
    const { timeoutMs } = withDefaults(readOptions(given, ticketOptionTable, cannot), ticketOptionTable);
    if (this.#core.parts.many) throw new TypeError(`${cannot}: it takes many senders`);
    return this.#core.reserve(timeoutMs);
  }

  /** Ends it: its senders' `cancelled` aborts, their sends fail, and unread items are dropped. */
  cancel(): void {
    this.#core.cancel();
  }

  /** Asks its senders to finish (their `stopping` aborts), also those that attach later. Items go on arriving. */
  stop(): void {
    this.#core.stop();
  }

  /**
   * Changes how long it lives without a sender. If it has none, the time starts anew.
   *
   * @param unattachedTimeoutMs Milliseconds; `Infinity` for ever.
   * @throws {TypeError} If it is not a number.
   * @throws {RangeError} If it is below 0.
   */
  setUnattachedTimeout(unattachedTimeoutMs: number): void {
    const cannot = "Cannot set the timeout of an anchor";
    checkArgument("unattachedTimeoutMs", unattachedTimeoutMs, option.duration, cannot);
    this.#core.changeTimeout(unattachedTimeoutMs);
  }

  /** Same as {@link cancel}. */
  close(): void {
    this.cancel();
  }

  /** Same as {@link cancel}. */
  [Symbol.asyncDispose](): Promise<void> {
    this.cancel();
    return Promise.resolve();
  }
}
