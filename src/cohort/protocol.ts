import { z } from "zod";
import { type AmContract, contract, type InstanceId, isInstanceId } from "../core/mod.ts";

const rank = z.int().min(0).nullable();

const instance = z.custom<InstanceId>((value) => isInstanceId(value));

const joined = z.object({
  // Who has answered: a worker may have asked a service.
  leader: instance,
  position: z.int().min(0),
  rank,
  size: z.int().min(1).nullable(),
  heartbeatMs: z.number().positive(),
  lostAfterMs: z.number().positive(),
});

// Refusals are answers: the library's own codes cannot be declared as errors of a contract.
const refused = z.object({
  // `again`: a worker seems to be gone, so that its place may be free soon.
  refused: z.object({ code: z.string(), message: z.string(), again: z.boolean() }),
});

/** What leader and workers of one cohort say to each other. */
export function cohortContracts(name: string) {
  const of = (what: string): string => `cohort:${name}:${what}`;
  return {
    /** Worker to leader: takes a place, or takes it again. */
    join: contract(of("join"), { input: z.object({ rank }), output: z.union([joined, refused]) }),
    /** Worker to leader: gives its place up. */
    leave: contract(of("leave"), { input: z.object({}), output: z.object({ left: z.boolean() }) }),
    /** Worker to leader: contributes to a barrier or an all-gather, and waits for all others. */
    gather: contract(of("gather"), {
      input: z.object({ name: z.string(), value: z.unknown() }),
      output: z.union([z.object({ values: z.array(z.unknown()) }), refused]),
    }),
    /** Leader to worker: both live, and the worker is a member. */
    beat: contract(of("beat"), { input: z.object({}) }) satisfies AmContract,
    /** Leader to worker: it ends now, and says `leave` when it has. */
    shutdown: contract(of("shutdown"), { input: z.object({ reason: z.string() }) }) satisfies AmContract,
  };
}

/** The contracts of one cohort. */
export type CohortContracts = ReturnType<typeof cohortContracts>;

/** What a worker is told when it has joined. */
export type Joined = z.infer<typeof joined>;

/** Why a worker was refused what it asked for. */
export type Refused = z.infer<typeof refused>;
