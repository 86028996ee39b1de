import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { MonitorEvent } from "../../src/libzmq/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { Inbox, linked, parts, rawContext, sendSoon, waiterKinds } from "../support/raw_sockets.ts";
import type { WorkerReport, WorkerTask } from "../support/raw_worker.ts";
import { longRun } from "../support/runtime.ts";
import { until, within } from "../support/until.ts";

function start(task: WorkerTask): Worker {
  return new Worker(new URL("../support/raw_worker.ts", import.meta.url), { workerData: task });
}

async function report(worker: Worker): Promise<WorkerReport> {
  const [said] = await within(once(worker, "message"), 20_000, "the Worker's report") as [WorkerReport];
  assert.equal(said.error, undefined);
  return said;
}

for (const waiter of waiterKinds) {
  test(`Workers talk to the main thread over TCP, each with a context of its own (${waiter})`, async () => {
    // A runtime may keep some descriptors of its own for its next Worker.
    await using t = await leakCheck({ descriptors: false });
    const context = await rawContext(t, { waiter });
    const router = context.socket("ROUTER");
    const endpoint = router.bind("tcp://127.0.0.1:*");
    new Inbox(router, (message) => void router.send(message));
    const workers = Array.from({ length: 3 }, () => start({ task: "talk", endpoint, waiter }));
    for (const worker of workers) t.defer(() => worker.terminate().then(() => {}));
    for (const said of await Promise.all(workers.map(report))) {
      assert.equal(said.answers, 300);
      assert.equal(said.waiter, waiter === "worker" ? "worker" : context.reactor.stats().waiter);
      assert.deepEqual(said.open, { contexts: 0, sockets: 0 });
      assert.ok(said.events?.includes(MonitorEvent.HANDSHAKE_SUCCEEDED));
    }
  });

  for (const task of ["live", "flood"] as const) {
    test(`a Worker that is terminated with live sockets harms nobody (${waiter}, ${task})`, async () => {
      await using t = await leakCheck({ descriptors: false });
      const context = await rawContext(t, { waiter });
      const { bound, connected } = linked(context, "DEALER", "DEALER");
      const inbox = new Inbox(bound);
      const rounds = longRun ? 30 : 2;
      for (let round = 1; round <= rounds; round++) {
        const worker = start({ task, waiter });
        await report(worker);
        await within(worker.terminate(), 5_000, "the Worker to end");
        await sendSoon(connected, parts("still here"));
        await until(() => inbox.count === round);
      }
      // And a Worker after it finds everything as it was.
      const last = start({ task: "live", waiter });
      await report(last);
      await within(last.terminate(), 5_000, "the last Worker to end");
    });
  }
}
