import { Backoff, type Clock, type InstanceId, isInstanceId, retry, ZeromeshError } from "../core/mod.ts";
import type { Destination } from "../messenger/mod.ts";
import type { CohortMessenger } from "./options.ts";
import type { CohortContracts, Joined } from "./protocol.ts";
import { Timeout } from "./timeout.ts";

/** Address of a leader. */
export interface LeaderTarget {
  /** The leader's endpoint, its id, or its service. */
  readonly leader: InstanceId | string | Destination;
  /** The CURVE key that the endpoint must own. */
  readonly serverKey: string | undefined;
}

/** One attempt to join. */
export interface EntryAttempt {
  /** The rank to claim, or null. */
  readonly rank: number | null;
  /** Timeout in milliseconds. */
  readonly timeoutMs: number;
  /** Ends the attempt. */
  readonly signal: AbortSignal | undefined;
}

/** Finds a cohort's leader and joins it, at first and after the leader was lost. */
export class Entry {
  readonly #messenger: CohortMessenger;
  readonly #join: CohortContracts["join"];
  readonly #target: LeaderTarget;
  readonly #clock: Clock;

  /** @param join The contract of joining. */
  constructor(messenger: CohortMessenger, join: CohortContracts["join"], target: LeaderTarget, clock: Clock) {
    this.#clock = clock;
    this.#messenger = messenger;
    this.#join = join;
    this.#target = target;
  }

  /**
   * Asks until the leader's answer is final.
   *
   * @throws {ZeromeshError} The leader's refusal, or the error of a call to it.
   */
  async enter({ rank, timeoutMs, signal }: EntryAttempt): Promise<Joined> {
    const timeout = new Timeout(this.#clock, timeoutMs, { signal });
    const to = await this.#find(timeoutMs, signal);
    const client = this.#messenger.client({ join: this.#join }, { to });
    return await retry(() => client.join({ rank }, timeout.wait), {
      clock: this.#clock,
      backoff: new Backoff({ firstMs: 50, maxMs: 500 }),
      timeoutMs: timeout.leftMs,
      signal,
      // The place of a worker that has just gone becomes free when the leader notices.
      again: (error) =>
        this.#join.isError(error, "COHORT_FULL") ? error.details.again : this.#mayBeAnother(error),
    });
  }

  /** The leader's id. An endpoint is dialled again: another instance may answer than before. */
  async #find(timeoutMs: number, signal: AbortSignal | undefined): Promise<InstanceId | Destination> {
    const { leader, serverKey } = this.#target;
    if (typeof leader === "object" || isInstanceId(leader)) return leader;
    return await this.#messenger.connect(leader, { timeoutMs, signal, serverKey });
  }

  /** Whether another instance of the service may be the leader, to which the next call goes. */
  #mayBeAnother(error: unknown): boolean {
    return typeof this.#target.leader === "object" && error instanceof ZeromeshError &&
      error.code === "HANDLER_NOT_FOUND";
  }
}
