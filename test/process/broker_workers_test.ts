/** Clients of a broker in Workers of one process. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { curveKeyPair } from "../../src/mod.ts";
import { keyedBroker } from "../conformance/broker_kit.ts";
import { noCurve } from "../support/curve.ts";
import { leakCheck } from "../support/fixture.ts";
import { test } from "../support/testing.ts";
import { until, within } from "../support/until.ts";

const of = 4;
const channels = 10;

test(`${of} Workers of one process, each with clients of its own, register and consume at once`, {
  skip: noCurve,
}, async () => {
  // Deno keeps two descriptors of its own of Workers that have ended.
  await using t = await leakCheck({ descriptors: false });
  // Workers that start keep the processors busy.
  const broker = await keyedBroker(t, { heartbeatMs: 2_000 });
  const { endpoint, publicKey } = broker;
  const workers = await Promise.all(Array.from({ length: of }, async (_, at) => {
    const curve = await curveKeyPair();
    const workerData = { endpoint, publicKey, curve, at, of, channels };
    const worker = new Worker(new URL("./broker_workers_program.ts", import.meta.url), { workerData });
    t.defer(async () => void await worker.terminate());
    return worker;
  }));
  const said = await within(Promise.all(workers.map((one) => once(one, "message"))), 30_000, "all Workers");
  for (const [{ got, registered, connects }] of said) {
    assert.deepEqual(got, Array.from({ length: channels }, (_, n) => n));
    // Both clients of a messenger share its connection.
    assert.deepEqual([registered >= channels, connects], [true, 1]);
  }
  assert.equal(broker.channels().length, of * channels);
  assert.equal(broker.stats().clients, of);
  const closed = workers.map((one) => once(one, "message"));
  for (const one of workers) one.postMessage("close");
  await within(Promise.all(closed), 20_000, "all Workers to close");
  await until(() => broker.channels().length === 0, { message: "all channels to end", timeoutMs: 10_000 });
  assert.deepEqual(broker.stats().registry.expiries, 0);
});
