/** Tests of cohorts whose workers or leader close, restart or are aborted, and of the reason in `place.ended`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type CohortMembership, joinCohort, LeaderWorkerCohort } from "../../src/cohort/mod.ts";
import { amHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { lead, lostSoon, work, workBehindProxy } from "./cohort_kit.ts";
import { fails, gate, keptLog } from "./messenger_kit.ts";

test("a worker whose messenger or place closes has left, under every policy, and the others work on", async () => {
  await using t = await leakCheck();
  const policies = ["endAll", "continue", { replaceWithinMs: 60_000 }] as const;
  const ways = policies.flatMap((failurePolicy) =>
    (["messenger", "place"] as const).map((how) => ({ failurePolicy, how }))
  );
  for (const { failurePolicy, how } of ways) {
    const led = await lead(t, { size: 2, failurePolicy });
    const leaves = await work(t, led);
    const stays = await work(t, led);
    await leaves[how].close();
    await until(() => led.cohort.workers().length === 1);
    assert.deepEqual(led.statuses.map(({ type }) => type), ["joined", "joined", "complete", "left"]);
    const reason = how === "place" ? "left" : "the messenger of this worker was closed";
    assert.equal(await within(leaves.place.ended, 1_000), reason);
    assert.equal(stays.place.signal.aborted, false);
    await stays.place.close();
  }
});

test("a worker that closes has left before its last handler has finished, and its answer still comes", async () => {
  await using t = await leakCheck();
  const led = await lead(t);
  const job = gate(t);
  const { messenger } = await work(t, led, {}, (worker) => {
    worker.registerHandler(amHandler("job", () => job.opened));
  });
  const done = led.cohort.sync("job");
  await until(() => messenger.stats().handlers.running === 1);
  const closed = messenger.close();
  await until(() => led.cohort.workers().length === 0);
  job.open();
  assert.ok((await done).ok);
  await closed;
});

test("a worker whose leader does not answer is closed within its time, and soon", async () => {
  await using t = await leakCheck();
  const led = await lead(t);
  const { logger, lines } = keptLog();
  const { messenger, place } = await work(t, led, { logger });
  await led.leader.close();
  await until(() => messenger.peers().every(({ up }) => !up));
  await within(messenger.close({ timeoutMs: 60_000 }), 1_500, "the worker to close");
  // The worker did not try to tell a leader without a connection.
  assert.deepEqual(lines, []);
  assert.equal(await place.ended, "the messenger of this worker was closed");
});

test("workers rejoin a leader that was started again at its address, each with its rank", async () => {
  await using t = await leakCheck();
  const options = { size: 2, heartbeatMs: 100, lostAfterMs: 60_000 };
  const first = await t.messenger();
  const { endpoint } = first;
  LeaderWorkerCohort.create(first, options);
  const joined: CohortMembership[] = [];
  for (let worker = 0; worker < 2; worker++) {
    const place = await joinCohort(await t.messenger({ listen: false }), { leader: endpoint });
    t.defer(() => place.close());
    joined.push(place);
  }
  await first.close();
  const second = await t.messenger({ endpoint });
  // The cohort is made a little later than the messenger, and the workers ask meanwhile.
  await until(() => second.peers().length > 0);
  const cohort = LeaderWorkerCohort.create(second, options);
  t.defer(async () => void await cohort.close({ timeoutMs: 500 }));
  await cohort.whenComplete({ timeoutMs: 2_000 });
  await until(() => joined.every(({ leader }) => leader === second.instanceId));
  assert.deepEqual(joined.map(({ rank }) => rank), [0, 1]);
  await joined[0]!.close();
  await until(() => cohort.workers().length === 1);
  assert.equal(joined[1]!.signal.aborted, false);
});

test("a worker given its leader's id does not follow another instance at that address, and says so", async () => {
  await using t = await leakCheck();
  const first = await t.messenger();
  const { endpoint } = first;
  LeaderWorkerCohort.create(first, lostSoon);
  const worker = await t.messenger({ listen: false });
  const place = await joinCohort(worker, { leader: await worker.connect(endpoint) });
  await first.close();
  const second = await t.messenger({ endpoint });
  const cohort = LeaderWorkerCohort.create(second);
  t.defer(async () => void await cohort.close({ timeoutMs: 500 }));
  const reason = await within(place.ended, 2_000, "the membership to end");
  assert.match(reason, new RegExp(`was lost: Another instance \\(${second.instanceId}\\) answers`));
});

test("the signal of joinCohort ends joining, and leaves the cohort later", async () => {
  await using t = await leakCheck();
  const led = await lead(t);
  const stop = new AbortController();
  const { messenger, place } = await work(t, led, { signal: stop.signal });
  stop.abort(new Error("enough"));
  assert.equal(await within(place.ended, 1_000), "the signal aborted: enough");
  await until(() => led.statuses.at(-1)?.type === "left");
  const again = joinCohort(messenger, { leader: led.leader.endpoint, signal: stop.signal });
  await assert.rejects(again, { message: "enough" });
});
test("a leader whose messenger closes ends its cohort there and tells no worker to end", async () => {
  await using t = await leakCheck();
  const led = await lead(t);
  let asked = false;
  const { place } = await work(t, led, { onEnding: () => void (asked = true) });
  await led.leader.close();
  await until(() => led.statuses.at(-1)?.type === "ended");
  await fails(led.cohort.send("note"), {
    code: "COHORT_ENDED",
    message: /the leader's messenger was closed/,
  });
  assert.deepEqual([asked, place.signal.aborted], [false, false]);
});

test("the signal of LeaderWorkerCohort.create shuts the cohort down, and one that has aborted makes none", async () => {
  await using t = await leakCheck();
  const stop = new AbortController();
  const led = await lead(t, { signal: stop.signal });
  const reasons: string[] = [];
  const { place } = await work(t, led, { onEnding: (reason) => void reasons.push(reason) });
  stop.abort(new Error("enough"));
  assert.equal(await within(place.ended, 2_000), "the signal aborted: enough");
  assert.deepEqual(reasons, ["the signal aborted: enough"]);
  await until(() => led.statuses.at(-1)?.type === "ended");
  assert.throws(() => LeaderWorkerCohort.create(led.leader, { signal: stop.signal }), { message: "enough" });
});

test("a worker that is cut off while it ends is given up after lostAfterMs, not at the end of the time", async () => {
  await using t = await leakCheck();
  const led = await lead(t, lostSoon);
  const ending = gate(t);
  const begun = gate(t);
  const { messenger, cutOff } = await workBehindProxy(t, led, {
    onEnding: async () => {
      begun.open();
      await ending.opened;
    },
  });
  const closing = led.cohort.close({ timeoutMs: 60_000 });
  await begun.opened;
  cutOff();
  const results = await within(closing, 5_000, "the cohort to close");
  const outcome = results.of(messenger.instanceId);
  assert.ok(outcome?.ok === false);
  // The leader may have got the acknowledgement of the shutdown before the cut.
  assert.match(String((outcome.error as { code?: string }).code), /^(PEER_DISCONNECTED|COHORT_WORKER_LOST)$/);
});
