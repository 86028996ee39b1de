import { Condition, errorText, hold, type InstanceId, type Logger, ZeromeshError } from "../core/mod.ts";
import type { ServiceDiscovery } from "../discovery/mod.ts";
import type { PeerDirectory, RetriedDestination } from "../messenger/mod.ts";
import { InstanceHealth } from "./instance_health.ts";
import { patienceMs, Reaches } from "./reaches.ts";
import { ServiceMembers } from "./service_members.ts";
import type { ServiceTarget } from "./service_target.ts";

/** A service that instances have failed. */
type RetriedTarget = ServiceTarget & RetriedDestination;

/** What a {@link ServiceDirectory} works with. */
export interface ServiceDirectoryParts {
  /** The back ends that know services. */
  readonly sources: readonly ServiceDiscovery[];
  /** Who is connected. */
  readonly peers: PeerDirectory;
  /** How long to look for an instance that can be reached, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** The most services followed at a time; the one used longest ago is let go. */
  readonly maxServices: number;
  /** Where trouble is reported. */
  readonly logger: Logger;
}

/** Counters of calls to services. */
export interface ServiceStats {
  /** Services followed now. */
  readonly followed: number;
  /** Calls that waited until an instance could be called. */
  readonly waited: number;
  /** Services let go because too many were in use. */
  readonly letGo: number;
  /** Instances that are being connected to now, for calls. */
  readonly reaching: number;
}

// What is looked at again although nothing was heard: the end of a rest, a peer that begins to leave.
const lookAgainMs = 250;

/** Knows who offers which service, and chooses. */
export class ServiceDirectory {
  readonly #parts: ServiceDirectoryParts;
  readonly #services = new Map<string, ServiceMembers>();
  readonly #health = new Map<InstanceId, InstanceHealth>();
  /** Whether an instance can be called, and who offers what. */
  readonly #callable: Condition;
  readonly #watching: Disposable;
  readonly #reaches: Reaches;
  #waited = 0;
  #letGo = 0;

  /** @param parts What it works with. */
  constructor(parts: ServiceDirectoryParts) {
    this.#parts = parts;
    const callable = this.#callable = new Condition(parts.peers.clock);
    this.#watching = parts.peers.watch(() => callable.changed());
    this.#reaches = new Reaches(parts.peers, () => callable.changed());
  }

  /** Counters. */
  stats(): ServiceStats {
    const followed = this.#services.size;
    return { followed, waited: this.#waited, letGo: this.#letGo, reaching: this.#reaches.size };
  }

  /** An instance that is connected and may be called at once, or null. */
  pickNow(target: ServiceTarget): InstanceId | null {
    const members = this.#members(target.service);
    const id = this.#choose(members, target);
    return id !== null && this.#parts.peers.standing(id) === "up" ? this.#chosen(members, id) : null;
  }

  /**
   * An instance that is connected, once there is one.
   *
   * Instances are connected to one after the other, the next one when the one before takes long; whoever is there
   * first is taken. One that is not on this host has to wait a moment for those that may be.
   *
   * @throws {ZeromeshError} `PEER_UNREACHABLE` when none could be reached for as long as a peer is dialled; `FORBIDDEN`
   * when all refuse this instance.
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
      const reached = this.#reaches.begin(id, this.#healthOf(id), {
        // Why it failed is to be known before the time is up.
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

  /** Follows a call to an instance that was picked, and gives its outcome on. */
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

  /** Follows nothing any more. */
  close(): void {
    this.#watching[Symbol.dispose]();
    for (const members of this.#services.values()) members[Symbol.dispose]();
    this.#services.clear();
    this.#reaches.close();
    this.#callable.changed();
  }

  /**
   * The instances that offer a service and are not leaving, once every back end has told.
   *
   * @throws {ZeromeshError} `PEER_UNREACHABLE` when no back end has told for as long as a peer is dialled.
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

  /** @throws {TypeError} If no back end can ever tell. */
  #members(service: string): ServiceMembers {
    let members = this.#services.get(service);
    if (members !== undefined) {
      if (this.#services.size > 1) {
        // The last in the map is the one used last.
        this.#services.delete(service);
        this.#services.set(service, members);
      }
      return members;
    }
    const { sources, peers, logger, maxServices } = this.#parts;
    if (sources.length === 0) {
      throw new TypeError(`Cannot call service "${service}": discovery finds peers only, and no services`);
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

  /** One of those that may be called, on this host if possible; null when there is none now. */
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
      // Of equals the earlier in turn, or the one with less to do.
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

  /** Whether there is one on this host, or perhaps, and this one is not. */
  #nearerThan(service: ServiceMembers, id: InstanceId, target: RetriedTarget): boolean {
    const { peers } = this.#parts;
    if (peers.isLocal(id) !== false) return false;
    const other = this.#choose(service, target);
    return other !== null && peers.isLocal(other) !== false;
  }

  /** @param hurry Whether those that are connected go before those that have yet to be. */
  #rank(id: InstanceId, hurry: boolean): Rank {
    const { peers, connectTimeoutMs } = this.#parts;
    const now = peers.clock.now();
    const health = this.#health.get(id);
    if (health !== undefined && !health.ready(now)) return Rank.none;
    const standing = peers.standing(id);
    if (standing === "leaving") return Rank.none;
    // Where one is that is not connected shows when it is; until then it may be here.
    const rank = peers.isLocal(id) === false ? Rank.far : Rank.near;
    if (standing === "up") {
      (health ?? this.#healthOf(id)).arrived();
      return rank;
    }
    health?.away(now);
    if (health?.late !== true) return hurry ? Rank.unmet : rank;
    // No call waits for it: it is tried beside them, and is back when it is connected.
    if (health.due(now) && !this.#reaches.has(id)) {
      this.#reaches.begin(id, health, { timeoutMs: connectTimeoutMs, nearOnly: false });
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

  /** What is known of instances that offer nothing any more is of no use. */
  #forgetStrangers(): void {
    const offered = new Set<InstanceId>();
    for (const { members } of this.#services.values()) for (const id of members) offered.add(id);
    for (const [id, health] of this.#health) {
      if (health.inFlight === 0 && !offered.has(id)) this.#health.delete(id);
    }
  }

  /** That no instance can be called, and why: `code` after `timeoutMs`, or `FORBIDDEN` when all refuse this one. */
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
      ? `${members.length} offer it, and none of them can be called now` +
        (troubles.length > 0 ? ` (${errorText(cause)})` : "")
      : trouble !== undefined
      ? `discovery cannot be asked: ${errorText(trouble)}`
      : known
      ? "no instance offers it"
      : "discovery has not answered yet";
    const time = `${Math.round(timeoutMs)} ms${code === "TIMEOUT" ? "" : " (connectTimeoutMs)"}`;
    return this.#isForbidden(members)
      ? new ZeromeshError("FORBIDDEN", `Cannot call service "${service}": ${why}`, {
        cause,
        details: { service, instances: members.length },
      })
      : new ZeromeshError(code, `Cannot call service "${service}" within ${time}: ${why}`, {
        cause,
        details: { service, instances: members.length },
      });
  }

  /** Whether all that offer it refuse this instance: then waiting is no use. */
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
