/** A node that is killed while another process uses it in every way. */
import assert from "node:assert/strict";
import { type ActorEnd, actorRef, ActorSystem } from "../../src/actors/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { Worker } from "../support/peers/actors_peer.ts";
import { peerRuntimes } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";
import { test } from "../support/testing.ts";
import { until, within } from "../support/until.ts";

const count = 100;

for (const runtime of peerRuntimes) {
  test(`1 000 asks, 100 channels and 100 watches at a node on ${runtime} all end soon after it is killed`, async (context) => {
    await using t = await leakCheck();
    const node = t.use(spawnScript("test/support/peers/actors_peer.ts", [`${count}`], { runtime }));
    const [, endpoint, peer] = (await node.waitForLine("ready ")).split(" ");
    const messenger = await t.messenger({ listen: false });
    await messenger.connect(endpoint!);
    const system = t.use(await ActorSystem.create(messenger));
    const refs = Array.from({ length: count }, (_, i) => actorRef(messenger, Worker, `worker${i}@${peer}`));
    const watched: ActorEnd[] = [];
    for (const ref of refs) system.watch(ref, (end) => watched.push(end));
    const channels = await Promise.all(refs.map((ref) => ref.open("line", "hi")));
    const asks = refs.flatMap((ref) =>
      Array.from({ length: 10 }, () => ref.ask("wait", undefined, { timeoutMs: 60_000 }))
    );
    const codes = Promise.all(
      asks.map((ask) => ask.then(() => "answered", (error: { code: string }) => error.code)),
    );
    await until(async () => (await refs[0]!.ask("state")).waiting === asks.length, { timeoutMs: 10_000 });
    assert.deepEqual(watched, []);
    const killedAt = performance.now();
    node.signal("SIGKILL");
    const ends = Promise.all(channels.map(({ closed }) => closed));
    const [closed, failed] = await within(Promise.all([ends, codes]), 15_000, "the ends");
    await until(() => watched.length === count);
    const tookMs = performance.now() - killedAt;
    context.diagnostic(`all ended after ${tookMs.toFixed(0)} ms`);
    assert.deepEqual([...new Set(failed)], ["PEER_DISCONNECTED"]);
    assert.deepEqual([...new Set(closed.map(({ reason }) => reason))], ["peerLost"]);
    assert.deepEqual([...new Set(watched.map(({ reason }) => reason))], ["peerLost"]);
    // A second; the rest is for a machine with much to do.
    assert.ok(tookMs < 2_000, `it took ${tookMs} ms`);
    assert.equal(watched.length, count);
  });
}
