import { type Deadlines, ZeromeshError } from "../../core/mod.ts";
import {
  type ByteReader,
  type ByteWriter,
  type ReaderEvents,
  type StreamEnd,
  type StreamOptions,
  type WriterEvents,
  writersAnchor,
} from "../byte_stream.ts";
import { CloseReason, RecordReader, RecordType } from "../wire/batch.ts";
import type { BatchMemory } from "./batch_memory.ts";
import { isItem } from "./end.ts";
import { Outbox } from "./outbox.ts";
import { OwedCredit } from "./owed_credit.ts";
import { ReaderSlot } from "./reader_slot.ts";
import { ReaderTable } from "./reader_table.ts";
import type { ReadingSlot, SlotPeer, WritingSlot } from "./slot_peer.ts";
import { SlotTable } from "./slot_table.ts";
import type { StreamCounts } from "./stats.ts";
import { UnreadBytes, type UnreadLimits } from "./unread_bytes.ts";
import { WaitingWriters } from "./waiting_writers.ts";
import { WriterSlot } from "./writer_slot.ts";
import { YoungSlots } from "./young_slots.ts";

/** Limits for the streams of one peer. */
export interface MuxLimits extends UnreadLimits {
  /** Streams of each direction. */
  readonly maxPeerStreams: number;
  /** Bytes that this instance sends to the peer before they are read; at most half of its share at the peer. */
  readonly maxPeerBytes: number;
  /** Streams that wait for their reader. */
  readonly maxUnclaimed: number;
}

/** What all peers' streams share. */
export interface MuxParts extends MuxLimits {
  /** Counters. */
  readonly counts: StreamCounts;
  /** Heartbeats, silence and waits. */
  readonly deadlines: Deadlines;
  /** Memory for batches. */
  readonly memory: BatchMemory;
}

/** The other end, as the streams see it. */
export interface MuxPeer {
  /** Its text for messages. */
  readonly text: string;
  /** Whether it has this library's streams. */
  readonly ours: boolean;
  /** The largest frame that it takes. */
  readonly maxFrameBytes: number;
  /** The bytes that this instance may occupy there. */
  readonly shareBytes: number;
  /** So many more of its bytes, or fewer, wait here. */
  keeps(bytes: number): void;
  /** Sends a batch, borrowed; false without room, and {@link PeerMux.resume} follows then. */
  send(batch: Uint8Array): boolean;
  /** {@link PeerMux.flush} has to be called at the end of the turn. */
  collected(): void;
  /** Batches that were sent must not wait for the end of the turn. */
  push(): void;
  /** The peer opens a stream that has no reader yet. {@link PeerMux.bind} can give it one before this returns. */
  opening(anchor: bigint, session: bigint): void;
}

/**
 * The window of a stream whose writer names the anchor, which may be opened before it has a reader: both ends know it.
 */
export const firstWindow: { readonly items: number; readonly bytes: number } = Object.freeze({
  items: 1_024,
  bytes: 1024 * 1024,
});

// All credit is returned whenever this part of the peer's bytes was read.
const partOwed = 16;
// Items that follow one another in a batch share memory up to this size, so that one of them keeps no more of it alive.
const mostRunBytes = 16 * 1024;
const records = new RecordReader();

/**
 * All streams with one peer, over one connection: those that this instance writes, and those that it reads. It does no
 * I/O: batches come in by {@link receive} and leave by {@link MuxPeer.send}.
 */
export class PeerMux implements SlotPeer {
  readonly outbox: Outbox;
  readonly counts: StreamCounts;
  readonly deadlines: Deadlines;
  readonly young: YoungSlots;
  readonly unread: UnreadBytes;
  readonly #parts: MuxParts;
  readonly #peer: MuxPeer;
  readonly #writers: SlotTable<WriterSlot> = new SlotTable();
  /** Bytes sent that no credit has come for. */
  #outstanding = 0;
  readonly #mostBytes: number;
  /** Writers that wait for something else than their own credit. */
  readonly #waiting = new WaitingWriters();
  readonly #readers: ReaderTable = new ReaderTable();
  readonly owed: OwedCredit;
  #taken = 0;
  #epoch = 0;
  #nextBatch = 0;
  #lost: StreamEnd | null = null;
  /** The unknown slot of the last record. Its writer is told once for records in succession. */
  #refused = -1;

