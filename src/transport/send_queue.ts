import { Deque } from "../core/mod.ts";
import type { LinkShared } from "./link_shared.ts";

/** A message, or a batch of messages, that waits at the high-water mark of its peer. */
export interface Queued {
  readonly type: number;
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
  /** Messages that it stands for: a batch is one entry. */
  readonly count: number;
  /** The number of its first message. */
  readonly first: number;
  /** Its bytes that are answers to the peer. */
  readonly owed: number;
  /** Taken back by its sender; it is skipped. */
  withdrawn: boolean;
}

/** The messages of one link that wait at the high-water mark of its peer, bounded in messages and bytes. */
export class SendQueue {
  /** Messages in it. */
  messages = 0;
  /** Their bytes. */
  bytes = 0;
  readonly #entries = new Deque<Queued>();
  readonly #limits: LinkShared;

  /** @param limits Limits of messages and bytes. */
  constructor(limits: LinkShared) {
    this.#limits = limits;
  }

  /** Entries in it. */
  get size(): number {
    return this.#entries.size;
  }

  /** Whether there is no room for another message. A single one above the limit may go alone. */
  isFull(bytes: number): boolean {
    return this.messages >= this.#limits.maxQueuedMessages ||
      (this.messages > 0 && this.bytes + bytes > this.#limits.maxQueuedBytes);
  }

  /** Puts an entry at the end. */
  push(entry: Queued): void {
    this.#entries.push(entry);
    this.messages += entry.count;
    this.bytes += entry.header.length + entry.payload.length;
  }

  /** The first entry. */
  peek(): Queued | undefined {
    return this.#entries.peek();
  }

  /** Removes the first entry. */
  shift({ count, header, payload }: Queued): void {
    this.#entries.shift();
    this.messages -= count;
    this.bytes -= header.length + payload.length;
  }

  /** The entry with the message of this number. */
  find(number: number): Queued | undefined {
    let low = 0;
    let high = this.#entries.size - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const entry = this.#entries.at(middle)!;
      if (entry.first > number) high = middle - 1;
      else if (entry.first + entry.count <= number) low = middle + 1;
      else return entry;
    }
    return undefined;
  }

  /** Removes everything. Returns the number of messages. */
  clear(): number {
    const { messages } = this;
    this.#entries.clear();
    this.messages = this.bytes = 0;
    return messages;
  }
}
