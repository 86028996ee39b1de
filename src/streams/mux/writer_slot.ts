import { Deadline, Deque, onAbort } from "../../core/mod.ts";
import { copyBytes } from "../../wire/mod.ts";
import {
  type ByteWriter,
  type FrameSpace,
  type StreamEnd,
  type StreamOptions,
  type WriterEvents,
  writersAnchor,
} from "../byte_stream.ts";
import { CloseReason, LifecycleAction, RecordType } from "../wire/batch.ts";
import { terminalFrames } from "../wire/frame.ts";
import { meaningOf } from "./end.ts";
import type { Outbox } from "./outbox.ts";
import type { SlotPeer, WritingSlot } from "./slot_peer.ts";
import type { YoungSlot } from "./young_slots.ts";

const ends: Readonly<Record<number, StreamEnd>> = {
  [CloseReason.peerGone]: { reason: "dropped", text: "the reader has given the stream up" },
  [CloseReason.unknownSlot]: { reason: "failed", text: "the reader does not know the stream" },
  [CloseReason.protocolError]: {
    reason: "failed",
    text: "the reader found an error in the stream's records",
  },
};

/** A stream that this instance writes. */
export class WriterSlot extends Deadline implements ByteWriter, WritingSlot, YoungSlot {
  /** Index and generation, as records name it. */
  readonly id: number;
  ended: StreamEnd | null = null;
  accepted = false;
  opened = false;
  readonly #peer: SlotPeer;
  readonly #outbox: Outbox;
  readonly #events: WriterEvents;
  readonly #options: StreamOptions;
  readonly #heartbeatMs: number;
  #items: number;
  #bytes: number;
  outstanding = 0;
  #sequence = 1;
  /** Whether something was sent since the last look of the heartbeat. */
  #touched = true;
  /** Whether a frame was refused since the last credit. */
  #wants = false;
  /** Whether the reader, who may come after the end, says that it has come. */
  readonly #announced: boolean;
  /** Sizes of the frames that no credit has come for, where credit is in items alone. */
  readonly #sizes: Deque<number> | null;
  #space: { bytes: Uint8Array; at: number } | null = null;
  #waiting: Set<() => void> | null = null;

  constructor(peer: SlotPeer, id: number, options: StreamOptions, events: WriterEvents) {
    super();
    this.#peer = peer;
    this.#outbox = peer.outbox;
    this.id = id;
    this.#events = events;
    this.#options = options;
    this.#items = options.window.items;
    this.#bytes = options.window.bytes;
    this.#sizes = options.creditsBytes === true ? null : new Deque();
    this.#announced = this.#sizes === null && (options.anchor & writersAnchor) !== 0n;
    // An idle writer is heard of between a half of the time and all of it.
    this.#heartbeatMs = (options.heartbeatMs ?? 5_000) / 2;
    if (options.opensLater !== true) this.#open();
    peer.young.add(this);
  }

  get maxFrameBytes(): number {
    return this.#peer.maxFrameBytes;
  }

  get open(): boolean {
    return this.#items > 0 && this.#bytes > 0 && this.ended === null && !this.#outbox.blocked &&
      this.#peer.admits(this.outstanding);
  }

  get credit(): number {
    return this.#items;
  }

