/**
 * Actors: each has a mailbox and handles one message at a time, and is reached by its address, in this process or from
 * another instance.
 *
 * @example Usage
 * ```ts
 * import { actor, actorContract, ActorSystem } from "zeromesh/actors";
 * import { z } from "zod";
 *
 * const Counter = actorContract("counter", {
 *   tell: { reset: z.object({ to: z.number() }) },
 *   ask: { add: { input: z.object({ n: z.number() }), output: z.number() } },
 * });
 * const counter = actor(Counter, {
 *   init: () => ({ count: 0 }),
 *   tell: { reset: (ctx, { to }) => void (ctx.state.count = to) },
 *   ask: { add: (ctx, { n }) => (ctx.state.count += n) },
 * });
 * await using system = ActorSystem.local();
 * const ref = await system.spawn(counter, { name: "counter" });
 * await ref.tell("reset", { to: 10 });
 * console.log(await ref.ask("add", { n: 2 })); // 12
 * ```
 *
 * @module
 */
export {
  actor,
  type ActorHandlers,
  type ActorLife,
  type ActorParts,
  type AskHandlers,
  type ChannelHandlerMap,
  type ChannelHandlersOf,
  type Needed,
  type TellHandlers,
} from "./definition/actor.ts";
export { actorRef } from "./system/ref_by_address.ts";
export { watchActor } from "./system/watch_by_address.ts";
export { type ActorAddress } from "./references/address.ts";
export { type ActorId } from "./references/address.ts";
export { type PoolMessageKind } from "./cell/cell_pool.ts";
export { type ActorMetrics } from "./system/actor_metrics.ts";
export { type TurnTimes } from "./cell/turn_meter.ts";
export { type ActorPhase } from "./cell/phase.ts";
export {
  type AcceptOptions,
  type ActorChannel,
  type ActorOpenOptions,
  type ChannelEnd,
  type ChannelRole,
  type ChannelSide,
  type ChannelStatus,
  type OpeningChannel,
  type OpenOptions,
  type ServedChannel,
} from "./references/actor_channel.ts";
export { type ChannelStats } from "./cell/channel_counts.ts";
export {
  type ActorContext,
  type ActorSelf,
  type AskContext,
  type DeferredReply,
} from "./definition/context.ts";
export {
  type ActorAsk,
  type ActorAsks,
  type ActorChannels,
  type ActorChannelSchemas,
  type ActorContract,
  actorContract,
  type ActorContractOptions,
  type ActorTells,
  type BytesContract,
  type BytesSchema,
} from "./contract/contract.ts";
export { type ActorChange, type ActorEvent } from "./cell/actor_events.ts";
export { type DeadLetter, type DeadLetterReason } from "./cell/dead_letters.ts";
export {
  type ActorDefinition,
  type AnyHandler,
  type AskEntry,
  type Behaviour,
  behaviourOf,
  type ChannelHandlers,
  type TellEntry,
} from "./definition/behaviour.ts";
export { type ActorEnd } from "./references/actor_end.ts";
export {
  type ActorSystemOptions,
  type CloseSystemOptions,
  type StopOptions,
} from "./options/system_options.ts";
export {
  type ActorRef,
  type AskInput,
  type AskName,
  type AskOptions,
  type AskOutput,
  type ChannelName,
  type ChannelReceived,
  type ChannelSent,
  type InputArguments,
  type TellInput,
  type TellName,
  type TellOptions,
} from "./references/actor_ref.ts";
export {
  ActorMailbox,
  type ActorMailboxOptions,
  type MailboxAsk,
  type MailboxEntry,
  type MailboxHost,
  type MailboxInbox,
  type MailboxMessage,
  type MailboxOpen,
  type MailboxTell,
} from "./system/actor_mailbox.ts";
export { type MailboxOptions, type SpawnArguments, type SpawnOptions } from "./options/spawn_options.ts";
export { type ActorPool } from "./pools/actor_pool.ts";
export { type PoolArguments, type PoolInput, type PoolOptions } from "./pools/pool_options.ts";
export { byKey, type KeyRoute } from "./pools/pool_route.ts";
export {
  type FailurePolicy,
  type RestartBackoff,
  type RestartStrategy,
  type SupervisionOptions,
} from "./options/supervision_options.ts";
export { type RemoteStats } from "./routing/remote.ts";
export { type ActorStatus, type ActorSystemStats, type ActorTree, type PoolStatus } from "./system/status.ts";
export { ActorSystem } from "./system/system.ts";
export { type Registration } from "./system/core.ts";
export { type ModuleLimits } from "./update/module_limits.ts";
export { type Probation, type UpdateOptions } from "./update/update_options.ts";
export { type RollbackResult, type UpdateResult } from "./update/updates.ts";
export { type ActorCatalogue } from "./management/catalogue.ts";
export {
  type ManagedEvent,
  type ManagedEventOptions,
  type ManagedUpdateOptions,
  ManagementClient,
  type StartedActor,
  type StartOptions,
} from "./management/client.ts";
export {
  type ActorDescription,
  type CommandName,
  type CommandTypes,
  type Done,
  type EventSubscription,
  type ManagedMessage,
  type ManagedSchema,
  type ManagementAnswer,
  type ManagementCommand,
  type Targeted,
} from "./management/command_types.ts";
export { type EventPolicy, type ManagedEnd } from "./management/event_feed.ts";
export { type ManagementOptions, ManagementServer, serveManagement } from "./management/server.ts";
