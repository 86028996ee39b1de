import { SocketType } from "../../libzmq/mod.ts";
import type { Message, MessageLike } from "../messages.ts";
import { addReadable, type Readable } from "../readable.ts";
import { Socket } from "../socket.ts";
import type { SocketOptions } from "../socket_options.ts";
import { addWritable, type Writable } from "../writable.ts";

/**
 * Sends and receives datagrams of UDP: each message has an address, such as `127.0.0.1:5555`, and at most 8 192 bytes. It
 * binds to one address, such as `udp://*:5555`. A received address ends with a NUL.
 */
export class Datagram extends Socket {
  /** Opens the socket. @param options Settings, and the context. @throws {ErrnoError} `EINVAL` if libzmq has no draft sockets. */
  constructor(options?: SocketOptions<Datagram>) {
    super(SocketType.DGRAM, options);
  }
}
/** It sends and receives. `send` waits until it is bound, and fails with `EMSGSIZE` for more than 8 192 bytes. */
export interface Datagram extends Readable<[Message, Message]>, Writable<[MessageLike, MessageLike]> {}

addReadable([Datagram]);
addWritable([Datagram]);
