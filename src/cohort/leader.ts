import {
  type Clock,
  Condition,
  type DroppedEntries,
  type Ending,
  EndOf,
  errorText,
  Guard,
  type InstanceId,
  observeStats,
  onAbort,
  readOptions,
  type SubscribeOptions,
  withDefaults,
  ZeromeshError,
} from "../core/mod.ts";
import { portOf, type WaitOptions, waitOptionTable } from "../messenger/mod.ts";
import { CohortShutdown } from "./cohort_shutdown.ts";
import { cohortMetrics } from "./cohort_metrics.ts";
import { CohortCalls } from "./cohort_calls.ts";
import type { OngoingWork } from "./distribution.ts";
import { Heartbeats } from "./heartbeats.ts";
import { MembershipHandlers } from "./membership_handlers.ts";
import type { Worker } from "./members.ts";
import {
  type AddWorkerOptions,
  addWorkerOptionTable,
  clockOf,
  type CohortCloseOptions,
  cohortCloseOptionTable,
  type CohortMessenger,
  type CohortOptions,
  cohortOptionTable,
  type CohortStats,
  isUp,
  type RankMode,
  type RankOf,
  resolveCohortOptions,
  type ResolvedCohortOptions,
} from "./options.ts";
import { type CohortContracts, cohortContracts, type Joined } from "./protocol.ts";
import { CohortResults } from "./results.ts";
import type { CohortStatus } from "./status.ts";
import { Places } from "./places.ts";

/**
 * The leader's side of a cohort: its members, and calls to all of them.
 *
 * Leader and workers exchange heartbeats. A worker that is silent for `lostAfterMs` is lost, and `failurePolicy`
 * decides what becomes of the cohort.
 *
 * @example Usage
 * ```ts
 * import { Messenger, unaryHandler } from "zeromesh";
 * import { joinCohort, LeaderWorkerCohort } from "zeromesh/cohort";
 * import assert from "node:assert/strict";
 *
 * await using leader = await Messenger.create();
 * await using cohort = LeaderWorkerCohort.create(leader, { size: 1 });
 *
 * await using worker = await Messenger.create();
 * worker.registerHandler(unaryHandler("double", ({ json }) => Uint8Array.of(2 * Number(json()))));
 * const { rank } = await joinCohort(worker, { leader: leader.endpoint });
 * assert.equal(rank, 0);
 *
 * await cohort.whenComplete();
 * const answers = await cohort.map("double", ({ rank }) => Number(rank) + 20);
 * assert.deepEqual(answers.values(), [Uint8Array.of(40)]);
 * ```
 */
