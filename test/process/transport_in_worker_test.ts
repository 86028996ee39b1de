/** Tests of the transport once more, with the instances they make inside a Worker; some with other processes. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { longRun, repositoryRoot } from "../support/runtime.ts";
import { within } from "../support/until.ts";
import type { WorkerResult } from "../support/worker_suite.ts";

const folder = `${repositoryRoot}/test`;
// What depends on the thread daily: how connections come, are lost and end, who owns the bytes, and libzmq's questions
// about keys. The rest is decided above that, and the waiters have tests in Workers of their own.
const daily = ["curve", "drain", "epochs", "payloads"].map((name) => `transport_${name}_test.ts`);
const all = readdirSync(`${folder}/conformance`).filter((name) => /^transport_.*_test\.ts$/.test(name));
assert.deepEqual(daily.filter((name) => !all.includes(name)), []);
const inOneProcess = longRun ? all : daily;
// Tests that start processes take longer: in full they run twice only in long runs.
const between = [
  "transport_goodbye",
  ...(longRun ? ["transport_flow", "transport_order", "transport_slow", "links_loss"] : []),
];
const files = [
  ...inOneProcess.sort().map((name) => `conformance/${name}`),
  ...between.map((name) => `process/${name}_test.ts`),
];

async function runInWorker(file: string): Promise<WorkerResult[]> {
  const results: WorkerResult[] = [];
  const worker = new Worker(new URL("../support/worker_suite.ts", import.meta.url), {
    workerData: { file: `file://${folder}/${file}` },
  });
  const ended = new Promise<void>((resolve, reject) => {
    worker.on("error", reject);
    worker.on("message", (result: WorkerResult | null) => {
      if (result === null) resolve();
      else results.push(result);
    });
  });
  try {
    await within(ended, longRun ? 600_000 : 60_000, `the tests of ${file}, after ${results.length} of them`);
  } finally {
    await worker.terminate();
  }
  return results;
}

for (const file of files) {
  test(`in a Worker: ${file}`, async (context) => {
    const results = await runInWorker(file);
    const failed = results.filter(({ outcome }) => outcome === "failed");
    assert.deepEqual(failed.map(({ name, error }) => `${name}: ${error}`), []);
    assert.ok(results.some(({ outcome }) => outcome === "passed"), "none of its tests ran");
    context.diagnostic(`${results.length} tests`);
  });
}
