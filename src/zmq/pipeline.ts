import { SocketOption, SocketType } from "../libzmq/mod.ts";
import { defineOptions } from "./option_table.ts";
import { addReadable, type Readable } from "./readable.ts";
import { Socket } from "./socket.ts";
import type { SocketOptions } from "./socket_options.ts";
import { addRefusedSend, addWritable, type Writable } from "./writable.ts";

/**
 * Sends messages to its `Pull` sockets in turn. Without one that has room, `send` waits.
 */
export class Push extends Socket {
  /** Opens the socket. @param options Settings, and the context. */
  constructor(options?: SocketOptions<Push>) {
    super(SocketType.PUSH, options);
  }
}
/** It sends. */
export interface Push extends Writable {
  /** Whether only the last message is kept. Messages of several parts are not possible then. (`ZMQ_CONFLATE`, can only be set) @default {false} */
  conflate: boolean;
}

/**
 * Receives the messages of all `Push` sockets, fairly.
 */
export class Pull extends Socket {
  /** Opens the socket. @param options Settings, and the context. */
  constructor(options?: SocketOptions<Pull>) {
    super(SocketType.PULL, options);
  }
}
/** It receives. */
export interface Pull extends Readable {
  /** Whether only the last message is kept. Messages of several parts are not possible then. (`ZMQ_CONFLATE`, can only be set) @default {false} */
  conflate: boolean;
}

addWritable([Push]);
addReadable([Pull]);
addRefusedSend([Pull]);
for (const { prototype } of [Push, Pull]) {
  defineOptions(prototype, { conflate: { option: SocketOption.CONFLATE, type: "Bool", access: "w" } });
}