export class LeaderWorkerCohort<Rank extends number | null = number | null> extends CohortCalls<Rank>
  implements AsyncDisposable {
  readonly #messenger: CohortMessenger;
  readonly #options: ResolvedCohortOptions;
  readonly #contracts: CohortContracts;
  readonly #places: Places;
  readonly #handlers: MembershipHandlers;
  readonly #cascade: CohortShutdown;
  readonly #completion: Condition;
  readonly #clock: Clock;
  readonly #heartbeats: Heartbeats;
  readonly #distributions: Set<OngoingWork>;
  readonly #uses: Disposable[] = [];
  readonly #guard: Guard;
  readonly #end = new EndOf();
  #closing: Promise<CohortResults<void, Rank>> | null = null;
  #reason: string | null = null;

  private constructor(messenger: CohortMessenger, options: CohortOptions) {
    const resolved = resolveCohortOptions(options);
    const distributions = new Set<OngoingWork>();
    const clock = clockOf(messenger);
    super({
      clock,
      messenger,
      timeoutMs: resolved.timeoutMs,
      distributions,
      members: () => {
        this.#requireAlive();
        return this.#places.members.ordered();
      },
    });
    this.#messenger = messenger;
    this.#clock = clock;
    this.#options = resolved;
    this.#distributions = distributions;
    const { logger } = this.#guard = new Guard(options.logger);
    this.#contracts = cohortContracts(this.#options.name);
    const places = this.#places = new Places({
      options: resolved,
      clock,
      logger,
      nameOf: (id) => portOf(messenger)?.nameOf(id) ?? null,
      alive: () => this.#reason === null,
      changed: () => {
        this.#completion.changed();
        this.#work();
      },
      heard: () => this.#work(),
      end: (reason) => void this.close({ reason }),
    });
    this.#handlers = new MembershipHandlers({
      join: (id, rank) => this.#welcome(id, rank),
      leave: (id) => this.#farewell(id),
      arrive: (id, name, value, signal) => {
        this.#requireAlive();
        return places.arrive(id, name, value, signal);
      },
      placeMayBeFree: () => this.#someoneSeemsGone(),
      registered: (id) => places.registered(id),
    });
    this.#cascade = new CohortShutdown(messenger, this.#contracts.shutdown, resolved, clock);
    this.#completion = new Condition(clock);
    this.#heartbeats = new Heartbeats({
      messenger,
      beat: this.#contracts.beat,
      places,
      left: (worker) => void this.#farewell(worker),
    });
  }

  /**
   * Makes a cohort that workers can join.
   *
   * @param messenger The leader's messenger. Closing it ends the cohort here without telling the workers: close the
   * cohort first, unless a leader at the same address soon takes over.
   * @param given Size, ranks, failure policy, times.
   * @throws {ZeromeshError} `HANDLER_EXISTS` when the messenger already leads a cohort of that name; for `workers` the
   * errors of {@link addWorker}.
   */
  static create<Mode extends RankMode = "assigned">(
    messenger: CohortMessenger,
    given?: CohortOptions<Mode>,
  ): LeaderWorkerCohort<RankOf<Mode>> {
    const options: CohortOptions = readOptions<CohortOptions>(
      given,
      cohortOptionTable,
      "Cannot make a cohort",
    );
    const { signal, meter } = options;
    signal?.throwIfAborted();
    const cohort = new LeaderWorkerCohort<RankOf<Mode>>(messenger, options);
    cohort.#handlers.open(messenger, cohort.#contracts);
    try {
      for (const worker of cohort.#options.workers) cohort.addWorker(worker);
    } catch (error) {
      cohort.#handlers.close();
      throw error;
    }
    cohort.#heartbeats.start();
    cohort.#uses.push(observeStats(meter, cohort.#guard, cohortMetrics, () => cohort.stats()));
    cohort.#follow(signal);
    return cohort;
  }

  /** The workers, in order of rank, then of joining, with lost ones whose place is kept. */
  workers(): Worker<Rank>[] {
    return this.#places.members.ordered().map((member) => member.view() as Worker<Rank>);
  }

  /** Whether all members are there: as many as `size`, none lost, no rank missing. */
  get complete(): boolean {
    return this.#places.members.complete;
  }

  /** Vacant ranks. */
  missingRanks(): number[] {
    return this.#places.members.missingRanks();
  }

  /** A snapshot of the counters. */
  stats(): CohortStats {
    const all = this.#places.members.ordered();
    return {
      workers: all.length,
      lost: all.filter(({ state }) => state === "lost").length,
      heartbeats: this.#heartbeats.answered,
      missedHeartbeats: this.#heartbeats.missed,
      refused: this.#handlers.refused,
    };
  }

  /** Changes from now on. */
  status(options?: SubscribeOptions): AsyncIterableIterator<CohortStatus | DroppedEntries> {
    return this.#places.status.subscribe(options);
  }

  /**
   * Waits until the cohort is {@link complete}.
   *
   * @throws {ZeromeshError} `TIMEOUT`, with the missing workers in its message; `COHORT_ENDED`.
   */
  async whenComplete(given?: WaitOptions): Promise<void> {
    const options = readOptions(given, waitOptionTable, "Cannot wait for the cohort");
    const { name, size } = this.#options;
    const { timeoutMs = this.#options.timeoutMs } = options;
    const complete = (): boolean => {
      this.#requireAlive();
      return this.#places.members.complete && this.#places.members.count > 0;
    };
    const late = (): ZeromeshError => {
      const missing = this.missingRanks();
      const workers = `${this.#places.members.count}${size === undefined ? "" : ` of ${size}`} workers`;
      const ranks = missing.length > 0 ? `, and misses rank ${missing.join(", ")}` : "";
      return new ZeromeshError(
        "TIMEOUT",
        `The cohort "${name}" has ${workers} after ${timeoutMs} ms${ranks}`,
      );
    };
    await this.#completion.until(complete, { timeoutMs, signal: options.signal, late });
  }

  /**
   * Makes an instance a worker without its joining. Its heartbeat is `_health_check` unless it joins later. Until its
   * first answer it is awaited and not lost.
   *
   * @throws {ZeromeshError} `COHORT_FULL`, `RANK_TAKEN`, `RANK_INVALID`, `RANK_REQUIRED`, `RANK_UNEXPECTED`.
   */
  addWorker(worker: InstanceId, options?: AddWorkerOptions): Worker<Rank> {
    const { rank = null } = readOptions(options, addWorkerOptionTable, "Cannot add a worker");
    this.#requireAlive();
    const member = this.#places.admit(worker, rank, true);
    this.#heartbeats.beat(member);
    return member.view() as Worker<Rank>;
  }

  /** Removes a worker without telling it. Returns whether it was in. */
  removeWorker(worker: InstanceId): boolean {
    return this.#places.leave(worker);
  }

  /**
   * Tells every worker to end, in order of rank, and waits until they have ended or the time is over. A worker that
   * does not answer delays no other.
   *
   * @returns The workers that ended and those that did not. A second call returns the same.
   */
  async close(options?: CohortCloseOptions): Promise<CohortResults<void, Rank>> {
    const read = readOptions(options, cohortCloseOptionTable, "Cannot close the cohort");
    const { reason, timeoutMs } = withDefaults(read, cohortCloseOptionTable);
    return await (this.#closing ??= this.#close(reason, timeoutMs));
  }

  /**
   * Resolves when the cohort has ended, and never rejects: to the reason, or to an error when workers did not confirm
   * their end.
   */
  get closed(): Promise<Ending> {
    return this.#end.closed;
  }

  /** {@link close} with its defaults. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Whether a place may be free soon: its worker is disconnected or late. */
  #someoneSeemsGone(): boolean {
    const lateSince = this.#clock.now() - 2 * this.#options.heartbeatMs;
    return this.#places.members.ordered().some(({ instanceId, heardAt }) =>
      (heardAt !== null && heardAt < lateSince) || !isUp(this.#messenger, instanceId)
    );
  }

  #welcome(id: InstanceId, rank: number | null): Joined {
    this.#requireAlive();
    const member = this.#places.admit(id, rank);
    const { size, heartbeatMs, lostAfterMs } = this.#options;
    const leader = this.#messenger.instanceId;
    return {
      leader,
      position: member.position,
      rank: member.rank,
      size: size ?? null,
      heartbeatMs,
      lostAfterMs,
    };
  }

  #farewell(id: InstanceId): boolean {
    const left = this.#places.leave(id);
    this.#cascade.left(id);
    return left;
  }

  /** Follows the signal and the messenger, which end the cohort, and the workers' goodbyes. */
  #follow(signal: AbortSignal | undefined): void {
    this.#uses.push(onAbort(signal, () => {
      void this.close({ reason: `the signal aborted: ${errorText(signal?.reason)}` });
    }));
    const watching = portOf(this.#messenger)?.watch({
      // A goodbye means that the instance has closed. A worker that joined leaves before that.
      lost: (peer, rest) => void (rest === "gone" && this.#farewell(peer)),
      leaving: () => Promise.resolve(this.#abandon()),
    });
    if (watching !== undefined) this.#uses.push(watching);
  }

  /** Ends the cohort when the messenger closes. */
  #abandon(): void {
    const reason = "the leader's messenger was closed";
    if (this.#reason !== null) return;
    this.#stop(reason);
    this.#closing = Promise.resolve(new CohortResults<void, Rank>([]));
    this.#over(reason);
  }

  async #close(reason: string, timeoutMs: number): Promise<CohortResults<void, Rank>> {
    this.#stop(reason);
    this.#places.status.publish({ type: "ending", reason });
    const results = await this.#cascade.run(this.#places.members.ordered(), reason, timeoutMs);
    const { failures, outcomes } = results;
    const left = `${failures.length} of ${outcomes.length} workers did not confirm that they ended`;
    const cause = failures[0]?.error;
    this.#over(
      reason,
      cause === undefined ? reason : new ZeromeshError("COHORT_WORKER_LOST", `${reason}; ${left}`, { cause }),
    );
    return results as CohortResults<void, Rank>;
  }

  /** Gives waiting items to workers after a change. */
  #work(): void {
    for (const distribution of this.#distributions) distribution.changed();
  }

  /** Ends all waits for workers. */
  #stop(reason: string): void {
    this.#reason = reason;
    this.#heartbeats.stop();
    const message = `The cohort "${this.#options.name}" ends: ${reason}`;
    this.#places.end(new ZeromeshError("COHORT_ENDED", message));
    for (const distribution of this.#distributions) {
      distribution.cancel(new ZeromeshError("COHORT_ENDED", message, { ran: "maybe" }));
    }
    this.#completion.changed();
  }

  #over(reason: string, ending: Ending = reason): void {
    this.#handlers.close();
    for (const use of this.#uses.splice(0)) use[Symbol.dispose]();
    this.#places.status.publish({ type: "ended", reason });
    this.#places.status.close();
    this.#end.tell(ending);
  }

  #requireAlive(): void {
    if (this.#reason === null) return;
    throw new ZeromeshError("COHORT_ENDED", `The cohort "${this.#options.name}" has ended: ${this.#reason}`);
  }
}