  /** @param epoch Higher than every earlier one to the same peer. */
  constructor(parts: MuxParts, peer: MuxPeer, epoch: number) {
    this.#parts = parts;
    this.#peer = peer;
    this.#mostBytes = Math.max(1, Math.min(parts.maxPeerBytes, Math.floor(peer.shareBytes / 2)));
    this.counts = parts.counts;
    this.deadlines = parts.deadlines;
    this.young = new YoungSlots(parts.deadlines);
    this.unread = new UnreadBytes(parts, parts.counts, (more) => peer.keeps(more));
    this.owed = new OwedCredit(parts.deadlines, () => this.flush());
    const { counts, memory } = parts;
    this.outbox = new Outbox(
      { counts, memory, send: (batch) => peer.send(batch), collected: () => peer.collected() },
      epoch,
    );
  }

  get maxFrameBytes(): number {
    return this.#peer.maxFrameBytes;
  }

  /** Streams of both directions. */
  get size(): number {
    return this.#writers.size + this.#readers.size;
  }

  /** Opens a stream to the peer. @throws {ZeromeshError} `LIMIT_REACHED`. */
  openWriter(options: StreamOptions, events: WriterEvents): ByteWriter {
    const { maxPeerStreams } = this.#parts;
    const { size } = this.#writers;
    if (size >= maxPeerStreams || this.outbox.late > maxPeerStreams) throw this.#limit("write", size);
    const writer = this.#writers.add((id) => new WriterSlot(this, id, options, events));
    this.counts.writers++;
    this.counts.opened++;
    return writer;
  }

