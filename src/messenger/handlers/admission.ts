/** Held messages of one handler, sender or instance. */
export interface Held {
  /** Messages. */
  messages: number;
  /** Bytes of their payloads. */
  bytes: number;
}

// Multiples of the free room that one handler, and one sender, may hold. If they were equal, a sender that fills one
// handler would have used up its own share, and its calls to other handlers would be refused as well.
const handlersShareOfFree = 8;
const sendersShareOfFree = 16;
// A peer with fewer held bytes may exceed its share by one message.
const nothingMuchBytes = 64 * 1024;
// This part of the bytes is kept for peers that read their answers.
const keptPart = 16;
// `freed` is called when an eighth of the peak is left.
const partOfPeak = 8;

/** A sender of messages, for the admission. */
export interface Sender {
  /** Its held messages. */
  readonly held: Held;
  /** Bytes of answers that it has not read. */
  readonly unread: number;
  /** Bytes of it that features keep, such as unread items. */
  readonly kept: number;
  /** Its credit for messages without an answer; null without. */
  readonly received: object | null;
  /** Sends queued answers for which it has read room by now. */
  relieve(): void;
}

/**
 * Limits the messages that wait for a handler or are being handled.
 *
 * One handler may hold eight times the free room, one sender sixteen times. So a flood of one handler fills eight
 * ninths and leaves room for others, also of the same sender; a sender that floods several handlers fills sixteen
 * seventeenths and leaves room for other senders. Two floods leave less, but never none.
 */
export class Admission {
  readonly total: Held = { messages: 0, bytes: 0 };
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  readonly #halfMessages: number;
  readonly #halfBytes: number;
  readonly #threeQuarters: number;
  /** Bytes that are free for peers which read their answers, however many do not. */
  readonly #kept: number;
  readonly #easyPeerBytes: number;
  readonly #maxPeerBytes: number;
  readonly #unread: { readonly bytes: number };
  readonly #freed: (bytes: number) => void;
  #peakBytes = 0;

  /**
   * @param maxMessages The most messages.
   * @param maxBytes The most bytes; a single larger message is admitted when nothing else is held.
   * @param maxPeerBytes The most bytes of one peer, with the answers that it has not read.
   * @param unread Bytes of answers that peers have not read; they count, too.
   * @param freed Called with the freed bytes, after most of the held ones are gone.
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
    this.#halfMessages = Math.floor(maxMessages / 2);
    this.#halfBytes = Math.floor(maxBytes / 2);
    this.#threeQuarters = maxBytes - maxBytes / 4;
    this.#kept = maxBytes / keptPart;
    this.#easyPeerBytes = Math.min(this.#halfBytes, maxPeerBytes);
  }

  /** Whether one more message or answer fits into the share of a peer that holds this many bytes. */
  fitsPeer(held: number, bytes: number): boolean {
    return held + bytes <= this.#maxPeerBytes || held <= nothingMuchBytes;
  }

  /**
   * Whether an answer may wait until its peer reads it. Its handler has run, so the answer may exceed its peer's share
   * while all held bytes are below a quarter of the limit. The answer to a peer that has read the others leaves as much
   * free as it takes.
   */
  hasForAnswer(peer: Pick<Sender, "unread">, bytes: number): boolean {
    const freeBytes = this.#maxBytes - this.total.bytes - this.#unread.bytes - bytes;
    // The quarter first: the bytes that a peer has not read take longer to determine.
    if (freeBytes >= this.#threeQuarters) return true;
    const { unread } = peer;
    if (unread <= nothingMuchBytes) return bytes <= freeBytes || this.#unread.bytes <= this.#halfBytes;
    return this.fitsPeer(unread, bytes) && unread + bytes <= sendersShareOfFree * (freeBytes - this.#kept);
  }

  /**
   * Whether there is room for one more message of this handler and this sender.
   *
   * @param reader The sender, if the answers that it has not read count as well.
   */
  has(handler: Held, sender: Held, bytes: number, reader: Pick<Sender, "unread"> | null = null): boolean {
    const { total } = this;
    const unread = this.#unread.bytes;
    // Below half of each limit no share can be exceeded.
    if (total.messages < this.#halfMessages && total.bytes + unread + bytes <= this.#halfBytes) return true;
    if (total.messages === 0 && unread <= this.#halfBytes) return true;
    const free = this.#maxMessages - total.messages;
    const freeBytes = this.#maxBytes - total.bytes - unread;
    if (free <= 0 || freeBytes < bytes) return false;
    const own = reader?.unread ?? 0;
    const sendersFree = own <= nothingMuchBytes ? freeBytes : freeBytes - this.#kept;
    return handler.messages < handlersShareOfFree * free &&
      handler.bytes + bytes <= handlersShareOfFree * freeBytes &&
      sender.messages < sendersShareOfFree * free &&
      sender.bytes + own + bytes <= sendersShareOfFree * sendersFree;
  }

  /** Why a message of this handler and this sender is not admitted; null when it is. */
  whyNot(handler: Held, sender: Sender, answered: boolean, bytes: number): string | null {
    const { total } = this;
    const { kept } = sender;
    // When all together hold no more than one peer may, no share is exceeded.
    if (
      kept === 0 && total.messages < this.#halfMessages &&
      total.bytes + this.#unread.bytes + bytes <= this.#easyPeerBytes
    ) {
      return null;
    }
    const { held } = sender;
    // Credit bounds messages without an answer, and a sender with credit must not lose them.
    if (answered || sender.received === null) {
      if (!this.fitsPeer(held.bytes + sender.unread + kept, bytes)) {
        sender.relieve();
        const taken = held.bytes + sender.unread + kept;
        if (!this.fitsPeer(taken, bytes)) {
          const what = "messages and unread items of this peer, and answers that it has not read,";
          return `${what} take up ${taken} bytes here (maxPeerBytes)`;
        }
      }
    }
    return this.has(handler, held, bytes, answered ? sender : null)
      ? null
      : "too many messages are held here (maxInFlightMessages, maxInFlightBytes)";
  }

  /** Counts a message. */
  hold(handler: Held, sender: Held, bytes: number): void {
    change(this.total, 1, bytes);
    change(handler, 1, bytes);
    change(sender, 1, bytes);
    if (this.total.bytes > this.#peakBytes) this.#peakBytes = this.total.bytes;
  }

  /** Removes a message from the counts. */
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
