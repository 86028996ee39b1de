/** A cohort in one process: its leader, and workers that do not listen. */
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

/** For who is to be lost soon: shorter, and a busy machine's pauses would lose others. */
export const lostSoon = { heartbeatMs: 30, lostAfterMs: 400 } as const;
const patient = { heartbeatMs: 30, lostAfterMs: 5_000 } as const;

/** A cohort and its leader. */
export interface Led {
  readonly leader: Messenger;
  readonly cohort: LeaderWorkerCohort;
  readonly statuses: CohortStatus[];
}

/** Makes a cohort that hears of its workers often, and loses none of them without {@link lostSoon}. */
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

/** A worker that can be cut off from its leader: then it is lost, while one that closes has left. */
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
