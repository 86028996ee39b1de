import { Condition, errorText, hold, type InstanceId, type Logger, ZeromeshError } from "../core/mod.ts";
import type { ServiceDiscovery } from "../discovery/mod.ts";
import type { PeerDirectory, RetriedDestination } from "../messenger/mod.ts";
import { InstanceHealth } from "./instance_health.ts";
import { ConnectionAttempts, patienceMs } from "./connection_attempts.ts";
import { ServiceMembers } from "./service_members.ts";
import type { ServiceTarget } from "./service_target.ts";

/** A service, with the instances that failed this call. */
type RetriedTarget = ServiceTarget & RetriedDestination;

/** The parts of a {@link ServiceDirectory}. */
export interface ServiceDirectoryParts {
  /** The back ends for services. */
  readonly sources: readonly ServiceDiscovery[];
  /** The known peers. */
  readonly peers: PeerDirectory;
  /** How long to look for a reachable instance, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** The most services followed at a time; the least recently used one is dropped. */
  readonly maxServices: number;
  /** Logger. */
  readonly logger: Logger;
}

/** Counters of calls to services. */
export interface ServiceStats {
  /** Followed services. */
  readonly followed: number;
  /** Calls that waited for an instance. */
  readonly waited: number;
  /** Services dropped at the limit. */
  readonly letGo: number;
  /** Attempts to connect that are under way. */
  readonly reaching: number;
}

// Interval of the checks for changes without a notice: the end of a rest, a peer that begins to drain.
const lookAgainMs = 250;

/** The instances of services, and the choice among them. */
export class ServiceDirectory {
  readonly #parts: ServiceDirectoryParts;
  readonly #services = new Map<string, ServiceMembers>();
  readonly #health = new Map<InstanceId, InstanceHealth>();
  /** Changes of the members of services and of connections. */
  readonly #callable: Condition;
  readonly #watching: Disposable;
  readonly #attempts: ConnectionAttempts;
  #waited = 0;
  #letGo = 0;

  constructor(parts: ServiceDirectoryParts) {
    this.#parts = parts;
    const callable = this.#callable = new Condition(parts.peers.clock);
    this.#watching = parts.peers.watch(() => callable.changed());
    this.#attempts = new ConnectionAttempts(parts.peers, () => callable.changed());
  }

  stats(): ServiceStats {
    const followed = this.#services.size;
    return { followed, waited: this.#waited, letGo: this.#letGo, reaching: this.#attempts.size };
  }

  /** Chooses an instance that is connected now, or returns null. */
  pickNow(target: ServiceTarget): InstanceId | null {
    const members = this.#members(target.service);
    const id = this.#choose(members, target);
    return id !== null && this.#parts.peers.standing(id) === "up" ? this.#chosen(members, id) : null;
  }

  /**
   * Chooses an instance, once one is connected.
   *
   * Instances are dialled one after the other, the next one when the one before takes long; the first that connects is
   * chosen. Instances on other hosts wait a moment for those that may be on this one.
   *
   * @throws {ZeromeshError} `PEER_UNREACHABLE` when none connected within the timeout of dialling; `FORBIDDEN` when all
   * refuse this instance.
   */
  async pickLater(target: ServiceTarget, signal: AbortSignal): Promise<InstanceId> {
    const { peers, connectTimeoutMs } = this.#parts;
    const giveUpAt = peers.clock.now() + connectTimeoutMs;
    let hurryAt = Infinity;
    this.#waited++;
    while (!signal.aborted) {
      const members = this.#members(target.service);
      const now = peers.clock.now();
      const left = giveUpAt - now;
      if (left <= 0 || this.#isForbidden(members.members)) {
        throw this.unavailable(target, connectTimeoutMs, "PEER_UNREACHABLE");
      }
      const hurry = now >= hurryAt;
      const id = this.#choose(members, target, hurry);
      if (id === null) {
        await this.#callable.change(Math.min(left, lookAgainMs), signal);
        continue;
      }
      this.#chosen(members, id);
      if (peers.standing(id) === "up") return id;
      hurryAt = Math.min(hurryAt, now + patienceMs);
      const reached = this.#attempts.begin(id, this.#healthOf(id), {
        // The attempt ends a little before the deadline, so that its error is known by then.
        timeoutMs: Math.max(1, left - Math.min(50, left / 10)),
        nearOnly: !hurry && peers.isLocal(id) === null,
      });
      if (reached === null) await this.#callable.change(Math.min(left, lookAgainMs), signal);
      else await hold(reached, { clock: peers.clock, signal }).catch(() => {});
      if (peers.standing(id) === "up" && (hurry || !this.#nearerThan(members, id, target))) {
        return id;
      }
    }
    throw signal.reason;
  }

