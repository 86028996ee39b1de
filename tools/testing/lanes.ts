import { availableParallelism } from "node:os";

/** Files that run at once: two for each processor, since they mostly wait, and eight at most. */
export const laneCount: number = Math.min(8, 2 * Math.max(1, availableParallelism()));

/**
 * Runs jobs in parallel, in order as far as there is room. A job that needs more lanes than are free waits until no
 * smaller one is left, so jobs that run alone come last.
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
  let free = lanes;
  while (waiting.length > 0 || running.size > 0) {
    const next = waiting.findIndex((job) => Math.min(lanesOf(job), lanes) <= free);
    if (next < 0) {
      await Promise.race(running);
      continue;
    }
    const [job] = waiting.splice(next, 1) as [J];
    const taken = Math.min(lanesOf(job), lanes);
    free -= taken;
    const ended = run(job).finally(() => {
      free += taken;
      running.delete(ended);
    });
    running.add(ended);
  }
}
