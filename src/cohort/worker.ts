import {
  Backoff,
  errorText,
  type InstanceId,
  isInstanceId,
  type Logger,
  silentLogger,
  systemClock,
  ZeromeshError,
} from "../core/mod.ts";
import { amHandler, unlimited, type WaitOptions } from "../messenger/mod.ts";
import { cohortDefaults, type CohortMessenger, milliseconds } from "./options.ts";
import { type CohortContracts, cohortContracts, type Joined } from "./protocol.ts";

/** Options of {@link joinCohort}. */
export interface JoinOptions {
  /** The leader: its endpoint, or its id where it is known already. */
  leader: InstanceId | string;
  /** Which of its cohorts. @default {"default"} */
  name?: string | undefined;
  /** The rank to claim, where workers bring their own. */
  rank?: number | undefined;
  /** How long joining may take, in milliseconds. @default {10_000} */
  timeoutMs?: number | undefined;
  /** Gives up joining. */
  signal?: AbortSignal | undefined;
  /**
   * How long a leader that has gone silent is asked again, in milliseconds; 0 not to ask.
   *
   * @default {30_000}
   */
  rejoinForMs?: number | undefined;
  /** What to do before the end is confirmed to the leader, which waits for it a while. */
  onShutdown?: ((reason: string) => unknown) | undefined;
  /** Where trouble is reported. @default {silent} */
  logger?: Logger | undefined;
}

/**
 * Joins a cohort, and stays in it until it ends or {@link CohortMembership.leave}. Register handlers before.
 *
 * @param messenger The worker's.
 * @param options The leader, and the rank to claim.
 * @throws {ZeromeshError} `COHORT_FULL`, `RANK_TAKEN`, `RANK_INVALID`, `RANK_REQUIRED`, `RANK_UNEXPECTED`,
 * `COHORT_ENDED`; `PEER_UNREACHABLE`; `HANDLER_NOT_FOUND` when the leader has no such cohort.
 */
export async function joinCohort(
  messenger: CohortMessenger,
  options: JoinOptions,
): Promise<CohortMembership> {
  return await CohortMembership.join(messenger, options);
}

/** A worker's place in a cohort, made by {@link joinCohort}. */
export class CohortMembership implements AsyncDisposable {
  /** The leader. */
  readonly leader: InstanceId;
  readonly #messenger: CohortMessenger;
  readonly #contracts: CohortContracts;
  readonly #options: JoinOptions;
  readonly #logger: Logger;
  readonly #handlers: Disposable[] = [];
  readonly #over = new AbortController();
  readonly #ended = Promise.withResolvers<string>();
  #joined!: Joined;
  #heardAt = 0;
  #stopWatching: () => void = () => {};
  #rejoining = false;
  #finishing = false;

  private constructor(messenger: CohortMessenger, options: JoinOptions, leader: InstanceId) {
    this.#messenger = messenger;
    this.#options = options;
    this.#contracts = cohortContracts(options.name ?? cohortDefaults.name);
    this.#logger = options.logger ?? silentLogger;
    this.leader = leader;
  }

  /** See {@link joinCohort}. */
  static async join(messenger: CohortMessenger, options: JoinOptions): Promise<CohortMembership> {
    const timeoutMs = milliseconds("timeoutMs", options.timeoutMs ?? cohortDefaults.joinTimeoutMs);
    const end = systemClock.now() + timeoutMs;
    const { signal } = options;
    const leader = isInstanceId(options.leader)
      ? options.leader
      : await messenger.connect(options.leader, { timeoutMs, signal });
    const membership = new CohortMembership(messenger, options, leader);
    membership.#open();
    try {
      const left = Math.max(1, end - systemClock.now());
      await membership.#enter(options.rank ?? null, left, signal);
    } catch (error) {
      membership.#end(errorText(error));
      throw error;
    }
    membership.#watch();
    return membership;
  }

  /** This worker's rank, or null in a cohort without ranks. */
  get rank(): number | null {
    return this.#joined.rank;
  }

  /** Its place in the order of joining, from 0. */
  get position(): number {
    return this.#joined.position;
  }

  /** How many workers the cohort has; null where they come and go. */
  get size(): number | null {
    return this.#joined.size;
  }

  /** Aborts when the membership ends. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** Resolves, and never rejects, when the membership ends: with the reason. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  /**
   * Waits until all workers of a complete cohort have come to the barrier of this name.
   *
   * When one of them is lost meanwhile, its replacement is waited for (`replaceWithinMs`), or the cohort ends (`endAll`);
   * with `continue` the rest passes if it is a complete cohort without the lost one, and fails if it is not.
   *
   * @throws {ZeromeshError} `TIMEOUT`, `COHORT_ENDED`, `COHORT_WORKER_LOST`; `PEER_DISCONNECTED` when the leader is gone.
   */
  async barrier(name: string, options: WaitOptions = {}): Promise<void> {
    await this.allGather(name, null, options);
  }

