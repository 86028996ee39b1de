/** Tests of the transport once more, with the instances they make inside a Worker; some with other processes. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { longRun, repositoryRoot } from "../support/runtime.ts";
import { runInWorker } from "../support/worker_tests.ts";

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

for (const file of files) {
  test(`in a Worker: ${file}`, async (context) => {
    const results = await runInWorker(`${folder}/${file}`);
    const failed = results.filter(({ outcome }) => outcome === "failed");
    assert.deepEqual(failed.map(({ name, error }) => `${name}: ${error}`), []);
    assert.ok(results.some(({ outcome }) => outcome === "passed"), "none of its tests ran");
    context.diagnostic(`${results.length} tests`);
  });
}
