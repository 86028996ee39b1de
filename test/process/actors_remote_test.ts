/** Actors of other processes: the same on both runtimes, and what is left when a node or a client is gone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { actorRef } from "../../src/actors/mod.ts";
import type { InstanceId, Messenger } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { Worker } from "../support/peers/actors_peer.ts";
import { peerRuntimes, type RuntimeName } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { until, within } from "../support/until.ts";

interface Node {
  readonly process: SpawnedProcess;
  readonly endpoint: string;
  readonly id: InstanceId;
}

async function startNode(t: LeakCheck, workers: number, runtime: RuntimeName, other?: string): Promise<Node> {
  const process = t.use(
    spawnScript("test/support/peers/actors_peer.ts", [
      String(workers),
      ...(other === undefined ? [] : [other]),
    ], { runtime }),
  );
  const [, endpoint = "", id = ""] = (await process.waitForLine(/^ready /)).split(" ");
  return { process, endpoint, id: id as InstanceId };
}

/** A messenger that only dials a node. */
async function clientOf(t: LeakCheck, { endpoint, id }: Node): Promise<Messenger> {
  const client = await t.messenger({ listen: false });
  assert.equal(await client.connect(endpoint), id);
  return client;
}

for (const runtime of peerRuntimes) {
  test(`a client that only dials uses an actor of a process on ${runtime}, which uses an actor of another one`, async () => {
    await using t = await leakCheck();
    const one = await startNode(t, 1, runtime);
    const two = await startNode(t, 1, runtime, one.endpoint);
    const client = await clientOf(t, one);
    const ref = actorRef(client, Worker, `worker0@${one.id}`);
    await ref.tell("reset", { to: 10 });
    assert.equal(await ref.ask("add", { n: 2 }, { timeoutMs: 5_000 }), 12);
    const sums = await Promise.all(Array.from({ length: 200 }, () => ref.ask("add", { n: 1 })));
    assert.deepEqual(sums, Array.from({ length: 200 }, (_, i) => 13 + i));
    // The client does not know the second node.
    assert.equal(await ref.ask("forward", { to: `worker0@${two.id}`, n: 7 }), 7);
    assert.equal(await ref.ask("forward", { to: `worker0@${two.id}`, n: 1 }), 8);
    const ring = ref.ask("forward", { to: `worker0@${one.id}`, n: 1 });
    await assert.rejects(ring, { code: "HANDLER_FAILED", message: /would wait for each other/ });
  });

  for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
    test(`a node on ${runtime} that gets ${signal} with 1 000 asks open at 100 actors ends them all in time`, async () => {
      await using t = await leakCheck();
      const node = await startNode(t, 100, runtime);
      const client = await clientOf(t, node);
      const refs = Array.from({ length: 100 }, (_, i) => actorRef(client, Worker, `worker${i}@${node.id}`));
      const open = Promise.allSettled(
        Array.from({ length: 1_000 }, (_, i) => refs[i % 100]!.ask("wait", undefined, { timeoutMs: 60_000 })),
      );
      await until(async () => (await refs[0]!.ask("state")).waiting === 1_000, { timeoutMs: 10_000 });
      const startedAt = performance.now();
      node.process.signal(signal);
      const ends = await within(open, 15_000, "the ends of all asks");
      const tookMs = performance.now() - startedAt;
      const codes = ends.map((end) =>
        end.status === "rejected" ? (end.reason as { code: string }).code : "answered"
      );
      assert.deepEqual([...new Set(codes)], ["PEER_DISCONNECTED"]);
      // A second, and the heartbeat bound; the rest is for a machine with much to do.
      assert.ok(tookMs < (signal === "SIGKILL" ? 2_000 : 6_000), `it took ${tookMs} ms`);
      const late = refs[0]!.tell("reset", { to: 1 }, { timeoutMs: 300 });
      await assert.rejects(within(late, 5_000), /TIMEOUT|PEER_|within|lost|dial/);
      await node.process.kill();
    });
  }

  test(`the asks of a client on ${runtime} that is killed are abandoned at their actors`, async () => {
    await using t = await leakCheck();
    const node = await startNode(t, 1, runtime);
    const watcher = actorRef(await clientOf(t, node), Worker, `worker0@${node.id}`);
    const args = [node.endpoint, "50"];
    const client = t.use(spawnScript("test/support/peers/actors_client.ts", args, { runtime }));
    await client.waitForLine("asked");
    await until(async () => (await watcher.ask("state")).waiting === 50, { timeoutMs: 10_000 });
    assert.equal((await watcher.ask("state")).gone, 0);
    const startedAt = performance.now();
    await client.kill();
    await until(async () => (await watcher.ask("state")).gone === 50, { timeoutMs: 6_000 });
    assert.ok(performance.now() - startedAt < 3_000);
  });
}
