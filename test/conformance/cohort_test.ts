/** Tests of the places, the collectives, the barriers and the end of cohorts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { type CohortMembership, joinCohort, LeaderWorkerCohort } from "../../src/cohort/mod.ts";
import {
  amHandler,
  type CallOptions,
  type Contract,
  contract,
  type Messenger,
  unaryHandler,
} from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { pause, until, within } from "../support/until.ts";
import { lead, lostSoon, work, workBehindProxy } from "./cohort_kit.ts";
import { bytes, fails, gate, looksLike, text, thrown } from "./messenger_kit.ts";

test("workers get the ranks 0, 1, 2 as they join, the last one completes the cohort, and one more is refused", async () => {
  await using t = await leakCheck();
  // A worker that is late would let the fourth one ask again.
  const led = await lead(t, { size: 3, heartbeatMs: 1_000 });
  const complete = led.cohort.whenComplete({ timeoutMs: 5_000 });
  assert.equal(led.cohort.complete, false);
  const places = [(await work(t, led)).place, (await work(t, led)).place];
  assert.deepEqual(led.cohort.missingRanks(), [2]);
  places.push((await work(t, led)).place);
  await complete;
  assert.deepEqual(places.map(({ rank, position, size }) => [rank, position, size]), [[0, 0, 3], [1, 1, 3], [
    2,
    2,
    3,
  ]]);
  const late = await t.messenger();
  await fails(joinCohort(late, { leader: led.leader.endpoint }), { code: "COHORT_FULL", message: /3 of 3/ });
  assert.equal(led.cohort.workers().length, 3);
  assert.equal(led.cohort.stats().refused, 1);
  assert.deepEqual(led.statuses.map(({ type }) => type), ["joined", "joined", "joined", "complete"]);
});

test("ranks that workers bring are taken in any order; taken, too large and missing ones are refused", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { size: 3, ranks: "claimed" });
  await work(t, led, { rank: 2 });
  await work(t, led, { rank: 0 });
  for (
    const [rank, code] of [[2, "RANK_TAKEN"], [3, "RANK_INVALID"], [undefined, "RANK_REQUIRED"]] as const
  ) {
    const messenger = await t.messenger({ listen: false });
    await fails(joinCohort(messenger, { leader: led.leader.endpoint, rank }), { code });
  }
  assert.deepEqual(led.cohort.missingRanks(), [1]);
  await work(t, led, { rank: 1 });
  assert.deepEqual(led.cohort.workers().map(({ rank, position }) => [rank, position]), [[0, 1], [1, 2], [
    2,
    0,
  ]]);
  assert.equal(led.cohort.complete, true);
});

test("the first worker decides whether workers have ranks, where that is wanted", async () => {
  await using t = await leakCheck();
  const ranked = await lead(t, { ranks: "first" });
  await work(t, ranked, { rank: 0 });
  const without = await t.messenger({ listen: false });
  await fails(joinCohort(without, { leader: ranked.leader.endpoint }), { code: "RANK_REQUIRED" });
  const unranked = await lead(t, { ranks: "first" });
  assert.equal((await work(t, unranked)).place.rank, null);
  await fails(joinCohort(without, { leader: unranked.leader.endpoint, rank: 0 }), {
    code: "RANK_UNEXPECTED",
  });
  await fails(unranked.cohort.send("note", { rank: 0 }), { code: "RANK_UNKNOWN" });
});

test("the same worker that joins again has its old place", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { size: 2 });
  const { messenger, place } = await work(t, led);
  await work(t, led);
  const [first] = led.cohort.workers();
  const other = await t.messenger({ listen: false });
  await fails(joinCohort(other, { leader: led.leader.endpoint }), { code: "COHORT_FULL" });
  assert.equal(first?.instanceId, messenger.instanceId);
  await place.close();
  await until(() => led.cohort.workers().length === 1);
  const again = await joinCohort(messenger, { leader: led.leader.endpoint });
  t.defer(() => again.close());
  assert.equal(again.rank, 0);
  assert.ok(led.statuses.some(({ type }) => type === "left"));
});

test("broadcasts reach every worker, and with acks each one's outcome is told", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { size: 3 });
  const seen: string[] = [];
  for (let rank = 0; rank < 3; rank++) {
    await work(t, led, {}, (messenger) => {
      messenger.registerHandler(amHandler("note", ({ payload }) => {
        seen.push(`${rank} ${text(payload)}`);
        if (rank === 1 && text(payload) === "odd") throw new Error("rank 1 does not like it");
      }));
    });
  }
  assert.equal((await led.cohort.send("note", { rawPayload: bytes("all") })).ok, true);
  assert.equal((await led.cohort.send("note", { rawPayload: bytes("ranked") })).ok, true);
  const results = await led.cohort.sync("note", { rawPayload: bytes("odd") });
  assert.deepEqual(results.outcomes.map(({ worker, ok }) => [worker.rank, ok]), [[0, true], [1, false], [
    2,
    true,
  ]]);
  assert.match(results.failures[0]!.error.message, /rank 1 does not like it/);
  assert.throws(() => results.values(), /Failed at 1 of 3 workers/);
  assert.equal(results.ofRank(2)?.ok, true);
  assert.equal(results.of(results.failures[0]!.worker.instanceId)?.ok, false);
  await until(() => seen.length === 9);
  assert.deepEqual(seen.filter((line) => line.startsWith("2")), ["2 all", "2 ranked", "2 odd"]);
});

test("Dynamo's broadcast_to_workers and broadcast_to_workers_with_acks are send and sync", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { size: 1 });
  const seen: string[] = [];
  await work(t, led, {}, (messenger) => {
    messenger.registerHandler(amHandler("note", ({ payload }) => void seen.push(text(payload))));
  });
  await led.cohort.broadcastToWorkersWithAcks("note", { rawPayload: bytes("synced") });
  assert.deepEqual(seen, ["synced"]);
  assert.ok((await led.cohort.broadcastToWorkers("note", { rawPayload: bytes("sent") })).ok);
  await until(() => seen.length === 2);
});

const square = contract("square", { input: z.number(), output: z.number() });

test("every worker answers a question of its own, or the same one; by contract, by name, and some ranks alone", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { size: 4 });
  for (let i = 0; i < 4; i++) {
    await work(t, led, {}, (messenger) => {
      messenger.handle(square, ({ input }) => input * input);
      messenger.registerHandler(unaryHandler("echo", ({ payload }) => payload));
    });
  }
  await led.cohort.awaitHandlerOnAllWorkers("square", { timeoutMs: 2_000 });
  assert.deepEqual((await led.cohort.map(square, ({ rank }) => rank! + 1)).values(), [1, 4, 9, 16]);
  assert.deepEqual((await led.cohort.call(square, { payload: 3 })).values(), [9, 9, 9, 9]);
  const named = await led.cohort.map("echo", ({ rank }) => bytes(`rank ${rank}`), { ranks: [1, 3] });
  assert.deepEqual(named.values().map(text), ["rank 1", "rank 2"]);
  assert.deepEqual((await led.cohort.map("echo", () => ({ a: 1 }), { rank: 0 })).values().map(text), [
    '{"a":1}',
  ]);
  await fails(led.cohort.map(square, () => 1, { ranks: [2, 6] }), {
    code: "RANK_UNKNOWN",
    message: /4, 5/,
  });
  await assert.rejects(led.cohort.map(square, () => 1, { ranks: [2, 2] }), RangeError);
  await assert.rejects(led.cohort.awaitHandlerOnAllWorkers("nobody", { timeoutMs: 50 }), AggregateError);
});

test("one deadline holds for a collective, however many workers do not answer, and none is missing in what it tells", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { size: 5 });
  const held = gate(t);
  for (let i = 0; i < 5; i++) {
    await work(t, led, {}, (messenger) => {
      messenger.registerHandler(unaryHandler("ask", async ({ signal }) => {
        if (i === 0) return bytes("yes");
        await Promise.race([
          held.opened,
          new Promise((resolve) => signal.addEventListener("abort", resolve)),
        ]);
        return bytes("late");
      }));
    });
  }
  const start = performance.now();
  const results = await led.cohort.call("ask", { timeoutMs: 200 });
  const took = performance.now() - start;
  assert.ok(took < 700, `it took ${took} ms`);
  assert.deepEqual(results.outcomes.map(({ ok }) => ok), [true, false, false, false, false]);
  for (const { error } of results.failures) assert.equal((error as { code?: string }).code, "TIMEOUT");
  const controller = new AbortController();
  const given = led.cohort.call("ask", { signal: controller.signal });
  controller.abort(new Error("enough"));
  await assert.rejects(given, { message: "enough" });
  held.open();
});

test("payloads that are not there in time are outcomes of their own, and what is left is the others' time", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { size: 3 });
  for (let i = 0; i < 3; i++) {
    await work(t, led, {}, (messenger) => {
      // Rank 1 is asked late, and has only the remaining time.
      messenger.registerHandler(
        unaryHandler("echo", async ({ payload, signal }) => {
          if (text(payload) === "hold") {
            await new Promise((resolve) => signal.addEventListener("abort", resolve));
          }
          return payload;
        }),
      );
    });
  }
  const never = new Promise<Uint8Array>(() => {});
  const asked = gate(t);
  const start = performance.now();
  const mapping = led.cohort.map("echo", ({ rank }) => {
    if (rank === 1) return asked.opened.then(() => bytes("hold"));
    return rank === 0 ? bytes("at once") : never;
  }, { timeoutMs: 400 });
  await pause(350);
  asked.open();
  const results = await within(mapping, 2_000, "a collective whose payload never comes");
  const took = performance.now() - start;
  assert.ok(took >= 390 && took < 700, `it took ${took} ms`);
  assert.deepEqual(results.outcomes.map(({ ok }) => ok), [true, false, false]);
  looksLike(results.failures[0]!.error, { code: "TIMEOUT" });
  looksLike(results.failures[1]!.error, { code: "TIMEOUT", ran: "no", message: /no payload for worker/ });
  const controller = new AbortController();
  const given = led.cohort.map("echo", () => never, { signal: controller.signal });
  controller.abort(new Error("enough"));
  await fails(given, { message: "enough" }, 1_000);
  await assert.rejects(led.cohort.map("echo", () => never, { timeoutMs: Number.NaN }), TypeError);
});

test("no worker passes a barrier before all have come, and an all-gather gives each all values in order of rank", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { size: 3 });
  const places: CohortMembership[] = [];
  for (let i = 0; i < 3; i++) places.push((await work(t, led)).place);
  let passed = 0;
  const first = places[0]!.barrier("start").then(() => passed++);
  const second = places[1]!.barrier("start").then(() => passed++);
  await assert.rejects(places[2]!.barrier("other", { timeoutMs: 60 }), { code: "TIMEOUT" });
  assert.equal(passed, 0);
  await assert.rejects(places[0]!.barrier("start"), {
    code: "HANDLER_FAILED",
    message: /waits at "start" already/,
  });
  await within(Promise.all([first, second, places[2]!.barrier("start")]), 2_000);
  for (let round = 0; round < 3; round++) {
    const gathered = await Promise.all(
      places.map((place) => place.allGather("n", { rank: place.rank, round })),
    );
    for (const values of gathered) assert.deepEqual(values, [0, 1, 2].map((rank) => ({ rank, round })));
  }
});

test("close() tells the workers in order of rank, waits for their ends, and reports those that did not end", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { size: 3 });
  const told: string[] = [];
  const held = gate(t);
  const places: CohortMembership[] = [];
  for (let rank = 0; rank < 3; rank++) {
    const onEnding = async (reason: string): Promise<void> => {
      told.push(`${rank} ${reason}`);
      if (rank === 2) await held.opened;
    };
    places.push((await work(t, led, { onEnding })).place);
  }
  const sent: unknown[] = [];
  const amSync = led.leader.amSync.bind(led.leader);
  Object.assign(led.leader, {
    amSync(target: string | Contract, options: CallOptions) {
      if (typeof target !== "string" && target.name.endsWith(":shutdown")) sent.push(options.to);
      return amSync(target as string, options);
    },
  });
  const results = await led.cohort.close({ reason: "enough for today", timeoutMs: 300 });
  assert.deepEqual(results.outcomes.map(({ ok }) => ok), [true, true, false]);
  const ending = await within(led.cohort.closed, 1_000);
  assert.ok(ending instanceof Error);
  assert.match(ending.message, /^enough for today; 1 of 3 workers did not confirm that they ended$/);
  assert.deepEqual(sent, results.outcomes.map(({ worker }) => worker.instanceId));
  assert.deepEqual(told.sort(), ["0 enough for today", "1 enough for today", "2 enough for today"]);
  assert.equal(await within(places[0]!.ended, 1_000), "enough for today");
  assert.ok(places[1]!.signal.aborted);
  assert.equal(await led.cohort.close(), results);
  await fails(led.cohort.send("note"), { code: "COHORT_ENDED", message: /enough for today/ });
  await assert.rejects(places[0]!.barrier("x"), { code: "COHORT_ENDED" });
  await until(() => led.statuses.at(-1)?.type === "ended");
  assert.ok(led.statuses.some(({ type }) => type === "ending"));
  held.open();
});

test("a worker's end may take longer than a silence that would make it lost", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { ...lostSoon, size: 2 });
  const held = gate(t);
  let finished = false;
  const onEnding = async (): Promise<void> => {
    await held.opened;
    finished = true;
  };
  const slow = await work(t, led, { onEnding });
  const quick = await work(t, led);
  const ending = led.cohort.close({ reason: "done", timeoutMs: 5_000 });
  await within(quick.place.ended, 1_000);
  await pause(3 * lostSoon.lostAfterMs);
  assert.equal(slow.place.signal.aborted, false);
  held.open();
  assert.ok((await within(ending, 2_000, "the end")).ok);
  assert.ok(finished);
  assert.equal(await slow.place.ended, "done");
});

test("a worker that has left and come back is awaited at the end, like the others", async () => {
  await using t = await leakCheck();
  const led = await lead(t);
  const { messenger, place } = await work(t, led);
  await place.close();
  await until(() => led.cohort.workers().length === 0);
  const held = gate(t);
  const again = await joinCohort(messenger, { leader: led.leader.endpoint, onEnding: () => held.opened });
  t.defer(() => again.close());
  const results = await led.cohort.close({ timeoutMs: 100 });
  looksLike(results.failures[0]?.error, {
    code: "TIMEOUT",
    ran: "yes",
    message: /did not end within 100 ms/,
  });
  held.open();
});

test("a worker that is lost ends the cohort, unless the policy says to go on: then the others do", async () => {
  await using t = await leakCheck();
  for (const failurePolicy of ["endAll", "continue"] as const) {
    const led = await lead(t, { ...lostSoon, failurePolicy });
    const gone = await workBehindProxy(t, led);
    const stays = await work(t, led);
    gone.cutOff();
    await until(() => led.statuses.some(({ type }) => type === "lost"));
    if (failurePolicy === "endAll") {
      assert.match(await within(stays.place.ended, 2_000), /was lost/);
      await fails(led.cohort.send("note"), { code: "COHORT_ENDED" });
    } else {
      assert.deepEqual(led.cohort.workers().map(({ instanceId }) => instanceId), [
        stays.messenger.instanceId,
      ]);
      assert.equal(stays.place.signal.aborted, false);
    }
  }
});

test("a replacement gets the lost worker's rank, collectives name the gap until then, and without one it ends", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { ...lostSoon, size: 2, failurePolicy: { replaceWithinMs: 700 } });
  const serve = (messenger: Messenger): void =>
    void messenger.registerHandler(unaryHandler("who", () => bytes(messenger.instanceId)));
  const stays = await work(t, led, {}, serve);
  const gone = await workBehindProxy(t, led, {}, serve);
  gone.cutOff();
  await until(() => led.cohort.stats().lost === 1);
  assert.equal(led.cohort.complete, false);
  const during = await led.cohort.call("who");
  assert.deepEqual(during.outcomes.map(({ ok }) => ok), [true, false]);
  assert.equal((during.failures[0]!.error as { code?: string }).code, "COHORT_WORKER_LOST");
  const fresh = await workBehindProxy(t, led, {}, serve);
  assert.deepEqual([fresh.place.rank, fresh.place.position], [1, 1]);
  assert.deepEqual((await led.cohort.call("who")).values().map(text), [
    stays.messenger.instanceId,
    fresh.messenger.instanceId,
  ]);
  fresh.cutOff();
  assert.match(await within(stays.place.ended, 3_000), /not replaced within 700 ms/);
});

test("a worker whose leader is gone ends after it has asked again for a while", async () => {
  await using t = await leakCheck();
  const led = await lead(t, lostSoon);
  const { place } = await work(t, led, { rejoinForMs: 100 });
  await led.leader.close();
  assert.match(await within(place.ended, 3_000), /the leader .* was lost/);
});

test("wrong options are refused with what is wrong, and a name can be led once", async () => {
  await using t = await leakCheck();
  const leader = await t.messenger();
  for (
    const options of [
      { size: 0 },
      { ranks: "odd" as "none" },
      { failurePolicy: "never" as "endAll" },
      { failurePolicy: { replaceWithinMs: -1 } },
      { heartbeatMs: 100, lostAfterMs: 50 },
      { timeoutMs: NaN },
      { sise: 2 } as object,
    ]
  ) {
    const error = thrown(() => LeaderWorkerCohort.create(leader, options));
    assert.ok(error instanceof RangeError || error instanceof TypeError, String(error));
  }
  const cohort = LeaderWorkerCohort.create(leader);
  assert.equal(thrown(() => LeaderWorkerCohort.create(leader)).code, "HANDLER_EXISTS");
  const other = LeaderWorkerCohort.create(leader, { name: "other" });
  await fails(cohort.whenComplete({ timeoutMs: 20 }), {
    code: "TIMEOUT",
    message: /has 0 workers after 20 ms/,
  });
  const stranger = await t.messenger();
  for (
    const options of [
      { rejoinForMs: -1 },
      { rejoinForMs: NaN },
      { timeoutMs: NaN },
      { rejoinFor: 1 } as object,
    ]
  ) {
    await assert.rejects(
      joinCohort(stranger, { leader: leader.endpoint, ...options }),
      /TypeError|RangeError/,
    );
  }
  await fails(joinCohort(stranger, { leader: leader.endpoint, name: "none" }), { code: "HANDLER_NOT_FOUND" });
  await Promise.all([cohort.close(), other.close()]);
});
