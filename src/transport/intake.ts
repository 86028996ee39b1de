import type { TimeSlice } from "../core/mod.ts";
import { BatchReader, BatchRecord, type DropReason, MessageType } from "../wire/mod.ts";
import { Backlog } from "./backlog.ts";
import { type FrameReader, InboundMessage } from "./inbound.ts";
import type { Link, LinkShared } from "./link.ts";
import type { TransportHandler } from "./transport.ts";

/** What an {@link Intake} works with. */
export interface IntakeParts<Session> {
  /** Who takes the messages. */
  readonly handler: TransportHandler<Session>;
  /** Counts what is dropped and received. */
  readonly shared: LinkShared;
  /** The time of the pass. */
  readonly slice: TimeSlice;
  /** Knows a view of what it has read. */
  readonly reader: FrameReader;
  /** A connection sent what no peer of ours sends. */
  refuse(link: Link<Session>, reason: DropReason): void;
}

/**
 * Hands the messages of all connections on, those in batches one by one.
 *
 * A batch may hold more work than a pass has time for. What is left then waits on its connection, and so does
 * whatever comes behind it, so that the order stays; connections that have something waiting are gone on with by
 * {@link resume}, in turns.
 */
export class Intake<Session> {
  readonly #parts: IntakeParts<Session>;
  readonly #record = new BatchRecord();
  readonly #inner = new InboundMessage();
  // Kept for the next batch, and missing while one is handed on.
  #spare: BatchReader | null = null;

  /** @param parts What it works with. */
  constructor(parts: IntakeParts<Session>) {
    this.#parts = parts;
  }

  /** Takes a message that has just been read. */
  take(link: Link<Session>, message: InboundMessage): void {
    if (link.backlog !== null) return link.backlog.push(message);
    if (message.type !== MessageType.batch) return this.#hand(link, message);
    const batch = this.#spare ?? new BatchReader();
    this.#spare = null;
    // The reader's own buffer has a view already.
    const view = this.#parts.reader.viewOf(message.source);
    if (this.#open(link, batch, message, view) && !this.#records(link, batch)) {
      link.backlog = new Backlog(batch.takeRest(message.owned));
    }
    this.#spare = batch;
  }

  /** Goes on with what waits on a link, with one message at least, until nothing waits or the time is over. */
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

  /** Starts on a batch; false, and counted, when it cannot be read. */
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

  /** Hands on what a batch has. Returns whether it is at its end: false when the time is over before. */
  #records(link: Link<Session>, batch: BatchReader): boolean {
    const { slice, handler, shared: { counters, drops } } = this.#parts;
    const record = this.#record;
    const inner = this.#inner;
    const { bytes } = batch;
    inner.header = bytes;
    inner.headerView = batch.view;
    // Counted here until the next look is due: a call for each record costs as much as what it says.
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
      if (slice.spend(done) && batch.left > 0) return false;
      due = slice.left;
      done = 0;
    }
  }
}
