import type { ChannelView, PeerOfClient, ProducerRoute } from "../protocol/contracts.ts";
import type { Presence, Role } from "./presence.ts";
import type { RegistryClient } from "./registry_client.ts";

/** A channel of the registry, for its owner. */
export interface FoundChannel {
  /** Its state. */
  readonly state: ChannelView["state"];
  /** Where its data comes from. */
  readonly route: ProducerRoute;
  /** Counts the producers that the channel had. */
  readonly epoch: number;
  /** The producer; null if it has left while the channel closes. */
  readonly producer: FoundPresence | null;
  /** A consumer of the channel; undefined if there is none with that number. */
  consumer(presence: number): FoundPresence | undefined;
}

/** A producer or a consumer, for the registry's owner. */
export interface FoundPresence {
  /** The number of its presence. */
  readonly presence: number;
  /** Its channel. */
  readonly channel: string;
  /** As what it is registered. */
  readonly role: Role;
  /** Who it is. */
  readonly client: RegistryClient;
  /** How a consumer is dialled; null if it does not listen, and for producers. */
  readonly peer: PeerOfClient | null;
}

/** Metrics of a producer or a consumer. */
export interface FoundMetrics {
  /** The channel. */
  readonly channel: string;
  /** As what it is registered. */
  readonly role: Role;
  /** Who it is. */
  readonly identity: string;
  /** The number of its presence. */
  readonly presence: number;
  /** Its metrics, by their names. */
  readonly metrics: Record<string, number>;
}

/** A presence, for the registry's owner. */
export function found({ id, channel, role, member, peer }: Presence): FoundPresence {
  return { presence: id, channel, role, client: member.client, peer };
}
