/** What is held of one kind. */
export interface Held {
  /** Messages. */
  messages: number;
  /** Bytes of their payloads. */
  bytes: number;
}

// How often what is still free one handler, or one sender, may hold.
const shareOfFree = 8;

/**
 * Room for the messages that wait for a handler or are being worked on.
 *
 * One handler and one sender get at most eight times what is still free. So a flood of one fills eight ninths, and
 * leaves room for everybody else; two floods leave a seventeenth; there is always some.
 */
export class InboundRoom {
  readonly total: Held = { messages: 0, bytes: 0 };
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  readonly #easyMessages: number;
  readonly #easyBytes: number;

  /**
   * @param maxMessages The most messages.
   * @param maxBytes The most bytes; one message that is larger has room when there is nothing else.
   */
  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
    this.#easyMessages = Math.floor(maxMessages / 2);
    this.#easyBytes = Math.floor(maxBytes / 2);
  }

  /** Whether there is room for one more message of this handler and this sender. */
  has(handler: Held, sender: Held, bytes: number): boolean {
    const { total } = this;
    // Whatever the shares are, nobody can hold too much of a half.
    if (total.messages < this.#easyMessages && total.bytes + bytes <= this.#easyBytes) return true;
    if (total.messages === 0) return true;
    const free = this.#maxMessages - total.messages;
    const freeBytes = this.#maxBytes - total.bytes;
    if (free <= 0 || freeBytes < bytes) return false;
    return Math.max(handler.messages, sender.messages) < shareOfFree * free &&
      Math.max(handler.bytes, sender.bytes) + bytes <= shareOfFree * freeBytes;
  }

  /** Counts a message in. */
  hold(handler: Held, sender: Held, bytes: number): void {
    change(this.total, 1, bytes);
    change(handler, 1, bytes);
    change(sender, 1, bytes);
  }

  /** Counts a message out. */
  release(handler: Held, sender: Held, bytes: number): void {
    change(this.total, -1, -bytes);
    change(handler, -1, -bytes);
    change(sender, -1, -bytes);
  }
}

function change(held: Held, messages: number, bytes: number): void {
  held.messages += messages;
  held.bytes += bytes;
}
