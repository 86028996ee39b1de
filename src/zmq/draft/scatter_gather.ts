import { SocketOption, SocketType } from "../../libzmq/mod.ts";
import type { Message, MessageLike } from "../messages.ts";
import { defineOptions } from "../option_table.ts";
import { addReadable, type Readable } from "../readable.ts";
import { Socket } from "../socket.ts";
import type { SocketOptions } from "../socket_options.ts";
import { addWritable, type Writable } from "../writable.ts";

/** Receives the messages of `Scatter` sockets, fairly. */
export class Gather extends Socket {
  /** Opens the socket. @param options Settings, and the context. @throws {ErrnoError} `EINVAL` if libzmq has no draft sockets. */
  constructor(options?: SocketOptions<Gather>) {
    super(SocketType.GATHER, options);
  }
}
/** It receives. */
export interface Gather extends Readable<[Message]> {
  /** Whether only the last message is kept. (`ZMQ_CONFLATE`, can only be set) @default {false} */
  conflate: boolean;
}

/** Sends its messages, of one part, to the `Gather` sockets in turn. */
export class Scatter extends Socket {
  /** Opens the socket. @param options Settings, and the context. @throws {ErrnoError} `EINVAL` if libzmq has no draft sockets. */
  constructor(options?: SocketOptions<Scatter>) {
    super(SocketType.SCATTER, options);
  }
}
/** It sends. */
export interface Scatter extends Writable<MessageLike> {
  /** Whether only the last message is kept. (`ZMQ_CONFLATE`, can only be set) @default {false} */
  conflate: boolean;
}

addReadable([Gather]);
addWritable([Scatter]);
for (const { prototype } of [Gather, Scatter]) {
  defineOptions(prototype, { conflate: { option: SocketOption.CONFLATE, type: "Bool", access: "w" } });
}
