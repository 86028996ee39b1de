/** A cohort whose workers are processes of both runtimes, under load while they are killed, stopped and replaced. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type CohortOptions, type CohortStatus, LeaderWorkerCohort } from "../../src/cohort/mod.ts";
import type { Messenger } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { prng } from "../support/prng.ts";
import { allRuntimes, longRun } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { pause, until, within } from "../support/until.ts";

const program = "test/support/peers/cohort_peer.ts";

interface Crew {
  readonly leader: Messenger;
  readonly cohort: LeaderWorkerCohort;
  readonly workers: SpawnedProcess[];
  readonly statuses: CohortStatus[];
  /** Starts another worker; resolves when it has joined. */
  hire(): Promise<SpawnedProcess>;
}

async function crew(t: LeakCheck, size: number, options: CohortOptions = {}): Promise<Crew> {
  const leader = await t.messenger();
  const cohort = LeaderWorkerCohort.create(leader, {
    size,
    heartbeatMs: 200,
    lostAfterMs: 1_000,
    ...options,
  });
  const statuses: CohortStatus[] = [];
  void (async () => {
    for await (const status of cohort.status()) statuses.push(status as CohortStatus);
  })();
  const workers: SpawnedProcess[] = [];
  const hire = async (): Promise<SpawnedProcess> => {
    const runtime = allRuntimes[workers.length % allRuntimes.length]!;
    const worker = t.use(spawnScript(program, [leader.endpoint], { runtime }));
    workers.push(worker);
    await worker.waitForLine("joined", 20_000);
    return worker;
  };
  t.defer(async () => void await cohort.shutdown({ timeoutMs: 2_000 }));
  await Promise.all(Array.from({ length: size }, hire));
  await cohort.whenComplete({ timeoutMs: 20_000 });
  return { leader, cohort, workers, statuses, hire };
}

async function squares(cohort: LeaderWorkerCohort): Promise<(number | null)[]> {
  const results = await cohort.parMap("square", ({ rank }) => rank! + 1, { timeoutMs: 3_000 });
  return results.outcomes.map((outcome) =>
    outcome.ok ? JSON.parse(new TextDecoder().decode(outcome.value)) as number : null
  );
}

test("workers on both runtimes do their part by rank, and end when the leader says so, with exit code 0", async () => {
  await using t = await leakCheck();
  const { cohort, workers } = await crew(t, 4);
  assert.deepEqual(await squares(cohort), [1, 4, 9, 16]);
  assert.equal((await cohort.broadcastToWorkersWithAcks("note")).ok, true);
  assert.equal((await cohort.shutdown({ reason: "done" })).ok, true);
  for (const worker of workers) {
    assert.deepEqual(await within(worker.exit, 5_000), { code: 0, signal: null });
    assert.match(worker.outputText, /^ended done$/m);
  }
});

test("a worker killed on the way is told of by its rank, and its replacement takes its part", async () => {
  await using t = await leakCheck();
  const { cohort, workers, hire, statuses } = await crew(t, 3, {
    failurePolicy: { replaceWithinMs: 20_000 },
  });
  const killed = /^joined (\d) (\S+)$/m.exec(workers[1]!.outputText)!;
  const rank = Number(killed[1]);
  workers[1]!.signal("SIGKILL");
  await until(() => cohort.stats().lost === 1, { timeoutMs: 5_000 });
  const during = await squares(cohort);
  assert.deepEqual(during.map((value) => value === null), [0, 1, 2].map((one) => one === rank));
  const fresh = await hire();
  assert.match(fresh.outputText, new RegExp(`^joined ${rank} `, "m"));
  assert.deepEqual(await squares(cohort), [1, 4, 9]);
  assert.ok(statuses.some((status) => status.type === "replaced" && status.predecessor === killed[2]));
});

test("a worker that stood still for too long is lost, and has its rank again when it goes on", async () => {
  await using t = await leakCheck();
  const { cohort, workers } = await crew(t, 2, { failurePolicy: { replaceWithinMs: 20_000 } });
  workers[0]!.signal("SIGSTOP");
  const stopped = performance.now();
  await until(() => cohort.stats().lost === 1, { timeoutMs: 6_000 });
  assert.ok(performance.now() - stopped < 4_000, "it took longer than the bound");
  workers[0]!.signal("SIGCONT");
  await until(() => cohort.complete, { timeoutMs: 10_000 });
  assert.deepEqual(await squares(cohort), [1, 4]);
});

const size = longRun ? 16 : 6;
const rounds = longRun ? 60 : 5;

test(`${size} workers under load, of which one after another is killed, stopped or replaced: no call hangs, each outcome is told`, async () => {
  await using t = await leakCheck();
  const random = prng("what happens to the workers");
  const { cohort, workers, hire } = await crew(t, size, { failurePolicy: { replaceWithinMs: 60_000 } });
  let stop = false;
  let [collectives, failures] = [0, 0];
  const load = Array.from({ length: 4 }, async () => {
    while (!stop) {
      const results = await within(
        cohort.parMap("square", ({ rank }) => rank! + 1, { timeoutMs: 2_000 }),
        4_000,
        "a collective under load",
      );
      assert.equal(results.outcomes.length, size);
      results.outcomes.forEach((outcome, rank) => {
        assert.equal(outcome.worker.rank, rank);
        if (!outcome.ok) return void failures++;
        assert.equal(JSON.parse(new TextDecoder().decode(outcome.value)), (rank + 1) ** 2);
      });
      collectives++;
      await pause(1);
    }
  });
  const watched = Promise.all(load);
  for (let round = 0; round < rounds; round++) {
    const alive = workers.filter((worker) => worker.ended === undefined);
    const victim = random.pick(alive);
    if (random.below(2) === 0) {
      victim.signal("SIGKILL");
      await within(victim.exit, 5_000);
      await hire();
    } else {
      victim.signal("SIGSTOP");
      await pause(random.below(2) === 0 ? 300 : 1_500);
      victim.signal("SIGCONT");
    }
    await Promise.race([until(() => cohort.complete, { timeoutMs: 15_000 }), watched]);
  }
  stop = true;
  await watched;
  console.log(
    `# ${collectives} collectives of ${size}, ${failures} outcomes failed, over ${rounds} accidents`,
  );
  assert.deepEqual(await squares(cohort), Array.from({ length: size }, (_, rank) => (rank + 1) ** 2));
  assert.equal(cohort.workers().length, size);
});
