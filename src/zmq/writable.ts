import { SocketOption } from "../libzmq/mod.ts";
import { checkCount } from "./arguments.ts";
import { type MessageLike, partsOf } from "./messages.ts";
import { defineOptions } from "./option_table.ts";
import { type Socket, socketCore } from "./socket.ts";
import type { SocketCore } from "./socket_core.ts";

/** What sockets have that can send. */
export interface Writable<
  M extends MessageLike | MessageLike[] = MessageLike | MessageLike[],
  O extends [...object[]] = [],
> {
  /** Multicast: the most hops of a packet. (`ZMQ_MULTICAST_HOPS`) @default {1} */
  multicastHops: number;
  /** Size of the system's send buffer of a connection, in bytes; −1 for the system's setting. (`ZMQ_SNDBUF`) @default {-1} */
  sendBufferSize: number;
  /** The most sent messages that wait for each connection; 0 for no limit. (`ZMQ_SNDHWM`) @default {1_000} */
  sendHighWaterMark: number;
  /**
   * How long {@link send} waits for room, in ms: −1 for as long as it takes, and 0 for not at all. (`ZMQ_SNDTIMEO`)
   *
   * @default {-1}
   */
  sendTimeout: number;
  /**
   * Sends a message of one part, or of an array of parts. libzmq has taken it when the promise resolves, mostly at once.
   * At the high-water mark it waits for room; one call may wait at a time, and it keeps the process alive.
   *
   * @param message Bytes are not used after the call.
   * @throws {ErrnoError} `EBUSY` while another call waits; `EAGAIN` after {@link sendTimeout}, or when the socket is
   * closed meanwhile; `EBADF` on a closed socket; `EHOSTUNREACH` from a mandatory Router; `ETERM` when its context ends.
   */
  send(message: M, ...options: O): Promise<void>;
}

/** Refuses what a socket, named by its type, must not send. */
type Check = (socket: string, parts: readonly Uint8Array[]) => void;

function send(check?: Check): PropertyDescriptor {
  return {
    configurable: true,
    writable: true,
    value: function send(this: Socket, message: unknown): Promise<void> {
      if (message === undefined) throw new TypeError("Message must be present");
      checkCount(arguments, 1);
      const core = socketCore(this);
      return check === undefined ? core.send(this, message) : checkedSend(this, core, message, check);
    },
  };
}

function checkedSend(owner: Socket, core: SocketCore, message: unknown, check: Check): Promise<void> {
  let parts: Uint8Array[];
  try {
    parts = partsOf(message);
    check(core.name, parts);
  } catch (error) {
    return Promise.reject(error);
  }
  return core.send(owner, parts);
}

/** Adds `send` to classes that cannot send, where it fails with `ENOTSUP`: programs without types may call it. */
export function addRefusedSend(classes: readonly { readonly prototype: Socket }[]): void {
  for (const { prototype } of classes) Object.defineProperty(prototype, "send", send());
}

/** Adds `send` and its settings to classes. @param check Refuses messages. */
export function addWritable(classes: readonly { readonly prototype: Socket }[], check?: Check): void {
  for (const { prototype } of classes) {
    Object.defineProperty(prototype, "send", send(check));
    defineOptions(prototype, {
      multicastHops: { option: SocketOption.MULTICAST_HOPS, type: "Int32" },
      sendBufferSize: { option: SocketOption.SNDBUF, type: "Int32" },
      sendHighWaterMark: { option: SocketOption.SNDHWM, type: "Int32" },
      sendTimeout: { option: SocketOption.SNDTIMEO, type: "Int32" },
    });
  }
}
