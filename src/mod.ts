/**
 * Typed messaging between Bun, Deno and Rust Velo processes over libzmq.
 *
 * A {@link Messenger} listens, dials peers, serves handlers and sends four kinds of messages: fire and forget,
 * acknowledged, bytes for bytes, and typed by a contract.
 *
 * @example Usage
 * ```ts
 * import { contract, Messenger } from "zeromesh";
 * import { z } from "zod";
 *
 * const greet = contract("greet", { input: z.string(), output: z.string() });
 *
 * await using server = await Messenger.create();
 * server.handle(greet, ({ input }) => `hello ${input}`);
 *
 * await using client = await Messenger.create();
 * const peer = await client.connect(server.endpoint);
 * console.log(await client.typedUnary(greet, { to: peer, payload: "world" }));
 * ```
 *
 * @module
 */
export { readKeyPair } from "./key_file.ts";
export { Messenger } from "./messenger.ts";
export { type CoreOptions, type MessengerOptions } from "./messenger_options.ts";
export {
  type AmContract,
  type AnySchema,
  type CallInput,
  type CallOutput,
  cancelAfter,
  type CancelTimer,
  type Clock,
  type Contract,
  contract,
  type ContractErrors,
  type ContractOptions,
  type DroppedEntries,
  type Encoding,
  type ErrorCode,
  type ErrorPolicy,
  type ErrorVerdict,
  type HandlerInput,
  type HandlerOutput,
  type Histogram,
  type InstanceId,
  type KnownErrorCode,
  knownErrorCodes,
  type LimitedTask,
  type Limiter,
  type LogFields,
  type Logger,
  logOnly,
  type Meter,
  type MetricInfo,
  type Observe,
  QueueNode,
  type Ran,
  type ReadMetric,
  type Recorder,
  type SchemaInput,
  type SchemaIssue,
  type SchemaOutput,
  type SchemaResult,
  type Semaphore,
  semaphore,
  type StandardSchema,
  type SubscribeOptions,
  tokenBucket,
  type TokenBucketOptions,
  type UnaryContract,
  unlimited,
  type WorkerId,
  ZeromeshError,
  type ZeromeshErrorOptions,
} from "./core/mod.ts";
export {
  acknowledge,
  type AckReceipt,
  type AckStats,
  amHandler,
  type AmMethod,
  type Balance,
  type BaseCallOptions,
  type BroadcastFailure,
  type BroadcastResult,
  type BuiltinStats,
  type Caller,
  type CallOptions,
  type CallStats,
  type Client,
  type ClientCallOptions,
  type Closed,
  type CloseOptions,
  type ConnectOptions,
  type CreditStats,
  type CurveOptions,
  type Dispatch,
  type DispatchStats,
  type Draining,
  type Handler,
  type HandlerContext,
  type HandlerDescription,
  type HandlerOptions,
  type HandlerRegistered,
  type HandlerReplaced,
  type HandlerStats,
  type HandlerUnregistered,
  type HandlerWaitStats,
  type HealthReport,
  type IncomingMessage,
  type IncomingTrace,
  type JsonSchemaValue,
  type ListHandlersOptions,
  type MaybePromise,
  type MessengerFace,
  type MessengerStats,
  type ObjectHandler,
  type OrderedDispatch,
  type OutgoingCall,
  type OutgoingTrace,
  type PeerDescription,
  type PeerDown,
  PeerQuestions,
  type PeerReplaced,
  type PeerUp,
  type PeerView,
  type QueueOverflow,
  type RegisterAckOptions,
  type RegisterOptions,
  type RegisterServiceOptions,
  type ResolvedTasks,
  type SendAckOptions,
  type SendOverflow,
  type SendWithAckOptions,
  service,
  type ServiceTarget,
  type StagedStats,
  type Status,
  type TaskOptions,
  type TraceOutcome,
  type TracePattern,
  type Tracing,
  type TypedCallOptions,
  type TypedContext,
  typedUnaryHandler,
  unaryHandler,
  type UnaryMethod,
  type WaitOptions,
} from "./messenger/mod.ts";
export {
  type AwaiterOptions,
  type Barrier,
  type BarrierOptions,
  Event,
  type EventCallOptions,
  type EventHandle,
  eventHandle,
  eventHandleFromBytes,
  eventHandleToBytes,
  EventManager,
  type EventOptions,
  type EventStats,
  type EventStatus,
  Latch,
  type RemoteStats,
  type SubscriberStats,
  type TableStats,
} from "./events/mod.ts";
export {
  type Discovery,
  type DiscoveryOptions,
  type LookupOptions,
  type PeerDiscovery,
  type Registration,
  type ServiceAdded,
  type ServiceDiscovery,
  type ServiceEvent,
  type ServiceInitial,
  type ServiceRemoved,
  type ServiceStats,
  type StaleReason,
  type WatchOptions,
} from "./discovery/mod.ts";
export { type FullStats } from "./stat_metrics.ts";
export { type Drop, type TransportStats } from "./transport/mod.ts";
export { type DropReason, dropReasons, type Feature, type PeerInfo, type PeerInfoJson } from "./wire/mod.ts";
export { type CurveKeyPair, curveKeyPair, type LibraryInfo, type ReactorStats } from "./zmq/mod.ts";
