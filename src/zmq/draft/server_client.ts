import { Errno, SocketType } from "../../libzmq/mod.ts";
import { errnoError } from "../errors.ts";
import type { Message, MessageLike } from "../messages.ts";
import { addReadable, type Readable } from "../readable.ts";
import { Socket } from "../socket.ts";
import type { SocketOptions } from "../socket_options.ts";
import { addWritable, type Writable } from "../writable.ts";
import { addLabelledSend } from "./labelled_send.ts";

const mostRoutingId = 2 ** 32 - 1;

/** Whom a message of a {@link Server} comes from or goes to. */
export interface ServerRoutingOptions {
  /** The number that libzmq has given to the client, from 1 to 4 294 967 295. It ends with the connection. */
  routingId: number;
}

/**
 * Receives from its clients, and sends to each of them, in any order. A message has one part.
 *
 * @example Usage
 * ```ts ignore
 * import { Server } from "zeromesh/zmq/draft";
 *
 * const server = new Server();
 * await server.bind("tcp://127.0.0.1:3000");
 * for await (const [message, { routingId }] of server) await server.send(`${message}!`, { routingId });
 * ```
 */
export class Server extends Socket {
  /** Opens the socket. @param options Settings, and the context. @throws {ErrnoError} `EINVAL` if libzmq has no draft sockets. */
  constructor(options?: SocketOptions<Server>) {
    super(SocketType.SERVER, options);
  }
}
/** It sends and receives. `send` fails with `EHOSTUNREACH` when the client is gone. */
export interface Server
  extends Readable<[Message, ServerRoutingOptions]>, Writable<MessageLike, [ServerRoutingOptions]> {}

/** Sends to its servers in turn, and receives from all. A message has one part. */
export class Client extends Socket {
  /** Opens the socket. @param options Settings, and the context. @throws {ErrnoError} `EINVAL` if libzmq has no draft sockets. */
  constructor(options?: SocketOptions<Client>) {
    super(SocketType.CLIENT, options);
  }
}
/** It sends and receives. */
export interface Client extends Readable<[Message]>, Writable<MessageLike> {}

function routingIdOf({ routingId }: { readonly routingId?: unknown }): Uint8Array {
  if (routingId !== undefined && typeof routingId !== "number") {
    throw new TypeError("Routing id must be a number");
  }
  if (routingId === undefined || !Number.isInteger(routingId) || routingId < 1 || routingId > mostRoutingId) {
    const reason = `a routing id is a whole number from 1 to ${mostRoutingId}, and this is ${routingId}`;
    throw errnoError(Errno.EINVAL, { reason });
  }
  const label = new DataView(new ArrayBuffer(4));
  label.setUint32(0, routingId);
  return new Uint8Array(label.buffer);
}

addReadable([Server, Client]);
addWritable([Server, Client]);
addLabelledSend(Server, routingIdOf);
