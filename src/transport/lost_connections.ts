// A round ends after this many messages of other connections per connection, and some more.
const messagesPerConnection = 2;
const someMore = 16;

/** A lost connection, of which messages may still have to be read. */
export interface LostConnection {
  /** Read messages that wait for their turn. */
  readonly backlog: object | null;
}

/**
 * Lost connections that must be read to their end first.
 *
 * A ROUTER does not report that a connection is empty. But it reads connections in turns, so a connection without a
 * message in a whole round is empty, and when the socket is empty all are.
 */
export class LostConnections<Connection extends LostConnection> {
  readonly #finish: (connection: Connection) => void;
  readonly #rounds = new Map<Connection, number>();
  #round = 0;
  #messages = 0;

  /** @param finish Called once for each connection at its end. */
  constructor(finish: (connection: Connection) => void) {
    this.#finish = finish;
  }

  /** The connections that are not at their end. */
  get all(): Iterable<Connection> {
    return this.#rounds.keys();
  }

  /** Whether there are none. */
  get empty(): boolean {
    return this.#rounds.size === 0;
  }

  /** Adds a lost connection. */
  add(connection: Connection): void {
    this.#rounds.set(connection, this.#round);
  }

  /** Notes a message that was read, with the number of connections. */
  message(from: Connection | undefined, connections: number): void {
    if (from !== undefined && this.#rounds.has(from)) this.#rounds.set(from, this.#round);
    if (++this.#messages < connections * messagesPerConnection + someMore) return;
    this.#messages = 0;
    this.#round++;
    // Ends connections whose last message was read before the previous round.
    for (const [connection, round] of this.#rounds) {
      if (this.#round > round + 1 && connection.backlog === null) this.#end(connection);
    }
  }

  /** Notes that the socket is empty. */
  drained(): void {
    for (const connection of this.#rounds.keys()) if (connection.backlog === null) this.#end(connection);
  }

  #end(connection: Connection): void {
    this.#rounds.delete(connection);
    this.#finish(connection);
  }
}
