// A round is over when so many messages of others have come for each connection there is, and some more.
const messagesPerConnection = 2;
const someMore = 16;

/** A connection that is gone, of which something may still be there to be read. */
export interface Departing {
  /** What was read and waits for its turn. */
  readonly backlog: object | null;
}

/**
 * Connections that are lost and have to be read to their end first.
 *
 * A ROUTER tells of no connection that it is empty. But it takes one message of each in turns, so one of which
 * nothing came for a whole round has nothing left; and when the socket is empty, all are.
 */
export class Departures<Connection extends Departing> {
  readonly #finish: (connection: Connection) => void;
  readonly #rounds = new Map<Connection, number>();
  #round = 0;
  #messages = 0;

  /** @param finish Called once for each that is at its end. */
  constructor(finish: (connection: Connection) => void) {
    this.#finish = finish;
  }

  /** All that are not at their end. */
  get all(): Iterable<Connection> {
    return this.#rounds.keys();
  }

  /** Whether there are none. */
  get empty(): boolean {
    return this.#rounds.size === 0;
  }

  /** A connection is lost. */
  add(connection: Connection): void {
    this.#rounds.set(connection, this.#round);
  }

  /** A message of one of so many connections was read. */
  message(from: Connection | undefined, connections: number): void {
    if (from !== undefined && this.#rounds.has(from)) this.#rounds.set(from, this.#round);
    if (++this.#messages < connections * messagesPerConnection + someMore) return;
    this.#messages = 0;
    this.#round++;
    // The round in which something came of it last had begun before.
    for (const [connection, round] of this.#rounds) {
      if (this.#round > round + 1 && connection.backlog === null) this.#end(connection);
    }
  }

  /** The socket is empty. */
  drained(): void {
    for (const connection of this.#rounds.keys()) if (connection.backlog === null) this.#end(connection);
  }

  #end(connection: Connection): void {
    this.#rounds.delete(connection);
    this.#finish(connection);
  }
}
