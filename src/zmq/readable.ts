import { Errno, SocketOption } from "../libzmq/mod.ts";
import { checkBoolean, checkCount } from "./arguments.ts";
import type { ErrnoError } from "./errors.ts";
import type { Message } from "./messages.ts";
import { defineOptions } from "./option_table.ts";
import { type Socket, socketCore } from "./socket.ts";

/** What sockets have that can receive. */
export interface Readable<M extends object[] = Message[]> {
  /** Size of the system's receive buffer of a connection, in bytes; −1 for the system's setting. (`ZMQ_RCVBUF`) @default {-1} */
  receiveBufferSize: number;
  /** The most received messages that wait for each connection; 0 for no limit. (`ZMQ_RCVHWM`) @default {1_000} */
  receiveHighWaterMark: number;
  /**
   * How long {@link receive} waits, in ms: −1 for as long as it takes, and 0 for not at all. (`ZMQ_RCVTIMEO`)
   *
   * @default {-1}
   */
  receiveTimeout: number;
  /**
   * Whether {@link userId} is kept, which costs a little for each message. The package `zeromq` has neither.
   *
   * @default {false}
   */
  keepsUserId: boolean;
  /**
   * Who sent the message that was received last, as the ZAP handler of the context named its connection (`User-Id`). Null
   * without a handler, and unless {@link keepsUserId} was set before.
   */
  readonly userId: string | null;
  /**
   * Receives the next message, an array of its parts. One call may wait at a time; it keeps the process alive.
   *
   * @returns The parts, each a `Buffer` with memory of its own.
   * @throws {ErrnoError} `EBUSY` while another call waits; `EAGAIN` after {@link receiveTimeout}, or when the socket is
   * closed meanwhile; `EBADF` on a closed socket; `ETERM` when its context ends.
   */
  receive(): Promise<M>;
  /** Receives messages until the socket is closed. Leaving the loop does not close it. */
  [Symbol.asyncIterator](): AsyncIterator<M, undefined>;
}

/** Receives messages until the socket is closed. */
class Messages implements AsyncIterator<Message[], undefined> {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  next(): Promise<IteratorResult<Message[], undefined>> {
    const core = socketCore(this.#socket);
    try {
      const value = core.receiveNow();
      if (value !== null) return Promise.resolve({ value, done: false });
      if (core.closed) return Promise.resolve({ value: undefined, done: true });
      return core.receive(this.#socket).then(
        (value) => ({ value, done: false }),
        (error: ErrnoError) => {
          if (core.closed && error.errno === Errno.EAGAIN) return { value: undefined, done: true };
          throw error;
        },
      );
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

/** Adds `receive` and its settings to classes. */
export function addReadable(classes: readonly { readonly prototype: Socket }[]): void {
  for (const { prototype } of classes) {
    Object.defineProperties(prototype, {
      receive: {
        configurable: true,
        writable: true,
        value: function receive(this: Socket): Promise<Message[]> {
          checkCount(arguments, 0);
          return socketCore(this).receive(this);
        },
      },
      [Symbol.asyncIterator]: {
        configurable: true,
        writable: true,
        value: function messages(this: Socket): Messages {
          return new Messages(this);
        },
      },
      keepsUserId: {
        configurable: true,
        get(this: Socket): boolean {
          return socketCore(this).keepsUserId;
        },
        set(this: Socket, value: boolean) {
          checkBoolean(value);
          socketCore(this).keepsUserId = value;
        },
      },
      userId: {
        configurable: true,
        get(this: Socket): string | null {
          return socketCore(this).userId;
        },
      },
    });
    defineOptions(prototype, {
      receiveBufferSize: { option: SocketOption.RCVBUF, type: "Int32" },
      receiveHighWaterMark: { option: SocketOption.RCVHWM, type: "Int32" },
      receiveTimeout: { option: SocketOption.RCVTIMEO, type: "Int32" },
    });
  }
}
