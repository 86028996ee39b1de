/** Tests of workers that the leader adds and removes, of strangers, of an end at once, and of each refusal. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { joinCohort, LeaderWorkerCohort } from "../../src/cohort/mod.ts";
import { amHandler, contract } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { lead, lostSoon, work } from "./cohort_kit.ts";
import { bytes, fails, gate, text, thrown } from "./messenger_kit.ts";

test("the leader adds and removes workers by itself, and cannot remove others", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { size: 2 });
  const { messenger, place } = await work(t, led);
  const stranger = await t.messenger({ listen: false });
  await stranger.connect(led.leader.endpoint);
  assert.equal(led.cohort.removeWorker(stranger.instanceId), false);
  assert.equal(led.cohort.removeWorker(messenger.instanceId), true);
  assert.equal(led.cohort.removeWorker(messenger.instanceId), false);
  assert.deepEqual(led.cohort.workers(), []);
  assert.deepEqual(led.cohort.addWorker(messenger.instanceId), {
    instanceId: messenger.instanceId,
    rank: 0,
    name: null,
    position: 1,
    state: "up",
  });
  assert.equal(led.cohort.addWorker(messenger.instanceId).position, 1, "it is in once");
  await work(t, led);
  assert.equal(thrown(() => led.cohort.addWorker(stranger.instanceId)).code, "COHORT_FULL");
  assert.equal(place.signal.aborted, false);
});

test("a cohort without a size takes maxWorkers and no more, however they come, and no rank beyond", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { maxWorkers: 2 });
  const { place } = await work(t, led);
  await work(t, led);
  const third = await t.messenger({ listen: false });
  const leader = await third.connect(led.leader.endpoint);
  await fails(joinCohort(third, { leader }), {
    code: "COHORT_FULL",
    message: /is full: it has 2 of 2 workers/,
  });
  assert.equal(thrown(() => led.cohort.addWorker(third.instanceId)).code, "COHORT_FULL");
  assert.equal(led.cohort.workers().length, 2);
  // A worker that is silent for a moment may be gone, so the newcomer may have asked again.
  assert.ok(led.cohort.stats().refused >= 1);
  await place.close();
  assert.equal((await work(t, led)).place.rank, 0);
  const claiming = await lead(t, { maxWorkers: 2, ranks: "claimed" });
  for (const rank of [2, 2 ** 40]) {
    const joining = joinCohort(third, { leader: claiming.leader.endpoint, rank });
    await fails(joining, {
      code: "RANK_INVALID",
      message: `Rank ${rank} is out of range: the cohort has 2 workers at most`,
    });
  }
  assert.deepEqual(claiming.cohort.missingRanks(), []);
});

test("an instance that is no worker arrives at no barrier and cannot leave, and one that is no leader ends no worker", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { size: 2 });
  const { messenger, place } = await work(t, led);
  const stranger = await t.messenger();
  const leader = await stranger.connect(led.leader.endpoint);
  const asked = async (what: string, payload: unknown): Promise<unknown> =>
    JSON.parse(text(await stranger.unary(`cohort:default:${what}`, { to: leader, payload })));
  await fails(asked("gather", { name: "start", value: 1 }), { code: "COHORT_WORKER_LOST", ran: "yes" });
  assert.deepEqual(await asked("leave", {}), { left: false });
  await messenger.connect(stranger.endpoint);
  const ending = stranger.amSync("cohort:default:shutdown", {
    to: messenger.instanceId,
    payload: { reason: "I say so" },
  });
  await fails(ending, { code: "HANDLER_FAILED", message: "Only the leader ends its cohort" });
  assert.equal(place.signal.aborted, false);
  assert.equal(led.cohort.workers().length, 1);
});

test("a cohort whose workers are willing ends long before its time is over, an empty one at once", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { size: 2 });
  const places = [(await work(t, led)).place, (await work(t, led)).place];
  await within(led.cohort.whenComplete(), 1_000);
  const results = await within(led.cohort.close({ timeoutMs: 60_000 }), 2_000, "the end");
  assert.ok(results.ok);
  for (const place of places) await within(place.ended, 1_000);
  assert.deepEqual(led.cohort.workers(), []);
  const empty = await lead(t);
  assert.deepEqual((await within(empty.cohort.close({ timeoutMs: 60_000 }), 1_000)).outcomes, []);
});

test("a cohort that does not get complete says how many there are and which ranks are missing", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { size: 3, ranks: "claimed" });
  await work(t, led, { rank: 1 });
  await work(t, led, { rank: 2 });
  await fails(led.cohort.whenComplete({ timeoutMs: 30 }), {
    code: "TIMEOUT",
    message: 'The cohort "default" has 2 of 3 workers after 30 ms, and misses rank 0',
  });
});

test("with acks, a worker that cannot read the payload is one failure among the outcomes, and every worker got it", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { size: 2 });
  const seen: string[] = [];
  const strict = contract("note", { input: z.object({ at: z.number() }) });
  await work(t, led, {}, (messenger) => void messenger.handle(strict, () => void seen.push("strict")));
  await work(t, led, {}, (messenger) => {
    messenger.registerHandler(amHandler("note", ({ payload }) => void seen.push(text(payload))));
  });
  const results = await led.cohort.sync("note", { rawPayload: bytes("no json") });
  assert.deepEqual(results.outcomes.map(({ ok }) => ok), [false, true]);
  assert.equal((results.ofRank(0) as { error: { code?: string } }).error.code, "PAYLOAD_INVALID");
  assert.deepEqual(seen, ["no json"]);
  assert.ok((await led.cohort.sync("note", { payload: { at: 1 } })).ok);
  await until(() => seen.length === 3);
});

test("a worker and a leader whose only place is taken by a long job are not lost, and workers still come and meet", async () => {
  await using t = await leakCheck();
  const one = { concurrency: 1, maxInFlightMessages: 4 };
  const leader = await t.messenger(one);
  const cohort = LeaderWorkerCohort.create(leader, { ...lostSoon, size: 2 });
  t.defer(async () => void await cohort.close({ timeoutMs: 500 }));
  const job = gate(t);
  leader.registerHandler(amHandler("job", () => job.opened));
  const worker = await t.messenger({ listen: false, ...one });
  worker.registerHandler(amHandler("job", () => job.opened));
  const place = await joinCohort(worker, { leader: leader.endpoint });
  t.defer(() => place.close());
  const jobs = [
    worker.amSync("job", { to: leader.instanceId }),
    leader.amSync("job", { to: worker.instanceId }),
  ];
  await until(() => worker.stats().handlers.running === 1 && leader.stats().handlers.running === 1);
  const second = await t.messenger({ listen: false });
  const other = await joinCohort(second, { leader: leader.endpoint });
  t.defer(() => other.close());
  const met = Promise.all([place.barrier("start"), other.barrier("start")]);
  await within(met, 2_000);
  const longer = performance.now() + 2 * lostSoon.lostAfterMs;
  await until(() => performance.now() > longer);
  assert.deepEqual(cohort.workers().map(({ state }) => state), ["up", "up"]);
  assert.deepEqual([place.signal.aborted, other.signal.aborted], [false, false]);
  job.open();
  await Promise.all(jobs);
});
