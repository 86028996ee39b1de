import { Backoff, isInstanceId, retry, type Timed, ZeromeshError } from "../core/mod.ts";
import type { CohortMessenger, JoinOptions } from "./options.ts";
import type { CohortContracts, Joined } from "./protocol.ts";
import { Timeout } from "./timeout.ts";

/** One attempt to join a cohort, at first or after the leader was lost. */
export interface EntryAttempt extends Pick<JoinOptions, "leader" | "serverKey">, Timed {
  /** The contract of joining. */
  readonly contract: CohortContracts["join"];
  /** The rank to claim, or null. */
  readonly rank: number | null;
  /** Timeout in milliseconds. */
  readonly timeoutMs: number;
  /** Ends the attempt. */
  readonly signal: AbortSignal | undefined;
}

/**
 * Finds the leader and asks it for a place until its answer is final.
 *
 * @throws {ZeromeshError} The leader's refusal, or the error of a call to it.
 */
export async function enterCohort(messenger: CohortMessenger, attempt: EntryAttempt): Promise<Joined> {
  const { leader, serverKey, clock, contract, rank, timeoutMs, signal } = attempt;
  const timeout = new Timeout(clock, timeoutMs, { signal });
  const ofService = typeof leader === "object";
  // An endpoint is dialled each time: another instance may answer than before.
  const to = ofService || isInstanceId(leader)
    ? leader
    : await messenger.connect(leader, { timeoutMs, signal, serverKey });
  const client = messenger.client({ join: contract }, { to });
  return await retry(() => client.join({ rank }, timeout.wait), {
    clock,
    backoff: new Backoff({ firstMs: 50, maxMs: 500 }),
    timeoutMs: timeout.leftMs,
    signal,
    again: (error) =>
      contract.isError(error, "COHORT_FULL")
        // The place of a worker that has just gone becomes free when the leader notices.
        ? error.details.again
        // Another instance of the service may be the leader, and the next call goes there.
        : ofService && error instanceof ZeromeshError && error.code === "HANDLER_NOT_FOUND",
  });
}
