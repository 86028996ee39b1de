import { ZeromeshError } from "../../core/mod.ts";
import { brokerError, type BrokerErrorCode } from "../errors.ts";
import { checkChannelName } from "../names.ts";
import type { PeerOfClient } from "../protocol/contracts.ts";
import type { ChannelEntry } from "./channel_entry.ts";
import type { ProducerRegistration, RegistryClient, ResolvedLimits } from "./registry_client.ts";
import type { RegistryCounters } from "./registry_counters.ts";
import type { RegistryState } from "./registry_state.ts";

/** The refusals of a registry: each check throws, and counts that. */
export class RegistryChecks {
  readonly #state: RegistryState;
  readonly #limits: ResolvedLimits;
  readonly #counters: RegistryCounters;

  constructor(state: RegistryState, limits: ResolvedLimits) {
    this.#state = state;
    this.#limits = limits;
    this.#counters = state.counters;
  }

  /** An error of the broker, counted. */
  refused<Code extends BrokerErrorCode>(
    code: Code,
    message: string,
    details: Parameters<typeof brokerError<Code>>[2],
  ): ZeromeshError {
    return this.#counters.refused(brokerError(code, message, details));
  }

  name(channel: string, cannot: string): void {
    try {
      checkChannelName(channel, cannot);
    } catch (error) {
      throw this.#counters.refused(error as ZeromeshError);
    }
  }

  /** Data and peer info are those of the client's own instance. */
  instances(client: RegistryClient, cannot: string, instance: string, peer: PeerOfClient | null): void {
    const other = [instance, peer?.instance_id ?? instance].find((one) => one !== client.instance);
    if (other === undefined) return;
    const why = `it names the instance ${other}, but is the instance ${client.instance}`;
    throw this.#counters.refused(
      new ZeromeshError("IDENTITY_MISMATCH", `${cannot}: ${why}`, { ran: "yes" }),
    );
  }

  limit(
    name: "maxChannels" | "maxConsumers" | "maxPresences",
    count: number,
    whose: string,
    cannot: string,
  ): void {
    const max = this.#limits[name];
    if (count < max) return;
    throw this.#counters.refused(
      new ZeromeshError("LIMIT_REACHED", `${cannot}: ${whose} ${name} (${max}) already`, { ran: "yes" }),
    );
  }

  presences({ identity }: RegistryClient, cannot: string): void {
    this.limit("maxPresences", this.#state.presences.countOf(identity), `${identity} has`, cannot);
  }

  metadata({ metadata }: ProducerRegistration, cannot: string): void {
    const max = this.#limits.maxMetadataCharacters;
    const length = metadata === null ? 0 : JSON.stringify(metadata).length;
    if (length <= max) return;
    const why = `its metadata has ${length} characters as JSON, and maxMetadataCharacters is ${max}`;
    throw this.#counters.refused(new ZeromeshError("LIMIT_REACHED", `${cannot}: ${why}`, { ran: "yes" }));
  }

  /** The hash of a schema is that of its text. */
  schemaText({ channel, schema }: ProducerRegistration, cannot: string): void {
    const expected = this.#state.schemas.wrongHash(schema);
    if (expected === null) return;
    const why = `the hash of its schema's text is ${expected}, and not ${schema.hash} as it says`;
    throw this.refused("SCHEMA_MISMATCH", `${cannot}: ${why}`, { channel, expected, given: schema.hash });
  }

  pattern({ name, pattern }: ChannelEntry, given: string, cannot: string): void {
    if (given === pattern) return;
    const why = `the channel's pattern is "${pattern}", and not "${given}"`;
    throw this.refused("PATTERN_MISMATCH", `${cannot}: ${why}`, { channel: name, expected: pattern, given });
  }

  transport({ name, route: { transport } }: ChannelEntry, given: string, cannot: string): void {
    if (given === transport) return;
    const why = `the channel's transport is "${transport}", and not "${given}"`;
    throw this.refused("TRANSPORT_MISMATCH", `${cannot}: ${why}`, {
      channel: name,
      expected: transport,
      given,
    });
  }

  /** Schemas are compared where both sides have one. The producer is told of a wrong one. */
  schema({ identity }: RegistryClient, entry: ChannelEntry, given: string | null, cannot: string): void {
    const { name: channel, schema: { hash: expected, version } } = entry;
    if (given === null || expected === null || given === expected) return;
    const event = "schema_mismatch_attempt";
    this.#state.tellProducer(entry, { type: "channelError", channel, event, expected, given, identity });
    const why = `the channel has another schema, of version "${version}"`;
    throw this.refused("SCHEMA_MISMATCH", `${cannot}: ${why}`, { channel, expected, given });
  }

  /** The channel exists. */
  found(channel: string, cannot: string): ChannelEntry {
    const entry = this.#state.channels.get(channel);
    if (entry !== undefined) return entry;
    throw this.refused("CHANNEL_NOT_FOUND", `${cannot}: there is no such channel`, { channel });
  }

  /** The channel exists, and does not close. */
  open(channel: string, cannot: string): ChannelEntry {
    const entry = this.found(channel, cannot);
    if (entry.state === "closing") throw this.#closed(channel, cannot);
    return entry;
  }

  /** The producer has shown that it works. */
  ready({ name, state }: ChannelEntry, cannot: string): void {
    if (state === "ready") return;
    const why = "its producer has registered and not given its first heartbeat; try again soon";
    throw this.refused("CHANNEL_NOT_READY", `${cannot}: ${why}`, { channel: name });
  }

  /** The client is the producer of the channel, as this presence. */
  producer({ identity }: RegistryClient, entry: ChannelEntry, presence: number, cannot: string): void {
    const { name, producer, hasProducer } = entry;
    if (producer.member.client.identity !== identity) throw this.notRegistered(name, cannot);
    if (producer.id === presence) {
      if (hasProducer) return;
      throw this.#closed(name, cannot);
    }
    // Numbers are given in order, so that a smaller one that is in use no more was the producer before.
    const isFenced = presence < producer.id && this.#state.presences.get(presence) === undefined;
    throw isFenced ? this.stale(entry, cannot) : this.notRegistered(name, cannot);
  }

  #closed(channel: string, cannot: string): ZeromeshError {
    return this.refused("CHANNEL_CLOSED", `${cannot}: it is closing`, { channel });
  }

  notRegistered(channel: string, cannot: string): ZeromeshError {
    return this.refused("NOT_REGISTERED", `${cannot}: the caller has no such registration`, { channel });
  }

  stale({ name, epoch }: ChannelEntry, cannot: string): ZeromeshError {
    const why = `another instance of this identity has taken over, with epoch ${epoch}`;
    return this.refused("STALE_INSTANCE", `${cannot}: ${why}`, { channel: name, epoch });
  }
}
