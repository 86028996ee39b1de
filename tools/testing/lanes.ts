import { availableParallelism } from "node:os";

/** Files that run at once: five for two processors, since they mostly wait, and eight at most. */
export const laneCount: number = Math.min(8, Math.ceil(2.5 * Math.max(1, availableParallelism())));

/**
 * Runs jobs in parallel, in order as far as there is room. Of the jobs that need several lanes, but not all, one runs at
 * any time beside smaller jobs, for which its lanes are kept free; more of them run at once when no smaller job is left.
 * Jobs that need all lanes come last.
 *
 * @param jobs The jobs.
 * @param lanes Number of lanes.
 * @param lanesOf Lanes that a job needs; more than there are means all of them.
 * @param run Runs a job to its end.
 */
export async function runInLanes<J>(
  jobs: readonly J[],
  lanes: number,
  lanesOf: (job: J) => number,
  run: (job: J) => Promise<void>,
): Promise<void> {
  const waiting = [...jobs];
  const running = new Set<Promise<void>>();
  const sizeOf = (job: J): number => Math.min(lanesOf(job), lanes);
  const isWide = (job: J): boolean => sizeOf(job) > 1 && sizeOf(job) < lanes;
  let free = lanes;
  let wide = 0;
  const nextFitting = (): number => {
    const first = wide > 0 ? -1 : waiting.findIndex(isWide);
    if (first >= 0) return sizeOf(waiting[first]!) <= free ? first : -1;
    const small = waiting.findIndex((job) => sizeOf(job) === 1);
    const next = small >= 0 ? small : waiting.findIndex((job) => sizeOf(job) <= free);
    return next >= 0 && sizeOf(waiting[next]!) <= free ? next : -1;
  };
  while (waiting.length > 0 || running.size > 0) {
    const next = nextFitting();
    if (next < 0) {
      await Promise.race(running);
      continue;
    }
    const [job] = waiting.splice(next, 1) as [J];
    const taken = sizeOf(job);
    const counted = isWide(job) ? 1 : 0;
    free -= taken;
    wide += counted;
    const ended = run(job).finally(() => {
      free += taken;
      wide -= counted;
      running.delete(ended);
    });
    running.add(ended);
  }
}
