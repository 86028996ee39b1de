/** A cohort whose workers are processes of both runtimes, under load while they are killed, stopped and replaced. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { crew, crewTimes, placeOf, squares } from "../support/cohort_crew.ts";
import { leakCheck } from "../support/fixture.ts";
import { prng } from "../support/prng.ts";
import { longRun } from "../support/runtime.ts";
import { pause, until, within } from "../support/until.ts";

// Silence is noticed at the next heartbeat; the rest is for a machine that does other things as well.
const boundMs = crewTimes.lostAfterMs + 2 * crewTimes.heartbeatMs + 1_600;

test("workers on both runtimes do their part by rank, and end when the leader says so, with exit code 0", async () => {
  await using t = await leakCheck();
  const { cohort, workers } = await crew(t, 4);
  assert.deepEqual(await squares(cohort), [1, 4, 9, 16]);
  assert.equal((await cohort.sync("note")).ok, true);
  assert.equal((await cohort.close({ reason: "done" })).ok, true);
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
  const { rank, instanceId } = placeOf(workers[1]!);
  workers[1]!.signal("SIGKILL");
  await until(() => cohort.stats().lost === 1, { timeoutMs: boundMs });
  const during = await squares(cohort);
  assert.deepEqual(during.map((value) => value === null), [0, 1, 2].map((one) => one === rank));
  const fresh = await hire();
  assert.match(fresh.outputText, new RegExp(`^joined ${rank} `, "m"));
  assert.deepEqual(await squares(cohort), [1, 4, 9]);
  assert.ok(statuses.some((status) => status.type === "replaced" && status.predecessor === instanceId));
});

test("a worker that stood still for too long is lost, and has its rank again when it goes on", async () => {
  await using t = await leakCheck();
  const { cohort, workers } = await crew(t, 2, { failurePolicy: { replaceWithinMs: 20_000 } });
  workers[0]!.signal("SIGSTOP");
  await until(() => cohort.stats().lost === 1, { timeoutMs: boundMs });
  workers[0]!.signal("SIGCONT");
  await until(() => cohort.complete, { timeoutMs: 10_000 });
  assert.deepEqual(await squares(cohort), [1, 4]);
});

const size = longRun ? 16 : 6;
const rounds = longRun ? 60 : 6;

test(`${size} workers under load, of which one after another is killed, stopped or replaced: no call hangs, each outcome is told`, async () => {
  await using t = await leakCheck();
  const random = prng("what happens to the workers");
  const { cohort, workers, hire } = await crew(t, size, { failurePolicy: { replaceWithinMs: 60_000 } });
  let stop = false;
  let [collectives, failures] = [0, 0];
  const load = Array.from({ length: 4 }, async () => {
    while (!stop) {
      const results = await within(
        cohort.map("square", ({ rank }) => rank! + 1, { timeoutMs: 2_000 }),
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
  const stateOf = (id: string) => cohort.workers().find(({ instanceId }) => instanceId === id)?.state;
  const seen = (id: string, state: "up" | "lost", timeoutMs: number) =>
    until(() => stateOf(id) === state, { timeoutMs, message: `worker ${id} to be ${state}` });
  const accidents = { killed: 0, stopped: 0, frozen: 0 };
  for (let round = 0; round < rounds; round++) {
    const victim = random.pick(workers.filter((worker) => worker.ended === undefined));
    const { rank, instanceId } = placeOf(victim);
    // Each of them at least once, and then as it comes.
    const accident = (["killed", "stopped", "frozen"] as const)[round < 3 ? round : random.below(3)]!;
    accidents[accident]++;
    if (accident === "killed") {
      victim.signal("SIGKILL");
      await within(victim.exit, 5_000);
      await seen(instanceId, "lost", boundMs);
      const fresh = placeOf(await hire());
      assert.equal(fresh.rank, rank, "a replacement has the rank of the one it replaces");
      assert.equal(stateOf(instanceId), undefined);
      assert.equal(stateOf(fresh.instanceId), "up");
    } else {
      victim.signal("SIGSTOP");
      if (accident === "frozen") await seen(instanceId, "lost", boundMs);
      else await pause(300);
      victim.signal("SIGCONT");
      await seen(instanceId, "up", 10_000);
      assert.equal(cohort.workers().find((worker) => worker.instanceId === instanceId)?.rank, rank);
    }
    await Promise.race([until(() => cohort.complete, { timeoutMs: 15_000 }), watched]);
  }
  stop = true;
  await watched;
  console.log(
    `# ${collectives} collectives of ${size}, ${failures} outcomes failed, over ${JSON.stringify(accidents)}`,
  );
  assert.deepEqual(await squares(cohort), Array.from({ length: size }, (_, rank) => (rank + 1) ** 2));
  assert.equal(cohort.workers().length, size);
  assert.ok(failures > 0, "nothing has happened to the load");
});
