import type { CancelTimer, Clock } from "../core/mod.ts";
import type { Socket, TcpConnections } from "../zmq/mod.ts";

/** What an {@link UnfinishedMessages} works with. */
export interface UnfinishedParts {
  /** Looks at connections by descriptor. */
  readonly connections: TcpConnections;
  /** Clock. */
  readonly clock: Clock;
  /** What one message may have, in bytes, with everything that may lie around it. */
  readonly limitBytes: number;
  /** Reads what monitors have to say: who is gone is removed before anybody looks. */
  drainMonitors(): void;
  /** A connection was ended because its message had so many bytes and no end. */
  cut(bytes: number): void;
}

interface Entry {
  readonly socket: Socket;
  readonly read: () => number;
  readonly name: string;
  /** What the kernel had received when the last complete message was seen. */
  base: number;
  messages: number;
}

// How long until the next look: usually, and while a message is large enough to be watched closely.
const lookMs = 50;
const closeLookMs = 10;
const suspiciousBytes = 16 * 1024 * 1024;
// Most connections of one look; more take turns. A look at one costs 0.4 µs on Bun and 0.8 µs on Deno.
const looksAtOnce = 512;
// The system's receive buffers, whose bytes libzmq may not have seen, and the header in front of a payload.
const slackBytes = 16 * 1024 * 1024;

/**
 * Ends connections on which a message never ends, or has more parts than any message of ours.
 *
 * libzmq hands over whole messages only. The parts of one that goes on and on lie in its memory, where no mark
 * bounds them and no reading helps. The kernel knows how much it has received on a connection: what goes beyond
 * the last complete message belongs to one that is not finished.
 */
export class UnfinishedMessages {
  readonly #parts: UnfinishedParts;
  readonly #entries = new Map<number, Entry>();
  #turn: Iterator<[number, Entry]> | null = null;
  #cancel: CancelTimer | null = null;
  #suspicious = false;
  #closed = false;

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
   */
  add(fd: number, socket: Socket, read: () => number): void {
    const name = this.#parts.connections.name(fd);
    if (name === null || this.#closed) return;
    this.#entries.set(fd, { socket, read, name, base: 0, messages: 0 });
    this.#cancel ??= this.#parts.clock.after(lookMs, this.#onTime);
  }

  /** A connection has ended. */
  remove(fd: number): void {
    this.#entries.delete(fd);
  }

  /** Ends a connection now. */
  end(fd: number): void {
    const entry = this.#entries.get(fd);
    if (entry === undefined) return;
    this.#entries.delete(fd);
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
    if (this.#entries.size > 0 && !this.#closed) {
      this.#cancel = this.#parts.clock.after(this.#suspicious ? closeLookMs : lookMs, this.#onTime);
    }
  };

  #look(fd: number, entry: Entry): void {
    const { connections, limitBytes } = this.#parts;
    const received = connections.received(fd);
    if (received < 0) return void this.#entries.delete(fd);
    const messages = entry.read();
    if (messages !== entry.messages) {
      entry.messages = messages;
      entry.base = received;
      return;
    }
    const bytes = received - entry.base;
    this.#suspicious ||= bytes > suspiciousBytes;
    if (bytes <= limitBytes + slackBytes || !drained(entry.socket)) return;
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
