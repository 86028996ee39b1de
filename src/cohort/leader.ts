import {
  Broadcast,
  type CallInput,
  type CallOutput,
  type Contract,
  type DroppedEntries,
  errorText,
  type InstanceId,
  type Logger,
  observeNumbers,
  silentLogger,
  type SubscribeOptions,
  systemClock,
  type UnaryContract,
  ZeromeshError,
} from "../core/mod.ts";
import type { WaitOptions } from "../messenger/mod.ts";
import { Cascade } from "./cascade.ts";
import { cohortMetrics } from "./cohort_metrics.ts";
import { type BroadcastOptions, type CollectiveOptions, Collectives } from "./collectives.ts";
import { Desk } from "./desk.ts";
import { Gathers } from "./gathers.ts";
import { Heartbeats } from "./heartbeats.ts";
import { type Member, Members, type Worker } from "./members.ts";
import {
  cohortDefaults,
  type CohortMessenger,
  type CohortOptions,
  type CohortStats,
  milliseconds,
  resolveCohortOptions,
  type ResolvedCohortOptions,
  type ShutdownOptions,
} from "./options.ts";
import { type CohortContracts, cohortContracts, type Joined } from "./protocol.ts";
import type { CohortResults } from "./results.ts";
import type { CohortStatus } from "./status.ts";
import { TurningPoint } from "./turning_point.ts";

/**
 * The leader's side of a cohort: who belongs to it, and what is done by all of them at once.
 *
 * Leader and workers tell each other that they live; who is silent for `lostAfterMs` is lost, and `failurePolicy`
 * says what becomes of the rest.
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
 * const answers = await cohort.parMap("double", ({ rank }) => Number(rank) + 20);
 * assert.deepEqual(answers.values(), [Uint8Array.of(40)]);
 * ```
 */
export class LeaderWorkerCohort implements AsyncDisposable {
  readonly #messenger: CohortMessenger;
  readonly #options: ResolvedCohortOptions;
  readonly #contracts: CohortContracts;
  readonly #logger: Logger;
  readonly #members: Members;
  readonly #collectives: Collectives;
  readonly #gathers: Gathers;
  readonly #status = new Broadcast<CohortStatus>();
  readonly #desk: Desk;
  readonly #cascade: Cascade;
  readonly #completion: TurningPoint;
  readonly #heartbeats: Heartbeats;
  #ending: Promise<CohortResults<void>> | null = null;
  #reason: string | null = null;
  #metrics: Disposable | null = null;

