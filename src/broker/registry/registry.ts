import { readOptions, withDefaults } from "../../core/mod.ts";
import type { ChannelView } from "../protocol/contracts.ts";
import { type ChannelEntry, consumerView } from "./channel_entry.ts";
import { type ChannelList, listChannels, type ListRequest } from "./channel_list.ts";
import { found, type FoundChannel, type FoundMetrics, type FoundPresence } from "./found.ts";
import { sameRoute } from "./presence.ts";
import { RegistryChecks } from "./registry_checks.ts";
import {
  type ConsumerRegistration,
  type ProducerRegistration,
  type RegisteredConsumer,
  type RegisteredProducer,
  type RegistryClient,
  type RegistryEffects,
  type RegistryLimits,
  registryLimits,
  type RegistryStats,
  type ResolvedLimits,
} from "./registry_client.ts";
import { boundedMetrics } from "./registry_counters.ts";
import { RegistryState } from "./registry_state.ts";
import { SchemaStore, type StoredSchema } from "./schema_store.ts";

/**
 * The channels of a broker with their producers and consumers: a state machine without sockets and without a clock. Every method
 * either does all that it says or throws and changes nothing but counters; notices are given after the change. The owner must
 * not call the registry from within its effects.
 *
 * A client belongs to an identity and an instance. It may have many connections one after the other, each with a client object of
 * its own: the latest object that asks something gets the notices. The registry is not told when a connection ends: who is gone
 * for good renews its presences no more, and they expire; who comes back within that time goes on with the presences that it had,
 * by renewing them or by registering again, and nobody notices.
 */
export class ChannelRegistry {
  readonly #limits: ResolvedLimits;
  readonly #state: RegistryState;
  readonly #checks: RegistryChecks;