  /** Records the outcome of a call to a chosen instance, and passes it on. */
  track<T>(id: InstanceId, call: Promise<T>): Promise<T> {
    const health = this.#healthOf(id);
    health.inFlight++;
    return call.then((value) => {
      health.inFlight--;
      health.answered();
      return value;
    }, (error) => {
      health.inFlight--;
      health.failed(error, this.#parts.peers.clock.now());
      throw error;
    });
  }

  /** Ends all watches. */
  close(): void {
    this.#watching[Symbol.dispose]();
    for (const members of this.#services.values()) members[Symbol.dispose]();
    this.#services.clear();
    this.#attempts.close();
    this.#callable.changed();
  }

  /**
   * The instances that offer a service and do not drain, once every back end has answered.
   *
   * @throws {ZeromeshError} `PEER_UNREACHABLE` when no back end answered within the timeout of dialling.
   */
  async instances(target: ServiceTarget, signal: AbortSignal): Promise<InstanceId[]> {
    const { peers, connectTimeoutMs } = this.#parts;
    const giveUpAt = peers.clock.now() + connectTimeoutMs;
    while (!signal.aborted) {
      const { members, known, trouble } = this.#members(target.service);
      const left = giveUpAt - peers.clock.now();
      if (members.length > 0 ? known || left <= 0 : known && trouble === undefined) {
        return members.filter((id) => peers.standing(id) !== "leaving");
      }
      if (left <= 0) throw this.unavailable(target, connectTimeoutMs, "PEER_UNREACHABLE");
      await this.#callable.change(Math.min(left, lookAgainMs), signal);
    }
    throw signal.reason;
  }

  /** @throws {TypeError} If there is no back end for services. */
  #members(service: string): ServiceMembers {
    let members = this.#services.get(service);
    if (members !== undefined) {
      if (this.#services.size > 1) {
        // Most recently used last.
        this.#services.delete(service);
        this.#services.set(service, members);
      }
      return members;
    }
    const { sources, peers, logger, maxServices } = this.#parts;
    if (sources.length === 0) {
      throw new TypeError(
        `Cannot call service "${service}": its discovery back ends find only peers, not services`,
      );
    }
    for (const [name, oldest] of this.#services) {
      if (this.#services.size < maxServices) break;
      oldest[Symbol.dispose]();
      this.#services.delete(name);
      this.#letGo++;
    }
    members = new ServiceMembers(service, sources, {
      clock: peers.clock,
      logger,
      onChange: () => {
        this.#forgetStrangers();
        this.#callable.changed();
      },
    });
    this.#services.set(service, members);
    return members;
  }

  /** The best instance that is ready, on this host if possible; null without one. */
  #choose(service: ServiceMembers, { balance, tried }: RetriedTarget, hurry = false): InstanceId | null {
    const { members } = service;
    const count = members.length;
    const from = balance === "random" ? randomBelow(count) : service.cursor;
    const load = (id: InstanceId) => this.#health.get(id)?.inFlight ?? 0;
    let best: InstanceId | null = null;
    let bestRank: Rank = Rank.none;
    for (let step = 0; step < count; step++) {
      const id = members[(from + step) % count]!;
      const standing = this.#rank(id, hurry);
      const rank = standing !== Rank.none && tried?.has(id) === true ? Rank.tried : standing;
      // Among equals the first in turn, or the one with fewer calls.
      if (
        rank > bestRank ||
        (balance === "least-in-flight" && best !== null && rank === bestRank && load(id) < load(best))
      ) {
        best = id;
        bestRank = rank;
      }
      if (bestRank === Rank.near && balance !== "least-in-flight") break;
    }
    return best;
  }

  /** Whether another instance is, or may be, on this host, and this one is not. */
  #nearerThan(service: ServiceMembers, id: InstanceId, target: RetriedTarget): boolean {
    const { peers } = this.#parts;
    if (peers.isLocal(id) !== false) return false;
    const other = this.#choose(service, target);
    return other !== null && peers.isLocal(other) !== false;
  }