  private constructor(messenger: CohortMessenger, options: CohortOptions) {
    this.#messenger = messenger;
    this.#options = resolveCohortOptions(options);
    this.#logger = options.logger ?? silentLogger;
    this.#contracts = cohortContracts(this.#options.name);
    this.#members = new Members(this.#options);
    this.#collectives = new Collectives({
      messenger,
      timeoutMs: this.#options.timeoutMs,
      members: () => {
        this.#requireAlive();
        return this.#members.ordered();
      },
    });
    this.#desk = new Desk({
      join: (id, rank) => this.#welcome(id, rank),
      leave: (id) => this.#farewell(id),
      arrive: (id, name, value, signal) => this.#arrive(id, name, value, signal),
      placeMayBeFree: () => this.#someoneSeemsGone(),
      registered: (id) => this.#registered(id),
    });
    this.#cascade = new Cascade(messenger, this.#contracts.shutdown, this.#options);
    this.#completion = new TurningPoint(() => {
      this.#requireAlive();
      return this.#members.complete && this.#members.count > 0;
    });
    this.#heartbeats = new Heartbeats({
      messenger,
      beat: this.#contracts.beat,
      options: this.#options,
      logger: this.#logger,
      members: () => this.#members.ordered(),
      lose: (member) => this.#lose(member),
    });
    this.#gathers = new Gathers(() =>
      this.#members.complete ? this.#members.ordered().map(({ instanceId }) => instanceId) : null
    );
  }

  /**
   * Makes a cohort that workers can join.
   *
   * @param messenger The leader's. Closing it does not end the cohort's workers: shut the cohort down first.
   * @param options Size, ranks, failure policy, times.
   * @throws {ZeromeshError} `HANDLER_EXISTS` when the messenger leads a cohort of that name already.
   */
  static create(messenger: CohortMessenger, options: CohortOptions = {}): LeaderWorkerCohort {
    const cohort = new LeaderWorkerCohort(messenger, options);
    cohort.#desk.open(messenger, cohort.#contracts);
    cohort.#heartbeats.start();
    cohort.#metrics = observeNumbers(options.meter, cohortMetrics, () => cohort.stats());
    return cohort;
  }

  /** The workers, in order of rank, then of joining; lost ones whose place is kept included. */
  workers(): Worker[] {
    return this.#members.ordered().map((member) => member.view());
  }

  /** Whether everybody who belongs to it is there: as many as `size`, none lost, no rank missing. */
  get complete(): boolean {
    return this.#members.complete;
  }

  /** Ranks that nobody has. */
  missingRanks(): number[] {
    return this.#members.missingRanks();
  }

  /** Counters. */
  stats(): CohortStats {
    const all = this.#members.ordered();
    return {
      workers: all.length,
      lost: all.filter(({ state }) => state === "lost").length,
      heartbeats: this.#heartbeats.answered,
      missedHeartbeats: this.#heartbeats.missed,
      refused: this.#desk.refused,
    };
  }

  /** Changes from now on. */
  status(options: SubscribeOptions = {}): AsyncIterableIterator<CohortStatus | DroppedEntries> {
    return this.#status.subscribe(options);
  }

  /**
   * Waits until the cohort is {@link complete}.
   *
   * @throws {ZeromeshError} `TIMEOUT`, saying who is missing; `COHORT_ENDED`.
   */
  async whenComplete(options: WaitOptions = {}): Promise<void> {
    const { name, size } = this.#options;
    const timeoutMs = options.timeoutMs ?? this.#options.timeoutMs;
    await this.#completion.wait(timeoutMs, options, () => {
      const missing = this.missingRanks();
      const workers = `${this.#members.count}${size === null ? "" : ` of ${size}`} workers`;
      const ranks = missing.length > 0 ? `, and misses rank ${missing.join(", ")}` : "";
      return new ZeromeshError(
        "TIMEOUT",
        `The cohort "${name}" has ${workers} after ${timeoutMs} ms${ranks}`,
      );
    });
  }

  /** Waits until every worker has a handler. @throws {AggregateError} If one has none by the deadline. */
  async awaitHandlerOnAllWorkers(handler: string, options: CollectiveOptions = {}): Promise<void> {
    (await this.#collectives.awaitHandler(handler, options)).values();
  }

  /** Fire and forget to every worker, in order of rank. The outcome says who has it in its queue. */
  broadcastToWorkers(
    target: string | Contract,
    options: BroadcastOptions = {},
  ): Promise<CohortResults<void>> {
    return this.#collectives.send(target, options);
  }

  /** Same as {@link broadcastToWorkers}. @throws {ZeromeshError} `RANK_UNKNOWN` in a cohort without ranks. */
  async broadcastByRank(
    target: string | Contract,
    options: BroadcastOptions = {},
  ): Promise<CohortResults<void>> {
    this.#requireAlive();
    if (this.#members.ordered().some(({ rank }) => rank === null)) {
      throw new ZeromeshError("RANK_UNKNOWN", `The workers of "${this.#options.name}" have no ranks`);
    }
    return await this.#collectives.send(target, options);
  }

  /** To every worker; each one's outcome says whether its handler has finished. */
  broadcastToWorkersWithAcks(
    target: string | Contract,
    options: BroadcastOptions = {},
  ): Promise<CohortResults<void>> {
    return this.#collectives.sync(target, options);
  }

  /** Same as {@link broadcastToWorkersWithAcks}, under its later name. */
  parBroadcastAcks(target: string | Contract, options: BroadcastOptions = {}): Promise<CohortResults<void>> {
    return this.#collectives.sync(target, options);
  }

  /** The same question to every worker. */
  parBroadcastResponses<C extends UnaryContract>(
    target: C,
    options: CollectiveOptions & { payload: CallInput<C> },
  ): Promise<CohortResults<CallOutput<C>>>;
  /** The same, by handler name. */
  parBroadcastResponses(target: string, options?: BroadcastOptions): Promise<CohortResults<Uint8Array>>;
  parBroadcastResponses(
    target: string | UnaryContract,
    options: BroadcastOptions = {},
  ): Promise<CohortResults<unknown>> {
    return this.#collectives.call(target as string, options);
  }

  /** A question of its own to every worker. The deadline and the signal also end the wait for its payload. */
  parMap<C extends UnaryContract>(
    target: C,
    payloadOf: (worker: Worker) => CallInput<C> | Promise<CallInput<C>>,
    options?: CollectiveOptions,
  ): Promise<CohortResults<CallOutput<C>>>;
  /** The same, by handler name: bytes are sent as they are, everything else as JSON. */
  parMap(
    target: string,
    payloadOf: (worker: Worker) => unknown,
    options?: CollectiveOptions,
  ): Promise<CohortResults<Uint8Array>>;
  parMap(
    target: string | UnaryContract,
    payloadOf: (worker: Worker) => unknown,
    options: CollectiveOptions = {},
  ): Promise<CohortResults<unknown>> {
    return this.#collectives.map(target as string, payloadOf, options);
  }

  /**
   * Makes a known instance a worker without its own asking. It must serve the cohort's heartbeat, which
   * `joinCohort` does; one that does not is lost after `lostAfterMs`.
   *
   * @throws {ZeromeshError} `COHORT_FULL`, `RANK_TAKEN`, `RANK_INVALID`, `RANK_REQUIRED`, `RANK_UNEXPECTED`.
   */
  addWorker(worker: InstanceId, options: { rank?: number | undefined } = {}): Worker {
    this.#requireAlive();
    return this.#admit(worker, options.rank ?? null).view();
  }

  /** Takes a worker out; it is not told. Returns whether it was in. */
  removeWorker(worker: InstanceId): boolean {
    const member = this.#members.get(worker);
    if (member === undefined) return false;
    this.#drop(member, "left");
    return true;
  }

  /**
   * Tells every worker to end, in order of rank, and waits until they have said that they did, or the time is over.
   * One that does not answer keeps neither the next ones nor their ends waiting.
   *
   * @returns Who did, and who did not. The same again when it is called again.
   */
  shutdown(options: ShutdownOptions = {}): Promise<CohortResults<void>> {
    const timeoutMs = milliseconds("timeoutMs", options.timeoutMs ?? cohortDefaults.shutdownTimeoutMs);
    return this.#ending ??= this.#shutdown(options.reason ?? "the leader ends the cohort", timeoutMs);
  }

  /** {@link shutdown} with its defaults. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  /** A worker has registered without joining; the cohort takes it if it has room. */
  #registered(id: InstanceId): boolean {
    if (this.#reason !== null || this.#members.get(id) !== undefined) return this.#reason === null;
    try {
      return this.#admit(id, null).plain = true;
    } catch (error) {
      this.#logger.info("a worker registered and got no place", { worker: id, reason: errorText(error) });
    }
    return false;
  }

  /** Whether a place may be free soon: its worker has no connection, or is late. */
  #someoneSeemsGone(): boolean {
    const lateSince = systemClock.now() - 2 * this.#options.heartbeatMs;
    const down = this.#messenger.peers().filter((peer) => !peer.up);
    return this.#members.ordered().some(({ instanceId, heardAt }) =>
      heardAt < lateSince || down.some((peer) => peer.instanceId === instanceId)
    );
  }

  #welcome(id: InstanceId, rank: number | null): Joined {
    this.#requireAlive();
    const member = this.#admit(id, rank);
    const { size, heartbeatMs, lostAfterMs } = this.#options;
    return {
      leader: this.#messenger.instanceId,
      position: member.position,
      rank: member.rank,
      size,
      heartbeatMs,
      lostAfterMs,
    };
  }

  #farewell(id: InstanceId): boolean {
    const member = this.#members.get(id);
    if (member !== undefined) this.#drop(member, "left");
    this.#cascade.left(id);
    return member !== undefined;
  }

  #arrive(id: InstanceId, name: string, value: unknown, signal: AbortSignal): Promise<unknown[]> {
    this.#requireAlive();
    if (this.#members.get(id) !== undefined) return this.#gathers.arrive(name, id, value, signal);
    throw new ZeromeshError("COHORT_WORKER_LOST", `${id} is no worker of this cohort`);
  }

  #admit(id: InstanceId, rank: number | null): Member {
    const { member, how, predecessor } = this.#members.join(id, rank, systemClock.now());
    (predecessor ?? member).stopWaiting?.();
    const worker = member.view();
    if (predecessor !== null) {
      this.#gathers.forget(predecessor.instanceId);
      this.#status.publish({ type: "replaced", worker, predecessor: predecessor.instanceId });
    } else this.#status.publish({ type: how === "new" ? "joined" : "rejoined", worker });
    this.#changed();
    return member;
  }

  #drop(member: Member, type: "left" | "lost"): void {
    member.stopWaiting?.();
    this.#members.remove(member);
    // Nobody is expected in the place of a lost one, so the others would wait in vain.
    this.#gathers.forget(member.instanceId, type === "lost" && !this.#members.complete);
    this.#status.publish({ type, worker: member.view() });
    this.#changed();
  }

  #changed(): void {
    this.#gathers.checkAll();
    if (this.#members.complete && this.#members.count > 0) {
      this.#status.publish({ type: "complete", workers: this.#members.count });
    }
    this.#completion.check();
  }

  #lose(member: Member): void {
    const { failurePolicy } = this.#options;
    this.#logger.warn("a worker of the cohort was lost", { worker: member.instanceId, rank: member.rank });
    if (failurePolicy === "continue") return this.#drop(member, "lost");
    member.state = "lost";
    this.#status.publish({ type: "lost", worker: member.view() });
    const end = (why: string): void =>
      void this.shutdown({ reason: `worker ${member.instanceId} was lost${why}` });
    if (failurePolicy === "endAll") return end("");
    member.stopWaiting = systemClock.after(
      failurePolicy.replaceWithinMs,
      () => end(` and not replaced within ${failurePolicy.replaceWithinMs} ms`),
    );
  }

  async #shutdown(reason: string, timeoutMs: number): Promise<CohortResults<void>> {
    this.#reason = reason;
    this.#heartbeats.stop();
    this.#status.publish({ type: "ending", reason });
    for (const member of this.#members.ordered()) member.stopWaiting?.();
    this.#completion.check();
    this.#gathers.end(
      new ZeromeshError("COHORT_ENDED", `The cohort "${this.#options.name}" ends: ${reason}`),
    );
    const results = await this.#cascade.run(this.#members.ordered(), reason, timeoutMs);
    this.#desk.close();
    this.#metrics?.[Symbol.dispose]();
    this.#status.publish({ type: "ended", reason });
    this.#status.close();
    return results;
  }

  #requireAlive(): void {
    if (this.#reason === null) return;
    throw new ZeromeshError("COHORT_ENDED", `The cohort "${this.#options.name}" has ended: ${this.#reason}`);
  }
}
