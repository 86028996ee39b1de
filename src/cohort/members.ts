import { type InstanceId, ZeromeshError } from "../core/mod.ts";
import { peerText } from "../messenger/mod.ts";
import { RankBook } from "./ranks.ts";
import type { ResolvedCohortOptions } from "./options.ts";

/**
 * A worker of a cohort.
 *
 * @typeParam Rank `number` where every worker has a rank, null where none has.
 */
export interface Worker<Rank extends number | null = number | null> {
  /** Its instance. */
  readonly instanceId: InstanceId;
  /** What its option `name` says; null without one. */
  readonly name: string | null;
  /** Its rank, or null in a cohort without ranks. */
  readonly rank: Rank;
  /** Its place in the order of joining, from 0; a replacement has its predecessor's. */
  readonly position: number;
  /** `lost`: silent for too long; its place is kept for a replacement. */
  readonly state: "up" | "lost";
}

/** What an instance is called; null without a name, or where that is not known. */
export type NameOf = (id: InstanceId) => string | null;

/** A {@link Worker} as the leader keeps it. */
export class Member implements Worker {
  readonly instanceId: InstanceId;
  readonly rank: number | null;
  readonly position: number;
  state: "up" | "lost" = "up";
  /** Whether it has not joined by itself, and may know nothing of the cohort's own messages. */
  plain: boolean;
  /** When it was heard of last; null while a worker that was given by its id never was. */
  heardAt: number | null;
  /** Whether a heartbeat is under way to it. */
  asked = false;
  /** Ends the wait for a replacement. */
  stopWaiting: (() => void) | null = null;
  readonly #nameOf: NameOf;
  #name: string | null = null;

  /** Made by {@link Members.join}. */
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

  /** What it is called, also when it is gone. */
  get name(): string | null {
    return this.#name = this.#nameOf(this.instanceId) ?? this.#name;
  }

  /** What users see. */
  view(): Worker {
    const { instanceId, name, rank, position, state } = this;
    return { instanceId, name, rank, position, state };
  }
}

/** What {@link Members.join} did. */
export interface JoinOutcome {
  /** The worker's place. */
  readonly member: Member;
  /** `again`: it was a member. `replaced`: it has the place of a lost one. */
  readonly how: "new" | "again" | "replaced";
  /** Whose place it has. */
  readonly predecessor: Member | null;
}

/** Who belongs to a cohort, in order of rank, then of joining. */
export class Members {
  readonly #options: ResolvedCohortOptions;
  readonly #ranks: RankBook;
  readonly #nameOf: NameOf;
  readonly #byId = new Map<InstanceId, Member>();
  #ordered: Member[] | null = null;
  #nextPosition = 0;

  /** @param options The cohort's. */
  constructor(options: ResolvedCohortOptions, nameOf: NameOf = () => null) {
    this.#options = options;
    this.#nameOf = nameOf;
    this.#ranks = new RankBook(options.ranks, options.size, options.maxWorkers);
  }

  /** How many there are, lost ones included. */
  get count(): number {
    return this.#byId.size;
  }

  /** Whether everybody who belongs to it is there. A cohort without a size is, when no rank is missing. */
  get complete(): boolean {
    if (this.#options.size !== null && this.#byId.size < this.#options.size) return false;
    if (this.missingRanks().length > 0) return false;
    return this.ordered().every((member) => member.state === "up");
  }

  /** Ranks that nobody has. */
  missingRanks(): number[] {
    return this.#ranks.missing();
  }

  /** The member with this id. */
  get(id: InstanceId): Member | undefined {
    return this.#byId.get(id);
  }

  /** All, in order of rank, then of joining. */
  ordered(): readonly Member[] {
    const order = (member: Member): number => member.rank ?? member.position;
    return this.#ordered ??= [...this.#byId.values()].sort((a, b) => order(a) - order(b));
  }

  /**
   * Gives a worker a place; its own when it has one.
   *
   * @param now When it joined; null for one that was given by its id or has only registered.
   * @throws {ZeromeshError} `COHORT_FULL` and what {@link RankBook.take} throws. Then nothing has changed.
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

  /** Takes a worker out. */
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
