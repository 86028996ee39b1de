import process from "node:process";
import { ContextOption, Errno } from "../libzmq/mod.ts";
import { errnoError } from "./errors.ts";

// Linux.
const Policy = { OTHER: 0, FIFO: 1, RR: 2, BATCH: 3, IDLE: 5 } as const;
const policies: readonly number[] = Object.values(Policy);
const realTime: readonly number[] = [Policy.FIFO, Policy.RR];
const mostPriority = 99;

/**
 * Refuses a scheduling of libzmq's threads that the system does not have: libzmq ends the process when it cannot set it.
 *
 * @param settings What the program has set, by option.
 * @throws {ErrnoError} `EINVAL`.
 */
export function checkScheduling(settings: ReadonlyMap<number, number>): void {
  const policy = settings.get(ContextOption.THREAD_SCHED_POLICY);
  if (policy === undefined || process.platform !== "linux") return;
  const priority = settings.get(ContextOption.THREAD_PRIORITY) ?? 0;
  const known = policies.includes(policy);
  if (known && (!realTime.includes(policy) || (priority >= 1 && priority <= mostPriority))) return;
  const needed = known
    ? `threadSchedulingPolicy ${policy} needs a threadPriority from 1 to ${mostPriority}, which is ${priority}`
    : `Linux has no scheduling policy ${policy}`;
  throw errnoError(Errno.EINVAL, { reason: `the context cannot start its threads; ${needed}` });
}