  /** Reads a stream that the peer has opened or will open. @throws {ZeromeshError} `LIMIT_REACHED`. */
  bind(options: StreamOptions, events: ReaderEvents): ByteReader {
    const waiting = this.#readers.claim(options.anchor, options.session);
    if (waiting !== null) {
      this.counts.unclaimed--;
      waiting.claim(events);
      if (waiting.size > 0 || waiting.ended !== null) queueMicrotask(() => events.readable());
      return waiting;
    }
    const { size } = this.#readers;
    if (size >= this.#parts.maxPeerStreams) throw this.#limit("read", size);
    const announces = (options.anchor & writersAnchor) !== 0n && this.#peer.ours;
    const reader = new ReaderSlot(this, options, events, announces);
    this.#readers.bind(reader);
    this.counts.readers++;
    return reader;
  }

  /** Takes a batch of the peer, in `bytes[start..end)`. @param owned Whether the memory may be kept. */
  receive(bytes: Uint8Array, start: number, end: number, owned: boolean): void {
    const { counts } = this;
    let reason: ReturnType<RecordReader["next"]> = records.begin(bytes, start, end);
    if (reason !== null) return void counts.dropped[reason]++;
    if (!this.#begins(records.epoch, records.batch)) return;
    let run: ReaderSlot | null = null;
    this.#refused = -1;
    while ((reason = records.next()) === null) {
      const { type, slot, sequence } = records;
      if (type === RecordType.data) {
        if (run === null || run.id !== slot || run.ended !== null) {
          run?.flushRun(bytes, owned);
          run = this.#reader(slot);
        }
        if (run === null) continue;
        if (sequence === run.expected && !run.holds && isItem(bytes, records.start)) {
          if (run.extend(records.start, records.end) >= mostRunBytes) run.flushRun(bytes, owned);
          continue;
        }
      }
      run?.flushRun(bytes, owned);
      run = null;
      this.#record(type, slot, sequence, bytes);
    }
    run?.flushRun(bytes, owned);
    if (reason !== "end") counts.dropped[reason]++;
  }

  /** Sends what was collected in this turn. */
  flush(): void {
    if (this.#lost !== null) return;
    this.owed.settle();
    this.outbox.flush();
  }

  /** The peer has room again. */
  resume(): void {
    if (this.#lost !== null || !this.outbox.resume()) return;
    if (this.owed.pending) this.flush();
    this.#waiting.wake();
  }

  /** The connection is lost: all streams end. */
  lose(): void {
    if (this.#lost !== null) return;
    this.owed.forget();
    const end = this.#lost = {
      reason: "peerLost",
      text: `the connection to peer ${this.#peer.text} is lost`,
    } as const;
    for (const writer of this.#writers.all()) writer.fail(end);
    for (const reader of this.#readers.all()) reader.finish(end);
  }

  admits(bytes: number): boolean {
    // One writer leaves others as much as it takes, and whoever has nothing on its way may send a frame.
    return this.#outstanding + bytes < this.#mostBytes ||
      (bytes === 0 && this.#outstanding < 2 * this.#mostBytes);
  }

  sent(bytes: number): void {
    this.counts.itemsSent++;
    this.counts.bytesSent += bytes;
    this.#outstanding += bytes;
  }

  freed(bytes: number): void {
    this.#outstanding -= bytes;
    this.#waiting.wake();
  }

  waits(writer: WritingSlot): void {
    this.#waiting.add(writer);
  }

  waitsNoMore(writer: WritingSlot): void {
    this.#waiting.remove(writer);
  }

  writerEnded(writer: WritingSlot, { reason }: StreamEnd): void {
    this.#waiting.remove(writer);
    this.counts.writers--;
    this.counts.ends[reason]++;
  }

  writerGone(writer: WritingSlot, outstanding: number): void {
    if (this.#writers.remove(writer)) this.freed(outstanding);
  }

  received(items: number, bytes: number, unclaimed: boolean): boolean {
    if (!this.unread.hasRoom(bytes, unclaimed)) return false;
    this.counts.itemsReceived += items;
    this.counts.bytesReceived += bytes;
    this.unread.add(bytes, unclaimed);
    return true;
  }

  taken(bytes: number, unclaimed: boolean): void {
    this.unread.add(-bytes, unclaimed);
    this.#taken += bytes;
    if (this.#taken < this.#parts.shareBytes / partOwed) return;
    // Many readers may owe less than is worth a record each, which together holds up the peer.
    this.#taken = 0;
    for (const reader of this.#readers.allOpen()) reader.settleSoon();
    if (this.owed.pending) this.flush();
  }

  owes(reader: ReadingSlot): void {
    // At once: a turn may be the reading of all that a window has allowed, while the writer waits.
    this.owed.add(reader);
    this.#peer.push();
  }

  readerEnded(reader: ReadingSlot, { reason }: StreamEnd): void {
    this.#readers.ended(reader);
    this.counts.readers--;
    this.counts.ends[reason]++;
  }

  abandoned(reader: ReadingSlot): void {
    if (this.#readers.abandon(reader)) this.counts.unclaimed--;
  }

  /** Checks the epoch of a batch. */
  #begins(epoch: number, batch: number): boolean {
    if (epoch < this.#epoch) {
      this.counts.dropped.staleEpoch++;
      return false;
    }
    this.counts.batchesReceived++;
    if (epoch > this.#epoch) {
      this.#epoch = epoch;
      this.#nextBatch = batch;
      const end: StreamEnd = { reason: "peerLost", text: `peer ${this.#peer.text} began anew` };
      for (const reader of this.#readers.allOpen()) reader.finish(end);
    }
    const missing = (batch - this.#nextBatch) >>> 0;
    if (missing < 2 ** 31) {
      this.counts.batchGaps += missing;
      this.#nextBatch = (batch + 1) >>> 0;
    }
    return true;
  }

  #record(type: number, slot: number, sequence: number, bytes: Uint8Array): void {
    const { start, end } = records;
    switch (type) {
      case RecordType.open:
        return this.#open(slot, records.uint64(start), records.uint64(start + 8));
      case RecordType.credit: {
        const both = end - start === 8;
        return this.#writer(slot)?.credited(records.uint32(start), both ? records.uint32(start + 4) : null);
      }
      case RecordType.lifecycle:
        return this.#writer(slot)?.asked(records.uint64(start), bytes[start + 8]!);
      case RecordType.close:
        // Only the writer of a slot numbers its records.
        if (bytes[start] !== CloseReason.terminalSent && sequence === 0) {
          return this.#writer(slot)?.closed(bytes[start]!);
        }
        return this.#close(slot, sequence, bytes);
      default:
        return this.#reader(slot)?.record(type, sequence, bytes, start, end);
    }
  }

  #open(slot: number, anchor: bigint, session: bigint): void {
    const end: StreamEnd = { reason: "dropped", text: "its writer has opened another one in its place" };
    this.#readers.at(slot)?.finish(end);
    const reader = this.#readers.awaited(anchor, session) ?? this.#find(anchor, session);
    if (reader === null) return this.outbox.refuse(slot, CloseReason.unknownSlot);
    this.counts.accepted++;
    this.#readers.open(slot, reader);
    reader.open(slot);
  }

  /** The writer of a slot closes it. */
  #close(slot: number, sequence: number, bytes: Uint8Array): void {
    const { start, end } = records;
    const reader = this.#readers.at(slot);
    if (reader !== undefined) return reader.close(slot, sequence, bytes, start, end);
    // The slot of a stream that has ended is forgotten already, if it does not wait for its reader.
    if (bytes[start] !== CloseReason.terminalSent) this.#readers.finished(slot)?.forget();
  }

  /** A stream that the reader prepared for whoever opens it, or one that its writer may open before it has a reader. */
  #find(anchor: bigint, session: bigint): ReaderSlot | null {
    const { maxUnclaimed, maxPeerStreams } = this.#parts;
    const readers = this.#readers;
    if ((anchor & writersAnchor) === 0n) {
      this.#peer.opening(anchor, session);
      return readers.awaited(anchor, session);
    }
    if (!this.#peer.ours || readers.parks(anchor, session)) return null;
    if (readers.unclaimed >= maxUnclaimed || readers.size >= maxPeerStreams) {
      this.counts.dropped.unclaimedLimit++;
      return null;
    }
    const options = { anchor, session, window: firstWindow, creditsBytes: true };
    const reader = new ReaderSlot(this, options, null, false);
    readers.park(reader);
    this.counts.readers++;
    this.counts.unclaimed++;
    return reader;
  }

  /** The open stream of a slot; null, and the writer is told, without one. */
  #reader(slot: number): ReaderSlot | null {
    const reader = this.#readers.at(slot);
    if (reader?.id === slot) return reader;
    if (reader !== undefined) this.counts.dropped.generation++;
    else {
      this.counts.dropped.unknownSlot++;
      if (slot !== this.#refused) this.outbox.refuse(slot, CloseReason.unknownSlot);
      this.#refused = slot;
    }
    return null;
  }

  /** The stream that this instance writes in a slot; null without one. */
  #writer(slot: number): WriterSlot | null {
    const writer = this.#writers.at(slot);
    if (writer?.id === slot) return writer;
    this.counts.dropped[writer === null ? "unknownSlot" : "generation"]++;
    return null;
  }

  #limit(verb: string, count: number): ZeromeshError {
    const why = `${count} are open, or not read to their end; the limit is ${this.#parts.maxPeerStreams}`;
    return new ZeromeshError(
      "LIMIT_REACHED",
      `Cannot ${verb} another stream with peer ${this.#peer.text}: ${why} (streams.maxPeerStreams)`,
    );
  }
}
