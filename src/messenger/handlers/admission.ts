/** What is held of one kind. */
export interface Held {
  /** Messages. */
  messages: number;
  /** Bytes of their payloads. */
  bytes: number;
}

// How often what is still free one handler may hold, and one sender. Were they the same, a sender that fills one handler
// would have filled its own share with it, and its calls to every other handler were refused as well.
const handlersShareOfFree = 8;
const sendersShareOfFree = 16;
// What a peer may hold without holding anything worth mentioning: a message above its share still comes in.
const nothingMuchBytes = 64 * 1024;
// The room has emptied when an eighth is left of the most that lay there.
const partOfPeak = 8;

/** Who sends messages, as far as the room is concerned. */
export interface Sender {
  /** What is held of it. */
  readonly held: Held;
  /** Bytes of answers that it has not read. */
  readonly unread: number;
  /** Counts what it may send without an answer; null where nobody does. */
  readonly received: object | null;
  /** Hands over what it has read room for by now. */
  relieve(): void;
}

/**
 * Room for the messages that wait for a handler or are being worked on.
 *
 * One handler gets at most eight times what is still free, one sender sixteen times. So a flood of one handler fills eight
 * ninths, and leaves room for everything else, also of the same sender; a sender that floods many handlers fills sixteen
 * seventeenths, and leaves room for everybody else. Two floods leave less, and there is always some.
 */
export class Admission {
  readonly total: Held = { messages: 0, bytes: 0 };
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  readonly #easyMessages: number;
  readonly #easyBytes: number;
  readonly #easyPeerBytes: number;
  readonly #maxPeerBytes: number;
  readonly #unread: { readonly bytes: number };
  readonly #freed: (bytes: number) => void;
  #peakBytes = 0;

  /**
   * @param maxMessages The most messages.
   * @param maxBytes The most bytes; one message that is larger has room when there is nothing else.
   * @param maxPeerBytes The most bytes of one peer, with the answers that it has not read.
   * @param unread How many bytes of answers all peers have not read; they take up the same room.
   * @param freed Is told how many bytes are free again, after most of what lay here has gone.
   */
  constructor(
    maxMessages: number,
    maxBytes: number,
    maxPeerBytes: number = Infinity,
    unread: { readonly bytes: number } = { bytes: 0 },
    freed: (bytes: number) => void = () => {},
  ) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
    this.#maxPeerBytes = maxPeerBytes;
    this.#unread = unread;
    this.#freed = freed;
    this.#easyMessages = Math.floor(maxMessages / 2);
    this.#easyBytes = Math.floor(maxBytes / 2);
    this.#easyPeerBytes = Math.min(this.#easyBytes, maxPeerBytes);
  }

  /** Whether one more message, or answer, fits into the share of a peer that holds so many bytes. */
  fitsPeer(held: number, bytes: number): boolean {
    return held + bytes <= this.#maxPeerBytes || held <= nothingMuchBytes;
  }

  /**
   * Whether an answer may wait until its peer reads it. Its handler has run, so the answer is kept also above the share of
   * its peer as long as a quarter of the room holds everything.
   */
  hasForAnswer(peer: Pick<Sender, "unread">, bytes: number): boolean {
    // The quarter first: what one peer has not read takes longer to look up.
    return this.total.bytes + this.#unread.bytes + bytes <= this.#maxBytes / 4 ||
      this.fitsPeer(peer.unread, bytes);
  }

  /** Whether there is room for one more message of this handler and this sender. */
  has(handler: Held, sender: Held, bytes: number): boolean {
    const { total } = this;
    const unread = this.#unread.bytes;
    // Whatever the shares are, nobody can hold too much of a half.
    if (total.messages < this.#easyMessages && total.bytes + unread + bytes <= this.#easyBytes) return true;
    if (total.messages === 0 && unread <= this.#easyBytes) return true;
    const free = this.#maxMessages - total.messages;
    const freeBytes = this.#maxBytes - total.bytes - unread;
    if (free <= 0 || freeBytes < bytes) return false;
    return handler.messages < handlersShareOfFree * free &&
      handler.bytes + bytes <= handlersShareOfFree * freeBytes &&
      sender.messages < sendersShareOfFree * free &&
      sender.bytes + bytes <= sendersShareOfFree * freeBytes;
  }

  /** Why there is no room for one more message of this handler and this sender; null when there is. */
  whyNot(handler: Held, sender: Sender, answered: boolean, bytes: number): string | null {
    const { total } = this;
    // Where all together hold no more than one may, nobody holds too much.
    if (
      total.messages < this.#easyMessages && total.bytes + this.#unread.bytes + bytes <= this.#easyPeerBytes
    ) {
      return null;
    }
    const { held } = sender;
    // What nobody answers is bounded by credit, and who has credit must not lose what it sends.
    if (answered || sender.received === null) {
      if (!this.fitsPeer(held.bytes + sender.unread, bytes)) {
        sender.relieve();
        const taken = held.bytes + sender.unread;
        if (!this.fitsPeer(taken, bytes)) {
          return `messages of this peer, and answers that it has not read, take up ${taken} bytes here (maxPeerBytes)`;
        }
      }
    }
    return this.has(handler, held, bytes)
      ? null
      : "too many messages are held here (maxInFlightMessages, maxInFlightBytes)";
  }

  /** Counts a message in. */
  hold(handler: Held, sender: Held, bytes: number): void {
    change(this.total, 1, bytes);
    change(handler, 1, bytes);
    change(sender, 1, bytes);
    if (this.total.bytes > this.#peakBytes) this.#peakBytes = this.total.bytes;
  }

  /** Counts a message out. */
  release(handler: Held, sender: Held, bytes: number): void {
    change(this.total, -1, -bytes);
    change(handler, -1, -bytes);
    change(sender, -1, -bytes);
    if (this.total.bytes * partOfPeak > this.#peakBytes) return;
    this.#freed(this.#peakBytes);
    this.#peakBytes = this.total.bytes;
  }
}

function change(held: Held, messages: number, bytes: number): void {
  held.messages += messages;
  held.bytes += bytes;
}
