import { errorText, type InstanceId, type Logger, ZeromeshError } from "../core/mod.ts";
import type { Balance, Roster, ServiceRouter, ServiceTarget } from "../messenger/mod.ts";
import type { ServiceDiscovery } from "./discovery.ts";
import { InstanceHealth } from "./instance_health.ts";
import { ServiceMembers } from "./service_members.ts";

/** What a {@link ServiceDirectory} works with. */
export interface ServiceDirectoryParts {
  /** The back ends that know services. */
  readonly sources: readonly ServiceDiscovery[];
  /** Who is connected. */
  readonly roster: Roster;
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
}

// What is looked at again although nothing was heard: the end of a rest, a peer that begins to leave.
const lookAgainMs = 250;

/** Knows who offers which service, and chooses. */
export class ServiceDirectory implements ServiceRouter {
  readonly #parts: ServiceDirectoryParts;
  readonly #services = new Map<string, ServiceMembers>();
  readonly #health = new Map<InstanceId, InstanceHealth>();
  readonly #waiting = new Set<() => void>();
  readonly #watching: Disposable;
  #waited = 0;
  #letGo = 0;

  /** @param parts What it works with. */
  constructor(parts: ServiceDirectoryParts) {
    this.#parts = parts;
    this.#watching = parts.roster.watch(() => this.#wake());
  }

  /** Counters. */
  stats(): ServiceStats {
    return { followed: this.#services.size, waited: this.#waited, letGo: this.#letGo };
  }

  pickNow(target: ServiceTarget): InstanceId | null {
    const members = this.#members(target.service);
    const id = this.#choose(members, target.balance);
    return id !== null && this.#parts.roster.standing(id) === "up" ? this.#chosen(members, id) : null;
  }

  async pickLater(target: ServiceTarget, signal: AbortSignal): Promise<InstanceId> {
    const { roster, connectTimeoutMs } = this.#parts;
    const giveUpAt = roster.clock.now() + connectTimeoutMs;
    let last: unknown;
    this.#waited++;
    while (!signal.aborted) {
      const members = this.#members(target.service);
      const left = giveUpAt - roster.clock.now();
      if (left <= 0) throw this.#nobody(target, members, last);
      const id = this.#choose(members, target.balance);
      if (id === null) {
        await this.#change(Math.min(left, lookAgainMs), signal);
        continue;
      }
      const chosen = this.#chosen(members, id);
      if (roster.standing(id) === "up") return chosen;
      try {
        await roster.reach(id, left);
        return chosen;
      } catch (error) {
        // Nothing was sent: another one may be chosen.
        last = error;
        this.#healthOf(id).rest(roster.clock.now());
      }
    }
    throw signal.reason;
  }

  track(id: InstanceId, call: Promise<unknown>): void {
    const health = this.#healthOf(id);
    health.inFlight++;
    call.then(
      () => health.answered(),
      (error) => health.failed(error, this.#parts.roster.clock.now()),
    ).finally(() => health.inFlight--);
  }

  /** Follows nothing any more. */
  close(): void {
    this.#watching[Symbol.dispose]();
    for (const members of this.#services.values()) members[Symbol.dispose]();
    this.#services.clear();
    this.#wake();
  }

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
    const { sources, roster, logger, maxServices } = this.#parts;
    for (const [name, oldest] of this.#services) {
      if (this.#services.size < maxServices) break;
      oldest[Symbol.dispose]();
      this.#services.delete(name);
      this.#letGo++;
    }
    members = new ServiceMembers(service, sources, {
      clock: roster.clock,
      logger,
      onChange: () => {
        this.#forgetStrangers();
        this.#wake();
      },
    });
    this.#services.set(service, members);
    return members;
  }

  /** One of those that may be called, on this host if possible; null when there is none now. */
  #choose(service: ServiceMembers, balance: Balance): InstanceId | null {
    const { members } = service;
    const count = members.length;
    const from = balance === "random" ? randomBelow(count) : service.cursor;
    let near: number = -1;
    let far: number = -1;
    for (let step = 0; step < count; step++) {
      const at = (from + step) % count;
      const rank = this.#rank(members[at]!);
      if (rank === Rank.none) continue;
      if (rank === Rank.near) near = this.#better(members, near, at, balance);
      else far = this.#better(members, far, at, balance);
      if (near >= 0 && balance !== "least-in-flight") break;
    }
    const at = near >= 0 ? near : far;
    if (at < 0) return null;
    return members[at]!;
  }

  /** Of two that may be called the earlier in turn, or the one with less to do. */
  #better(members: readonly InstanceId[], best: number, at: number, balance: Balance): number {
    if (best < 0) return at;
    if (balance !== "least-in-flight") return best;
    const load = (index: number) => this.#health.get(members[index]!)?.inFlight ?? 0;
    return load(at) < load(best) ? at : best;
  }

  #rank(id: InstanceId): Rank {
    const { roster } = this.#parts;
    const now = roster.clock.now();
    const health = this.#health.get(id);
    if (health !== undefined && !health.ready(now)) return Rank.none;
    const standing = roster.standing(id);
    if (standing === "leaving") return Rank.none;
    if (standing === "up") {
      if (health === undefined || !health.met) this.#healthOf(id).met = true;
      return roster.isLocal(id) === false ? Rank.far : Rank.near;
    }
    if (health?.met === true) {
      // It was connected and is not: it gets time to come back or to be taken off the list.
      health.met = false;
      health.rest(now);
      return Rank.none;
    }
    // Only connecting tells where it is.
    return Rank.near;
  }

  #chosen(service: ServiceMembers, id: InstanceId): InstanceId {
    service.cursor = (service.members.indexOf(id) + 1) % service.members.length;
    this.#health.get(id)?.chosen(this.#parts.roster.clock.now());
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

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  #change(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        cancel();
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      const cancel = this.#parts.roster.clock.after(ms, wake);
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake);
    });
  }

  why({ service }: ServiceTarget): string {
    const { members, known, trouble } = this.#members(service);
    if (members.length > 0) return `${members.length} offer it, and none of them can be called now`;
    if (trouble !== undefined) return `discovery cannot be asked: ${errorText(trouble)}`;
    return known ? "no instance offers it" : "discovery has not answered yet";
  }

  #nobody(target: ServiceTarget, { members, trouble }: ServiceMembers, last: unknown): ZeromeshError {
    const { service } = target;
    const cause = last ?? trouble;
    return new ZeromeshError(
      "PEER_UNREACHABLE",
      `Cannot call service "${service}" within ${this.#parts.connectTimeoutMs} ms: ${this.why(target)}` +
        (last instanceof Error ? ` (${last.message})` : ""),
      { cause, details: { service, instances: members.length } },
    );
  }
}

const Rank = { none: 0, near: 1, far: 2 } as const;
type Rank = (typeof Rank)[keyof typeof Rank];

function randomBelow(count: number): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) % Math.max(1, count);
}
