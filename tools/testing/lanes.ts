import { availableParallelism } from "node:os";

/**
 * How many files may run at once: two for each processor, since most of them wait for most of their time; eight at
 * most.
 */
export const laneCount: number = Math.min(8, 2 * Math.max(1, availableParallelism()));

/**
 * Runs jobs side by side, in their order as far as there is room. One that takes more lanes than are free waits until
 * no smaller one is left before it, so what runs alone comes last.
 *
 * @param jobs The jobs.
 * @param lanes How many lanes there are.
 * @param lanesOf How many of them a job takes; more than there are is all of them.
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