  write(frame: Uint8Array): boolean {
    const { length } = frame;
    const at = this.#spaceFor(length);
    if (at < 0) return false;
    copyBytes(this.#outbox.bytes, at, frame, length);
    this.commit(length);
    return true;
  }

  reserve(most: number): FrameSpace | null {
    const at = this.#spaceFor(most);
    if (at < 0) return null;
    const space = this.#space ??= { bytes: this.#outbox.bytes, at };
    space.bytes = this.#outbox.bytes;
    space.at = at;
    return space;
  }

  commit(bytes: number): void {
    const sequence = this.#next();
    this.#items--;
    this.#bytes -= bytes;
    this.outstanding += bytes;
    this.#touched = true;
    this.#sizes?.push(bytes);
    this.#peer.sent(bytes);
    this.#outbox.add(RecordType.data, this.id, sequence, bytes);
  }

  ready(signal?: AbortSignal | null): Promise<void> {
    if (this.open || this.ended !== null) return Promise.resolve();
    this.#refused();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = this.#waiting ??= new Set();
    waiting.add(resolve);
    if (signal === null || signal === undefined) return promise;
    const listening = onAbort(signal, () => {
      waiting.delete(resolve);
      reject(signal.reason);
    });
    return promise.finally(() => listening[Symbol.dispose]());
  }

  end(terminal: Uint8Array): void {
    if (this.ended !== null) return;
    const meaning = meaningOf(terminal, 0, terminal.length);
    if (typeof meaning === "string") {
      throw new TypeError(`Cannot end a stream with a frame of kind ${meaning}`);
    }
    if (!this.opened) this.#open();
    this.#outbox.finish(this.id, this.#sequence, terminal);
    // What the reader has not read yet still counts, if it says when it has. One that has not come gets nothing dropped.
    const unread = this.#announced && !this.accepted
      ? meaning.reason !== "dropped"
      : this.#sizes === null && this.outstanding > 0;
    this.#end(meaning, unread);
  }

  abandon(): void {
    if (this.ended === null) {
      return this.opened
        ? this.end(terminalFrames.dropped)
        : this.#end({ reason: "dropped", text: "" }, false);
    }
    if (this.accepted || this.ended.reason !== "finalized") return;
    // Behind the last frame and its close.
    this.#outbox.close(this.id, (this.#sequence + 2) >>> 0, CloseReason.peerGone);
    this.#peer.writerGone(this, this.outstanding);
  }

  /** The reader returns credit; `bytes` is null if it counts items alone, and not used if it should. */
  credited(items: number, bytes: number | null): void {
    // Nobody can have read more than was sent.
    this.#items = Math.min(this.#items + items, this.#options.window.items);
    const sizes = this.#sizes;
    let returned = sizes === null ? bytes ?? 0 : 0;
    for (let i = 0; i < items && sizes !== null && sizes.size > 0; i++) returned += sizes.shift()!;
    this.#bytes = Math.min(this.#bytes + returned, this.#options.window.bytes);
    const freed = Math.min(returned, this.outstanding);
    this.outstanding -= freed;
    this.#accept();
    if (this.ended === null) this.wake();
    else if (this.outstanding === 0) this.#peer.writerGone(this, 0);
    this.#peer.freed(freed);
  }

  /** The reader asks for the end. */
  asked(session: bigint, action: number): void {
    if (session !== this.#options.session || this.ended !== null) return;
    this.#accept();
    if (action === LifecycleAction.stop) return this.#events.stop?.();
    // Plain Velo keeps the slot until its writer closes it.
    this.#outbox.close(this.id, this.#sequence, CloseReason.terminalSent);
    this.fail({ reason: "cancelled", text: "" });
  }

  /** The reader closes the slot. */
  closed(reason: number): void {
    this.fail(ends[reason] ?? ends[CloseReason.protocolError]!);
  }

  /** Ends the stream from outside, once. */
  fail(end: StreamEnd): void {
    if (this.ended !== null) {
      // The reader that it waits for will not come.
      if (this.#announced && !this.accepted) this.#events.ended?.(end);
      return this.#peer.writerGone(this, this.outstanding);
    }
    this.#end(end, false);
    this.#events.ended?.(end);
  }

  /** Tells the owner that a frame can be written, if one was refused. */
  wake(): void {
    if (!this.#wants) return;
    if (!this.open) return this.#waitForOthers();
    this.#wants = false;
    this.#peer.waitsNoMore(this);
    this.#release();
    this.#events.credit?.();
  }

  /** See {@link YoungSlot}. */
  grown(): void {
    if (this.ended !== null) return;
    if (!this.opened) this.#open();
    this.#peer.deadlines.add(this, this.#heartbeatMs);
  }

  /** Sends a heartbeat if nothing else was sent. */
  override expire(): void {
    if (this.#touched) this.#touched = false;
    // Without credit none can be sent, and the reader expects none.
    else if (this.open) {
      const at = this.#outbox.space(0);
      if (at >= 0) {
        this.#items--;
        this.#sizes?.push(0);
        this.#outbox.add(RecordType.heartbeat, this.id, this.#next(), 0);
      }
    }
    this.#peer.deadlines.add(this, this.#heartbeatMs);
  }

  #open(): void {
    const { anchor, session } = this.#options;
    this.opened = true;
    this.#outbox.open(this.id, anchor, session);
  }

  #next(): number {
    const sequence = this.#sequence;
    this.#sequence = (sequence + 1) >>> 0;
    return sequence;
  }

  #spaceFor(length: number): number {
    if (!this.opened && this.open) this.#open();
    const at = this.open ? this.#outbox.space(length) : -1;
    if (at < 0 && this.ended === null) this.#refused();
    return at;
  }

  #refused(): void {
    if (this.#wants) return;
    this.#wants = true;
    this.#peer.counts.creditWaits++;
    this.#waitForOthers();
  }

  /** Waits for the peer's room if the stream's own credit is not what is missing. */
  #waitForOthers(): void {
    if (this.#items > 0 && this.#bytes > 0) this.#peer.waits(this);
    else this.#peer.waitsNoMore(this);
  }

  #accept(): void {
    if (this.accepted) return;
    this.accepted = true;
    this.#events.accepted?.();
  }

  #release(): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    this.#waiting = null;
    for (const resolve of waiting) resolve();
  }

  #end(end: StreamEnd, unread: boolean): void {
    this.ended = end;
    this.#peer.deadlines.remove(this);
    this.#peer.writerEnded(this, end);
    if (!unread) this.#peer.writerGone(this, this.outstanding);
    this.#release();
  }
}
