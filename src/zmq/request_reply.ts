import { SocketOption, SocketType } from "../libzmq/mod.ts";
import { defineOptions } from "./option_table.ts";
import { addReadable, type Readable } from "./readable.ts";
import { Socket } from "./socket.ts";
import type { SocketOptions } from "./socket_options.ts";
import { addWritable, type Writable } from "./writable.ts";

/**
 * Sends a request and receives its reply, in turn. Requests go to the services in turn.
 */
export class Request extends Socket {
  /** Opens the socket. @param options Settings, and the context. */
  constructor(options?: SocketOptions<Request>) {
    super(SocketType.REQ, options);
  }
}
/** It sends and receives. */
export interface Request extends Readable, Writable {
  /** The name under which a `Router` at the other end knows this socket. (`ZMQ_ROUTING_ID`) @default {null} */
  routingId: string | null;
  /** Whether a new connection begins with an empty message, which tells a `Router` of it. (`ZMQ_PROBE_ROUTER`, can only be set) @default {false} */
  probeRouter: boolean;
  /** Whether replies carry the number of their request, so that late ones are dropped. (`ZMQ_REQ_CORRELATE`, can only be set) @default {false} */
  correlate: boolean;
  /** Whether a request may be sent before the reply to the last one, which is dropped then. (`ZMQ_REQ_RELAXED`, can only be set) @default {false} */
  relaxed: boolean;
}

/**
 * Receives a request and sends its reply, in turn.
 */
export class Reply extends Socket {
  /** Opens the socket. @param options Settings, and the context. */
  constructor(options?: SocketOptions<Reply>) {
    super(SocketType.REP, options);
  }
}
/** It sends and receives. */
export interface Reply extends Readable, Writable {
  /** The name under which a `Router` at the other end knows this socket. (`ZMQ_ROUTING_ID`) @default {null} */
  routingId: string | null;
}

/**
 * Sends to its peers in turn, and receives from all, fairly.
 */
export class Dealer extends Socket {
  /** Opens the socket. @param options Settings, and the context. */
  constructor(options?: SocketOptions<Dealer>) {
    super(SocketType.DEALER, options);
  }
}
/** It sends and receives. */
export interface Dealer extends Readable, Writable {
  /** The name under which a `Router` at the other end knows this socket. (`ZMQ_ROUTING_ID`) @default {null} */
  routingId: string | null;
  /** Whether a new connection begins with an empty message, which tells a `Router` of it. (`ZMQ_PROBE_ROUTER`, can only be set) @default {false} */
  probeRouter: boolean;
  /** Whether only the last message is kept. Messages of several parts are not possible then. (`ZMQ_CONFLATE`, can only be set) @default {false} */
  conflate: boolean;
}

/** Options of `connect` of a {@link Router}. */
export interface RouterConnectOptions {
  /** The name of the peer at the address, of 1 to 255 bytes. */
  routingId?: string;
}

/**
 * Receives messages with the name of their peer as first part, and sends to the peer that the first part names.
 */
export class Router extends Socket {
  /** Opens the socket. @param options Settings, and the context. */
  constructor(options?: SocketOptions<Router>) {
    super(SocketType.ROUTER, options);
  }

  /**
   * Connects to an address.
   *
   * @param options `routingId`: the name of the peer there, of 1 to 255 bytes.
   */
  override connect(address: string, options: RouterConnectOptions = {}): void {
    if (options.routingId) this.setStringOption(SocketOption.CONNECT_ROUTING_ID, options.routingId);
    super.connect(address);
  }
}
/** It sends and receives. */
export interface Router extends Readable, Writable {
  /** The name under which a `Router` at the other end knows this socket. (`ZMQ_ROUTING_ID`) @default {null} */
  routingId: string | null;
  /** Whether `send` to an unknown peer fails with `EHOSTUNREACH`, and to one without room waits, instead of dropping the message. (`ZMQ_ROUTER_MANDATORY`) @default {false} */
  mandatory: boolean;
  /** Whether a new peer takes over the name of another one. (`ZMQ_ROUTER_HANDOVER`, can only be set) @default {false} */
  handover: boolean;
  /** Whether a new connection begins with an empty message, which tells a `Router` of it. (`ZMQ_PROBE_ROUTER`, can only be set) @default {false} */
  probeRouter: boolean;
}

const all = [Request, Reply, Dealer, Router];
addReadable(all);
addWritable(all);
for (const { prototype } of all) {
  defineOptions(prototype, { routingId: { option: SocketOption.ROUTING_ID, type: "String" } });
}
for (const { prototype } of [Request, Dealer, Router]) {
  defineOptions(prototype, { probeRouter: { option: SocketOption.PROBE_ROUTER, type: "Bool", access: "w" } });
}
defineOptions(Request.prototype, {
  correlate: { option: SocketOption.REQ_CORRELATE, type: "Bool", access: "w" },
  relaxed: { option: SocketOption.REQ_RELAXED, type: "Bool", access: "w" },
});
defineOptions(Dealer.prototype, { conflate: { option: SocketOption.CONFLATE, type: "Bool", access: "w" } });
defineOptions(Router.prototype, {
  mandatory: { option: SocketOption.ROUTER_MANDATORY, type: "Bool" },
  handover: { option: SocketOption.ROUTER_HANDOVER, type: "Bool", access: "w" },
});
