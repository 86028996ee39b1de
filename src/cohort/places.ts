import {
  Broadcast,
  errorText,
  type InstanceId,
  LeaseTable,
  type Reporting,
  ZeromeshError,
} from "../core/mod.ts";
import { Gathers } from "./gathers.ts";
import { peerText } from "../messenger/mod.ts";
import { type Member, Members, type NameOf } from "./members.ts";
import type { ResolvedCohortOptions } from "./options.ts";
import type { CohortStatus } from "./status.ts";

/** The cohort, as far as {@link Places} uses it. */
export interface PlacesHost extends Reporting {
  /** Size, ranks, failure policy, times. */
  readonly options: ResolvedCohortOptions;
  /** Looks up an instance's name. */
  readonly nameOf: NameOf;
  /** Whether the cohort has not ended. */
  alive(): boolean;
  /** Tells waiters that the workers have changed. */
  changed(): void;
  /** A worker has answered, so that waiting items may start. */
  heard(): void;
  /** Ends the cohort after the loss of a worker. */
  end(reason: string): void;
}

/** The places of a cohort's workers, and the consequences when a worker comes, goes or is lost. */
export class Places {
  readonly members: Members;
  readonly gathers: Gathers;
  readonly status = new Broadcast<CohortStatus>();
  /** The cohort. */
  readonly host: PlacesHost;
  readonly #present: LeaseTable<Member>;

  constructor(host: PlacesHost) {
    this.host = host;
    this.#present = new LeaseTable({ clock: host.clock, expired: (member) => this.#lose(member) });
    this.members = new Members(host.options, host.nameOf);
    this.gathers = new Gathers(() =>
      this.members.complete ? this.members.ordered().map(({ instanceId }) => instanceId) : null
    );
  }

  /** Gives a worker a place; its own if it has one. @throws {ZeromeshError} See {@link Members.join}. */
  admit(id: InstanceId, rank: number | null, plain = false): Member {
    const { member, how, predecessor } = this.members.join(id, rank, plain ? null : this.host.clock.now());
    if (!plain) this.heard(member);
    (predecessor ?? member).stopWaiting?.();
    const worker = member.view();
    if (predecessor !== null) {
      this.gathers.forget(predecessor);
      this.status.publish({ type: "replaced", worker, predecessor: predecessor.instanceId });
    } else this.status.publish({ type: how === "new" ? "joined" : "rejoined", worker });
    this.#changed();
    return member;
  }

  /** An instance registers without joining. Returns whether it has a place, perhaps from before. */
  registered(id: InstanceId): boolean {
    if (!this.host.alive()) return false;
    const known = this.members.get(id);
    try {
      const member = known?.state === "up" ? known : this.admit(id, null, true);
      this.heard(member);
      return true;
    } catch (error) {
      const reason = errorText(error);
      const worker = peerText({ instanceId: id, name: this.host.nameOf(id) });
      this.host.logger.info("a worker registered and got no place", { worker, reason });
    }
    return false;
  }

  /** Removes a worker at its own request; returns whether it was in. */
  leave(id: InstanceId): boolean {
    const member = this.members.get(id);
    if (member !== undefined) this.#drop(member, "left");
    return member !== undefined;
  }

  /** A worker arrives at a barrier. */
  arrive(id: InstanceId, name: string, value: unknown, signal: AbortSignal): Promise<unknown[]> {
    if (this.members.get(id) !== undefined) return this.gathers.arrive(name, id, value, signal);
    throw new ZeromeshError("COHORT_WORKER_LOST", `Instance ${id} is not a worker of this cohort`);
  }

  /**
   * A worker was heard of. One that never was is awaited. A late answer of one that is lost or has left changes
   * nothing.
   */
  heard(member: Member): void {
    if (member.state === "lost" || this.members.get(member.instanceId) !== member) return;
    const { clock, options: { lostAfterMs, heartbeatMs } } = this.host;
    member.heardAt = clock.now();
    // The answer to the last heartbeat within that time may come until the next one.
    this.#present.renew(member, lostAfterMs + heartbeatMs);
    this.host.heard();
  }

  /** Handles a worker that was silent for too long. */
  #lose(member: Member): void {
    const { options: { failurePolicy }, logger } = this.host;
    const { rank } = member;
    const worker = peerText(member);
    logger.warn("a worker of the cohort was lost", { worker, rank });
    member.state = "lost";
    if (failurePolicy === "continue") return this.#drop(member, "lost");
    this.status.publish({ type: "lost", worker: member.view() });
    this.host.changed();
    const end = (why: string): void => this.host.end(`worker ${worker} was lost${why}`);
    if (failurePolicy === "endAll") return end("");
    member.stopWaiting = this.host.clock.after(
      failurePolicy.replaceWithinMs,
      () => end(` and not replaced within ${failurePolicy.replaceWithinMs} ms`),
    );
  }

  /** Ends all waits. */
  end(error: Error): void {
    for (const member of this.members.ordered()) member.stopWaiting?.();
    this.#present[Symbol.dispose]();
    this.gathers.end(error);
  }

  #drop(member: Member, type: "left" | "lost"): void {
    member.stopWaiting?.();
    this.#present.remove(member);
    this.members.remove(member);
    // Without a replacement the other workers would wait in vain.
    this.gathers.forget(member, type === "lost" && !this.members.complete);
    this.status.publish({ type, worker: member.view() });
    this.#changed();
  }

  #changed(): void {
    this.gathers.checkAll();
    if (this.members.complete && this.members.count > 0) {
      this.status.publish({ type: "complete", workers: this.members.count });
    }
    this.host.changed();
  }
}
