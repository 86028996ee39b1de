import type { Deadlines } from "../../core/mod.ts";
import type { StreamEnd, StreamOptions } from "../byte_stream.ts";
import type { Outbox } from "./outbox.ts";
import type { StreamCounts } from "./stats.ts";
import type { UnreadBytes } from "./unread_bytes.ts";
import type { YoungSlots } from "./young_slots.ts";

/** A stream that this instance writes, as its peer's other streams know it. */
export interface WritingSlot {
  /** Index and generation. */
  readonly id: number;
  /** Whether a frame can be written now. */
  readonly open: boolean;
  /** Bytes sent that no credit has come for. */
  readonly outstanding: number;
  /** Tells its owner that a frame can be written, if one was refused; it goes on waiting otherwise. */
  wake(): void;
}

/** A stream that this instance reads, as its peer's other streams know it. */
export interface ReadingSlot {
  /** Index and generation, as its writer names it. */
  readonly id: number;
  /** Whether its writer has opened it. */
  readonly opened: boolean;
  /** What both ends agree on. */
  readonly options: StreamOptions;
  /** Returns the credit that is owed. Returns false without room for the record. */
  settle(): boolean;
}

/** What a stream needs of the other streams with its peer. */
export interface SlotPeer {
  /** The records that leave to the peer. */
  readonly outbox: Outbox;
  /** The credit that readers owe. */
  readonly owed: {
    /** Adds the last credit of a finished stream, so many bytes, which may leave later. */
    addRest(reader: ReadingSlot, bytes: number): void;
    /** What was to leave later leaves at once. */
    hurry(): void;
  };
  /** Counters. */
  readonly counts: StreamCounts;
  /** Heartbeats, silence and waits. */
  readonly deadlines: Deadlines;
  /** Streams that have just begun. */
  readonly young: YoungSlots;
  /** The largest frame that the peer takes. */
  readonly maxFrameBytes: number;
  /** Bytes of the peer that nobody has read. */
  readonly unread: UnreadBytes;
  /** Whether a writer may have so many bytes, and one more frame, on their way. */
  admits(bytes: number): boolean;
  /** A writer has sent a frame. */
  sent(bytes: number): void;
  /** The peer has read frames of so many bytes. */
  freed(bytes: number): void;
  /** A writer waits until the peer has room, or other writers have less on their way; also called when it still waits. */
  waits(writer: WritingSlot): void;
  /** A writer does not wait any more. */
  waitsNoMore(writer: WritingSlot): void;
  /** A writer has ended. Its slot stays until {@link writerGone}. */
  writerEnded(writer: WritingSlot, end: StreamEnd): void;
  /** No more is expected for the slot of a writer. @param outstanding Its bytes that no credit has come for. */
  writerGone(writer: WritingSlot, outstanding: number): void;
  /**
   * Items of a reader have arrived. Returns false, with nothing counted, if the peer has too many bytes unread.
   *
   * @param unclaimed Whether the reader has not come yet.
   */
  received(items: number, bytes: number, unclaimed: boolean): boolean;
  /** An item was taken, or dropped without a reader. */
  taken(bytes: number, unclaimed: boolean): void;
  /** A reader owes credit, which leaves at once. */
  owes(reader: ReadingSlot): void;
  /** A reader has ended. */
  readerEnded(reader: ReadingSlot, end: StreamEnd): void;
  /** No reader has come for a stream. */
  abandoned(reader: ReadingSlot): void;
}
