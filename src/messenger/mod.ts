/**
 * Patterns, handlers, dispatch, responses and peers: the messenger without its composition.
 *
 * @module
 */
export {
  type AmMethod,
  type BaseCallOptions,
  type Caller,
  type CallOptions,
  type Client,
  type ClientCallOptions,
  type TypedCallOptions,
  type UnaryMethod,
} from "./caller.ts";
export { broadcast, type BroadcastFailure, type BroadcastResult } from "./broadcast.ts";
export { type CloseOptions, type ConnectOptions, type WaitOptions } from "./wait_options.ts";
export {
  type CoreParts,
  type CoreTransport,
  type Lifecycle,
  MessengerCore,
  type MessengerStats,
} from "./core.ts";
export { type DispatchStats } from "./dispatch.ts";
export {
  amHandler,
  checkHandler,
  type Handler,
  type HandlerContext,
  type HandlerOptions,
  type MaybePromise,
  type MessengerFace,
  type TypedContext,
  typedUnaryHandler,
  unaryHandler,
} from "./handler.ts";
export {
  checkTimeout,
  type CurveOptions,
  messengerDefaults,
  type MessengerOptions,
  type ResolvedOptions,
  resolveOptions,
  type SendOverflow,
} from "./options.ts";
export { type PeerView } from "./peers.ts";
export { type CallStats } from "./pending.ts";
export { type Session } from "./session.ts";
export {
  type Closed,
  type Draining,
  type HandlerRegistered,
  type HandlerUnregistered,
  type PeerDown,
  type PeerReplaced,
  type PeerUp,
  type Status,
} from "./status.ts";
