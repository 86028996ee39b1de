import { checkArgument, type InstanceId, option } from "../../core/mod.ts";
import type { Messenger } from "../../mod.ts";
import type { ChannelContract } from "../contract.ts";
import { checkChannelName } from "../names.ts";
import type { PeerOfClient, ProducerRoute } from "../protocol/channel_view.ts";

/** Where the data of a producer on this messenger comes from. */
export function routeOf(messenger: Messenger): ProducerRoute {
  return { transport: "stream", instance: messenger.instanceId, peer: peerOf(messenger) };
}

/** How a messenger is dialled; null if it does not listen. */
export function peerOf(messenger: Messenger): PeerOfClient | null {
  if (messenger.endpoints.length === 0) return null;
  const { instance_id, worker_address } = messenger.peerInfo();
  return { instance_id: instance_id as InstanceId, worker_address: [...worker_address] };
}

/** A channel that a user names, by its name or its contract. */
export interface NamedChannel {
  readonly name: string;
  readonly contract: ChannelContract | null;
}

/** The name and the contract in an argument. @throws {ZeromeshError} `NAME_INVALID`. */
export function namedBy(channel: string | ChannelContract, cannot: string): NamedChannel {
  if (typeof channel === "object" && channel !== null && typeof channel.name === "string") {
    return { name: channel.name, contract: channel };
  }
  checkArgument("channel", channel, option.string, cannot);
  checkChannelName(channel as string, cannot);
  return { name: channel as string, contract: null };
}

/** A contract in an argument. @throws {TypeError} If it is none. */
export function contractIn(contract: ChannelContract, cannot: string): ChannelContract {
  if (typeof contract === "object" && contract !== null && "message" in contract && "pattern" in contract) {
    return contract;
  }
  throw new TypeError(`${cannot}: the first argument must be made by channelContract()`);
}
