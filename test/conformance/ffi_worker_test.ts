import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { openBackend } from "../../ffi/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { within } from "../support/until.ts";

/** The report of `ffi_in_worker.ts`. */
interface Report {
  readonly kind: string;
  readonly messages: number;
  readonly error?: string;
}

for (const kind of ["auto", "worker"] as const) {
  test(`a backend works in Workers beside the one of the main thread (${kind})`, async () => {
    // A runtime may keep some descriptors of its own for its next Worker.
    await using _check = await leakCheck({ descriptors: false });
    const main = await openBackend();
    const workers = Array.from({ length: 3 }, () => {
      return new Worker(new URL("./ffi_in_worker.ts", import.meta.url), { workerData: { kind } });
    });
    const reports = await within(
      Promise.all(workers.map(async (worker) => {
        const [report] = await once(worker, "message") as [Report];
        return report;
      })),
      20_000,
      "the workers' reports",
    );
    for (const report of reports) {
      assert.equal(report.error, undefined);
      assert.equal(report.messages, 200);
      if (kind === "worker") assert.equal(report.kind, "worker");
    }
    await Promise.all(workers.map((worker) => worker.terminate()));
    const context = main.contextNew();
    assert.equal(await main.contextTerm(context), 0);
  });
}
