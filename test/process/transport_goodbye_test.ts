/** Instances in processes of their own that leave, or that were given an id which is taken. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import type { Status } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { busy } from "../support/raw_sockets.ts";
import { start } from "../support/transport_peers.ts";
import { until, within } from "../support/until.ts";

for (const ms of [0, 400]) {
  test(`a peer that closes is told as leaving, however late its goodbye is read (after ${ms} ms)`, async () => {
    await using t = await leakCheck();
    const { child, endpoint } = await start(t, { ipc: false });
    const client = await t.messenger({ listen: false });
    const downs: Status[] = [];
    void (async () => {
      for await (const status of client.status()) {
        if (status.type === "peerDown") downs.push(status as Status);
      }
    })();
    const peer = await client.connect(endpoint);
    await client.unary("echo", { to: peer });
    child.write("close\n");
    // Goodbye and loss are found together, and the loss is noticed first.
    busy(ms);
    await until(() => downs.length === 1);
    assert.deepEqual(downs, [
      { type: "peerDown", peer, code: "PEER_DRAINING", reason: "it shut down", name: null },
    ]);
    // A peer that has left is not redialled.
    await until(() => client.stats().transport.dialled === 0);
    assert.equal((await within(child.exit, 5_000)).code, 0);
  });
}

test("connect() to a process that was given our id is IDENTITY_MISMATCH, and no call of ours comes back to us", async () => {
  await using t = await leakCheck();
  const own = await t.messenger();
  const { endpoint, info } = await start(t, { instanceId: own.instanceId });
  assert.equal((info as { instance_id?: string }).instance_id, own.instanceId);
  const began = performance.now();
  await assert.rejects(within(own.connect(endpoint), 3_000), (error: Error & { code?: string }) => {
    assert.equal(error.code, "IDENTITY_MISMATCH");
    assert.match(error.message, /id of its own/);
    return true;
  });
  assert.ok(performance.now() - began < 2_000);
  // Others reach either of them.
  const third = await t.messenger({ listen: false });
  assert.equal(await third.connect(endpoint), own.instanceId);
  assert.equal(await own.connect(own.endpoint), own.instanceId);
});
