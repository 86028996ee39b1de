import {
  Backoff,
  type Clock,
  errorText,
  guardLogger,
  type InstanceId,
  LeaseTable,
  type Logger,
  onAbort,
  readOptions,
  requireOption,
  retry,
  withDefaults,
  ZeromeshError,
} from "../core/mod.ts";
import { amHandler, portOf, type WaitOptions, waitOptionTable } from "../messenger/mod.ts";
import { enterCohort } from "./entry.ts";
import { registerHandlers } from "./register_handlers.ts";
import {
  clockOf,
  type CohortMessenger,
  isUp,
  type JoinOptions,
  joinOptionTable,
  type ResolvedJoinOptions,
} from "./options.ts";
import { type CohortContracts, cohortContracts, type Joined } from "./protocol.ts";
import { Timeout } from "./timeout.ts";

// How long the answer to `leave` is awaited, without time for more or without a connection.
const longestFarewellMs = 1_000;

/**
 * Joins a cohort. The membership lasts until the cohort ends, {@link CohortMembership.close} is called, or the
 * messenger closes. Register handlers before joining.
 *
 * After the loss of the leader, the worker tries to rejoin for `rejoinForMs`, also a leader that was restarted at the
 * same address. Each attempt claims the rank that the worker had.
 *
 * @param messenger The worker's messenger.
 * @param options The leader, and the rank to claim.
 * @throws {ZeromeshError} `COHORT_FULL`, `RANK_TAKEN`, `RANK_INVALID`, `RANK_REQUIRED`, `RANK_UNEXPECTED`,
 * `COHORT_ENDED`; `PEER_UNREACHABLE`; `HANDLER_NOT_FOUND` when the leader has no such cohort.
 */
export async function joinCohort(
  messenger: CohortMessenger,
  options: JoinOptions & { rank: number },
): Promise<CohortMembership<number>>;
/** The same for a worker without a claimed rank. */
export async function joinCohort(messenger: CohortMessenger, options: JoinOptions): Promise<CohortMembership>;
export async function joinCohort(
  messenger: CohortMessenger,
  options: JoinOptions,
): Promise<CohortMembership> {
  return await CohortMembership.join(messenger, options);
}

/**
 * A worker's place in a cohort, made by {@link joinCohort}.
 *
 * @typeParam Rank `number` for a worker that has claimed its rank.
 */
export class CohortMembership<Rank extends number | null = number | null> implements AsyncDisposable {
  readonly #messenger: CohortMessenger;
  readonly #contracts: CohortContracts;
  readonly #options: ResolvedJoinOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #handlers: Disposable[] = [];
  readonly #over = new AbortController();
  readonly #ended = Promise.withResolvers<string>();
  /** The lease of the leader. */
  readonly #presence: LeaseTable<"leader">;
  #joined!: Joined;
  #heardAt = 0;
  #leaving: Promise<void> = Promise.resolve();
  /** Rejoining, while this worker has no place; it never rejects. */
  #rejoining: Promise<void> | null = null;
  #finishing = false;
  // Whether the connection was lost since this worker joined: the leader may have restarted then.
  #severed = false;

  private constructor(messenger: CohortMessenger, options: ResolvedJoinOptions) {
    this.#messenger = messenger;
    this.#clock = clockOf(messenger);
    this.#presence = new LeaseTable({ clock: this.#clock, expired: () => this.#rejoin() });
    this.#options = options;
    this.#contracts = cohortContracts(options.name);
    this.#logger = guardLogger(options.logger);
  }

  /** Use {@link joinCohort}. */
  static async join(messenger: CohortMessenger, given: JoinOptions): Promise<CohortMembership> {
    const read = readOptions(given, joinOptionTable, "Cannot join a cohort");
    requireOption(read, "leader", joinOptionTable, "Cannot join a cohort");
    const options = withDefaults(read, joinOptionTable);
    const { rank = null, timeoutMs, signal } = options;
    signal?.throwIfAborted();
    const membership = new CohortMembership(messenger, options);
    try {
      membership.#open();
      await membership.#enter(rank, timeoutMs, signal);
    } catch (error) {
      membership.#end(errorText(error));
      throw error;
    }
    membership.#follow();
    return membership;
  }

  /** The leader's id. It changes when the leader restarts under a new one. */
  get leader(): InstanceId {
    return this.#joined.leader;
  }

  /** This worker's rank, or null in a cohort without ranks. */
  get rank(): Rank {
    return this.#joined.rank as Rank;
  }

