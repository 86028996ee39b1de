import type { ChannelPattern } from "../contract.ts";
import type { ChannelView, ProducerRoute } from "../protocol/contracts.ts";
import type { ConsumerView } from "../protocol/notices.ts";
import type { Presence } from "./presence.ts";
import type { ProducerRegistration, RegistryClient } from "./registry_client.ts";

/** A channel that is registered, or that closes. */
export class ChannelEntry {
  readonly name: string;
  state: ChannelView["state"];
  pattern: ChannelPattern;
  route: ProducerRoute;
  schema: ChannelView["schema"];
  metadata: ChannelView["metadata"];
  sharedMemory: string | null;
  /** The producer, or the last one. */
  producer: Presence;
  /** Whether the producer is still there, which it need not be while the channel closes. */
  hasProducer = true;
  epoch: number;
  /** Which closing this is; 0 before. */
  closing = 0;
  readonly consumers = new Map<number, Presence>();

  constructor(registration: ProducerRegistration, producer: Presence, epoch: number) {
    this.name = registration.channel;
    this.state = firstState(registration);
    this.pattern = registration.pattern;
    this.route = registration.route;
    this.schema = { hash: registration.schema.hash, version: registration.schema.version };
    this.metadata = registration.metadata;
    this.sharedMemory = registration.sharedMemory;
    this.producer = producer;
    this.epoch = epoch;
  }

  /** Takes what the producer says now. */
  update({ pattern, route, schema, metadata, sharedMemory }: ProducerRegistration): void {
    this.pattern = pattern;
    this.route = route;
    // A producer without a schema to compare does not make room for one with another.
    this.schema = { hash: schema.hash ?? this.schema.hash, version: schema.version };
    this.metadata = metadata;
    this.sharedMemory = sharedMemory;
  }

  /** Whether nobody is left. */
  get isEmpty(): boolean {
    return !this.hasProducer && this.consumers.size === 0;
  }

  /** Producer and consumers that are there. */
  *presences(): Generator<Presence> {
    if (this.hasProducer) yield this.producer;
    yield* this.consumers.values();
  }

  /** Those who are there, each client once. */
  clients(): Set<RegistryClient> {
    const clients = new Set<RegistryClient>();
    for (const { member } of this.presences()) clients.add(member.client);
    return clients;
  }

  view(): ChannelView {
    const { identity, instance, info } = this.producer.member.client;
    return {
      name: this.name,
      pattern: this.pattern,
      transport: this.route.transport,
      state: this.state,
      schema: this.schema,
      metadata: this.metadata,
      sharedMemory: this.sharedMemory,
      consumers: this.consumers.size,
      producer: { ...info, identity, instance, epoch: this.epoch },
    };
  }
}

/** The state of a channel whose producer has just registered. */
export function firstState({ ready }: ProducerRegistration): ChannelView["state"] {
  return ready === true ? "ready" : "pending";
}

/** A consumer, as the producer is told of it. */
export function consumerView({ id, member, peer }: Presence): ConsumerView {
  const { identity, instance, info } = member.client;
  return { presence: id, identity, instance, name: info.name, peer };
}
