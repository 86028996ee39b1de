import { Deadline } from "../../core/mod.ts";
import type { DecodedPayload } from "../../wire/mod.ts";
import type { ByteReader, ReaderEvents, StreamEnd, StreamOptions } from "../byte_stream.ts";
import { CloseReason, LifecycleAction, recordHeaderSize, RecordType } from "../wire/batch.ts";
import { type FrameMeaning, meaningOf } from "./end.ts";
import { HeldRecords } from "./held_records.ts";
import { type Piece, Pieces } from "./pieces.ts";
import type { ReadingSlot, SlotPeer } from "./slot_peer.ts";
import type { YoungSlot } from "./young_slots.ts";

/** Silent pauses of a writer after which it is given up. */
const silentPauses = 3;
const defaultOpenMs = 180_000;
/** A frame in memory up to this size is lent as a part of it. */
const sharedBytes = 17 * 1024;

const nothing = new Uint8Array(new ArrayBuffer(0));

/** A stream that this instance reads, or will read. */
export class ReaderSlot extends Deadline implements ByteReader, ReadingSlot, YoungSlot {
  ended: StreamEnd | null = null;
  bytes: Uint8Array = nothing;
  decoded: DecodedPayload | null = null;
  start = 0;
  end = 0;
  size = 0;
  /** The slot, as its writer names it; −1 until it is open. */
  id = -1;
  /** Number of the next record. */
  expected = 1;
  readonly options: StreamOptions;
  readonly #peer: SlotPeer;
  #events: ReaderEvents | null;
  // Where the rest of the current piece is.
  #at = 0;
  /** What is being read. */
  #piece: Piece | null = null;
  readonly #pieces = new Pieces();
  // Items and bytes that the writer has used of its window, and those of them that are taken and not returned.
  #usedItems = 0;
  #usedBytes = 0;
  #owedItems = 0;
  #owedBytes = 0;
  readonly #dueItems: number;
  readonly #dueBytes: number;
  #owing = false;
  /** Whether what it owes leaves after a while. */
  #resting = false;
  /** Whether the writer has ended the stream, and still counts what is not read. */
  #closed = false;
  #announces: boolean;
  #stops = false;
  #heard = true;
  #young = true;
  #silent = 0;
  #held: HeldRecords | null = null;
  // The records of the batch that is being read, while they follow one another.
  #runStart = 0;
  #runEnd = 0;
  #runCount = 0;
  #runBytes = 0;
  #lastBytes = 0;

  /**
   * @param events Null while the stream waits for its reader.
   * @param announces Whether the writer is told that it has a reader.
   */
  constructor(peer: SlotPeer, options: StreamOptions, events: ReaderEvents | null, announces: boolean) {
    super();
    this.#peer = peer;
    this.options = options;
    this.#events = events;
    this.#announces = announces;
    const { items, bytes } = options.window;
    // Small items come faster than a writer wakes, so credit for them is returned in large parts. Measured at 64 B.
    this.#dueItems = Math.max(1, items >>> 1);
    // Also where credit is in items alone: the writer may keep to the bytes of its own accord.
    this.#dueBytes = Math.max(1, bytes / 4);
    peer.young.add(this);
  }

  get opened(): boolean {
    return this.id >= 0;
  }

  /** Whether it waits for its reader. */
  get unclaimed(): boolean {
    return this.#events === null;
  }

  take(): Uint8Array | undefined {
    if (!this.advance()) return undefined;
    const { bytes, start, end } = this;
    // A small frame must not keep a large batch alive.
    return bytes.length <= sharedBytes || (end - start) * 2 >= bytes.length
      ? bytes.subarray(start, end)
      : bytes.slice(start, end);
  }

