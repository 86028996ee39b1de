/** Cohorts: workers given by their ids, a leader found as a service, ACKs from handlers, and what the types say of ranks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { joinCohort, LeaderWorkerCohort } from "../../src/cohort/mod.ts";
import { newInstanceId } from "../../src/core/mod.ts";
import { StaticDiscovery } from "../../src/discovery/mod.ts";
import { acknowledge, amHandler, contract, type Messenger, service } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { startProxy } from "../support/proxy.ts";
import { until, within } from "../support/until.ts";
import { lead, lostSoon, work } from "./cohort_kit.ts";
import { fails, gate, thrown } from "./messenger_kit.ts";

test("workers given by their ids need not join: their health is their heartbeat, and a closed one has left", async () => {
  await using t = await leakCheck();
  const leader = await t.messenger();
  const workers = [await t.messenger(), await t.messenger()];
  const ids: Messenger["instanceId"][] = [];
  for (const worker of workers) ids.push(await leader.connect(worker.endpoint));
  const cohort = LeaderWorkerCohort.create(leader, { ...lostSoon, workers: ids });
  t.defer(async () => void await cohort.close({ timeoutMs: 500 }));
  assert.deepEqual(cohort.workers().map(({ instanceId, rank }) => [instanceId, rank]), [[ids[0], 0], [
    ids[1],
    1,
  ]]);
  await within(cohort.whenComplete(), 1_000);
  const longer = performance.now() + 2 * lostSoon.lostAfterMs;
  await until(() => performance.now() > longer && cohort.stats().heartbeats > 10);
  assert.deepEqual(cohort.workers().map(({ state }) => state), ["up", "up"]);
  await workers[0]!.close();
  await until(() => cohort.workers().length === 1);
  // One that joins later has its place, and hears of the end.
  const place = await joinCohort(workers[1]!, { leader: leader.instanceId });
  assert.equal(place.rank, 1);
  assert.ok((await cohort.close()).ok);
  assert.equal(await within(place.ended, 1_000), "the leader ends the cohort");
});

test("a worker given by its id that is not there yet is waited for; one that was heard of and goes silent is lost", async () => {
  await using t = await leakCheck();
  const leader = await t.messenger();
  const instanceId = newInstanceId();
  const cohort = LeaderWorkerCohort.create(leader, {
    ...lostSoon,
    workers: [instanceId],
    failurePolicy: "continue",
  });
  t.defer(async () => void await cohort.close({ timeoutMs: 500 }));
  const longer = performance.now() + 2 * lostSoon.lostAfterMs;
  await until(() => performance.now() > longer && cohort.stats().missedHeartbeats > 2);
  assert.deepEqual(cohort.workers().map(({ state }) => state), ["up"]);
  const worker = await t.messenger({ instanceId, listen: false });
  const proxy = t.use(await startProxy({ targetPort: Number(leader.endpoint.split(":").at(-1)) }));
  const to = await worker.connect(proxy.endpoint);
  assert.equal(await worker.announceTo(to), true);
  await until(() => cohort.stats().heartbeats > 2);
  proxy.refusing = true;
  proxy.cut();
  await until(() => cohort.workers().length === 0);
});

test("announceTo() of a worker that was added is taken as its word; ids are checked, and a full cohort says so", async () => {
  await using t = await leakCheck();
  const leader = await t.messenger();
  const worker = await t.messenger();
  const cohort = LeaderWorkerCohort.create(leader, { ...lostSoon, size: 1 });
  t.defer(async () => void await cohort.close({ timeoutMs: 500 }));
  cohort.addWorker(worker.instanceId);
  assert.equal(await worker.announceTo(await worker.connect(leader.endpoint)), true);
  const longer = performance.now() + 2 * lostSoon.lostAfterMs;
  await until(() => performance.now() > longer);
  assert.deepEqual(cohort.workers().map(({ state }) => state), ["up"]);
  const other = { name: "other", workers: ["somebody" as Messenger["instanceId"]] };
  assert.match(String(thrown(() => LeaderWorkerCohort.create(leader, other))), /array of instance ids/);
  const full = { name: "other", size: 1, workers: [newInstanceId(), newInstanceId()] };
  assert.equal(thrown(() => LeaderWorkerCohort.create(leader, full)).code, "COHORT_FULL");
  const again = LeaderWorkerCohort.create(leader, { name: "other" });
  assert.ok((await again.close()).ok, "a cohort that could not be made has left nothing");
});

test("joinCohort() finds a leader that offers a service, also after it was started again somewhere else", async () => {
  await using t = await leakCheck();
  const discovery = new StaticDiscovery();
  const start = async (): Promise<{ leader: Messenger; cohort: LeaderWorkerCohort }> => {
    const leader = await t.messenger({ discovery, services: ["leader"] });
    const cohort = LeaderWorkerCohort.create(leader, { heartbeatMs: 30, lostAfterMs: 2_000 });
    t.defer(async () => void await cohort.close({ timeoutMs: 500 }));
    return { leader, cohort };
  };
  const first = await start();
  const worker = await t.messenger({ discovery, listen: false });
  const place = await joinCohort(worker, { leader: service("leader") });
  t.defer(() => place.close());
  assert.equal(place.leader, first.leader.instanceId);
  await first.leader.close();
  const second = await start();
  await second.cohort.whenComplete({ timeoutMs: 3_000 });
  await until(() => place.leader === second.leader.instanceId);
  assert.equal(place.rank, 0);
});

test('with ack: "handler" each worker gets an id of its own, and its outcome is what it says', async () => {
  await using t = await leakCheck();
  const led = await lead(t);
  const ids: unknown[] = [];
  const later = gate(t);
  const handle = (run: Parameters<typeof amHandler>[1]) => (worker: Messenger): void =>
    void worker.registerHandler(amHandler("load", run as never));
  await work(
    t,
    led,
    {},
    handle(async (context) => {
      ids.push((context.json() as { _ack_id: unknown })._ack_id);
      await acknowledge(context);
      await later.opened;
    }),
  );
  await work(
    t,
    led,
    {},
    handle(async (context) => {
      ids.push((context.json() as { _ack_id: unknown })._ack_id);
      await acknowledge(context, { error: "no room" });
    }),
  );
  await work(t, led, {}, handle(() => {}));
  await work(t, led);
  const results = await led.cohort.sync("load", {
    payload: { file: "a" },
    ack: "handler",
    timeoutMs: 300,
  });
  assert.deepEqual(
    results.outcomes.map((outcome) => outcome.ok ? "ok" : (outcome.error as { code?: string }).code),
    ["ok", "HANDLER_FAILED", "TIMEOUT", "HANDLER_NOT_FOUND"],
  );
  assert.equal(new Set(ids).size, 2);
  later.open();
  const raw = { rawPayload: new Uint8Array(1), ack: "handler" as const };
  await assert.rejects(led.cohort.sync("load", raw), /TypeError/);
  const odd = { ack: "sometimes" as "handler" };
  await assert.rejects(led.cohort.sync("load", odd), /TypeError/);
});

test("ranks are numbers where they are sure, and a contract's payload is checked, by their types", async () => {
  await using t = await leakCheck();
  const leader = await t.messenger();
  const report = contract("report", { input: z.object({ at: z.number() }) });
  const ranked = LeaderWorkerCohort.create(leader);
  const unranked = LeaderWorkerCohort.create(leader, { name: "unranked", ranks: "none" });
  const either = LeaderWorkerCohort.create(leader, { name: "either", ranks: "first" });
  const numbers: number[] = ranked.workers().map(({ rank }) => rank);
  const nulls: null[] = unranked.workers().map(({ rank }) => rank);
  // @ts-expect-error: a worker of this cohort may have none
  const wrong: number[] = either.workers().map(({ rank }) => rank);
  assert.deepEqual([numbers, nulls, wrong], [[], [], []]);
  await ranked.map(report as never, ({ rank }) => ({ at: rank + 1 }));
  await ranked.send(report, { payload: { at: 1 } });
  // @ts-expect-error: it must be a number
  await ranked.send(report, { payload: { at: "one" } });
  // @ts-expect-error: it must be a number
  await ranked.sync(report, { payload: { at: "one" } });
  const worker = await t.messenger({ listen: false });
  const place = await joinCohort(worker, { leader: leader.endpoint, rank: 0 });
  const rank: number = place.rank;
  assert.equal(rank, 0);
  await place.close();
  for (const cohort of [ranked, unranked, either]) await cohort.close({ timeoutMs: 500 });
  await fails(Promise.resolve().then(() => ranked.send(report, { payload: { at: 1 } })), {
    code: "COHORT_ENDED",
  });
});
