import { type Backend, type Handle, PollEvent, SocketOption, zmqError } from "../../ffi/mod.ts";

/** The reader of a registered socket. The reactor calls its methods, which must not throw. */
export interface Source {
  /**
   * Receives and handles messages until the socket returns `EAGAIN` or `budget` messages were read. A source that
   * {@link Registration.wants} room too sends what it can.
   *
   * @returns The number of messages read. Fewer than `budget` means that `EAGAIN` was seen.
   */
  receive(budget: number): number;
  /** Retries blocked sends, while {@link blocked} is true. Returns how many succeeded. */
  retry?(): number;
  /** Whether sends wait for room. */
  readonly blocked?: boolean | undefined;
}

/** A socket in the reactor. */
export class Registration {
  /** The socket. */
  readonly socket: Handle;
  /** Its `ZMQ_FD`. */
  readonly fd: number;
  /** Its token in the waiter. */
  readonly token: number;
  /** Its reader. */
  readonly source: Source;
  /** The bits of {@link PollEvent} that somebody waits for; set by {@link Reactor.want}. */
  wants: number = PollEvent.POLLIN;
  /** Whether the waiter watches its descriptor. */
  watched = false;
  /** Whether it is in the list of sockets to read. */
  readable = false;
  /** Whether its `ZMQ_EVENTS` must be read before a wait. */
  touched = false;
  /** Whether it was removed. */
  removed = false;

  /** Use {@link Reactor.add}. */
  constructor(socket: Handle, fd: number, token: number, source: Source) {
    this.socket = socket;
    this.fd = fd;
    this.token = token;
    this.source = source;
  }
}

/** The `ZMQ_FD` of a socket. @throws {ZeromeshError} `ZMQ_ERROR`. */
export function descriptorOf(backend: Backend, socket: Handle): number {
  const cell = new Uint8Array(new ArrayBuffer(4));
  const result = backend.getOption(socket, SocketOption.FD, cell);
  if (result < 0) throw zmqError(result, "zmq_getsockopt(FD)");
  return new DataView(cell.buffer).getInt32(0, true);
}
