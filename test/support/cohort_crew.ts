/** A cohort whose workers are processes of both runtimes: see `peers/cohort_peer.ts`. */
import { type CohortOptions, type CohortStatus, LeaderWorkerCohort } from "../../src/cohort/mod.ts";
import type { InstanceId, Messenger } from "../../src/mod.ts";
import type { LeakCheck } from "./fixture.ts";
import { allRuntimes, type RuntimeName } from "./runtime.ts";
import { type SpawnedProcess, spawnScript } from "./spawn.ts";

/** A leader in this process and its workers. */
export interface Crew {
  readonly leader: Messenger;
  readonly cohort: LeaderWorkerCohort;
  readonly workers: SpawnedProcess[];
  readonly statuses: CohortStatus[];
  /** Starts another worker; resolves when it has joined. */
  hire(): Promise<SpawnedProcess>;
}

/** Options of a worker's process, see `peers/cohort_peer.ts`. */
export interface PeerOptions {
  readonly rank?: number;
  readonly rejoinForMs?: number;
  readonly endsForMs?: number;
}

/** The heartbeat interval of a crew, and the silence after which a member is lost. */
export const crewTimes = { heartbeatMs: 200, lostAfterMs: 1_000 } as const;

/** Starts a worker, which says `joined` when it has. */
export function spawnWorker(
  t: LeakCheck,
  endpoint: string,
  runtime: RuntimeName,
  options: PeerOptions = {},
): SpawnedProcess {
  const args = [endpoint, JSON.stringify(options)];
  return t.use(spawnScript("test/support/peers/cohort_peer.ts", args, { runtime }));
}

/** Starts as many workers as the cohort has places, and waits until all have joined. */
export async function crew(
  t: LeakCheck,
  size: number,
  options: CohortOptions = {},
  peer: PeerOptions = {},
): Promise<Crew> {
  const leader = await t.messenger();
  const cohort = LeaderWorkerCohort.create(leader, { size, ...crewTimes, ...options });
  const statuses: CohortStatus[] = [];
  void (async () => {
    for await (const status of cohort.status()) statuses.push(status as CohortStatus);
  })();
  const workers: SpawnedProcess[] = [];
  const hire = async (): Promise<SpawnedProcess> => {
    const runtime = allRuntimes[workers.length % allRuntimes.length]!;
    const worker = spawnWorker(t, leader.endpoint, runtime, peer);
    workers.push(worker);
    await worker.waitForLine("joined", 20_000);
    return worker;
  };
  t.defer(async () => void await cohort.close({ timeoutMs: 2_000 }));
  await Promise.all(Array.from({ length: size }, hire));
  await cohort.whenComplete({ timeoutMs: 20_000 });
  return { leader, cohort, workers, statuses, hire };
}

/** Reads the place of a worker from its report. */
export function placeOf(worker: SpawnedProcess): { rank: number; instanceId: InstanceId } {
  const [, rank, instanceId] = /^joined (\d+) (\S+)$/m.exec(worker.outputText) ?? [];
  return { rank: Number(rank), instanceId: instanceId as InstanceId };
}

/** Asks every worker for the square of its rank and one; null where that failed. */
export async function squares(cohort: LeaderWorkerCohort): Promise<(number | null)[]> {
  const results = await cohort.map("square", ({ rank }) => rank! + 1, { timeoutMs: 3_000 });
  return results.outcomes.map((outcome) =>
    outcome.ok ? JSON.parse(new TextDecoder().decode(outcome.value)) as number : null
  );
}
