/** A node that is killed or stands still while another process uses it in every way. */
import assert from "node:assert/strict";
import { type ActorEnd, actorRef, ActorSystem } from "../../src/actors/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { Worker } from "../support/peers/actors_peer.ts";
import { longRun, peerRuntimes } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";
import { test } from "../support/testing.ts";
import { until, within } from "../support/until.ts";

const count = 100;

/** What happens to the node, and the time within which all ends are known; the rest is for a machine with much to do. */
const faults = [
  { signal: "SIGKILL", maxMs: 2_000, skip: false },
  {
    // The bound is four seconds, and no option makes it shorter.
    signal: "SIGSTOP",
    maxMs: 6_000,
    skip: longRun ? false : "it takes four seconds, and each kind has a test of its own: --long runs it",
  },
] as const;

for (const [runtime, fault] of peerRuntimes.flatMap((one) => faults.map((fault) => [one, fault] as const))) {
  const { signal, maxMs, skip } = fault;
  test(`1 000 asks, 100 channels and 100 watches at a node on ${runtime} all end in time after ${signal}`, {
    skip,
  }, async (context) => {
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
    const startedAt = performance.now();
    node.signal(signal);
    const ends = Promise.all(channels.map(({ closed }) => closed));
    const [closed, failed] = await within(Promise.all([ends, codes]), 15_000, "the ends");
    await until(() => watched.length === count, { timeoutMs: 10_000 });
    const tookMs = performance.now() - startedAt;
    context.diagnostic(`all ended after ${tookMs.toFixed(0)} ms`);
    assert.deepEqual([...new Set(failed)], ["PEER_DISCONNECTED"]);
    assert.deepEqual([...new Set(closed.map(({ reason }) => reason))], ["peerLost"]);
    assert.deepEqual([...new Set(watched.map(({ reason }) => reason))], ["peerLost"]);
    assert.ok(tookMs < maxMs, `it took ${tookMs} ms`);
    assert.equal(watched.length, count);
    await node.kill();
  });
}
