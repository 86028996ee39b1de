/**
 * The messenger without its composition: patterns, handlers, dispatch, responses and peers.
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
  type ClientMethod,
  type MethodArguments,
  type TypedCallOptions,
  type TypedPayload,
  type UnaryMethod,
} from "./calls/caller.ts";
export {
  type ResolvedRetry,
  type RetryOptions,
  retryOptionTable,
  retryPauses,
} from "./calls/retry_options.ts";
export {
  broadcast,
  type BroadcastFailure,
  type BroadcastResult,
  type BroadcastTarget,
} from "./calls/broadcast.ts";
export { acknowledge, type AckStats } from "./builtins/acks.ts";
export {
  type AckReceipt,
  type RegisterAckOptions,
  type SendAckOptions,
  type SendWithAckOptions,
} from "./builtins/ack_options.ts";
export { Builtins, type BuiltinStats } from "./builtins/builtins.ts";
export { type HealthReport } from "./builtins/health.ts";
export {
  type HandlerDescription,
  type JsonSchemaValue,
  type ListHandlersOptions,
} from "./builtins/handler_list.ts";
export { type HandlerWaitStats } from "./builtins/handler_waits.ts";
export { type Authorize, type CallSubject, type CallToAuthorize } from "./handlers/authorize.ts";
export { type InboundCall } from "./handlers/context.ts";
export { type ContractKind, type MethodOptions, type Served } from "./contract_kinds.ts";
export { type FeatureCall } from "./calls/feature_call.ts";
export { answeredLater } from "./handlers/answered_later.ts";
export { type CallCompanion, companionOf, type SentCall } from "./calls/companion.ts";
export { DispatchFailure, FeatureFailure } from "./handlers/failures.ts";
export { methodOptionTable } from "./calls/call_options.ts";
export { handlerOf } from "./handlers/object_handler.ts";
export {
  type HandlerFunction,
  type HandlerFunctions,
  type HandlerResult,
  handlersFor,
} from "./handlers/served.ts";
export { PeerQuestions, portOf } from "./builtins/peer_questions.ts";
export { type AnnounceToOptions } from "./builtins/announce_to.ts";
export { observeLabel } from "./observe/observation.ts";
export { type HandlerTrace } from "./observe/message_trace.ts";
export { type CallTrace } from "./calls/traced_call.ts";
export { type ItemCounts } from "./observe/tracing.ts";
export {
  type IncomingMessage,
  type IncomingTrace,
  type OutgoingCall,
  type OutgoingTrace,
  type TraceOutcome,
  type TracePattern,
  type Tracing,
} from "./observe/tracing.ts";
export {
  type CloseOptions,
  closeOptionTable,
  type ConnectOptions,
  connectOptionTable,
  type WaitOptions,
  waitOptionTable,
} from "./calls/wait_options.ts";
export { clientOptionTable } from "./calls/call_options.ts";
export { MessengerCore } from "./core.ts";
export { type MessengerStats } from "./stats.ts";
export { type StagedStats } from "./velo/staged_requests.ts";
export { type DispatchStats } from "./handlers/dispatch_stats.ts";
export { type HandlerStats } from "./handlers/handler_stats.ts";
export {
  type Dispatch,
  type OrderedDispatch,
  type QueueOverflow,
  type ResolvedTasks,
  type TaskOptions,
} from "./handlers/task_options.ts";
export { amHandler, makeHandler, typedUnaryHandler, unaryHandler } from "./handlers/handler.ts";
export {
  handleOptionTable,
  type Handler,
  type HandlerContext,
  type HandlerOptions,
  type MaybePromise,
  type MessengerHandle,
  type ObjectHandler,
  type RegisterOptions,
  registerOptionTable,
  type TypedContext,
} from "./handlers/handler_context.ts";
export { elapsedMs, elapsedOf, type PartOfCall } from "./calls/elapsed.ts";
export type { CurveOptions } from "./curve_options.ts";
export {
  type AnyFeature,
  type AttachedFeature,
  type CountersOf,
  type MessengerFeature,
  type OptionsOf,
} from "./feature.ts";
export {
  coreOptionTable,
  featuresOption,
  type ResolvedOptions,
  resolveOptions,
} from "./core_option_table.ts";
export type { HostResolver } from "../transport/mod.ts";
export { type MessengerOptions, type SendOverflow } from "./core_options.ts";
export { type PeerDirectory, type PeerLookup, type Standing } from "./discovery_port.ts";
export { type PeerEntry, peerInfoOfEntry, type PeerLocation } from "./peers/peer_entry.ts";
export { type Peer, peerText, type PeerView, type Session } from "./peers/peer.ts";
export { type StrangerDialStats } from "./velo/reply_links.ts";
export { type Destination, isDestination, type RetriedDestination } from "./calls/destination.ts";
export { type DestinationRouter, type RouterHost, type ToDestination } from "./calls/destination_router.ts";
export { type CallStats } from "./calls/call_stats.ts";
export { type CreditStats } from "./credit/send_credit.ts";
export { type Failure } from "./handlers/reply_sender.ts";
export { type SystemHandlerOptions } from "./handlers/registry.ts";
export {
  type PeerConnection,
  type ProvenOrigin,
  type SystemCall,
  type SystemMessage,
  type SystemPort,
  type SystemSender,
} from "./system_port.ts";
export {
  type Closed,
  type Draining,
  type HandlerRegistered,
  type HandlerReplaced,
  type HandlerUnregistered,
  type PeerDown,
  type PeerDuplicated,
  type PeerReplaced,
  type PeerUp,
  type Status,
} from "./peers/status.ts";
// Used by discovery: addresses, and their stored forms.
export {
  addressChecksum,
  decodePeerInfo,
  encodePeerInfo,
  endpointsOf,
  parseControlJson,
  type PeerInfo,
  peerInfoFromJson,
  type PeerInfoJson,
  peerInfoOf,
  peerInfoToJson,
  stringifyControlJson,
} from "../wire/mod.ts";
