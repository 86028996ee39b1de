import { Deque } from "../core/mod.ts";
import type { BatchReader } from "../wire/mod.ts";
import type { InboundMessage } from "./inbound.ts";

// What a message costs here besides its bytes.
const messageBytes = 256;

/** What has come on one connection and waits for its turn: the rest of a batch, and the messages behind it. */
export class Backlog {
  /** The batch whose records are next. */
  batch: BatchReader;
  readonly #messages = new Deque<InboundMessage>();
  #bytes = 0;

  /** @param batch What is left of a batch, in memory of its own. */
  constructor(batch: BatchReader) {
    this.batch = batch;
  }

  /** Memory of the messages behind the batch. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many messages wait, as far as is known: those in batches that nobody has looked into count as one. */
  get size(): number {
    return this.batch.left + this.#messages.size;
  }

  /** Forgets everything; whoever is at the batch finds it at its end. Returns how many messages waited. */
  clear(): number {
    const { size } = this;
    this.batch.end();
    this.#messages.clear();
    this.#bytes = 0;
    return size;
  }

  /** Adds a message. Copies what is lent. */
  push(message: InboundMessage): void {
    const copy = message.copy();
    this.#messages.push(copy);
    this.#bytes += sizeOf(copy);
  }

  /** Takes the first message behind the batch out. */
  shift(): InboundMessage | undefined {
    const message = this.#messages.shift();
    if (message !== undefined) this.#bytes -= sizeOf(message);
    return message;
  }
}

function sizeOf(message: InboundMessage): number {
  return messageBytes + message.headerEnd - message.headerStart + message.source.length;
}
