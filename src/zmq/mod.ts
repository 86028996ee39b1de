/**
 * ZeroMQ sockets: the API of the npm package `zeromq` 6, for Bun and Deno.
 *
 * Unlike other modules of this library, importing it opens libzmq, if that needs no question to the user:
 * {@link version} and {@link capability} are constants. A program finds out at its first socket or context that there
 * is no libzmq.
 *
 * @example Usage
 * ```ts ignore
 * import { Reply } from "zeromesh/zmq";
 *
 * const socket = new Reply();
 * await socket.bind("tcp://127.0.0.1:3000");
 * for await (const [message] of socket) await socket.send(`${message}!`);
 * ```
 *
 * @module
 */
export { Context, context, type ContextOptions, type ContextSettings } from "./context.ts";
export { type CurveKeyPair, curveKeyPair } from "./curve.ts";
export type { ErrnoError } from "./errors.ts";
export type {
  AuthError,
  Event,
  EventAddress,
  EventError,
  EventFor,
  EventInterval,
  EventOfType,
  EventType,
  Expand,
  ProtoError,
} from "./events.ts";
export { type Capability, capability, version } from "./library.ts";
export type { Message, MessageLike } from "./messages.ts";
export { type EventSubscriber, Observer } from "./observer.ts";
export { Pair } from "./pair.ts";
export { Pull, Push } from "./pipeline.ts";
export { Proxy } from "./proxy.ts";
export { Publisher, Subscriber, XPublisher, XSubscriber } from "./pubsub.ts";
export type { Readable } from "./readable.ts";
export { Dealer, Reply, Request, Router, type RouterConnectOptions } from "./request_reply.ts";
export { Socket } from "./socket.ts";
export type { SocketOptions, WritableKeys } from "./socket_options.ts";
export type { GssapiNameType, SocketSettings } from "./socket_settings.ts";
export { Stream, type StreamConnectOptions } from "./stream.ts";
export type { Writable } from "./writable.ts";
