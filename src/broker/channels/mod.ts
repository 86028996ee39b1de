/**
 * The data of channels: messages between a producer and its consumers.
 *
 * @module
 */
import type { ChannelContract } from "../contract.ts";
import { ChannelHandle } from "./channel_handle.ts";
import { type ConsumerParts, ConsumingChannel } from "./consuming_channel.ts";
import { type ProducerParts, ProducingChannel } from "./producing_channel.ts";

export {
  ChannelHandle,
  type InOf,
  type OutOf,
  type ReceivedMessage,
  type SchemasOfSide,
  type SentMessage,
} from "./channel_handle.ts";
export type { ChannelRole, ChannelRun, ChannelStats, ClosedChannel } from "./channel_run.ts";
export {
  type ConsumerParts,
  ConsumingChannel,
  type ProducerRoute,
  type ProducerSource,
} from "./consuming_channel.ts";
export { ChannelHost, type ConsumerClaim } from "./hosting.ts";
export { ChannelRelay, type RelayLookup, type RelayStats } from "./relay_link.ts";
export { handleClosed, invalidMessage, refused } from "./failures.ts";
export { type ArrivedMessages, type Envelope, MessageSource } from "./message_source.ts";
export { MessageWindow } from "./message_window.ts";
export { Outbound } from "./outbound.ts";
export type { ChannelConsumer, ChannelNotice, ConnectedConsumer } from "./notices.ts";
export {
  type ChannelCloseOptions,
  type ChannelSendLimits,
  type ChannelSendOptions,
  type ChannelWindow,
  type ConsumeOptions,
  consumeOptionTable,
  type ProduceOptions,
  produceOptionTable,
  sendLimits,
  windowOf,
} from "./options.ts";
export { type ProducerParts, ProducingChannel } from "./producing_channel.ts";

/** A side of a channel: what its user has, and what runs behind it. */
export interface ChannelSide<Handle, Run> {
  readonly handle: Handle;
  readonly run: Run;
}

/** Begins to produce a channel. */
export function produce<Contract extends ChannelContract>(
  parts: ProducerParts<Contract>,
): ChannelSide<ChannelHandle<Contract, "producer">, ProducingChannel> {
  const run = new ProducingChannel(parts);
  return { handle: new ChannelHandle(run), run };
}

/** Begins to consume a channel. `run.opened` tells when it is open. */
export function consume<Contract extends ChannelContract>(
  parts: ConsumerParts<Contract>,
): ChannelSide<ChannelHandle<Contract, "consumer">, ConsumingChannel> {
  const run = new ConsumingChannel(parts);
  return { handle: new ChannelHandle(run), run };
}