  /**
   * Makes an empty registry.
   *
   * @param effects What its owner does for it.
   * @param limits Limits.
   * @throws {TypeError} If a limit is unknown or has the wrong type.
   * @throws {RangeError} If a limit is out of its range.
   */
  constructor(effects: RegistryEffects, limits?: RegistryLimits) {
    const given = readOptions<RegistryLimits>(limits, registryLimits, "Cannot make a channel registry");
    const { maxSchemas, maxSchemaCharacters, closeGraceMs } = this.#limits = withDefaults(
      given,
      registryLimits,
    );
    this.#state = new RegistryState(effects, new SchemaStore(maxSchemas, maxSchemaCharacters), closeGraceMs);
    this.#checks = new RegistryChecks(this.#state, this.#limits);
  }

  /**
   * Registers a producer, and with it the channel, which is `pending` until the producer's first heartbeat, unless it
   * says that it is ready.
   *
   * - Of the same identity as the producer that lives, it takes over: the consumers stay and are told, and the old one is fenced.
   * - A channel that closes is made anew; consumers that have not left it are told that they must.
   * - The same instance by another connection goes on with the presence that it had.
   *
   * @throws {ZeromeshError} `NAME_INVALID`; `IDENTITY_MISMATCH` if the route names another instance; `SCHEMA_MISMATCH`,
   * `PATTERN_MISMATCH`, `TRANSPORT_MISMATCH`; `CHANNEL_OWNED` by another identity; `STALE_INSTANCE` if it resumes a registration
   * that another instance took over; `LIMIT_REACHED`.
   */
  registerProducer(client: RegistryClient, registration: ProducerRegistration): RegisteredProducer {
    const { channel, route } = registration;
    const cannot = `Cannot register as the producer of channel "${channel}"`;
    this.#checks.name(channel, "Cannot register as a producer");
    if (route.transport === "stream") this.#checks.instances(client, cannot, route.instance, route.peer);
    this.#checks.schemaText(registration, cannot);
    this.#checks.metadata(registration, cannot);
    const member = this.#state.presences.memberOf(client);
    const entry = this.#state.channels.get(channel);
    if (entry === undefined || entry.state === "closing") {
      return this.#make(client, registration, entry, cannot);
    }
    this.#checks.schema(client, entry, registration.schema.hash, cannot);
    const { identity } = entry.producer.member.client;
    const isOwn = identity === client.identity;
    // Consumers that are there rely on them.
    if (!isOwn || entry.consumers.size > 0) {
      this.#checks.pattern(entry, registration.pattern, cannot);
      this.#checks.transport(entry, route.transport, cannot);
    }
    if (!isOwn) {
      throw this.#checks.refused("CHANNEL_OWNED", `${cannot}: its producer ${identity} lives`, {
        channel,
        owner: identity,
      });
    }
    const { producer } = entry;
    if (producer.member === member) {
      if (member.isEarlier(producer) && sameRoute(entry.route, route)) {
        return this.#state.goOn(entry, registration);
      }
    } else if (registration.resumes !== undefined) throw this.#checks.stale(entry, cannot);
    return this.#state.takeOver(client, entry, registration);
  }

  /**
   * Registers a consumer, and tells the producer. The same client may be several consumers of a channel. A consumer that an earlier
   * connection of the same instance registered goes on instead, if this connection has not renewed it.
   *
   * @throws {ZeromeshError} `NAME_INVALID`; `IDENTITY_MISMATCH` if the peer info is of another instance; `CHANNEL_NOT_FOUND`;
   * `CHANNEL_CLOSED` while the channel closes; `TRANSPORT_MISMATCH`, `PATTERN_MISMATCH`, `SCHEMA_MISMATCH`; `CHANNEL_NOT_READY` before
   * the producer's first heartbeat; `LIMIT_REACHED`.
   */
  registerConsumer(client: RegistryClient, registration: ConsumerRegistration): RegisteredConsumer {
    const { channel, peer } = registration;
    const cannot = `Cannot register as a consumer of channel "${channel}"`;
    this.#checks.name(channel, "Cannot register as a consumer");
    this.#checks.instances(client, cannot, client.instance, peer);
    const entry = this.#checks.open(channel, cannot);
    if (registration.transport !== null) this.#checks.transport(entry, registration.transport, cannot);
    if (registration.pattern !== null) this.#checks.pattern(entry, registration.pattern, cannot);
    this.#checks.schema(client, entry, registration.schema.hash, cannot);
    let presence = this.#state.presences.memberOf(client)?.reclaim(channel);
    const isNew = presence === undefined;
    if (presence === undefined) {
      this.#checks.ready(entry, cannot);
      this.#checks.limit("maxConsumers", entry.consumers.size, "the channel has", cannot);
      this.#checks.presences(client, cannot);
      presence = this.#state.presences.add(client, "consumer", channel);
      entry.consumers.set(presence.id, presence);
    }
    presence.peer = presence.member.shared(peer);
    this.#state.counters.registrations++;
    this.#state.effects.renew(presence.id);
    if (isNew) {
      this.#state.tellProducer(entry, { type: "consumerJoined", channel, consumer: consumerView(presence) });
    }
    return { presence: presence.id, channel: entry.view(), route: entry.route };
  }

  /**
   * Renews presences of the client's instance. The first heartbeat of a producer makes its channel ready.
   *
   * @param presences Their numbers.
   * @param metrics Counters of its channels, by the channels' names; they replace those that its presences reported before.
   * @returns The numbers of presences that the client does not have, or no longer.
   */
  heartbeat(
    client: RegistryClient,
    presences: Iterable<number>,
    metrics?: Readonly<Record<string, Readonly<Record<string, number>>>>,
  ): number[] {
    const unknown: number[] = [];
    const member = this.#state.presences.memberOf(client);
    for (const id of presences) {
      const presence = this.#state.presences.get(id);
      if (presence === undefined || presence.member !== member) {
        unknown.push(id);
        continue;
      }
      presence.connection = member.connection;
      this.#state.effects.renew(id);
      if (presence.role === "producer") this.#state.hasShown(presence);
      if (metrics !== undefined && Object.hasOwn(metrics, presence.channel)) {
        const reported = metrics[presence.channel]!;
        const bounded = boundedMetrics(reported, this.#limits.maxMetrics, this.#state.counters);
        this.#state.presences.measure(presence, bounded);
      }
    }
    return unknown;
  }

  /** A presence was not renewed in time. The channel of a producer closes; a producer is told of a consumer. */
  expire(presence: number): void {
    const gone = this.#state.presences.get(presence);
    if (gone === undefined) return;
    this.#state.counters.expiries++;
    const entry = this.#state.channels.get(gone.channel)!;
    if (gone.role === "consumer") this.#state.consumerLeaves(entry, gone, "consumerDied");
    else this.#state.producerLeaves(entry, "timeout");
  }

  /**
   * Takes a producer back: its channel closes. All who are there are told, the producer included.
   *
   * @throws {ZeromeshError} `CHANNEL_NOT_FOUND`; `NOT_REGISTERED` for another identity; `STALE_INSTANCE` if the presence was taken over;
   * `CHANNEL_CLOSED` if the producer has left already. Nobody is told then.
   */
  deregisterProducer(client: RegistryClient, channel: string, presence: number): void {
    const cannot = `Cannot deregister the producer of channel "${channel}"`;
    const entry = this.#checks.found(channel, cannot);
    this.#checks.producer(client, entry, presence, cannot);
    this.#state.producerLeaves(entry, "deregistered");
  }

  /**
   * Takes a consumer back, and tells the producer.
   *
   * @throws {ZeromeshError} `CHANNEL_NOT_FOUND`; `NOT_REGISTERED` for another identity, or without such a consumer.
   */
  deregisterConsumer(client: RegistryClient, channel: string, presence: number): void {
    const cannot = `Cannot deregister a consumer of channel "${channel}"`;
    const entry = this.#checks.found(channel, cannot);
    const consumer = entry.consumers.get(presence);
    if (consumer?.member.client.identity !== client.identity) {
      throw this.#checks.notRegistered(channel, cannot);
    }
    this.#state.consumerLeaves(entry, consumer, "consumerLeft");
  }

  /**
   * Closes a channel. All who are there are told, and have the grace period to leave.
   *
   * @param options `ofOthers`: whether the client may close channels that are not its own.
   * @throws {ZeromeshError} `CHANNEL_NOT_FOUND`; `NOT_REGISTERED` for another identity that may not; `CHANNEL_CLOSED` if it closes
   * already.
   */
  closeChannel(client: RegistryClient, channel: string, { ofOthers = false } = {}): void {
    const cannot = `Cannot close channel "${channel}"`;
    const entry = this.#checks.found(channel, cannot);
    if (!ofOthers && entry.producer.member.client.identity !== client.identity) {
      throw this.#checks.notRegistered(channel, cannot);
    }
    this.#checks.open(channel, cannot);
    // The producer that asks for it has left with that.
    if (entry.producer.member.client === client) this.#state.producerLeaves(entry, "closed");
    else this.#state.close(entry, "closed", entry.clients());
  }

  /** The grace period of a closing has passed. Those who are still there are told, and the channel is gone. */
  graceOver(channel: string, closing: number): void {
    const entry = this.#state.channels.get(channel);
    if (entry !== undefined && entry.closing === closing && closing !== 0) this.#state.force(entry);
  }

  /**
   * What a consumer has to know of a channel.
   *
   * @throws {ZeromeshError} `NAME_INVALID`, `CHANNEL_NOT_FOUND`, `CHANNEL_NOT_READY`, `CHANNEL_CLOSED`.
   */
  discover(_client: RegistryClient, channel: string): ChannelView {
    const cannot = `Cannot discover channel "${channel}"`;
    this.#checks.name(channel, "Cannot discover a channel");
    const entry = this.#checks.open(channel, cannot);
    this.#checks.ready(entry, cannot);
    return entry.view();
  }

  /** A channel in any state, for the registry's owner. */
  find(channel: string): FoundChannel | undefined {
    const entry = this.#state.channels.get(channel);
    if (entry === undefined) return undefined;
    const { state, route, epoch } = entry;
    const producer = entry.hasProducer ? found(entry.producer) : null;
    const consumer = (presence: number): FoundPresence | undefined => {
      const one = entry.consumers.get(presence);
      return one && found(one);
    };
    return { state, route, epoch, producer, consumer };
  }

  /** A presence, for the registry's owner. */
  findPresence(presence: number): FoundPresence | undefined {
    const one = this.#state.presences.get(presence);
    return one && found(one);
  }

  /**
   * Whether an instance is a consumer of a producer's channel.
   *
   * @param presence The producer's.
   * @param consumer The consumer's presence.
   * @param instance The consumer's instance.
   * @throws {ZeromeshError} As {@link ChannelRegistry.deregisterProducer}.
   */
  admits(
    client: RegistryClient,
    channel: string,
    presence: number,
    consumer: number,
    instance: string,
  ): boolean {
    const cannot = `Cannot ask for a consumer of channel "${channel}"`;
    const entry = this.#checks.found(channel, cannot);
    this.#checks.producer(client, entry, presence, cannot);
    return entry.consumers.get(consumer)?.member.client.instance === instance;
  }

  /** Channels in the order of their names. */
  list(request: ListRequest = {}): ChannelList {
    return listChannels(this.#state.names, this.#state.channels, request);
  }

  /**
   * A stored schema, of a channel or with a hash. Schemas outlive their channels.
   *
   * @throws {ZeromeshError} `SCHEMA_UNKNOWN`.
   */
  schema({ channel, hash }: { channel?: string | undefined; hash?: string | undefined }): StoredSchema {
    const schema = channel !== undefined
      ? this.#state.schemas.ofChannel(channel)
      : hash !== undefined
      ? this.#state.schemas.ofHash(hash)
      : undefined;
    if (schema !== undefined && (hash === undefined || schema.hash === hash)) return schema;
    const of = channel !== undefined ? `of channel "${channel}"` : `with the hash ${hash ?? "(none)"}`;
    throw this.#checks.refused("SCHEMA_UNKNOWN", `Cannot find the schema ${of}: the broker stores none`, {
      channel: channel ?? null,
      hash: hash ?? null,
    });
  }

  /** What producers and consumers have reported, of one channel or of all. */
  metrics(
    { channel, limit = 10_000, visible = () => true }: {
      channel?: string | undefined;
      limit?: number | undefined;
      visible?: ((name: string) => boolean) | undefined;
    } = {},
  ): FoundMetrics[] {
    const entry = channel === undefined ? undefined : this.#state.channels.get(channel);
    const all = channel === undefined ? this.#state.presences.measured : entry?.presences() ?? [];
    const reports: FoundMetrics[] = [];
    for (const { id, channel, role, member, metrics } of all) {
      if (reports.length === limit) break;
      if (metrics === null || !visible(channel)) continue;
      reports.push({
        channel,
        role,
        identity: member.client.identity,
        presence: id,
        metrics: { ...metrics },
      });
    }
    return reports;
  }

  /** What an identity is; empty if it is not there. */
  presenceOf(identity: string): FoundPresence[] {
    return [...this.#state.presences.of(identity)].map(found);
  }

  /** Tells the producer of a channel something. Returns how many were told: none, if there is no such channel. */
  notify(client: RegistryClient, channel: string, event: string, data: unknown): number {
    const entry = this.#state.channels.get(channel);
    if (entry === undefined) return 0;
    return this.#state.tellProducer(entry, {
      type: "channelEvent",
      channel,
      from: client.identity,
      event,
      data,
    });
  }

  /** Tells producer and consumers of a channel something, each client once. Returns how many were told. */
  broadcast(client: RegistryClient, channel: string, message: string, data: unknown): number {
    const clients = this.#state.channels.get(channel)?.clients() ?? new Set();
    return this.#state.tell(clients, { type: "broadcast", channel, from: client.identity, message, data });
  }

  /** Counters. */
  stats(): RegistryStats {
    const { states, producers, presences, schemas } = this.#state;
    const { refusals, ...counters } = this.#state.counters;
    return {
      channels: { ...states },
      producers,
      consumers: presences.size - producers,
      schemas: schemas.size,
      ...counters,
      refusals: Object.fromEntries(refusals),
    };
  }

  #make(
    client: RegistryClient,
    registration: ProducerRegistration,
    closing: ChannelEntry | undefined,
    cannot: string,
  ): RegisteredProducer {
    if (closing === undefined) {
      this.#checks.limit("maxChannels", this.#state.channels.size, "the broker has", cannot);
    }
    this.#checks.presences(client, cannot);
    if (closing !== undefined) this.#state.force(closing);
    return this.#state.make(client, registration);
  }
}
