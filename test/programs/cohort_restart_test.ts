/** Cohorts between processes: a leader that is killed and started again, and a queue of work whose workers are killed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract } from "../../src/mod.ts";
import { crew, crewTimes, placeOf, spawnWorker } from "../support/cohort_crew.ts";
import { leakCheck } from "../support/fixture.ts";
import { allRuntimes } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";
import { until, within } from "../support/until.ts";

const [here, there] = allRuntimes;

test("workers of both runtimes rejoin a leader that was killed and started again at its address within two seconds", async () => {
  await using t = await leakCheck();
  const options = JSON.stringify({ size: 2, heartbeatMs: 500, lostAfterMs: 20_000 });
  const script = "test/support/peers/cohort_leader.ts";
  const first = t.use(spawnScript(script, [options], { runtime: here! }));
  const endpoint = (await first.waitForLine("listening ")).slice("listening ".length);
  const workers = [here!, there!].map((runtime) => spawnWorker(t, endpoint, runtime));
  await first.waitForLine("complete");
  for (const worker of workers) await worker.waitForLine("joined ");
  first.signal("SIGKILL");
  await first.exit;
  const second = t.use(spawnScript(script, [options, endpoint], { runtime: there! }));
  await second.waitForLine("listening ");
  await second.waitForLine("complete", 2_000);
  for (const worker of workers) worker.write(`gather ranks ${placeOf(worker).rank}\n`);
  for (const worker of workers) await worker.waitForLine("gather ranks [0,1]");
});

test("a queue of work over processes is done to its last item, right, though two of its workers are killed", async () => {
  await using t = await leakCheck();
  const square = contract("square", { input: z.number(), output: z.number() });
  const { cohort, workers } = await crew(t, 4, { failurePolicy: "continue", ...crewTimes });
  const items = Array.from({ length: 4_000 }, (_, at) => at);
  const work = cohort.distribute(square, items, { concurrency: 4, retry: { ran: "maybe", backoffMs: 10 } });
  for (const [at, worker] of workers.slice(0, 2).entries()) {
    await until(() => work.outcomes.length > (at + 1) * 500, { timeoutMs: 10_000 });
    worker.signal("SIGKILL");
  }
  assert.ok(work.outcomes.length < items.length, "both were killed while work was left");
  const results = await within(Promise.resolve(work), 20_000, "the queue to be done");
  assert.deepEqual(results, items.map((item) => item ** 2));
  assert.ok(
    work.outcomes.some(({ attempts }) => attempts > 1),
    "what the killed ones had was given to others",
  );
});
