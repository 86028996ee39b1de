import {
  batchHeaderSize,
  batchRecordOverhead,
  BatchWriter,
  encodeBatchHeader,
  MessageType,
} from "../wire/mod.ts";
import type { LinkShared } from "./link_shared.ts";

// A batch that is handed over wakes libzmq's thread, and a larger one delays its first record. Measured over TCP with 512
// calls of 64 B in flight on Bun and two cores, medians of 9 in turns: 329 000/s with 16 KiB, 367 000 with 24, 336 000 with
// 32. A payload above 4 KiB gains nothing and would be copied once more.
const batchBytes = 24 * 1024;
const largestRecordBytes = 4 * 1024;
// Continuations of promises resolved in one turn add their next message before the flush. This bounds the chain, so
// that microtasks cannot delay a message for ever.
const maxHops = 16;
// A handler's promise, and the next message of an ordered handler after it, take a few microtasks each: a turn is over
// after this many without a new message. Measured with ordered handlers that await once, 64 in flight: 4.1 µs a call
// instead of 16 on Bun, 5.1 instead of 21 on Deno.
const maxQuietHops = 4;

/** The link of a batcher. */
export interface BatchSink {
  /** Called before the batch is sent: messages sent now join it. */
  beforeBatch?(): void;
  /** Sends `count` messages as one of type `type`. */
  sendBatch(type: number, header: Uint8Array, payload: Uint8Array, count: number): void;
}

/**
 * Collects the small messages that are sent to one peer in one turn.
 *
 * It uses no timer: a batch is sent in a microtask of its turn, at the end of the drain that filled it, or when it is
 * full. When the turns before had one message each, the first message of a turn is sent at once, so that a lone call is
 * not delayed.
 */
export class Batcher {
  readonly #sink: BatchSink;
  readonly #shared: LinkShared;
  readonly #writer = new BatchWriter(batchBytes);
  readonly #header = new Uint8Array(new ArrayBuffer(batchHeaderSize));
  readonly #headerView = new DataView(this.#header.buffer);
  #scheduled = false;
  #lone = true;
  #turnCount = 0;
  #seen = 0;
  #hops = 0;
  #quietHops = 0;
  #stopped = false;

  /** @param sink Usually a link. */
  constructor(sink: BatchSink, shared: LinkShared) {
    this.#sink = sink;
    this.#shared = shared;
  }

  /**
   * Takes a message whose header is in the shared region.
   *
   * @returns False when the message should be sent alone; the collected messages have been sent before it then.
   */
  take(type: number, headerLength: number, payload: Uint8Array): boolean {
    this.#turnCount++;
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#seen = 0;
      this.#hops = 0;
      this.#quietHops = 0;
      queueMicrotask(this.#step);
      if (this.#lone) return false;
    }
    if (payload.length > largestRecordBytes) {
      this.flush();
      return false;
    }
    const writer = this.#writer;
    if (!writer.append(type, this.#shared.header.view, headerLength, payload)) {
      this.flush();
      return writer.append(type, this.#shared.header.view, headerLength, payload);
    }
    return true;
  }

  /** Sends the collected messages. */
  flush(): void {
    const writer = this.#writer;
    const count = writer.count;
    if (count === 0) return;
    const { bytes, view, length } = writer;
    if (count === 1) {
      const headerEnd = batchRecordOverhead + view.getUint32(1, true);
      writer.reset();
      const header = bytes.subarray(batchRecordOverhead, headerEnd);
      return this.#sink.sendBatch(bytes[0]!, header, bytes.subarray(headerEnd, length), 1);
    }
    const payload = bytes.subarray(0, length);
    encodeBatchHeader(this.#header, this.#headerView, 0, count);
    writer.reset();
    this.#sink.sendBatch(MessageType.batch, this.#header, payload, count);
  }

  /** Drops the collected messages and takes no more. */
  stop(): void {
    this.#stopped = true;
    this.#writer.reset();
  }

  readonly #step = (): void => {
    if (this.#stopped) return;
    if (this.#turnCount !== this.#seen) {
      this.#hops++;
      this.#quietHops = 0;
      this.#seen = this.#turnCount;
    } else this.#quietHops++;
    if (this.#hops < maxHops && this.#quietHops < maxQuietHops) return queueMicrotask(this.#step);
    if (this.#writer.count > 0) this.#sink.beforeBatch?.();
    this.#scheduled = false;
    this.#lone = this.#turnCount <= 1;
    this.#turnCount = 0;
    this.flush();
  };
}
