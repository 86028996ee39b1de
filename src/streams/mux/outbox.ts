import { copyBytes } from "../../wire/mod.ts";
import {
  type BatchBuffer,
  batchHeaderSize,
  CloseReason,
  recordHeaderSize,
  RecordType,
} from "../wire/batch.ts";
import { batchBytes, type BatchMemory } from "./batch_memory.ts";
import type { StreamCounts } from "./stats.ts";

/** What an {@link Outbox} needs of its surroundings. */
export interface OutboxParts {
  /** Counters. */
  readonly counts: StreamCounts;
  /** Memory for batches. */
  readonly memory: BatchMemory;
  /** Sends a batch, borrowed. Returns false, with nothing sent, without room; {@link Outbox.resume} follows then. */
  send(batch: Uint8Array): boolean;
  /** There are records: {@link Outbox.flush} has to be called at the end of the turn. */
  collected(): void;
}

/** The records that leave to one peer: they are collected in one batch, which waits for room at the peer. */
export class Outbox {
  /** Records added so far, which shows whether a turn has ended. */
  activity = 0;
  readonly #parts: OutboxParts;
  readonly #epoch: number;
  #sequence = 0;
  #buffer: BatchBuffer | null = null;
  #blocked = false;
  /** Whether the surroundings know that there are records. */
  #told = false;
  /** Records that must not be lost, while there is no room. */
  #late: (() => void)[] = [];

  /** @param epoch Higher than every earlier one to the same peer. */
  constructor(parts: OutboxParts, epoch: number) {
    this.#parts = parts;
    this.#epoch = epoch;
  }

  /** Whether records wait for room at the peer. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Records that wait beside the batch. */
  get late(): number {
    return this.#late.length;
  }

  /** Whether no record waits to leave. */
  get empty(): boolean {
    return this.#buffer === null;
  }

  /** Memory in which {@link space} is. */
  get bytes(): Uint8Array {
    return this.#buffer!.bytes;
  }

  /** Offset of room for a body of so many bytes, which the caller writes before {@link add}; −1 without room. */
  space(most: number): number {
    return this.#room(most)?.bodyAt ?? -1;
  }

  /** Adds a record whose body was written to the {@link space}. */
  add(type: number, slot: number, sequence: number, length: number): void {
    const buffer = this.#buffer!;
    buffer.open(type, slot, sequence, length);
    this.#added(buffer);
  }

  /** Closes a slot. */
  close(slot: number, sequence: number, reason: number): void {
    this.#must(1, (buffer) => {
      buffer.bytes[buffer.open(RecordType.close, slot, sequence, 1)] = reason;
    });
  }

  /** Answers a record that is against the rules, unless records wait: a peer that reads nothing costs no memory. */
  refuse(slot: number, reason: number): void {
    if (this.#blocked) this.#parts.counts.dropped.repliesRefused++;
    else this.close(slot, 0, reason);
  }

  /** Sends the last frame of a slot, which `sequence` numbers, and closes it. Both are in the same batch. */
  finish(slot: number, sequence: number, frame: Uint8Array): void {
    const kept = this.#blocked ? frame.slice() : frame;
    const { length } = kept;
    this.#must(length + recordHeaderSize + 1, (buffer) => {
      copyBytes(buffer.bytes, buffer.open(RecordType.data, slot, sequence, length), kept, length);
      const at = buffer.open(RecordType.close, slot, (sequence + 1) >>> 0, 1);
      buffer.bytes[at] = CloseReason.terminalSent;
    });
  }

  /** Opens a slot. */
  open(slot: number, anchor: bigint, session: bigint): void {
    this.#must(16, (buffer) => {
      const at = buffer.open(RecordType.open, slot, 0, 16);
      buffer.writeUint64(at, anchor);
      buffer.writeUint64(at + 8, session);
    });
  }

  /** Asks the writer of a slot to end. */
  lifecycle(slot: number, session: bigint, action: number): void {
    this.#must(9, (buffer) => {
      const at = buffer.open(RecordType.lifecycle, slot, 0, 9);
      buffer.writeUint64(at, session);
      buffer.bytes[at + 8] = action;
    });
  }

  /** Returns credit to the writer of a slot, unless records wait. @param bytes Null towards plain Velo. */
  credit(slot: number, items: number, bytes: number | null): boolean {
    const buffer = this.#room(8);
    if (buffer === null) return false;
    const at = buffer.open(RecordType.credit, slot, 0, bytes === null ? 4 : 8);
    buffer.writeUint32(at, items);
    if (bytes !== null) buffer.writeUint32(at + 4, bytes);
    this.#added(buffer);
    return true;
  }

  /** Sends the batch. Returns whether nothing is left. */
  flush(): boolean {
    const buffer = this.#buffer;
    this.#told = false;
    if (this.#blocked) return false;
    if (buffer === null) return true;
    if (buffer.count > 0) {
      if (!this.#parts.send(buffer.finish(this.#epoch, this.#sequence))) {
        this.#blocked = true;
        return false;
      }
      this.#sequence = (this.#sequence + 1) >>> 0;
      this.#parts.counts.batchesSent++;
      buffer.reset();
    }
    this.#buffer = null;
    this.#parts.memory.give(buffer);
    return true;
  }

  /** The peer has room again: what waits is sent. Returns whether all of it was. */
  resume(): boolean {
    if (!this.#blocked) return true;
    this.#blocked = false;
    if (!this.flush()) return false;
    const late = this.#late;
    this.#late = [];
    for (const add of late) add();
    return !this.#blocked;
  }

  /** Adds a record with a body of `length` bytes now, or when there is room. */
  #must(length: number, add: (buffer: BatchBuffer) => void): void {
    const buffer = this.#room(length);
    if (buffer === null) return void this.#late.push(() => this.#must(length, add));
    add(buffer);
    this.#added(buffer);
  }

  /** A batch with room for a record; null while there is none. */
  #room(length: number): BatchBuffer | null {
    if (this.#blocked) return null;
    const buffer = this.#buffer;
    if (buffer !== null && buffer.room >= length) return buffer;
    if (buffer !== null && !this.flush()) return null;
    return this.#buffer = this.#parts.memory.take(batchHeaderSize + recordHeaderSize + length);
  }

  #added(buffer: BatchBuffer): void {
    this.activity++;
    if (!this.#told) {
      this.#told = true;
      this.#parts.collected();
    }
    if (buffer.bytes.length > batchBytes) this.flush();
  }
}
