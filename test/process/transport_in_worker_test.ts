/** The transport's tests once more, with the instances they make inside a Worker. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { repositoryRoot } from "../support/runtime.ts";
import { within } from "../support/until.ts";
import type { WorkerResult } from "../support/worker_suite.ts";

const folder = `${repositoryRoot}/test/conformance`;
const files = readdirSync(folder).filter((name) => /^transport_.*_test\.ts$/.test(name)).sort();

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
    await within(ended, 60_000, `the tests of ${file}, after ${results.length} of them`);
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
