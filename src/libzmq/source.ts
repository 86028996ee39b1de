import type { Handle } from "../../ffi/mod.ts";

/** Who reads a registered socket. Methods run inside the pump and must not throw. */
export interface Source {
  /**
   * Receives and handles messages until the socket answers `EAGAIN` or `budget` messages were read.
   *
   * @returns How many messages were read. Fewer than `budget` means that `EAGAIN` was seen.
   */
  receive(budget: number): number;
  /** Tries blocked sends again, while {@link blocked} is true. Returns how many left. */
  retry?(): number;
  /** Whether sends wait for room. */
  readonly blocked?: boolean | undefined;
}

/** One socket in the reactor. */
export class Registration {
  /** The socket. */
  readonly socket: Handle;
  /** Its `ZMQ_FD`. */
  readonly fd: number;
  /** Its number in the waiter. */
  readonly token: number;
  /** Who reads it. */
  readonly source: Source;
  /** Whether it is in the list of sockets to read. */
  readable = false;
  /** Whether its `ZMQ_EVENTS` must be read before sleeping. */
  touched = false;
  /** Whether it was taken out. */
  removed = false;

  /** Made by {@link Reactor.add}. */
  constructor(socket: Handle, fd: number, token: number, source: Source) {
    this.socket = socket;
    this.fd = fd;
    this.token = token;
    this.source = source;
  }
}
