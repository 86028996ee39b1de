import { z } from "zod";
import { type AmContract, type InstanceId, isInstanceId, systemContract } from "../core/mod.ts";

const rank = z.int().min(0).nullable();

const instance = z.custom<InstanceId>((value) => isInstanceId(value));

const joined = z.object({
  // The instance that answered, since a worker may have asked a service.
  leader: instance,
  position: z.int().min(0),
  rank,
  size: z.int().min(1).nullable(),
  heartbeatMs: z.number().positive(),
  lostAfterMs: z.number().positive(),
});

const refusals = { PEER_UNKNOWN: null, COHORT_ENDED: null };

/** The messages between leader and workers of one cohort. */
export function cohortContracts(name: string) {
  const of = (what: string): string => `cohort:${name}:${what}`;
  return {
    /** Worker to leader: takes a place, for the first time or again. */
    join: systemContract(of("join"), {
      input: z.object({ rank }),
      output: joined,
      errors: {
        ...refusals,
        // `again`: a worker seems to be gone, so that its place may soon be free.
        COHORT_FULL: z.object({ again: z.boolean() }),
        RANK_REQUIRED: null,
        RANK_UNEXPECTED: null,
        RANK_INVALID: null,
        RANK_TAKEN: null,
      },
    }),
    /** Worker to leader: gives its place up. */
    leave: systemContract(of("leave"), {
      input: z.object({}),
      output: z.object({ left: z.boolean() }),
      errors: refusals,
    }),
    /** Worker to leader: contributes to a barrier or an all-gather, and waits for the others. */
    gather: systemContract(of("gather"), {
      input: z.object({ name: z.string(), value: z.unknown() }),
      output: z.object({ values: z.array(z.unknown()) }),
      errors: { ...refusals, COHORT_WORKER_LOST: null, OVERLOADED: null },
    }),
    /** Leader to worker: both live, and the worker is a member. */
    beat: systemContract(of("beat"), { input: z.object({}) }) satisfies AmContract,
    /** Leader to worker: the worker has to end, and says `leave` afterwards. */
    shutdown: systemContract(of("shutdown"), {
      input: z.object({ reason: z.string() }),
    }) satisfies AmContract,
  };
}

/** The contracts of one cohort. */
export type CohortContracts = ReturnType<typeof cohortContracts>;

/** The leader's answer to a worker that has joined. */
export type Joined = z.infer<typeof joined>;
