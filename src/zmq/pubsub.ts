import { SocketOption, SocketType } from "../libzmq/mod.ts";
import { defineOptions } from "./option_table.ts";
import { addReadable, type Readable } from "./readable.ts";
import { Socket } from "./socket.ts";
import type { SocketOptions } from "./socket_options.ts";
import { checkSubscriptions } from "./subscriptions.ts";
import { addRefusedSend, addWritable, type Writable } from "./writable.ts";

/**
 * Sends each message to every `Subscriber` with a matching prefix. It never waits: what has no room is dropped.
 */
export class Publisher extends Socket {
  /** Opens the socket. @param options Settings, and the context. */
  constructor(options?: SocketOptions<Publisher>) {
    super(SocketType.PUB, options);
  }
}
/** It sends. */
export interface Publisher extends Writable {
  /** Whether `send` fails with `EAGAIN` when a subscriber has no room, instead of dropping its message. (`ZMQ_XPUB_NODROP`, can only be set) @default {false} */
  noDrop: boolean;
  /** Whether only the last message is kept. Messages of several parts are not possible then. (`ZMQ_CONFLATE`, can only be set) @default {false} */
  conflate: boolean;
  /** Whether messages go to those subscribers whose prefixes do not match. All ends must agree. (`ZMQ_INVERT_MATCHING`) @default {false} */
  invertMatching: boolean;
}

/**
 * Receives the messages of `Publisher` sockets to which it has subscribed.
 */
export class Subscriber extends Socket {
  /** Opens the socket. @param options Settings, and the context. */
  constructor(options?: SocketOptions<Subscriber>) {
    super(SocketType.SUB, options);
  }

  /**
   * Subscribes to messages that begin with one of the prefixes; without a prefix to all.
   *
   * @throws {ErrnoError} `EINVAL` for a prefix of more than 16 384 bytes.
   */
  subscribe(...prefixes: (Uint8Array | string)[]): void {
    for (const prefix of prefixes.length === 0 ? [null] : prefixes) {
      this.setStringOption(SocketOption.SUBSCRIBE, prefix);
    }
  }

  /** Ends subscriptions; without a prefix the one to all. */
  unsubscribe(...prefixes: (Uint8Array | string)[]): void {
    for (const prefix of prefixes.length === 0 ? [null] : prefixes) {
      this.setStringOption(SocketOption.UNSUBSCRIBE, prefix);
    }
  }
}
/** It receives. */
export interface Subscriber extends Readable {
  /** Whether only the last message is kept. Messages of several parts are not possible then. (`ZMQ_CONFLATE`, can only be set) @default {false} */
  conflate: boolean;
  /** Whether messages go to those subscribers whose prefixes do not match. All ends must agree. (`ZMQ_INVERT_MATCHING`) @default {false} */
  invertMatching: boolean;
}

/**
 * A `Publisher` that receives the subscriptions: a byte 1, or 0 for an end, and the prefix.
 */
export class XPublisher extends Socket {
  /** Opens the socket. @param options Settings, and the context. */
  constructor(options?: SocketOptions<XPublisher>) {
    super(SocketType.XPUB, options);
  }

  /**
   * Which repeated subscriptions are received: none (null), `"allSubs"`, or `"allSubsUnsubs"` for their ends too.
   * (`ZMQ_XPUB_VERBOSE`, `ZMQ_XPUB_VERBOSER`; can only be set)
   *
   * @default {null}
   */
  set verbosity(value: null | "allSubs" | "allSubsUnsubs") {
    switch (value) {
      case null:
        // Either option ends both.
        this.setBoolOption(SocketOption.XPUB_VERBOSE, false);
        break;
      case "allSubs":
        this.setBoolOption(SocketOption.XPUB_VERBOSE, true);
        break;
      case "allSubsUnsubs":
        this.setBoolOption(SocketOption.XPUB_VERBOSER, true);
        break;
    }
  }
}
/** It sends and receives. */
export interface XPublisher extends Readable, Writable {
  /** Whether `send` fails with `EAGAIN` when a subscriber has no room, instead of dropping its message. (`ZMQ_XPUB_NODROP`, can only be set) @default {false} */
  noDrop: boolean;
  /** Whether messages go to those subscribers whose prefixes do not match. All ends must agree. (`ZMQ_INVERT_MATCHING`) @default {false} */
  invertMatching: boolean;
  /** Whether the program decides on subscriptions. (`ZMQ_XPUB_MANUAL`, can only be set) @default {false} */
  manual: boolean;
  /** A message for each new subscriber that has subscribed to it. (`ZMQ_XPUB_WELCOME_MSG`, can only be set) @default {null} */
  welcomeMessage: string | null;
}

/**
 * A `Subscriber` that subscribes by sending: a byte 1, or 0 for an end, and the prefix of up to 16 384 bytes.
 */
export class XSubscriber extends Socket {
  /** Opens the socket. @param options Settings, and the context. */
  constructor(options?: SocketOptions<XSubscriber>) {
    super(SocketType.XSUB, options);
  }
}
/** It sends and receives. */
export interface XSubscriber extends Readable, Writable {
}

addWritable([Publisher, XPublisher]);
addWritable([XSubscriber], checkSubscriptions);
addReadable([Subscriber, XPublisher, XSubscriber]);
addRefusedSend([Subscriber]);
for (const { prototype } of [Publisher, Subscriber]) {
  defineOptions(prototype, { conflate: { option: SocketOption.CONFLATE, type: "Bool", access: "w" } });
}
for (const { prototype } of [Publisher, XPublisher]) {
  defineOptions(prototype, { noDrop: { option: SocketOption.XPUB_NODROP, type: "Bool", access: "w" } });
}
for (const { prototype } of [Publisher, Subscriber, XPublisher]) {
  defineOptions(prototype, { invertMatching: { option: SocketOption.INVERT_MATCHING, type: "Bool" } });
}
defineOptions(XPublisher.prototype, {
  manual: { option: SocketOption.XPUB_MANUAL, type: "Bool", access: "w" },
  welcomeMessage: { option: SocketOption.XPUB_WELCOME_MSG, type: "String", access: "w" },
});
