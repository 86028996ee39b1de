import type { BrokerNotice, ClosingReason } from "../protocol/notices.ts";
import { ChannelEntry, consumerView, firstState } from "./channel_entry.ts";
import { ChannelNames } from "./channel_names.ts";
import { type Member, type Presence, PresenceTable } from "./presence.ts";
import type {
  ProducerRegistration,
  RegisteredProducer,
  RegistryClient,
  RegistryEffects,
} from "./registry_client.ts";
import { RegistryCounters } from "./registry_counters.ts";
import type { SchemaStore } from "./schema_store.ts";

/** What a registry knows, and the changes of it that are allowed. Notices follow the change that they tell of. */
export class RegistryState {
  readonly channels = new Map<string, ChannelEntry>();
  readonly names = new ChannelNames();
  readonly presences = new PresenceTable();
  readonly counters = new RegistryCounters();
  readonly effects: RegistryEffects;
  readonly schemas: SchemaStore;
  /** Channels by their state. */
  readonly states = { pending: 0, ready: 0, closing: 0 };
  producers = 0;
  readonly #closeGraceMs: number;
  #closings = 0;

  constructor(effects: RegistryEffects, schemas: SchemaStore, closeGraceMs: number) {
    this.effects = effects;
    this.schemas = schemas;
    this.#closeGraceMs = closeGraceMs;
  }

  /** A channel begins. */
  make(client: RegistryClient, registration: ProducerRegistration): RegisteredProducer {
    const { channel } = registration;
    const presence = this.#addProducer(client, channel);
    const epoch = this.schemas.epochOf(channel) + 1;
    const entry = new ChannelEntry(shared(presence.member, registration), presence, epoch);
    this.channels.set(channel, entry);
    this.names.add(channel);
    this.states[entry.state]++;
    return this.#registered(entry, registration, false);
  }

  /** Another registration of the same identity takes the place of the producer. Consumers stay. */
  takeOver(
    client: RegistryClient,
    entry: ChannelEntry,
    registration: ProducerRegistration,
  ): RegisteredProducer {
    const old = entry.producer;
    this.#release(old);
    entry.producer = this.#addProducer(client, entry.name);
    entry.epoch++;
    entry.update(shared(entry.producer.member, registration));
    this.#setState(entry, firstState(registration));
    this.counters.takeOvers++;
    const registered = this.#registered(entry, registration, true);
    const { name: channel, epoch, route } = entry;
    if (old.member.client !== client) {
      this.tell([old.member.client], { type: "fenced", channel, presence: old.id, epoch });
    }
    const consumers = new Set<RegistryClient>();
    for (const { member } of entry.consumers.values()) consumers.add(member.client);
    this.tell(consumers, { type: "producerChanged", channel, epoch, route });
    return registered;
  }

  /** The producer goes on by another connection. */
  goOn(entry: ChannelEntry, registration: ProducerRegistration): RegisteredProducer {
    const { producer } = entry;
    producer.connection = producer.member.connection;
    entry.update(shared(producer.member, registration));
    return this.#registered(entry, registration, false);
  }

  /** The producer gave a heartbeat. */
  hasShown(producer: Presence): void {
    const entry = this.channels.get(producer.channel)!;
    if (entry.state === "pending") this.#setState(entry, "ready");
  }

  producerLeaves(entry: ChannelEntry, reason: ClosingReason): void {
    const clients = entry.clients();
    this.#release(entry.producer);
    entry.hasProducer = false;
    if (entry.state === "closing") this.#endIfEmpty(entry);
    else this.close(entry, reason, clients);
  }

  consumerLeaves(entry: ChannelEntry, consumer: Presence, how: "consumerLeft" | "consumerDied"): void {
    entry.consumers.delete(consumer.id);
    this.#release(consumer);
    this.tellProducer(entry, { type: how, channel: entry.name, consumer: consumerView(consumer) });
    if (entry.state === "closing") this.#endIfEmpty(entry);
  }

  /** A channel closes: those who are there get time to leave. */
  close(entry: ChannelEntry, reason: ClosingReason, clients: Iterable<RegistryClient>): void {
    const { name: channel, epoch } = entry;
    this.#setState(entry, "closing");
    entry.closing = ++this.#closings;
    const isGone = this.#endIfEmpty(entry);
    this.tell(clients, { type: "channelClosing", channel, epoch, reason, graceMs: this.#closeGraceMs });
    if (!isGone) this.effects.grace(channel, entry.closing);
  }

  /** A closing channel ends, whoever is left. */
  force(entry: ChannelEntry): void {
    const clients = entry.clients();
    for (const presence of entry.presences()) this.#release(presence);
    entry.hasProducer = false;
    entry.consumers.clear();
    this.#endIfEmpty(entry);
    this.counters.forced++;
    this.tell(clients, { type: "forcedShutdown", channel: entry.name, epoch: entry.epoch });
  }

  /** Tells the producer of a channel, if it is there. Returns how many were told. */
  tellProducer(entry: ChannelEntry, notice: BrokerNotice): number {
    return entry.hasProducer ? this.tell([entry.producer.member.client], notice) : 0;
  }

  /** Tells clients. Returns how many. */
  tell(clients: Iterable<RegistryClient>, notice: BrokerNotice): number {
    let told = 0;
    for (const client of clients) {
      told++;
      this.counters.notices++;
      this.effects.notice(client, notice);
    }
    return told;
  }

  #addProducer(client: RegistryClient, channel: string): Presence {
    this.producers++;
    return this.presences.add(client, "producer", channel);
  }

  #registered(entry: ChannelEntry, { schema }: ProducerRegistration, tookOver: boolean): RegisteredProducer {
    const { name, pattern, epoch, producer } = entry;
    this.schemas.put(name, { ...schema, hash: entry.schema.hash }, pattern, epoch);
    this.counters.registrations++;
    this.effects.renew(producer.id);
    return { presence: producer.id, epoch, tookOver };
  }

  #release(presence: Presence): void {
    if (presence.role === "producer") this.producers--;
    this.presences.remove(presence);
    this.effects.release(presence.id);
  }

  #endIfEmpty(entry: ChannelEntry): boolean {
    if (!entry.isEmpty) return false;
    this.channels.delete(entry.name);
    this.states[entry.state]--;
    this.names.remove(this.channels.size, (name) => this.channels.has(name));
    return true;
  }

  #setState(entry: ChannelEntry, state: ChannelEntry["state"]): void {
    this.states[entry.state]--;
    this.states[state]++;
    entry.state = state;
  }
}

/** The registration, with the peer info that all registrations of an instance share. */
function shared(member: Member, registration: ProducerRegistration): ProducerRegistration {
  const { route } = registration;
  if (route.transport === "plain") return registration;
  return { ...registration, route: { ...route, peer: member.shared(route.peer) } };
}
