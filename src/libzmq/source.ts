import {
  type Backend,
  Errno,
  type Handle,
  PollEvent,
  SocketOption,
  type SocketPoller,
  zmqError,
} from "../../ffi/mod.ts";

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
  /** Its `ZMQ_FD`, or that of its poller. */
  readonly fd: number;
  /** The poller of a thread-safe socket, which has no `ZMQ_FD`. */
  readonly poller: SocketPoller | null;
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
  constructor(socket: Handle, signal: number | SocketPoller, token: number, source: Source) {
    this.socket = socket;
    this.poller = typeof signal === "number" ? null : signal;
    this.fd = typeof signal === "number" ? signal : signal.fd;
    this.token = token;
    this.source = source;
  }
}

/** The `ZMQ_FD` of a socket, or a poller for one that has none. @throws {ZeromeshError} `ZMQ_ERROR`. */
export function signalOf(backend: Backend, socket: Handle): number | SocketPoller {
  const cell = new Uint8Array(new ArrayBuffer(4));
  const result = backend.getOption(socket, SocketOption.FD, cell);
  if (result === -Errno.EINVAL && backend.drafts !== null) {
    const poller = backend.drafts.poller(socket);
    if (typeof poller === "number") throw zmqError(poller, "zmq_poller_add");
    return poller;
  }
  if (result < 0) throw zmqError(result, "zmq_getsockopt(FD)");
  return new DataView(cell.buffer).getInt32(0, true);
}
