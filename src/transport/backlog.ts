import { Deque } from "../core/mod.ts";
import type { BatchReader } from "../wire/mod.ts";
import type { InboundMessage } from "./inbound.ts";

// Cost of a queued message besides its bytes.
const messageBytes = 256;

/** Received messages of one connection that wait for their turn: the rest of a batch, and later messages. */
export class Backlog {
  /** The current batch. */
  batch: BatchReader;
  readonly #messages = new Deque<InboundMessage>();
  #bytes = 0;

  /** @param batch The rest of a batch, in memory of its own. */
  constructor(batch: BatchReader) {
    this.batch = batch;
  }

  /** Memory of the messages after the batch. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Number of waiting messages; a batch that is not yet opened counts as one. */
  get size(): number {
    return this.batch.left + this.#messages.size;
  }

  /** Drops all messages; a reader of the batch finds it at its end. Returns the number dropped. */
  clear(): number {
    const { size } = this;
    this.batch.end();
    this.#messages.clear();
    this.#bytes = 0;
    return size;
  }

  /** Adds a message. Borrowed memory is copied. */
  push(message: InboundMessage): void {
    const copy = message.copy();
    this.#messages.push(copy);
    this.#bytes += sizeOf(copy);
  }

  /** Removes the first message after the batch. */
  shift(): InboundMessage | undefined {
    const message = this.#messages.shift();
    if (message !== undefined) this.#bytes -= sizeOf(message);
    return message;
  }
}

function sizeOf(message: InboundMessage): number {
  return messageBytes + message.headerEnd - message.headerStart + message.source.length;
}
