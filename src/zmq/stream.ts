import { SocketOption, SocketType } from "../libzmq/mod.ts";
import type { Message, MessageLike } from "./messages.ts";
import { defineOptions } from "./option_table.ts";
import { addReadable, type Readable } from "./readable.ts";
import { Socket } from "./socket.ts";
import type { SocketOptions } from "./socket_options.ts";
import { addWritable, type Writable } from "./writable.ts";

/** Options of `connect` of a {@link Stream}. */
export interface StreamConnectOptions {
  /** The name of the peer at the address, of 1 to 255 bytes. */
  routingId?: string;
}

/**
 * Plain TCP: each message has the name of a peer and bytes. An empty second part tells of a connection or its end, and ends it when it is sent.
 */
export class Stream extends Socket {
  /** Opens the socket. @param options Settings, and the context. */
  constructor(options?: SocketOptions<Stream>) {
    super(SocketType.STREAM, options);
  }

  /**
   * Connects to an address.
   *
   * @param options `routingId`: the name of the peer there, of 1 to 255 bytes.
   */
  override connect(address: string, options: StreamConnectOptions = {}): void {
    if (options.routingId) this.setStringOption(SocketOption.CONNECT_ROUTING_ID, options.routingId);
    super.connect(address);
  }
}
/** It sends and receives. */
export interface Stream extends Readable<[Message, Message]>, Writable<[MessageLike, MessageLike]> {
  /** Whether new and ended connections are told, by an empty second part. (`ZMQ_STREAM_NOTIFY`, can only be set) @default {true} */
  notify: boolean;
}

addReadable([Stream]);
addWritable([Stream]);
defineOptions(Stream.prototype, {
  notify: { option: SocketOption.STREAM_NOTIFY, type: "Bool", access: "w" },
});
