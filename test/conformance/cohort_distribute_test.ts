/** Cohorts: a queue of work over the workers, with lost workers, retries, progress, deadlines and failures. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import type { CohortMembership, ItemOutcome } from "../../src/cohort/mod.ts";
import { contract, type Messenger, ZeromeshError } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { lead, lostSoon, work, workBehindProxy } from "./cohort_kit.ts";
import { fails, gate } from "./messenger_kit.ts";

const square = contract("square", { input: z.number(), output: z.number() });
const note = contract("note", { input: z.string() });
const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

function serve(seen: number[] = []): (messenger: Messenger) => void {
  return (messenger) =>
    void messenger.handle(square, ({ input }) => {
      seen.push(input);
      return input ** 2;
    });
}

test("distribute() gives each item to one worker, and awaited it gives the results in the order of the items", async () => {
  await using t = await leakCheck();
  const led = await lead(t);
  const seen: number[][] = [[], [], []];
  for (const own of seen) await work(t, led, {}, serve(own));
  assert.deepEqual(await led.cohort.distribute(square, numbers(60)), numbers(60).map((n) => n ** 2));
  assert.deepEqual(seen.flat().sort((a, b) => a - b), numbers(60));
  assert.ok(seen.every((own) => own.length > 0), "every worker had some");
  assert.deepEqual(await led.cohort.distribute(square, []), []);
});

test("a worker has no more items at a time than concurrency says, and slow workers get fewer", async () => {
  await using t = await leakCheck();
  const led = await lead(t);
  const slow = gate(t);
  let most = 0;
  let running = 0;
  const { messenger } = await work(t, led, {}, (worker) =>
    void worker.handle(square, async ({ input }) => {
      most = Math.max(most, ++running);
      await slow.opened;
      running--;
      return input ** 2;
    }));
  const quick: number[] = [];
  await work(t, led, {}, serve(quick));
  const distribution = led.cohort.distribute(square, numbers(20), { concurrency: 3 });
  await until(() => quick.length === 17);
  assert.equal(messenger.stats().handlers.running, 3);
  slow.open();
  assert.equal((await distribution).length, 20);
  assert.equal(most, 3);
});

test("the worker with the fewest items gets the next one", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { lostAfterMs: 5_000 });
  const held = gate(t);
  const workers = await Promise.all(
    [1, 2].map(() =>
      work(t, led, {}, (worker) =>
        void worker.handle(square, async ({ input }) => {
          await held.opened;
          return input ** 2;
        }))
    ),
  );
  const distribution = led.cohort.distribute(square, numbers(4), { concurrency: 3 });
  const running = () => workers.map(({ messenger }) => messenger.stats().handlers.running);
  await until(() => running()[0]! + running()[1]! === 4);
  assert.deepEqual(running(), [2, 2]);
  held.open();
  assert.equal((await distribution).length, 4);
});

test("an item that a worker could not take goes to another one, also when the first was heard of again", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { lostAfterMs: 5_000 });
  const held = gate(t);
  const full = await work(t, led, {}, (worker) => {
    const limits = { concurrency: 1, maxQueued: 1 };
    worker.handle(square, ({ input }) => held.opened.then(() => input ** 2), limits);
    // One runs, and one waits for its turn: there is no room for more.
    for (let own = 0; own < 2; own++) {
      worker.typedUnary(square, { to: worker.instanceId, payload: own }).catch(() => {});
    }
  });
  await until(() => full.messenger.stats().handlers.queued === 1);
  const taken: number[] = [];
  const other = await work(t, led, {}, serve(taken));
  const distribution = led.cohort.distribute(square, [7], { retry: { attempts: 2, backoffMs: 150 } });
  for await (const outcome of distribution) {
    assert.deepEqual([outcome.ok, outcome.attempts], [true, 2]);
    assert.equal(outcome.worker.instanceId, other.messenger.instanceId);
  }
  assert.deepEqual(taken, [7]);
  held.open();
});

test("iterated it tells each item's outcome as it ends, also what has ended before, and it can be awaited as well", async () => {
  await using t = await leakCheck();
  const led = await lead(t);
  await work(t, led, {}, serve());
  const distribution = led.cohort.distribute(square, numbers(5));
  const told: ItemOutcome<number>[] = [];
  for await (const outcome of distribution) told.push(outcome);
  assert.deepEqual(
    told.map((
      { index, done, total, attempts, ok, worker },
    ) => [index, done, total, attempts, ok, worker.rank]),
    numbers(5).map((n) => [n, n + 1, 5, 1, true, 0]),
  );
  assert.deepEqual(await distribution, [0, 1, 4, 9, 16]);
  let again = 0;
  for await (const _ of distribution) again++;
  assert.equal(again, 5);
});

test("items that come later are asked for one by one, when a worker is free; handlers without an answer will do", async () => {
  await using t = await leakCheck();
  const led = await lead(t);
  const hold = gate(t);
  const got: string[] = [];
  await work(t, led, {}, (worker) =>
    void worker.handle(note, async ({ input }) => {
      got.push(input);
      await hold.opened;
    }));
  let asked = 0;
  async function* items(): AsyncGenerator<string> {
    for (; asked < 4;) yield await Promise.resolve(`item ${asked++}`);
  }
  const distribution = led.cohort.distribute(note, items());
  await until(() => got.length === 1);
  assert.equal(asked, 1);
  hold.open();
  assert.equal((await distribution).length, 4);
  assert.deepEqual(got, ["item 0", "item 1", "item 2", "item 3"]);
  assert.equal(distribution.outcomes.at(-1)?.done, 4);
});

test("items wait for a worker that joins later, and no longer than itemTimeoutMs", async () => {
  await using t = await leakCheck();
  const led = await lead(t);
  const distribution = led.cohort.distribute(square, [2, 3]);
  await work(t, led, {}, serve());
  assert.deepEqual(await distribution, [4, 9]);
  const empty = await lead(t);
  await fails(Promise.resolve(empty.cohort.distribute(square, [1, 2], { itemTimeoutMs: 40 })), {
    code: "TIMEOUT",
    message: "No worker could take an item for 40 ms: 0 of 2 items are done",
    ran: "no",
  });
});

for (const ran of ["no", "maybe"] as const) {
  test(`a lost worker's item ${ran === "maybe" ? "is given to another one" : "fails"} with ran: "${ran}", and nothing else does`, async () => {
    await using t = await leakCheck();
    const led = await lead(t, { ...lostSoon, failurePolicy: "continue" });
    const stuck = gate(t);
    const lost = await workBehindProxy(
      t,
      led,
      {},
      (worker) =>
        void worker.handle(square, async ({ input }) => {
          await stuck.opened;
          return input;
        }),
    );
    const distribution = led.cohort.distribute(square, numbers(6), { retry: { ran, backoffMs: 1 } });
    await until(() => lost.messenger.stats().handlers.running === 1);
    const other = await work(t, led, {}, serve());
    lost.cutOff();
    if (ran === "maybe") {
      assert.deepEqual(await distribution, [0, 1, 4, 9, 16, 25]);
      const first = distribution.outcomes.find(({ index }) => index === 0);
      assert.deepEqual([first?.attempts, first?.worker.instanceId], [2, other.messenger.instanceId]);
    } else {
      const error = await distribution.then(
        () => assert.fail("it must fail"),
        (reason) => reason as ZeromeshError,
      );
      assert.equal(error.code, "COHORT_ITEMS_FAILED");
      assert.match(error.message, /^1 of 6 items of "square" failed: item 0 at /);
      assert.equal(error.ran, "maybe");
      assert.deepEqual(distribution.outcomes.filter(({ ok }) => ok).map(({ index }) => index).sort(), [
        1,
        2,
        3,
        4,
        5,
      ]);
    }
    stuck.open();
  });
}

test("a worker that is gone and not yet known to be lost gets nothing more until it was heard of", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { failurePolicy: "continue", heartbeatMs: 50, lostAfterMs: 60_000 });
  const stuck = gate(t);
  const gone = await workBehindProxy(t, led, {}, (worker) =>
    void worker.handle(square, async () => {
      await stuck.opened;
      return 0;
    }));
  const distribution = led.cohort.distribute(square, numbers(30), { retry: { ran: "maybe", backoffMs: 1 } });
  await until(() => gone.messenger.stats().handlers.running === 1);
  gone.cutOff();
  await until(() => !led.leader.peers().some(({ up }) => up));
  await work(t, led, {}, serve());
  assert.equal((await distribution).length, 30);
  assert.equal(led.cohort.workers().length, 2, "it is not lost yet");
  assert.deepEqual(distribution.outcomes.filter(({ attempts }) => attempts > 1).map(({ index }) => index), [
    0,
  ]);
  stuck.open();
});

test("a worker that closes finishes its item, and gets no other; one without the handler gets none again", async () => {
  await using t = await leakCheck();
  const led = await lead(t);
  const hold = gate(t);
  const leaving = await work(t, led, {}, (worker) =>
    void worker.handle(square, async ({ input }) => {
      await hold.opened;
      return input ** 2;
    }));
  await work(t, led, { rank: 1 });
  const distribution = led.cohort.distribute(square, numbers(4), { retry: { backoffMs: 1 } });
  await until(() => leaving.messenger.stats().handlers.running === 1);
  await work(t, led, {}, serve());
  const closed = leaving.messenger.close();
  await until(() => led.cohort.workers().length === 2);
  hold.open();
  await closed;
  assert.deepEqual(await within(Promise.resolve(distribution), 5_000), [0, 1, 4, 9]);
  const [first] = distribution.outcomes.filter(({ index }) => index === 0);
  assert.deepEqual([first?.attempts, first?.worker.instanceId], [1, leaving.messenger.instanceId]);
});

test("an item that a handler refuses fails once, the others go on, and the error says which and why", async () => {
  await using t = await leakCheck();
  const led = await lead(t);
  const seen: number[] = [];
  await work(t, led, {}, (worker) =>
    void worker.handle(square, ({ input }) => {
      seen.push(input);
      if (input % 10 === 3) throw new Error(`cannot do ${input}`);
      return input ** 2;
    }));
  const distribution = led.cohort.distribute(square, numbers(20));
  const error = await distribution.then(
    () => assert.fail("it must fail"),
    (reason) => reason as ZeromeshError,
  );
  assert.match(error.message, /^2 of 20 items of "square" failed: item 3 at \S+: cannot do 3; item 13 at /);
  assert.deepEqual([error.code, error.ran, seen.length], ["COHORT_ITEMS_FAILED", "yes", 20]);
  assert.equal(distribution.outcomes.filter(({ ok }) => ok).length, 18);
  const told: boolean[] = [];
  for await (const { ok } of led.cohort.distribute(square, [1, 3])) told.push(ok);
  assert.deepEqual(told, [true, false]);
});

test("an item that no worker can run fails after its attempts, and a wrong one at its first", async () => {
  await using t = await leakCheck();
  const led = await lead(t);
  const places: CohortMembership[] = [(await work(t, led)).place, (await work(t, led)).place];
  const distribution = led.cohort.distribute(square, [1, "two" as unknown as number], {
    retry: { attempts: 2, backoffMs: 1 },
  });
  await assert.rejects(Promise.resolve(distribution), { code: "COHORT_ITEMS_FAILED", ran: "no" });
  const ends = [...distribution.outcomes].sort((a, b) => a.index - b.index);
  assert.deepEqual(ends.map(({ attempts }) => attempts), [2, 1]);
  assert.deepEqual(
    ends.map((end) => end.ok ? null : (end.error as ZeromeshError).code),
    ["HANDLER_NOT_FOUND", "PAYLOAD_INVALID"],
  );
  assert.ok(places.every(({ signal }) => !signal.aborted));
});

test("a signal, a deadline, an early end of the loop and the end of the cohort each give up what is under way", async () => {
  await using t = await leakCheck();
  const led = await lead(t);
  const aborted: unknown[] = [];
  let mostRunning = 0;
  const { messenger } = await work(t, led, {}, (worker) =>
    void worker.handle(square, ({ input, signal }) => {
      mostRunning++;
      if (input === 0) return 0;
      return new Promise<number>((_, reject) =>
        signal.addEventListener("abort", () => {
          aborted.push(signal.reason);
          reject(signal.reason);
        })
      );
    }));
  const idle = (): Promise<unknown> => until(() => messenger.stats().handlers.running === 0);
  const stop = new AbortController();
  const signalled = led.cohort.distribute(square, [0, 1, 2], { signal: stop.signal });
  await until(() => messenger.stats().handlers.running === 1 && signalled.outcomes.length === 1);
  stop.abort(new Error("enough"));
  await assert.rejects(Promise.resolve(signalled), { message: "enough" });
  await idle();
  await fails(Promise.resolve(led.cohort.distribute(square, [0, 1, 2], { timeoutMs: 150 })), {
    code: "TIMEOUT",
    message: "1 of 3 items are done after 150 ms",
    ran: "maybe",
  });
  await idle();
  let returned = false;
  function* endless(): Generator<number> {
    try {
      for (let item = 0;; item++) yield item;
    } finally {
      returned = true;
    }
  }
  const left = led.cohort.distribute(square, endless());
  for await (const { index } of left) if (index === 0) break;
  await fails(Promise.resolve(left), { code: "CANCELLED" });
  assert.equal(returned, true);
  await idle();
  const ending = led.cohort.distribute(square, [0, 1]);
  await until(() => messenger.stats().handlers.running === 1);
  const ended = led.cohort.close({ timeoutMs: 500 });
  await fails(Promise.resolve(ending), { code: "COHORT_ENDED" });
  await ended;
  await fails(Promise.resolve().then(() => led.cohort.distribute(square, [1])), { code: "COHORT_ENDED" });
  assert.ok(aborted.length >= 4, `${aborted.length} of ${mostRunning}`);
});

test("an error of the items' source ends it, and wrong options are refused at once", async () => {
  await using t = await leakCheck();
  const led = await lead(t);
  await work(t, led, {}, serve());
  function* torn(): Generator<number> {
    yield 1;
    throw new Error("the file is torn");
  }
  await assert.rejects(Promise.resolve(led.cohort.distribute(square, torn())), {
    message: "the file is torn",
  });
  for (
    const options of [
      { concurrency: 0 },
      { retry: { attempts: 1.5 } },
      { retry: { ran: "yes" } },
      { retry: { backoffMs: NaN } },
      { retry: { atempts: 1 } },
      { timeoutMs: "soon" },
      { paralel: 3 },
    ]
  ) {
    assert.throws(() => led.cohort.distribute(square, [1], options as object), /TypeError|RangeError/);
  }
});