  advance(): boolean {
    let at = this.#at;
    let piece = this.#piece;
    this.decoded = null;
    if (piece === null || at === piece.end) {
      piece = this.#piece = this.#pieces.next();
      if (piece === null) {
        this.bytes = nothing;
        return false;
      }
      this.bytes = piece.bytes;
      this.decoded = piece.decoded;
      at = piece.start;
    }
    const { bytes } = this;
    const length = this.decoded !== null
      ? piece.end - at - recordHeaderSize
      : bytes[at + 9]! * 0x100_0000 + (bytes[at + 10]! << 16 | bytes[at + 11]! << 8 | bytes[at + 12]!);
    this.start = at += recordHeaderSize;
    this.end = this.#at = at + length;
    this.size--;
    this.#owedItems++;
    this.#owedBytes += length;
    this.#peer.taken(length, this.unclaimed);
    if (this.#owedItems >= this.#dueItems || this.#owedBytes >= this.#dueBytes) this.#owe();
    else if (this.size === 0 && (this.#closed || this.options.tellsReading === true)) this.#oweRest();
    return true;
  }

  stop(): void {
    this.#stops = true;
    if (this.ended === null && this.opened) this.#lifecycle(LifecycleAction.stop);
  }

  cancel(): void {
    this.#drop();
    if (this.ended !== null) return;
    if (this.opened) this.#lifecycle(LifecycleAction.cancel);
    this.#end({ reason: "cancelled", text: "" });
  }

  /** A reader has come for a stream that waited. */
  claim(events: ReaderEvents): void {
    this.#events = events;
    this.#peer.unread.claim(this.#usedBytes + (this.#held?.bytes ?? 0));
    this.#watch();
    this.#owe();
  }

  /** The writer has opened the stream. */
  open(id: number): void {
    this.id = id;
    this.#watch();
    if (this.#announces) this.#owe();
    if (this.#stops) this.#lifecycle(LifecycleAction.stop);
    this.#events?.opened?.();
  }

  /**
   * Adds the item `bytes[start..end)`, whose record follows the last one of this batch, to the run. Returns the memory
   * that the run takes.
   */
  extend(start: number, end: number): number {
    this.expected = (this.expected + 1) >>> 0;
    if (this.#runCount++ === 0) this.#runStart = start - recordHeaderSize;
    this.#runEnd = end;
    this.#runBytes += this.#lastBytes = end - start;
    return end - this.#runStart;
  }

  /**
   * Ends the run of items, which become readable.
   *
   * @param owned Whether `bytes` may be kept.
   */
  flushRun(bytes: Uint8Array, owned: boolean): void {
    const count = this.#runCount;
    if (count === 0) return;
    const length = this.#runBytes;
    this.#runCount = this.#runBytes = 0;
    if (!this.#admit(count, length)) return;
    if (!this.#peer.received(count, length, this.unclaimed)) {
      const text = "there are more unread bytes of the peer's streams than a peer may have";
      return this.#violate("bytesExceeded", text);
    }
    const start = this.#runStart;
    const end = this.#runEnd;
    const alone = !owned && count === 1;
    const decoded = alone ? this.#events?.decode?.(bytes, start + recordHeaderSize, end) ?? null : null;
    const wasEmpty = this.size === 0;
    if (decoded !== null) this.#pieces.addDecoded(decoded, start, end);
    else this.#pieces.add(bytes, start, end, owned, wasEmpty);
    this.size += count;
    this.#events?.arrived?.(count);
    if (wasEmpty) this.#events?.readable();
  }

  /** Takes a record of the writer other than an item in order. */
  record(type: number, sequence: number, bytes: Uint8Array, start: number, end: number): void {
    const ahead = (sequence - this.expected) >>> 0;
    if (ahead === 0) {
      this.#apply(type, bytes, start, end);
      return this.#applyHeld();
    }
    const { dropped } = this.#peer.counts;
    this.#heard = true;
    if (ahead >= 2 ** 31 || this.#held?.has(sequence) === true) return void dropped.duplicate++;
    const held = this.#held ??= new HeldRecords();
    const { items, bytes: windowBytes } = this.options.window;
    // The terminal frame and the close come beyond the window.
    const room = this.#peer.unread.hasRoom(end - start, this.unclaimed);
    if (ahead > items + 2 || held.bytes > windowBytes || !room) {
      return this.#violate("holdOverflow", "too many of its records came before an earlier one");
    }
    held.add(sequence, type, bytes, start, end);
    this.#peer.unread.add(end - start, this.unclaimed);
  }

  /** Takes the writer's close of a slot. */
  close(slot: number, sequence: number, bytes: Uint8Array, start: number, end: number): void {
    if (slot === this.id) this.record(RecordType.close, sequence, bytes, start, end);
    else this.#peer.counts.dropped.generation++;
  }

  /** Whether records wait for an earlier one. */
  get holds(): boolean {
    return this.#held !== null;
  }

  /** Returns the credit that is owed. Returns false without room for the record. */
  settle(): boolean {
    if (!this.opened || (this.ended !== null && !this.#closed)) {
      this.#owing = false;
      return true;
    }
    const items = this.#owedItems;
    const bytes = this.#owedBytes;
    if (!this.#peer.outbox.credit(this.id, items, this.options.creditsBytes === true ? bytes : null)) {
      return false;
    }
    this.#owing = this.#resting = this.#announces = false;
    this.#owedItems = this.#owedBytes = 0;
    this.#usedItems -= items;
    this.#usedBytes -= bytes;
    return true;
  }

  /** Returns the credit that is owed, however little it is. */
  settleSoon(): void {
    if (this.#owedBytes > 0) this.#owe();
  }

  /** Ends the stream because of its writer or its connection, once. */
  finish(end: StreamEnd): void {
    if (this.ended !== null) {
      // With the connection, the message that would bring its reader is lost.
      if (this.unclaimed) this.forget();
      return;
    }
    this.#end(end);
    this.#events?.readable();
  }

  /** See {@link YoungSlot}. */
  grown(): void {
    this.#young = false;
    this.#watch();
  }

  override expire(): void {
    if (!this.opened) return this.finish({ reason: "dropped", text: "no writer has opened it in time" });
    if (this.unclaimed && this.ended === null) return this.#giveUp("no reader has come for it in time");
    // Its writer gets the credit.
    if (this.unclaimed) return this.#leave();
    const { window } = this.options;
    // A writer without credit cannot send a heartbeat.
    const exempt = this.#usedItems >= window.items || this.#usedBytes >= window.bytes;
    if (this.#heard || exempt) this.#silent = 0;
    else if (++this.#silent >= silentPauses) return this.#giveUp("its writer was silent for too long");
    this.#heard = false;
    this.#watch();
  }

  /** Waits for the writer, for the reader, or for a sign of the writer. */
  #watch(): void {
    if (this.#young) return;
    const { deadlines } = this.#peer;
    const { heartbeatMs = 5_000, openMs = defaultOpenMs } = this.options;
    deadlines.remove(this);
    if (this.ended !== null && !(this.unclaimed && this.#closed)) return;
    deadlines.add(this, this.opened && !this.unclaimed ? heartbeatMs : openMs);
  }

  #giveUp(text: string): void {
    this.#peer.outbox.close(this.id, 0, CloseReason.peerGone);
    this.finish({ reason: "dropped", text });
  }

  #apply(type: number, bytes: Uint8Array, start: number, end: number): void {
    const meaning: FrameMeaning = type === RecordType.data
      ? meaningOf(bytes, start, end)
      : type === RecordType.heartbeat
      ? "heartbeat"
      : { reason: "dropped", text: "its writer has closed it without a last frame" };
    if (meaning === "item") {
      this.extend(start, end);
      return this.flushRun(bytes, false);
    }
    this.expected = (this.expected + 1) >>> 0;
    if (meaning !== "heartbeat") {
      this.#closed = this.options.creditsBytes === true && type === RecordType.data;
      this.finish(meaning);
      if (this.#closed && this.size === 0 && this.#owedBytes > 0) this.#oweRest();
      return;
    }
    // It costs the writer credit, which it gets back.
    this.#lastBytes = 0;
    if (!this.#admit(1, 0)) return;
    if (++this.#owedItems >= this.#dueItems) this.#owe();
  }

  #applyHeld(): void {
    for (let held = this.#held; held !== null && this.ended === null;) {
      const next = held.take(this.expected);
      if (next === undefined) return;
      const { type, bytes } = next;
      this.#peer.unread.add(recordHeaderSize - bytes.length, this.unclaimed);
      if (held.empty) held = this.#held = null;
      this.#apply(type, bytes, recordHeaderSize, bytes.length);
    }
  }

  /** Counts what the writer uses of its window. Returns false, with the stream ended, if it is too much. */
  #admit(items: number, bytes: number): boolean {
    const { window, creditsBytes } = this.options;
    this.#heard = true;
    this.#usedItems += items;
    this.#usedBytes += bytes;
    // The last frame may exceed what was left of the bytes.
    const tooMany = creditsBytes === true && this.#usedBytes - this.#lastBytes >= window.bytes;
    if (this.#usedItems <= window.items && !tooMany) return true;
    this.#violate("windowExceeded", "its writer sent more than the window");
    return false;
  }

  #violate(drop: "windowExceeded" | "holdOverflow" | "bytesExceeded", text: string): void {
    this.#peer.counts.dropped[drop]++;
    this.#peer.outbox.refuse(this.id, CloseReason.protocolError);
    this.finish({ reason: "failed", text });
  }

  #lifecycle(action: number): void {
    this.#peer.outbox.lifecycle(this.id, this.options.session, action);
  }

  #owe(): void {
    if (this.ended !== null && !this.#closed) return;
    if (this.#owing) {
      if (this.#resting) this.#peer.owed.hurry();
      return;
    }
    this.#owing = true;
    this.#peer.owes(this);
  }

  /** Owes the credit of the last items, after the end. */
  #oweRest(): void {
    if (this.#owing) return;
    this.#owing = this.#resting = true;
    this.#peer.owed.addRest(this, this.#owedBytes);
  }

  /** Drops the frames that wait. */
  #drop(): void {
    while (this.advance());
  }

  #end(end: StreamEnd): void {
    this.ended = end;
    if (this.#held !== null) this.#peer.unread.add(-this.#held.bytes, this.unclaimed);
    this.#held = null;
    this.#peer.readerEnded(this, end);
    // What its writer has finished goes on waiting for its reader.
    if (this.unclaimed && this.#closed && end.reason === "finalized") return;
    this.#peer.deadlines.remove(this);
    if (this.unclaimed) this.forget();
  }

  /** Drops what its writer has given up, for which nobody has come. The writer expects no credit. */
  forget(): void {
    this.#closed = false;
    this.#leave();
  }

  #leave(): void {
    this.#peer.deadlines.remove(this);
    this.#drop();
    this.#peer.abandoned(this);
  }
}