  /**
   * Brings a value, and gets the values of all workers, in order of rank. Lost workers are as with {@link barrier}.
   *
   * @param name The same for all workers. It can be used again when it is over.
   * @param value Anything that JSON can carry.
   * @throws {ZeromeshError} `TIMEOUT`, `COHORT_ENDED`, `COHORT_WORKER_LOST`, `PEER_DISCONNECTED`.
   */
  async allGather(name: string, value: unknown, options: WaitOptions = {}): Promise<unknown[]> {
    this.#over.signal.throwIfAborted();
    const { timeoutMs, signal } = options;
    const answer = await this.#messenger.typedUnary(this.#contracts.gather, {
      to: this.leader,
      payload: { name, value },
      timeoutMs,
      signal: signal === undefined ? this.#over.signal : AbortSignal.any([signal, this.#over.signal]),
    });
    if ("refused" in answer) throw refusal(answer.refused, this.leader);
    return answer.values;
  }

  /** Gives the place up. Never rejects: a leader that cannot be told finds out by the silence. */
  leave(): Promise<void> {
    return this.#leave("left");
  }

  /** {@link leave}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
  }

  async #leave(reason: string): Promise<void> {
    if (this.#over.signal.aborted) return;
    const call = { to: this.leader, payload: {}, timeoutMs: this.#joined.lostAfterMs };
    this.#stop(reason);
    await this.#messenger.typedUnary(this.#contracts.leave, call).catch((error) => {
      this.#logger.info("the leader could not be told that its worker leaves", { error: errorText(error) });
    });
    // Only now: whoever has waited for the end closes its messenger, which ends calls under way.
    this.#ended.resolve(reason);
  }

  #open(): void {
    const { beat, shutdown } = this.#contracts;
    this.#handlers.push(
      this.#messenger.registerHandler(unlimited(amHandler(beat, ({ senderInstanceId }) => {
        if (senderInstanceId === this.leader) this.#heardAt = systemClock.now();
      }))),
    );
    try {
      this.#handlers.push(
        this.#messenger.registerHandler(unlimited(amHandler(shutdown, ({ input, senderInstanceId }) => {
          if (senderInstanceId !== this.leader) throw new Error("Only the leader ends its cohort");
          void this.#finish(input.reason);
        }))),
      );
    } catch (error) {
      this.#end("");
      throw error;
    }
  }

  async #finish(reason: string): Promise<void> {
    if (this.#finishing || this.#over.signal.aborted) return;
    this.#finishing = true;
    try {
      await this.#options.onShutdown?.(reason);
    } catch (error) {
      this.#logger.warn("onShutdown failed", { error: errorText(error) });
    }
    await this.#leave(reason);
  }

  async #enter(rank: number | null, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const end = systemClock.now() + timeoutMs;
    const backoff = new Backoff({ firstMs: 50, maxMs: 500 });
    for (;;) {
      const call = {
        to: this.leader,
        payload: { rank },
        timeoutMs: Math.max(1, end - systemClock.now()),
        signal,
      };
      const answer = await this.#messenger.typedUnary(this.#contracts.join, call);
      if (!("refused" in answer)) {
        this.#joined = answer;
        this.#heardAt = systemClock.now();
        return;
      }
      // The place of a worker that has just gone is free when the leader has noticed.
      const waitMs = backoff.next();
      if (!answer.refused.again || systemClock.now() + waitMs >= end) {
        throw refusal(answer.refused, this.leader);
      }
      await new Promise<void>((resolve) => void systemClock.after(waitMs, resolve));
    }
  }

  #watch(): void {
    this.#stopWatching = systemClock.after(this.#joined.heartbeatMs, () => {
      if (this.#over.signal.aborted) return;
      const silentMs = systemClock.now() - this.#heardAt;
      if (silentMs > this.#joined.lostAfterMs && !this.#rejoining) void this.#rejoin();
      this.#watch();
    });
  }

  /** The leader has gone, or has given this worker up, for instance because it was stopped for a while. */
  async #rejoin(): Promise<void> {
    this.#rejoining = true;
    const rejoinForMs = this.#options.rejoinForMs ?? cohortDefaults.rejoinForMs;
    const end = systemClock.now() + rejoinForMs;
    const backoff = new Backoff({ firstMs: 50, maxMs: 2_000 });
    let last: unknown = new Error(`the leader was silent for over ${this.#joined.lostAfterMs} ms`);
    while (!this.#over.signal.aborted && !this.#finishing && systemClock.now() < end) {
      try {
        const left = Math.min(end - systemClock.now(), this.#joined.lostAfterMs);
        await this.#enter(this.#joined.rank, Math.max(1, left), this.#over.signal);
        this.#rejoining = false;
        return;
      } catch (error) {
        last = error;
        if (error instanceof ZeromeshError && finalCodes.has(error.code)) break;
      }
      await new Promise<void>((resolve) => void systemClock.after(backoff.next(), resolve));
    }
    // A leader that has told the end says nothing more, and waits for what onShutdown does.
    if (!this.#finishing) this.#end(`the leader ${this.leader} was lost: ${errorText(last)}`);
  }

  #end(reason: string): void {
    if (this.#over.signal.aborted) return;
    this.#stop(reason);
    this.#ended.resolve(reason);
  }

  #stop(reason: string): void {
    this.#stopWatching();
    for (const handler of this.#handlers.splice(0)) handler[Symbol.dispose]();
    const message = `The membership ended: ${reason}`;
    this.#over.abort(new ZeromeshError("COHORT_ENDED", message, { peer: this.leader, ran: "maybe" }));
  }
}

// A leader that says one of these will say so again.
const finalCodes: ReadonlySet<string> = new Set([
  "COHORT_ENDED",
  "COHORT_FULL",
  "RANK_TAKEN",
  "HANDLER_NOT_FOUND",
  "CLOSED",
  "PEER_REPLACED",
]);

function refusal(refused: { code: string; message: string }, leader: InstanceId): ZeromeshError {
  return new ZeromeshError(refused.code as ZeromeshError["code"], refused.message, {
    peer: leader,
    ran: "yes",
  });
}