  /** Position in the order of joining, from 0. */
  get position(): number {
    return this.#joined.position;
  }

  /** Number of workers of the cohort; null if it has no size. */
  get size(): number | null {
    return this.#joined.size;
  }

  /** Aborts when the membership ends. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /**
   * Resolves to the reason when the membership ends, and never rejects. The reason is `left` after {@link close}; other
   * reasons name the leader, the closed messenger or the signal.
   */
  get closed(): Promise<string> {
    return this.#ended.promise;
  }

  /** Alias of {@link closed}. */
  get ended(): Promise<string> {
    return this.closed;
  }

  /**
   * Waits until all workers of a complete cohort have arrived at the barrier of this name.
   *
   * When a worker is lost meanwhile, its replacement is awaited (`replaceWithinMs`), or the cohort ends (`endAll`);
   * with `continue` the others pass if the cohort is complete without it, and fail otherwise. While this worker rejoins
   * a lost leader, the barrier waits.
   *
   * @throws {ZeromeshError} `TIMEOUT`, `COHORT_ENDED`, `COHORT_WORKER_LOST`; `PEER_DISCONNECTED` when the leader is
   * gone.
   */
  async barrier(name: string, options?: WaitOptions): Promise<void> {
    await this.allGather(name, null, options);
  }

  /**
   * Contributes a value, and returns the values of all workers, in order of rank. Lost workers are treated as by
   * {@link barrier}.
   *
   * @param name The same for all workers. It can be used again afterwards.
   * @param value A JSON value.
   * @throws {ZeromeshError} `TIMEOUT`, `COHORT_ENDED`, `COHORT_WORKER_LOST`, `PEER_DISCONNECTED`.
   */
  async allGather(name: string, value: unknown, options?: WaitOptions): Promise<unknown[]> {
    const { timeoutMs, signal: given } = readOptions(options, waitOptionTable, "Cannot gather", name);
    this.#over.signal.throwIfAborted();
    const signal = given === undefined ? this.#over.signal : AbortSignal.any([given, this.#over.signal]);
    const { values } = await this.#messenger.typedUnary(this.#contracts.gather, {
      ...await this.#placeIn(timeoutMs, signal),
      to: this.leader,
      payload: { name, value },
      signal,
    });
    return values;
  }

  /** Waits while this worker rejoins. Resolves to the remaining time and the signal. */
  async #placeIn(timeoutMs: number | undefined, signal: AbortSignal): Promise<WaitOptions> {
    if (this.#rejoining === null) return { timeoutMs };
    const timeout = new Timeout(this.#clock, timeoutMs ?? Infinity, { signal });
    await timeout.hold(this.#rejoining, () => {
      return new ZeromeshError(
        "TIMEOUT",
        `The leader ${this.#leaderText()} was not found again within ${timeoutMs} ms`,
        { peer: this.leader },
      );
    });
    return timeoutMs === undefined ? {} : timeout.wait;
  }

  /** The leader's name in messages. */
  #leaderText(): string {
    return portOf(this.#messenger)?.textOf(this.leader) ?? this.leader;
  }

  /** Leaves the cohort. Never rejects: a leader that cannot be reached notices the silence. */
  close(): Promise<void> {
    return this.#leave("left");
  }

  /** Same as {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #leave(reason: string, longestMs = Infinity): Promise<void> {
    if (this.#over.signal.aborted) return this.#leaving;
    return this.#leaving = this.#tell(reason, longestMs);
  }

  async #tell(reason: string, longestMs: number): Promise<void> {
    const { lostAfterMs } = this.#joined;
    const timeoutMs = Math.min(
      longestMs,
      isUp(this.#messenger, this.leader) ? lostAfterMs : longestFarewellMs,
    );
    const call = { to: this.leader, payload: {}, timeoutMs };
    this.#stop(reason);
    await this.#messenger.typedUnary(this.#contracts.leave, call).catch((error) => {
      this.#logger.info("the leader could not be told that its worker leaves", { error: errorText(error) });
    });
    // Last, because a waiter for the end may close its messenger, which ends calls under way.
    this.#ended.resolve(reason);
  }

  #open(): void {
    const { beat, shutdown } = this.#contracts;
    const handlers = [
      amHandler(beat, ({ senderInstanceId }) => {
        if (senderInstanceId === this.#joined?.leader) this.#heard();
      }),
      amHandler(shutdown, ({ input, senderInstanceId }) => {
        if (senderInstanceId !== this.#joined?.leader) throw new Error("Only the leader ends its cohort");
        void this.#finish(input.reason);
      }),
    ];
    registerHandlers(this.#messenger, handlers, this.#handlers);
  }

  async #finish(reason: string): Promise<void> {
    if (this.#finishing || this.#over.signal.aborted) return;
    this.#finishing = true;
    try {
      await this.#options.onEnding?.(reason);
    } catch (error) {
      this.#logger.warn("onEnding failed", { error: errorText(error) });
    }
    await this.#leave(reason);
  }

  async #enter(rank: number | null, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { leader, serverKey } = this.#options;
    const attempt = { leader, serverKey, clock: this.#clock, contract: this.#contracts.join };
    this.#joined = await enterCohort(this.#messenger, { ...attempt, rank, timeoutMs, signal });
    this.#heard();
    this.#severed = false;
  }

  /** Renews the leader's lease. */
  #heard(): void {
    const { lostAfterMs, heartbeatMs } = this.#joined;
    this.#heardAt = this.#clock.now();
    this.#presence.renew("leader", lostAfterMs + heartbeatMs);
  }

  /** Follows the signal, the messenger and the leader's connection. */
  #follow(): void {
    const { signal } = this.#options;
    const leave = (): void => void this.#leave(`the signal aborted: ${errorText(signal?.reason)}`);
    this.#handlers.push(onAbort(signal, leave));
    if (signal?.aborted) return;
    const watching = portOf(this.#messenger)?.watch({
      lost: (peer, rest) => {
        if (peer !== this.leader || rest === "up" || this.#over.signal.aborted) return;
        this.#severed = true;
        if (this.#options.rejoinForMs > 0) this.#rejoin();
      },
      leaving: (timeoutMs) => this.#closing(timeoutMs),
    });
    if (watching !== undefined) this.#handlers.push(watching);
  }

  /** Leaves when the messenger closes. A disconnected leader is not dialled, which would delay the end. */
  async #closing(timeoutMs: number): Promise<void> {
    const reason = "the messenger of this worker was closed";
    if (this.#over.signal.aborted || isUp(this.#messenger, this.leader)) {
      await this.#leave(reason, Math.min(timeoutMs, longestFarewellMs));
    } else this.#end(reason);
  }

  /** Rejoins a leader that is gone, or that has removed this worker, for instance while it was suspended. */
  #rejoin(): void {
    this.#rejoining ??= this.#comeBack().finally(() => this.#rejoining = null);
  }

  async #comeBack(): Promise<void> {
    const { lostAfterMs } = this.#joined;
    const timeout = new Timeout(
      this.#clock,
      Math.max(0, this.#heardAt + lostAfterMs - this.#clock.now()) + this.#options.rejoinForMs,
    );
    const lost = this.#severed ? "the connection to it was lost" : `it was silent for over ${lostAfterMs} ms`;
    const { signal } = this.#over;
    await retry(async () => {
      if (timeout.leftMs === 0) throw new Error(lost);
      await this.#enter(this.rank, Math.max(1, Math.min(timeout.leftMs, lostAfterMs)), signal);
    }, {
      clock: this.#clock,
      backoff: new Backoff({ firstMs: 50, maxMs: 500 }),
      timeoutMs: timeout.leftMs,
      signal,
      again: (error) => !this.#finishing && !this.#isFinal(error),
    }).catch((error: unknown) => {
      // A leader that has told the worker to end stays silent while it waits for `onEnding`.
      if (!this.#finishing) this.#end(`the leader ${this.#leaderText()} was lost: ${errorText(error)}`);
    });
  }

  /** Whether a refusal is final. A restarted leader may not lead its cohort yet. */
  #isFinal(error: unknown): boolean {
    if (!(error instanceof ZeromeshError)) return false;
    return finalCodes.has(error.code) || (error.code === "HANDLER_NOT_FOUND" && !this.#severed);
  }

  #end(reason: string): void {
    if (this.#over.signal.aborted) return;
    this.#stop(reason);
    this.#ended.resolve(reason);
  }

  #stop(reason: string): void {
    this.#presence[Symbol.dispose]();
    for (const handler of this.#handlers.splice(0)) handler[Symbol.dispose]();
    const message = `The membership ended: ${reason}`;
    const peer = this.#joined?.leader;
    this.#over.abort(new ZeromeshError("COHORT_ENDED", message, { peer, ran: "maybe" }));
  }
}

const finalCodes: ReadonlySet<string> = new Set([
  "COHORT_ENDED",
  "COHORT_FULL",
  "RANK_TAKEN",
  "CLOSED",
  "PEER_REPLACED",
]);
