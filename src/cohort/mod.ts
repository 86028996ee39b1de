/**
 * Leader-worker cohorts: workers join a leader and get ranks; the leader calls all of them at once and gets each one's
 * outcome; each side notices the loss of the other.
 *
 * @example A leader, and a worker in another process
 * ```ts ignore
 * // leader.ts
 * const cohort = LeaderWorkerCohort.create(messenger, { size: 4, failurePolicy: { replaceWithinMs: 10_000 } });
 * await cohort.whenComplete();
 * const sums = (await cohort.map(sum, ({ rank }) => parts[rank!]!)).values();
 * await cohort.close();
 *
 * // worker.ts
 * messenger.handle(sum, ({ input }) => input.reduce((a, b) => a + b, 0));
 * const place = await joinCohort(messenger, { leader: "tcp://10.0.0.1:5555" });
 * console.log(await place.closed);
 * ```
 *
 * @module
 */
export type { Ending } from "../core/mod.ts";
export {
  type AckOptions,
  type BroadcastOptions,
  type CollectiveOptions,
  type Targets,
  type TypedBroadcastOptions,
} from "./collectives.ts";
export { type DistributeOptions } from "./distribute_options.ts";
export { type RetryOptions } from "../messenger/mod.ts";
export { Distribution, type ItemOutcome, type ItemValue } from "./distribution.ts";
export { CohortCalls } from "./cohort_calls.ts";
export { LeaderWorkerCohort } from "./leader.ts";
export { type Worker } from "./members.ts";
export {
  type AddWorkerOptions,
  type CohortCloseOptions,
  type CohortMessenger,
  type CohortOptions,
  type CohortStats,
  type FailurePolicy,
  type JoinOptions,
  type RankMode,
  type RankOf,
} from "./options.ts";
export { CohortResults, type WorkerOutcome } from "./results.ts";
export { type CohortStatus } from "./status.ts";
export { CohortMembership, joinCohort } from "./worker.ts";
