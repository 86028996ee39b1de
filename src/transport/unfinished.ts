import type { CancelTimer, Clock } from "../core/mod.ts";
import type { Socket, TcpConnections } from "../libzmq/mod.ts";

/** What an {@link UnfinishedMessages} works with. */
export interface UnfinishedParts {
  /** Looks at connections by descriptor. */
  readonly connections: TcpConnections;
  /** Clock. */
  readonly clock: Clock;
  /** What one message may have, in bytes, with everything that may lie around it. */
  readonly limitBytes: number;
  /** What all connections together may have sent of a first message that has not ended. */
  readonly maxFirstBytes: number;
  /** Whether connections have to prove who they are before they send messages. */
  readonly secure: boolean;
  /** Reads what monitors have to say: who is gone is removed before anybody looks. */
  drainMonitors(): void;
  /** A connection was ended because its message had so many bytes and no end. */
  cut(bytes: number): void;
}

interface Entry {
  readonly socket: Socket;
  readonly read: () => number;
  readonly name: string;
  /** Whether the ZMTP handshake is over, where that is known. */
  readonly established: (() => boolean) | null;
  /** What the kernel had received when the last complete message was seen. */
  base: number;
  messages: number;
  /** What has come of the first message, as long as it has not ended. */
  first: number;
}

// How long until the next look: usually, and while a message is large enough to be watched closely.
const lookMs = 50;
const closeLookMs = 10;
const suspiciousBytes = 16 * 1024 * 1024;
// Most connections of one look; more take turns. A look at one costs 0.4 µs on Bun and 0.8 µs on Deno.
const looksAtOnce = 512;
// The system's receive buffers, whose bytes libzmq may not have seen, and the header in front of a payload.
const slackBytes = 16 * 1024 * 1024;
// All that an honest handshake takes is less than 2 KiB.
const handshakeBytes = 8 * 1024;
// What a CURVE server has said before it knows its client: a greeting, and WELCOME in its frame. READY comes after it.
const welcomeBytes = 64 + 170;

/**
 * Ends connections on which a message never ends, or has more parts than any message of ours.
 *
 * libzmq hands over whole messages only. The parts of one that goes on and on lie in its memory, where no mark
 * bounds them and no reading helps. The kernel knows how much it has received on a connection: what goes beyond
 * the last complete message belongs to one that is not finished.
 *
 * A handshake is such a message too, and anybody may begin one. With CURVE it shows in what the other end has
 * acknowledged whether it is over, and before that next to nothing is taken. Without CURVE nothing tells, so what all
 * connections have sent that never finished a message is bounded together, and those with the most are ended first.
 */
export class UnfinishedMessages {
  readonly #parts: UnfinishedParts;
  readonly #entries = new Map<number, Entry>();
  #turn: Iterator<[number, Entry]> | null = null;
  #cancel: CancelTimer | null = null;
  #suspicious = false;
  #closed = false;
  #firstBytes = 0;

  /** @param parts What it works with. */
  constructor(parts: UnfinishedParts) {
    this.#parts = parts;
  }

  /**
   * A connection has begun. Those that are not TCP are not watched.
   *
   * @param fd Its descriptor, as the monitor tells it.
   * @param socket The socket that it belongs to.
   * @param read How many messages were read from it so far.
   * @param established Whether the handshake is over; null where only the kernel can tell.
   */
  add(fd: number, socket: Socket, read: () => number, established: (() => boolean) | null = null): void {
    const name = this.#parts.connections.name(fd);
    if (name === null || this.#closed) return;
    this.remove(fd);
    this.#entries.set(fd, { socket, read, name, established, base: 0, messages: 0, first: 0 });
    this.#cancel ??= this.#parts.clock.after(lookMs, this.#onTime);
  }

  /** A connection has ended. */
  remove(fd: number): void {
    const entry = this.#entries.get(fd);
    if (entry === undefined) return;
    this.#firstBytes -= entry.first;
    this.#entries.delete(fd);
  }

  /** Ends a connection now. */
  end(fd: number): void {
    const entry = this.#entries.get(fd);
    if (entry === undefined) return;
    this.remove(fd);
    // The descriptor may be another connection's by now, which nobody here may touch.
    const { connections } = this.#parts;
    if (connections.name(fd) === entry.name) connections.shutdown(fd);
  }

  /** Ends all looking. */
  close(): void {
    this.#closed = true;
    this.#entries.clear();
    this.#cancel?.();
    this.#cancel = null;
  }

  readonly #onTime = (): void => {
    this.#cancel = null;
    this.#suspicious = false;
    this.#parts.drainMonitors();
    for (let looks = Math.min(looksAtOnce, this.#entries.size); looks > 0; looks--) {
      this.#turn ??= this.#entries.entries();
      const next = this.#turn.next();
      if (next.done === true) this.#turn = null;
      else this.#look(...next.value);
    }
    if (this.#firstBytes > this.#parts.maxFirstBytes) this.#endLargest();
    if (this.#entries.size > 0 && !this.#closed) {
      this.#cancel = this.#parts.clock.after(this.#suspicious ? closeLookMs : lookMs, this.#onTime);
    }
  };

  #look(fd: number, entry: Entry): void {
    const { connections, limitBytes, maxFirstBytes } = this.#parts;
    const received = connections.received(fd);
    if (received < 0) return this.remove(fd);
    const messages = entry.read();
    if (messages !== entry.messages) {
      entry.messages = messages;
      entry.base = received;
      this.#count(entry, 0);
      return;
    }
    const bytes = received - entry.base;
    if (messages === 0) this.#count(entry, bytes);
    this.#suspicious ||= bytes > suspiciousBytes || this.#firstBytes > maxFirstBytes / 2;
    const endless = bytes > limitBytes + slackBytes && drained(entry.socket);
    if (endless || (messages === 0 && bytes > handshakeBytes && this.#shakesHands(fd, entry))) {
      this.#cut(fd, bytes);
    }
  }

  /** Whether the handshake is known not to be over. */
  #shakesHands(fd: number, { established }: Entry): boolean {
    if (established !== null) return !established();
    const { secure, connections } = this.#parts;
    const acked = secure ? connections.acked(fd) : -1;
    return acked >= 0 && acked <= welcomeBytes;
  }

  #count(entry: Entry, first: number): void {
    this.#firstBytes += first - entry.first;
    entry.first = first;
  }

  /** Ends those that have sent most without ever finishing a message, until the others are few enough. */
  #endLargest(): void {
    const strangers = [...this.#entries].filter(([, { first }]) => first > handshakeBytes);
    for (const [fd, { first, socket }] of strangers.sort(([, a], [, b]) => b.first - a.first)) {
      // What has ended, and was only not read yet, is somebody's message.
      if (this.#firstBytes <= this.#parts.maxFirstBytes || !drained(socket)) return;
      this.#cut(fd, first);
    }
  }

  #cut(fd: number, bytes: number): void {
    this.end(fd);
    this.#parts.cut(bytes);
  }
}

/** Whether everything complete has been read; what waits in libzmq is not unfinished. */
function drained(socket: Socket): boolean {
  if (socket.closed) return false;
  const waits = socket.readable;
  // Asking has taken in what announces the next message, so the reactor has to ask as well.
  if (waits) socket.touch();
  return !waits;
}
