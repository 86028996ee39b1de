/** Cohorts of processes that end, or lose a worker, while others wait for each other. */
import assert from "node:assert/strict";
import { test as declare } from "node:test";
import { type Crew, crew, crewTimes, placeOf } from "../support/cohort_crew.ts";
import { leakCheck } from "../support/fixture.ts";
import { takesTurn } from "../support/runtime.ts";
import type { SpawnedProcess } from "../support/spawn.ts";
import { until, within } from "../support/until.ts";

let declared = 0;

/** Declares a test: daily each has its leader on one runtime, and workers on both. */
function test(name: string, body: () => Promise<void>): void {
  if (takesTurn(declared++)) declare(name, body);
}

const boundMs = crewTimes.lostAfterMs + 2 * crewTimes.heartbeatMs + 1_600;

/** The workers in order of rank. */
function ranked({ workers }: Crew): SpawnedProcess[] {
  return workers.toSorted((a, b) => placeOf(a).rank - placeOf(b).rank);
}

/** Waits until so many workers wait for others. */
async function arrived({ leader }: Crew, count: number): Promise<void> {
  const waiting = () => leader.stats().handlers.byHandler["cohort:default:gather"]?.inFlight;
  await until(() => waiting() === count, { message: () => `${count} workers to wait, not ${waiting()}` });
}

test("at the end a frozen worker delays no other: the others end at once, and it alone is reported, when the time is over", async () => {
  await using t = await leakCheck();
  const led = await crew(t, 3, { lostAfterMs: 5_000 }, { endsForMs: 100 });
  const [frozen, ...others] = ranked(led) as [SpawnedProcess, SpawnedProcess, SpawnedProcess];
  frozen.signal("SIGSTOP");
  const timeoutMs = 1_500;
  const start = performance.now();
  let over = false;
  const ending = led.cohort.close({ reason: "done", timeoutMs }).finally(() => over = true);
  for (const worker of others) await worker.waitForLine("ended done", timeoutMs);
  assert.equal(over, false);
  const results = await within(ending, timeoutMs + 500, "the end");
  assert.ok(performance.now() - start >= timeoutMs - 1);
  assert.deepEqual(results.outcomes.map(({ worker, ok }) => [worker.rank, ok]), [[0, false], [1, true], [
    2,
    true,
  ]]);
  assert.match(results.failures[0]!.error.message, /did not end within 1500 ms/);
  for (const worker of others) assert.deepEqual(await within(worker.exit, 5_000), { code: 0, signal: null });
  // What it was told still waits for it.
  frozen.signal("SIGCONT");
  await frozen.waitForLine("ended done");
});

test("workers at a barrier pass when the replacement of one that was killed has come, and gather by rank", async () => {
  await using t = await leakCheck();
  const led = await crew(t, 3, { failurePolicy: { replaceWithinMs: 20_000 } });
  const [first, killed, third] = ranked(led) as [SpawnedProcess, SpawnedProcess, SpawnedProcess];
  for (const worker of [first, third]) worker.write("barrier both\n");
  killed.write(`gather all "old"\n`);
  first.write(`gather all "first"\n`);
  await arrived(led, 4);
  killed.signal("SIGKILL");
  const fresh = await led.hire();
  assert.equal(placeOf(fresh).rank, 1);
  fresh.write("barrier both\n");
  third.write(`gather all "third"\n`);
  for (const worker of [first, third, fresh]) await worker.waitForLine("barrier both passed", 5_000);
  assert.doesNotMatch(first.outputText, /^gather/m);
  fresh.write(`gather all "new"\n`);
  for (const worker of [first, third, fresh]) {
    await worker.waitForLine(`gather all ["first","new","third"]`, 5_000);
  }
});

test("a worker killed while others wait at a barrier ends the cohort, and each of them says why", async () => {
  await using t = await leakCheck();
  const led = await crew(t, 3);
  const [first, killed, third] = ranked(led) as [SpawnedProcess, SpawnedProcess, SpawnedProcess];
  const { instanceId } = placeOf(killed);
  first.write("barrier start\n");
  await arrived(led, 1);
  killed.signal("SIGKILL");
  await first.waitForLine(/^barrier start failed COHORT_ENDED .* was lost/, boundMs);
  for (const worker of [first, third]) {
    await worker.waitForLine(`ended worker ${instanceId} was lost`, boundMs);
    assert.deepEqual(await within(worker.exit, 5_000), { code: 0, signal: null });
  }
  const results = await within(led.cohort.close(), 2_000);
  assert.deepEqual(results.outcomes.map(({ ok }) => ok), [true, false, true]);
  assert.equal((results.failures[0]!.error as { code?: string }).code, "COHORT_WORKER_LOST");
});

test("after the loss of a worker, waiters for it get an error, and those that can go on without it pass", async () => {
  await using t = await leakCheck();
  const led = await crew(t, 3, { size: undefined, failurePolicy: "continue" });
  const [first, second, third] = ranked(led) as [SpawnedProcess, SpawnedProcess, SpawnedProcess];
  for (const worker of [first, second]) worker.write(`gather rest ${placeOf(worker).rank}\n`);
  await arrived(led, 2);
  third.signal("SIGKILL");
  // The ranks 0 and 1 are a cohort of their own; rank 1 alone is none.
  for (const worker of [first, second]) await worker.waitForLine("gather rest [0,1]", boundMs);
  second.write("barrier alone\n");
  await arrived(led, 1);
  first.signal("SIGKILL");
  await second.waitForLine(
    `barrier alone failed COHORT_WORKER_LOST Worker ${placeOf(first).instanceId} has left or was lost`,
    boundMs,
  );
});

test("a worker that is killed when its cohort ends is waited for no longer than a silence", async () => {
  await using t = await leakCheck();
  const led = await crew(t, 2, {}, { endsForMs: 100 });
  const [killed, other] = ranked(led) as [SpawnedProcess, SpawnedProcess];
  killed.signal("SIGKILL");
  await within(killed.exit, 5_000);
  const results = await within(led.cohort.close({ timeoutMs: 60_000 }), boundMs, "the end");
  assert.deepEqual(results.outcomes.map(({ ok }) => ok), [false, true]);
  assert.deepEqual(await within(other.exit, 5_000), { code: 0, signal: null });
});
