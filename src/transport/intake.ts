import type { TimeSlice } from "../core/mod.ts";
import { BatchReader, BatchRecord, type DropReason, MessageType } from "../wire/mod.ts";
import { Backlog } from "./backlog.ts";
import { type FrameReader, InboundMessage } from "./inbound.ts";
import type { Link, LinkShared } from "./link.ts";
import type { TransportHandler } from "./transport.ts";

/** The parts of an {@link Intake}. */
export interface IntakeParts<Session> {
  /** The receiver of messages. */
  readonly handler: TransportHandler<Session>;
  /** Counts drops and messages. */
  readonly shared: LinkShared;
  /** The time of the pass. */
  readonly slice: TimeSlice;
  /** Has a view of its buffer. */
  readonly reader: FrameReader;
  /** Ends a connection that sent bytes that no peer sends. */
  refuse(link: Link<Session>, reason: DropReason): void;
}

/**
 * Dispatches the messages of all connections, with those of batches one by one.
 *
 * A batch may be more work than a pass has time for. Its rest then waits on its connection, with the messages after it,
 * so that the order is kept; {@link resume} continues such connections in turns.
 */
export class Intake<Session> {
  readonly #parts: IntakeParts<Session>;
  readonly #record = new BatchRecord();
  readonly #inner = new InboundMessage();
  // Reused for the next batch; null while a batch is dispatched.
  #spare: BatchReader | null = null;

  constructor(parts: IntakeParts<Session>) {
    this.#parts = parts;
  }

  /** Dispatches a message that was just read. */
  take(link: Link<Session>, message: InboundMessage): void {
    if (link.backlog !== null) return link.backlog.push(message);
    if (message.type !== MessageType.batch) return this.#hand(link, message);
    const batch = this.#spare ?? new BatchReader();
    this.#spare = null;
    // The reader has a view of its own buffer.
    const view = this.#parts.reader.viewOf(message.source);
    if (this.#open(link, batch, message, view) && !this.#records(link, batch)) {
      link.backlog = new Backlog(batch.takeRest(message.owned));
    }
    this.#spare = batch;
  }

  /** Continues a link's waiting messages, one at least, until none waits or the time is over. */
  resume(link: Link<Session>): void {
    const { backlog } = link;
    if (backlog === null || !this.#records(link, backlog.batch)) return;
    while (link.backlog === backlog) {
      const message = backlog.shift();
      if (message === undefined) {
        link.backlog = null;
        return;
      }
      if (message.type !== MessageType.batch) {
        this.#hand(link, message);
        if (this.#parts.slice.spend()) return;
      } else if (this.#open(link, backlog.batch, message)) {
        if (!this.#records(link, backlog.batch)) return;
      }
    }
  }

  #hand(link: Link<Session>, message: InboundMessage): void {
    this.#parts.shared.counters.received++;
    this.#parts.handler.message(link, message);
  }

  /** Opens a batch; returns false, and counts it, when it is invalid. */
  #open(link: Link<Session>, batch: BatchReader, message: InboundMessage, view?: DataView): boolean {
    const { shared: { drops } } = this.#parts;
    if (message.unread) {
      drops.count("payloadTooLarge");
      return false;
    }
    const { header, headerStart, headerEnd, source, payloadStart, payloadEnd } = message;
    const reason = batch.reset(header, headerStart, headerEnd, source, payloadStart, payloadEnd, view);
    if (reason === null) return true;
    drops.count(reason);
    if (reason === "batchRecords") this.#parts.refuse(link, reason);
    return false;
  }

  /** Dispatches a batch's records. Returns whether it is at its end: false when the time is over first. */
  #records(link: Link<Session>, batch: BatchReader): boolean {
    const { slice, handler, shared: { counters, drops } } = this.#parts;
    const record = this.#record;
    const inner = this.#inner;
    const { bytes } = batch;
    inner.header = bytes;
    inner.headerView = batch.view;
    // Counted here between two looks, since a call for each record would double its cost.
    let due = slice.left;
    let done = 0;
    for (;;) {
      const next = batch.next(record);
      if (next !== null) {
        if (next !== "end") drops.count(next);
        slice.spend(done);
        return true;
      }
      inner.type = record.type;
      inner.headerStart = record.headerStart;
      inner.headerEnd = record.headerEnd;
      inner.source = bytes;
      inner.payloadStart = record.payloadStart;
      inner.payloadEnd = record.payloadEnd;
      inner.owned = false;
      counters.received++;
      handler.message(link, inner);
      if (++done < due) continue;
      // Short records still go with their batch: its rest, and all that comes until it has its turn, would be copied.
      if (slice.spend(done) && batch.left > slice.grace) return false;
      due = slice.left;
      done = 0;
    }
  }
}
