/**
 * Named channels between producers and consumers, and the broker by which they find each other.
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
export { type BrokerNotice, type ConsumerView } from "./protocol/notices.ts";
export { type ChannelView } from "./protocol/contracts.ts";
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
