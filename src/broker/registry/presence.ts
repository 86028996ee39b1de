import type { PeerOfClient, ProducerRoute } from "../protocol/contracts.ts";
import type { RegistryClient } from "./registry_client.ts";

/** What a presence does at its channel. */
export type Role = "producer" | "consumer";

/** A producer or a consumer, which lives while its heartbeats come. */
export interface Presence {
  readonly id: number;
  readonly role: Role;
  readonly channel: string;
  readonly member: Member;
  /** Which of its member's connections registered it or renewed it last. */
  connection: number;
  /** How a consumer is dialled. */
  peer: PeerOfClient | null;
  /** Counters that it reported. */
  metrics: Readonly<Record<string, number>> | null;
}

/**
 * An instance of an identity that has presences. It outlives its connections: the latest client object that asks something for
 * it is the one that gets its notices.
 */
export class Member {
  client: RegistryClient;
  /** Counts its connections. */
  connection = 1;
  readonly presences = new Set<Presence>();
  #peer: PeerOfClient | null = null;
  #earlier: Map<string, Presence[]> | null = null;

  constructor(client: RegistryClient) {
    this.client = client;
  }

  /** It asks something through this client. */
  seen(client: RegistryClient): void {
    if (client === this.client) return;
    this.client = client;
    this.connection++;
    this.#earlier = null;
  }

  /**
   * A consumer of the channel that an earlier connection registered and that this one has neither registered again nor renewed:
   * it goes on as the one that is registered now.
   */
  reclaim(channel: string): Presence | undefined {
    if (this.connection === 1) return undefined;
    const earlier = this.#earlier ??= this.#ofEarlierConnections();
    const waiting = earlier.get(channel);
    for (;;) {
      const presence = waiting?.pop();
      if (presence === undefined) {
        earlier.delete(channel);
        return undefined;
      }
      if (this.isEarlier(presence) && this.presences.has(presence)) {
        presence.connection = this.connection;
        return presence;
      }
    }
  }

  /** Whether a presence was registered by an earlier connection and not renewed by this one. */
  isEarlier(presence: Presence): boolean {
    return presence.connection < this.connection;
  }

  /** The same peer info as one object, since all registrations of an instance bring it. */
  shared(peer: PeerOfClient | null): PeerOfClient | null {
    if (peer === null) return null;
    return this.#peer !== null && samePeer(this.#peer, peer) ? this.#peer : this.#peer = peer;
  }

  #ofEarlierConnections(): Map<string, Presence[]> {
    const earlier = new Map<string, Presence[]>();
    for (const presence of this.presences) {
      if (presence.role !== "consumer" || !this.isEarlier(presence)) continue;
      const same = earlier.get(presence.channel);
      if (same === undefined) earlier.set(presence.channel, [presence]);
      else same.push(presence);
    }
    return earlier;
  }
}

interface Identity {
  count: number;
  readonly members: Map<string, Member>;
}

/** All presences, by number and by identity. */
export class PresenceTable {
  readonly #byId = new Map<number, Presence>();
  readonly #identities = new Map<string, Identity>();
  readonly #measured = new Set<Presence>();
  #last = 0;

  /** Presences. */
  get size(): number {
    return this.#byId.size;
  }

  get identities(): number {
    return this.#identities.size;
  }

  get(id: number): Presence | undefined {
    return this.#byId.get(id);
  }

  /** The member that a client speaks for; undefined while it has no presence. */
  memberOf(client: RegistryClient): Member | undefined {
    const member = this.#identities.get(client.identity)?.members.get(client.instance);
    member?.seen(client);
    return member;
  }

  /** Presences of an identity. */
  countOf(identity: string): number {
    return this.#identities.get(identity)?.count ?? 0;
  }

  *of(identity: string): Generator<Presence> {
    for (const member of this.#identities.get(identity)?.members.values() ?? []) yield* member.presences;
  }

  /** Those that have reported metrics. */
  get measured(): Iterable<Presence> {
    return this.#measured;
  }

  add(client: RegistryClient, role: Role, channel: string): Presence {
    let identity = this.#identities.get(client.identity);
    if (identity === undefined) {
      this.#identities.set(client.identity, identity = { count: 0, members: new Map() });
    }
    let member = identity.members.get(client.instance);
    if (member === undefined) identity.members.set(client.instance, member = new Member(client));
    const { connection } = member;
    const presence: Presence = {
      id: ++this.#last,
      role,
      channel,
      member,
      connection,
      peer: null,
      metrics: null,
    };
    this.#byId.set(presence.id, presence);
    member.presences.add(presence);
    identity.count++;
    return presence;
  }

  measure(presence: Presence, metrics: Readonly<Record<string, number>>): void {
    presence.metrics = metrics;
    this.#measured.add(presence);
  }

  remove(presence: Presence): void {
    if (!this.#byId.delete(presence.id)) return;
    this.#measured.delete(presence);
    const { member } = presence;
    const { identity: key, instance } = member.client;
    const identity = this.#identities.get(key)!;
    member.presences.delete(presence);
    if (member.presences.size === 0) identity.members.delete(instance);
    if (--identity.count === 0) this.#identities.delete(key);
  }
}

/** Whether data comes from the same place. */
export function sameRoute(one: ProducerRoute, other: ProducerRoute): boolean {
  if (one.transport === "plain") {
    return other.transport === "plain" && one.endpoint === other.endpoint && one.key === other.key;
  }
  if (other.transport === "plain" || one.instance !== other.instance) return false;
  return one.peer === other.peer ||
    (one.peer !== null && other.peer !== null && samePeer(one.peer, other.peer));
}

function samePeer(one: PeerOfClient, other: PeerOfClient): boolean {
  const { worker_address: bytes } = one;
  return one.instance_id === other.instance_id && bytes.length === other.worker_address.length &&
    bytes.every((byte, index) => byte === other.worker_address[index]);
}
