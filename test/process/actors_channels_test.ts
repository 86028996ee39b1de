/** Channels between processes: bytes and order on both runtimes, and what is left when a node or a client is gone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ActorChannel, actorRef, ActorSystem } from "../../src/actors/mod.ts";
import type { InstanceId, Messenger } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { bytesEcho, Speaker, speaker } from "../support/peers/channels_peer.ts";
import { longRun, peerRuntimes, type RuntimeName } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { pause, until, within } from "../support/until.ts";

const program = "test/support/peers/channels_peer.ts";

interface Node {
  readonly process: SpawnedProcess;
  readonly endpoint: string;
  readonly id: InstanceId;
}

async function startNode(t: LeakCheck, speakers: number, runtime: RuntimeName): Promise<Node> {
  const process = t.use(spawnScript(program, ["serve", String(speakers)], { runtime }));
  const [, endpoint = "", id = ""] = (await process.waitForLine(/^ready /)).split(" ");
  return { process, endpoint, id: id as InstanceId };
}

async function clientOf(t: LeakCheck, { endpoint, id }: Node): Promise<Messenger> {
  const client = await t.messenger({ listen: false });
  assert.equal(await client.connect(endpoint), id);
  return client;
}

/** Sends items, and reads as many. */
async function exchange<T>(channel: ActorChannel<T, T>, items: readonly T[]): Promise<T[]> {
  const sending = (async () => {
    for (const item of items) await channel.send(item);
  })();
  const got: T[] = [];
  for await (const item of channel) {
    got.push(item);
    if (got.length === items.length) break;
  }
  await sending;
  return got;
}

for (const runtime of peerRuntimes) {
  test(`a client that only dials exchanges bytes with an actor on ${runtime}, each as it was`, async () => {
    await using t = await leakCheck();
    const node = await startNode(t, 1, runtime);
    const client = await clientOf(t, node);
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    const ref = actorRef(client, bytesEcho.contract, `bytes@${node.id}`);
    const sent = [
      new Uint8Array(0),
      all,
      Uint8Array.of(0),
      Uint8Array.of(2),
      new Uint8Array(300_000).fill(7),
    ];
    await using channel = await ref.open("echo", Uint8Array.of(1));
    assert.equal(channel.first, undefined);
    assert.deepEqual(await within(exchange(channel, sent), 10_000), sent);
    const refused = actorRef(client, Speaker, `speaker0@${node.id}`).open("echo", "no");
    await assert.rejects(refused, { code: "ACTOR_CHANNEL_REJECTED", message: /say something else/ });
  });

  const count = longRun ? 100_000 : 10_000;
  test(`${count} items each way with ${runtime} arrive in order while both nodes start and stop other actors`, async () => {
    await using t = await leakCheck();
    const node = await startNode(t, 2, runtime);
    const messenger = await t.messenger();
    await messenger.connect(node.endpoint);
    const system = t.use(await ActorSystem.create(messenger));
    const own = await system.spawn(speaker(system));
    const churning = Promise.all([
      own.ask("churn", 300),
      actorRef(messenger, Speaker, `speaker1@${node.id}`).ask("churn", 300),
    ]);
    const items = Array.from({ length: count }, (_, i) => `item ${i}`);
    const channel = await actorRef(messenger, Speaker, `speaker0@${node.id}`).open("echo", "hi");
    assert.deepEqual(await within(exchange(channel, items), 60_000), items);
    assert.deepEqual(await churning, [300, 300]);
  });

  test(`tells, asks, items and closings of one sender run in their order at an actor on ${runtime}`, async () => {
    await using t = await leakCheck();
    const node = await startNode(t, 1, runtime);
    const client = await clientOf(t, node);
    const ref = actorRef(client, Speaker, `speaker0@${node.id}`);
    const expected: string[] = [];
    for (let round = 0; round < 50; round++) {
      void ref.tell("log", `tell before ${round}`);
      const channel = await ref.open("log", `${round}`);
      void channel.send(`item ${round}`);
      void ref.tell("log", `tell ${round}`);
      void channel.send(`second item ${round}`);
      void channel.close(`done ${round}`);
      void ref.tell("log", `tell after ${round}`);
      expected.push(`tell before ${round}`, `open ${round}`, `item ${round}`, `tell ${round}`);
      expected.push(`second item ${round}`, `opener: done ${round}`, `tell after ${round}`);
    }
    assert.deepEqual(await ref.ask("logged"), expected);
  });

  for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
    test(`a node on ${runtime} that gets ${signal} with 100 channels loses each of them once, in time`, async () => {
      await using t = await leakCheck();
      const node = await startNode(t, 10, runtime);
      const client = await clientOf(t, node);
      const channels = await Promise.all(
        Array.from(
          { length: 100 },
          (_, i) => actorRef(client, Speaker, `speaker${i % 10}@${node.id}`).open("echo", "hi"),
        ),
      );
      const startedAt = performance.now();
      node.process.signal(signal);
      const ends = await within(Promise.all(channels.map(({ closed }) => closed)), 15_000, "the ends");
      const tookMs = performance.now() - startedAt;
      assert.deepEqual([...new Set(ends.map((end) => JSON.stringify(end)))], [
        '{"closedBy":"target","reason":"peerLost"}',
      ]);
      // A second, and the heartbeat bound; the rest is for a machine with much to do.
      assert.ok(tookMs < (signal === "SIGKILL" ? 2_000 : 6_000), `it took ${tookMs} ms`);
      await assert.rejects(channels[0]!.send("x"), { code: "ACTOR_CHANNEL_CLOSED" });
      await node.process.kill();
    });
  }

  test(`the channels of a client on ${runtime} that is killed end at their actors`, async () => {
    await using t = await leakCheck();
    const node = await startNode(t, 1, runtime);
    const watcher = actorRef(await clientOf(t, node), Speaker, `speaker0@${node.id}`);
    const client = t.use(spawnScript(program, ["open", "50", node.endpoint], { runtime }));
    await client.waitForLine("opened");
    await client.kill();
    const lost = async () => (await watcher.ask("logged")).filter((one) => one === "opener: peerLost").length;
    await until(async () => await lost() === 50, { timeoutMs: 6_000 });
    assert.equal((await watcher.ask("logged")).length, 100);
  });

  test(`an open channel keeps a client on ${runtime} alive until it ends`, async () => {
    await using t = await leakCheck();
    const node = await startNode(t, 1, runtime);
    const client = t.use(spawnScript(program, ["open", "1", node.endpoint], { runtime }));
    await client.waitForLine("opened");
    // Long enough for an end without it, which takes about 50 ms.
    await pause(500);
    assert.equal(client.ended, undefined);
    node.process.signal("SIGKILL");
    await client.waitForLine("closed: peerLost", 6_000);
    assert.equal((await within(client.exit, 6_000)).code, 0);
    await node.process.kill();
  });
}
