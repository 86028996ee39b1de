/** Tests of `zeromesh/zmq` once more, inside a Worker. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { repositoryRoot } from "../support/runtime.ts";
import { runInWorker } from "../support/worker_tests.ts";

for (
  const file of [
    "zmq_sockets_test.ts",
    "zmq_sockets_waits_test.ts",
    "zmq_sockets_closing_test.ts",
    "zmq_sockets_events_test.ts",
    "zmq_sockets_proxy_test.ts",
    "zmq_drafts_test.ts",
    "zmq_drafts_hostile_test.ts",
  ]
) {
  test(`in a Worker: ${file}`, async () => {
    const results = await runInWorker(`${repositoryRoot}/test/conformance/${file}`);
    const failed = results.filter(({ outcome }) => outcome === "failed");
    assert.deepEqual(failed.map(({ name, error }) => `${name}: ${error}`), []);
    assert.ok(results.some(({ outcome }) => outcome === "passed"), "none of its tests ran");
  });
}