  /** @param hurry Whether connected instances come first. */
  #rank(id: InstanceId, hurry: boolean): Rank {
    const { peers, connectTimeoutMs } = this.#parts;
    const now = peers.clock.now();
    const health = this.#health.get(id);
    if (health !== undefined && !health.ready(now)) return Rank.none;
    const standing = peers.standing(id);
    if (standing === "leaving") return Rank.none;
    // The host of an unconnected instance is unknown: it may be this one.
    const rank = peers.isLocal(id) === false ? Rank.far : Rank.near;
    if (standing === "up") {
      (health ?? this.#healthOf(id)).arrived();
      return rank;
    }
    health?.away(now);
    if (health?.late !== true) return hurry ? Rank.unmet : rank;
    // Calls do not wait for it: it is dialled beside them.
    if (health.due(now) && !this.#attempts.has(id)) {
      this.#attempts.begin(id, health, { timeoutMs: connectTimeoutMs, nearOnly: false });
    }
    return Rank.none;
  }

  #chosen(service: ServiceMembers, id: InstanceId): InstanceId {
    service.cursor = (service.members.indexOf(id) + 1) % service.members.length;
    this.#health.get(id)?.chosen(this.#parts.peers.clock.now());
    return id;
  }

  #healthOf(id: InstanceId): InstanceHealth {
    let health = this.#health.get(id);
    if (health === undefined) this.#health.set(id, health = new InstanceHealth());
    return health;
  }

  /** Drops the health of instances that offer no service any more. */
  #forgetStrangers(): void {
    const offered = new Set<InstanceId>();
    for (const { members } of this.#services.values()) for (const id of members) offered.add(id);
    for (const [id, health] of this.#health) {
      if (health.inFlight === 0 && !offered.has(id)) this.#health.delete(id);
    }
  }

  /**
   * The error of a service without a ready instance: `code` after `timeoutMs`, or `FORBIDDEN` when all refuse this one.
   */
  unavailable(
    { service }: ServiceTarget,
    timeoutMs: number,
    code: "TIMEOUT" | "PEER_UNREACHABLE",
  ): ZeromeshError {
    const { members, known, trouble } = this.#members(service);
    const troubles = members.map((id) => this.#health.get(id)?.trouble).filter((error) =>
      error !== undefined
    );
    const cause = troubles[0] ?? trouble;
    const why = members.length > 0
      ? `none of its instances (${members.length}) can be called now` +
        (troubles.length > 0 ? ` (${errorText(cause)})` : "")
      : trouble !== undefined
      ? `discovery cannot be asked: ${errorText(trouble)}`
      : known
      ? "no instance offers it"
      : "discovery has not answered yet";
    const forbidden = this.#isForbidden(members);
    const option = code === "TIMEOUT" ? "" : " (connectTimeoutMs)";
    const within = forbidden ? "" : ` within ${Math.round(timeoutMs)} ms${option}`;
    const details = { service, instances: members.length };
    const message = `Cannot call service "${service}"${within}: ${why}`;
    return new ZeromeshError(forbidden ? "FORBIDDEN" : code, message, { cause, details });
  }

  /** Whether all members refuse this instance, so that waiting is pointless. */
  #isForbidden(members: readonly InstanceId[]): boolean {
    const isForbidden = (error: unknown) => error instanceof ZeromeshError && error.code === "FORBIDDEN";
    return members.length > 0 && members.every((id) => isForbidden(this.#health.get(id)?.trouble));
  }
}

const Rank = { none: 0, tried: 1, unmet: 2, far: 3, near: 4 } as const;
type Rank = (typeof Rank)[keyof typeof Rank];

function randomBelow(count: number): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) % Math.max(1, count);
}
