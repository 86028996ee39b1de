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
