import type { CancelTimer, Timed } from "../core/mod.ts";
import type { Socket, TcpConnections } from "../libzmq/mod.ts";
import { Silence } from "./silence.ts";

/** The parts of {@link UnfinishedMessages}. */
export interface UnfinishedParts extends Timed {
  /** Reads connections by descriptor. */
  readonly connections: TcpConnections;
  /** The most bytes of one message with its framing. */
  readonly limitBytes: number;
  /** The most bytes of unfinished first messages of all connections. */
  readonly maxFirstBytes: number;
  /** Whether connections prove their identity before they send messages. */
  readonly secure: boolean;
  /** Handles monitors' events, so that closed connections are removed before a look. */
  drainMonitors(): void;
  /** Called when a connection was ended for a message of this many bytes without an end. */
  cut(bytes: number): void;
}

interface Entry {
  readonly socket: Socket;
  readonly read: () => number;
  readonly name: string;
  /** Whether the ZMTP handshake is over, if known. */
  readonly established: (() => boolean) | null;
  /** How long nothing may come, if its other end sends heartbeats. */
  readonly silenceMs: () => number;
  readonly silence: Silence;
  /** Bytes that the kernel had received at the last complete message. */
  base: number;
  messages: number;
  /** Bytes of the unfinished first message. */
  first: number;
}

// Time until the next look: usually, and while a message is large enough to be watched closely.
const lookMs = 50;
const closeLookMs = 10;
const suspiciousBytes = 16 * 1024 * 1024;
// Most connections of one look; more take turns. A look at one costs 0.4 µs on Bun and 0.8 µs on Deno.
const looksAtOnce = 512;
// The system's receive buffers, whose bytes libzmq may not have seen, and the header before a payload.
const slackBytes = 16 * 1024 * 1024;
// An honest handshake takes less than 2 KiB.
const handshakeBytes = 8 * 1024;
// Bytes that a CURVE server sends before it knows its client: a greeting, and WELCOME in its frame. READY follows.
const welcomeBytes = 64 + 170;

const endless = (): number => Infinity;

/**
 * Ends connections with a message that never ends, or has more parts than a peer's message has, and silent ones.
 *
 * libzmq delivers whole messages only. The parts of an endless one fill its memory, where no mark bounds them and
 * reading does not help. The kernel knows how many bytes a connection has received: those after the last complete
 * message belong to an unfinished one.
 *
 * A handshake is such a message too, and every client may begin one. With CURVE the acknowledged bytes show whether it
 * is over, and before that next to nothing is accepted. Without CURVE this is unknown, so the bytes of all connections
 * without a finished message have a common bound, and the largest are ended first.
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
   * Adds a connection; only TCP is watched.
   *
   * @param fd Its descriptor, from the monitor.
   * @param socket Its socket.
   * @param read Messages read from it so far.
   * @param about `established`: whether the handshake is over; without it only the kernel can tell. `silenceMs`: how
   * long nothing may come, see {@link Silence}; without it there is no bound.
   */
  add(
    fd: number,
    socket: Socket,
    read: () => number,
    about: { established?: () => boolean; silenceMs?: () => number } = {},
  ): void {
    const name = this.#parts.connections.name(fd);
    if (name === null || this.#closed) return;
    this.remove(fd);
    const { established = null, silenceMs = endless } = about;
    const silence = new Silence();
    this.#entries.set(fd, {
      socket,
      read,
      name,
      established,
      silenceMs,
      silence,
      base: 0,
      messages: 0,
      first: 0,
    });
    this.#cancel ??= this.#parts.clock.after(lookMs, this.#onTime);
  }

  /** Removes an ended connection. */
  remove(fd: number): void {
    const entry = this.#entries.get(fd);
    if (entry === undefined) return;
    this.#firstBytes -= entry.first;
    this.#entries.delete(fd);
  }

  /** Ends a connection now. Returns false if it has ended before. */
  end(fd: number): boolean {
    const entry = this.#entries.get(fd);
    if (entry === undefined) return false;
    this.remove(fd);
    // The descriptor may belong to another connection now, which must not be touched.
    const { connections } = this.#parts;
    if (connections.name(fd) !== entry.name) return false;
    connections.shutdown(fd);
    return true;
  }

  /** Ends the looks. */
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
    const now = this.#parts.clock.now();
    if (entry.silence.over(connections, fd, received, now, entry.silenceMs())) return void this.end(fd);
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

  /** Whether the handshake is known to be unfinished. */
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

  /** Ends the connections with the most bytes and no finished message, until the total is below the bound. */
  #endLargest(): void {
    const strangers = [...this.#entries].filter(([, { first }]) => first > handshakeBytes);
    for (const [fd, { first, socket }] of strangers.sort(([, a], [, b]) => b.first - a.first)) {
      // A complete message that is only unread is not unfinished.
      if (this.#firstBytes <= this.#parts.maxFirstBytes || !drained(socket)) return;
      this.#cut(fd, first);
    }
  }

  #cut(fd: number, bytes: number): void {
    if (this.end(fd)) this.#parts.cut(bytes);
  }
}

/** Whether all complete messages of a socket were read, so that none in libzmq counts as unfinished. */
function drained(socket: Socket): boolean {
  if (socket.closed) return false;
  const waits = socket.readable;
  // Asking consumed the signal of the next message, so the reactor must ask as well.
  if (waits) socket.touch();
  return !waits;
}
