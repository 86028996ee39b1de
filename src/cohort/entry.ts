import { Backoff, type Clock, type InstanceId, isInstanceId, retry, ZeromeshError } from "../core/mod.ts";
import type { Destination } from "../messenger/mod.ts";
import type { CohortMessenger } from "./options.ts";
import type { CohortContracts, Joined } from "./protocol.ts";
import { Timeout } from "./timeout.ts";

/** Where a leader is found. */
export interface LeaderTarget {
  /** Its endpoint, its id, or the service that it offers. */
  readonly leader: InstanceId | string | Destination;
  /** The CURVE key that the other end of its endpoint must own. */
  readonly serverKey: string | undefined;
}

/** One attempt to get a place. */
export interface EntryAttempt {
  /** The rank to claim, or null. */
  readonly rank: number | null;
  /** How long it may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Gives up. */
  readonly signal: AbortSignal | undefined;
}

/** Finds a cohort's leader and asks it for a place, now and again after it was lost. */
export class Entry {
  readonly #messenger: CohortMessenger;
  readonly #join: CohortContracts["join"];
  readonly #target: LeaderTarget;
  readonly #clock: Clock;

  /** @param join What the leader is asked with. */
  constructor(messenger: CohortMessenger, join: CohortContracts["join"], target: LeaderTarget, clock: Clock) {
    this.#clock = clock;
    this.#messenger = messenger;
    this.#join = join;
    this.#target = target;
  }

  /**
   * Asks until there is an answer that stays as it is.
   *
   * @throws {ZeromeshError} What the leader refuses with, and what a call to it throws.
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
      // The place of a worker that has just gone is free when the leader has noticed.
      again: (error) =>
        this.#join.isError(error, "COHORT_FULL") ? error.details.again : this.#mayBeAnother(error),
    });
  }

  /** The leader, as an endpoint is dialled: another instance may answer there than did before. */
  async #find(timeoutMs: number, signal: AbortSignal | undefined): Promise<InstanceId | Destination> {
    const { leader, serverKey } = this.#target;
    if (typeof leader === "object" || isInstanceId(leader)) return leader;
    return await this.#messenger.connect(leader, { timeoutMs, signal, serverKey });
  }

  /** Of several instances of a service one leads, and the next call goes to another one. */
  #mayBeAnother(error: unknown): boolean {
    return typeof this.#target.leader === "object" && error instanceof ZeromeshError &&
      error.code === "HANDLER_NOT_FOUND";
  }
}
