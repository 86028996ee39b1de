/**
 * libzmq contexts and non-blocking sockets, the reactor that waits for them, and their monitors.
 *
 * @module
 */
export { Context, type ContextLease, type ContextOptions, leaseContext, openResources } from "./context.ts";
export {
  type CurveKeyPair,
  curveKeyPair,
  type CurveKeyPairOptions,
  encodeZ85,
  isCurveKey,
  requireCurve,
  requireKeyPair,
} from "./curve.ts";
export { type MemoryReturn } from "./memory_return.ts";
export { type LingeringConnections, sleep } from "./lingering_connections.ts";
export { Reactor } from "./reactor.ts";
export { type ReactorStats } from "./reactor_options.ts";
export { type Registration, type Source } from "./source.ts";
export { Socket, type SocketOptionName, type SocketOptionValue, type SocketTypeName } from "./socket.ts";
export { type KeyCheck } from "./zap.ts";
export {
  type Backend,
  type BackendLease,
  ContextOption,
  Errno,
  errnoName,
  type Handle,
  isFailure,
  leaseBackendNow,
  type LibraryInfo,
  MessageProperty,
  MessageText,
  MonitorEvent,
  opensWithQuestion,
  PollEvent,
  ProtocolError,
  ReceiveFlag,
  type Region,
  SendFlag,
  SocketOption,
  SocketType,
  type TcpConnections,
} from "../../ffi/mod.ts";
