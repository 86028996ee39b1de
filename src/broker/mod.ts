/**
 * Named channels between producers and consumers, and the broker by which they find each other.
 *
 * @example A broker and a client of it
 * ```ts
 * import { Messenger } from "zeromesh";
 * import { Broker, BrokerClient } from "zeromesh/broker";
 *
 * await using broker = await Broker.start({ endpoint: "tcp://127.0.0.1:0" });
 * await using messenger = await Messenger.create();
 * await using client = await BrokerClient.connect(messenger, broker.endpoint);
 * console.log(await client.listChannels());
 * ```
 *
 * @module
 */
export {
  type ChannelContract,
  channelContract,
  type ChannelContractOptions,
  type ChannelPattern,
} from "./contract.ts";
export { BrokerErrorCode } from "./errors.ts";
export { type BrokerNotice, type ClosingReason, type ConsumerView } from "./protocol/notices.ts";
export {
  type ChannelView,
  type PeerOfClient,
  type ProcessInfo,
  type ProducerRoute,
  type SchemaView,
} from "./protocol/channel_view.ts";
export { ChannelRegistry } from "./registry/registry.ts";
export { type ChannelList, type ListRequest } from "./registry/channel_list.ts";
export { type FoundChannel, type FoundMetrics, type FoundPresence } from "./registry/found.ts";
export { type Role } from "./registry/presence.ts";
export {
  type ConsumerRegistration,
  type ProducerRegistration,
  type RegisteredConsumer,
  type RegisteredProducer,
  type RegistryClient,
  type RegistryEffects,
  type RegistryLimits,
  type RegistryStats,
} from "./registry/registry_client.ts";
export { type StoredSchema } from "./registry/schema_store.ts";
export { Broker } from "./server/broker.ts";
export { type BrokerKeys, type BrokerOptions } from "./server/options.ts";
export {
  type Allowed,
  type BrokerAction,
  type BrokerAuthorize,
  type BrokerQuestion,
  type ChannelRule,
  channelRules,
} from "./server/access_rules.ts";
export { type BrokerStats } from "./server/stats.ts";
export { type FrameProblem, type PlainDoorStats, type PlainKeys, type PlainOptions } from "./plain/mod.ts";
export { BrokerClient } from "./client/client.ts";
export { BrokerQuestions, type ChannelMetrics, type ChannelPresence } from "./client/questions.ts";
export { type ConnectionStats } from "./client/connection_stats.ts";
export {
  type BrokerClientOptions,
  type ConnectChannelOptions,
  type CreateChannelOptions,
  type ProducerFacts,
  type RegisterConsumerOptions,
  type RegisterProducerOptions,
} from "./client/options.ts";
export {
  type ChannelCloseOptions,
  type ChannelConsumer,
  ChannelHandle,
  type ChannelNotice,
  type ChannelRole,
  type ChannelSendLimits,
  type ChannelSendOptions,
  type ChannelStats,
  type ChannelWindow,
  type ClosedChannel,
  type ConnectedConsumer,
  type ConsumeOptions,
  type Envelope,
  type InOf,
  type OutOf,
  type ProduceOptions,
  type ReceivedMessage,
  type RelayStats,
  type SchemasOfSide,
  type SentMessage,
} from "./channels/mod.ts";
