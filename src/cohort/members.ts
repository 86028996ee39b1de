import { type InstanceId, ZeromeshError } from "../core/mod.ts";
import { peerText } from "../messenger/mod.ts";
import { RankBook } from "./ranks.ts";
import type { ResolvedCohortOptions } from "./options.ts";

/**
 * A worker of a cohort.
 *
 * @typeParam Rank `number` for a cohort with ranks, null for one without.
 */
export interface Worker<Rank extends number | null = number | null> {
  /** Instance id. */
  readonly instanceId: InstanceId;
  /** The instance's option `name`; null without one. */
  readonly name: string | null;
  /** Rank; null in a cohort without ranks. */
  readonly rank: Rank;
  /** Position in the order of joining, from 0; a replacement has its predecessor's. */
  readonly position: number;
  /** `lost`: silent for too long, with its place kept for a replacement. */
  readonly state: "up" | "lost";
}

/** Looks up an instance's name; null without one, or while it is unknown. */
export type NameOf = (id: InstanceId) => string | null;

/** A {@link Worker} as the leader keeps it. */
export class Member implements Worker {
  readonly instanceId: InstanceId;
  readonly rank: number | null;
  readonly position: number;
  state: "up" | "lost" = "up";
  /** Whether it has not joined by itself and may not know the cohort's messages. */
  plain: boolean;
  /** When it was last heard of; null for a worker added by id that never was. */
  heardAt: number | null;
  /** Whether a heartbeat to it is under way. */
  asked = false;
  /** Cancels the wait for a replacement. */
  stopWaiting: (() => void) | null = null;
  readonly #nameOf: NameOf;
  #name: string | null = null;

  /** Use {@link Members.join}. */
  constructor(
    instanceId: InstanceId,
    rank: number | null,
    position: number,
    now: number | null,
    nameOf: NameOf,
  ) {
    this.instanceId = instanceId;
    this.#nameOf = nameOf;
    this.rank = rank;
    this.position = position;
    this.heardAt = now;
    this.plain = now === null;
  }

  /** Its name, also after it is gone. */
  get name(): string | null {
    return this.#name = this.#nameOf(this.instanceId) ?? this.#name;
  }

  /** The public form. */
  view(): Worker {
    const { instanceId, name, rank, position, state } = this;
    return { instanceId, name, rank, position, state };
  }
}

/** The result of {@link Members.join}. */
export interface JoinOutcome {
  readonly member: Member;
  /** `again`: it was a member already. `replaced`: it has the place of a lost worker. */
  readonly how: "new" | "again" | "replaced";
  /** The lost worker whose place it has. */
  readonly predecessor: Member | null;
}

/** The members of a cohort, in order of rank, then of joining. */
export class Members {
  readonly #options: ResolvedCohortOptions;
  readonly #ranks: RankBook;
  readonly #nameOf: NameOf;
  readonly #byId = new Map<InstanceId, Member>();
  #ordered: Member[] | null = null;
  #nextPosition = 0;

  constructor(options: ResolvedCohortOptions, nameOf: NameOf = () => null) {
    this.#options = options;
    this.#nameOf = nameOf;
    this.#ranks = new RankBook(options.ranks, options.size, options.maxWorkers);
  }

  /** Number of members, with lost ones. */
  get count(): number {
    return this.#byId.size;
  }

  /** Whether all members are there. A cohort without a size is complete when no rank is missing. */
  get complete(): boolean {
    if (this.#options.size !== undefined && this.#byId.size < this.#options.size) return false;
    if (this.missingRanks().length > 0) return false;
    return this.ordered().every((member) => member.state === "up");
  }

  /** Vacant ranks. */
  missingRanks(): number[] {
    return this.#ranks.missing();
  }

  /** The member with this id. */
  get(id: InstanceId): Member | undefined {
    return this.#byId.get(id);
  }

  /** All members, in order of rank, then of joining. */
  ordered(): readonly Member[] {
    const order = (member: Member): number => member.rank ?? member.position;
    return this.#ordered ??= [...this.#byId.values()].sort((a, b) => order(a) - order(b));
  }

  /**
   * Gives a worker a place; its own if it has one.
   *
   * @param now The time of joining; null for a worker added by id or only registered.
   * @throws {ZeromeshError} `COHORT_FULL` and the errors of {@link RankBook.take}. Nothing has changed then.
   */
  join(id: InstanceId, claimed: number | null, now: number | null): JoinOutcome {
    const known = this.#byId.get(id);
    if (known !== undefined) {
      if (claimed !== null && claimed !== known.rank) {
        throw new ZeromeshError(
          "RANK_TAKEN",
          `Worker ${peerText(known)} has rank ${known.rank} and cannot claim ${claimed}`,
        );
      }
      if (now !== null || known.state === "lost") {
        known.plain = now === null;
        known.heardAt = now;
      }
      known.state = "up";
      return { member: known, how: "again", predecessor: null };
    }
    this.#ranks.check(claimed);
    const lost = this.ordered().find((member) =>
      member.state === "lost" && (claimed === null || claimed === member.rank)
    );
    if (lost !== undefined) {
      const member = new Member(id, lost.rank, lost.position, now, this.#nameOf);
      this.#byId.delete(lost.instanceId);
      this.#add(member);
      return { member, how: "replaced", predecessor: lost };
    }
    if (this.#byId.size >= this.#options.maxWorkers) {
      throw new ZeromeshError(
        "COHORT_FULL",
        `The cohort "${this.#options.name}" is full: it has ${this.#byId.size} of ${this.#options.maxWorkers} workers`,
      );
    }
    const member = new Member(id, this.#ranks.take(claimed), this.#nextPosition++, now, this.#nameOf);
    this.#add(member);
    return { member, how: "new", predecessor: null };
  }

  remove(member: Member): void {
    if (this.#byId.get(member.instanceId) !== member) return;
    this.#byId.delete(member.instanceId);
    this.#ranks.free(member.rank);
    if (this.#byId.size === 0) this.#ranks.reset();
    this.#ordered = null;
  }

  #add(member: Member): void {
    this.#byId.set(member.instanceId, member);
    this.#ordered = null;
  }
}
