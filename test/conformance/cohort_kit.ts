/** Helpers that make a cohort in one process, with a leader and with workers that do not listen. */
import {
  type CohortMembership,
  type CohortOptions,
  type CohortStatus,
  joinCohort,
  type JoinOptions,
  LeaderWorkerCohort,
} from "../../src/cohort/mod.ts";
import type { Messenger } from "../../src/mod.ts";
import type { LeakCheck } from "../support/fixture.ts";
import { startProxy } from "../support/proxy.ts";

/** Times for workers that a test loses. With shorter ones, the pauses of a busy machine would lose other workers. */
export const lostSoon = { heartbeatMs: 30, lostAfterMs: 400 } as const;
const patient = { heartbeatMs: 30, lostAfterMs: 5_000 } as const;

/** A cohort and its leader. */
export interface Led {
  readonly leader: Messenger;
  readonly cohort: LeaderWorkerCohort;
  readonly statuses: CohortStatus[];
}

/** Makes a cohort with frequent heartbeats, which loses workers soon only with {@link lostSoon}. */
export async function lead(t: LeakCheck, options: CohortOptions = {}): Promise<Led> {
  const leader = await t.messenger();
  const cohort = LeaderWorkerCohort.create(leader, { ...patient, ...options });
  t.defer(async () => void await cohort.close({ timeoutMs: 500 }));
  const statuses: CohortStatus[] = [];
  void (async () => {
    for await (const status of cohort.status()) statuses.push(status as CohortStatus);
  })();
  return { leader, cohort, statuses };
}

/** Makes a worker that joins. */
export async function work(
  t: LeakCheck,
  { leader }: Led,
  options: Partial<JoinOptions> = {},
  prepare: (messenger: Messenger) => void = () => {},
): Promise<{ messenger: Messenger; place: CohortMembership }> {
  const messenger = await t.messenger({ listen: false });
  prepare(messenger);
  const place = await joinCohort(messenger, { leader: leader.endpoint, ...options });
  t.defer(() => place.close());
  return { messenger, place };
}

/** Makes a worker that can be cut off from its leader. It is lost then, while a worker that closes has left. */
export async function workBehindProxy(
  t: LeakCheck,
  led: Led,
  options: Partial<JoinOptions> = {},
  prepare: (messenger: Messenger) => void = () => {},
): Promise<{ messenger: Messenger; place: CohortMembership; cutOff(): void }> {
  const proxy = t.use(await startProxy({ targetPort: Number(led.leader.endpoint.split(":").at(-1)) }));
  const worker = await work(t, led, { leader: proxy.endpoint, rejoinForMs: 0, ...options }, prepare);
  return {
    ...worker,
    cutOff: () => {
      proxy.refusing = true;
      proxy.cut();
    },
  };
}
