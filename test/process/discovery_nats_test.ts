import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { NatsDiscovery } from "../../src/discovery/nats.ts";
import { newInstanceId, workerIdOf } from "../../src/core/mod.ts";
import { type InstanceId, unaryHandler } from "../../src/mod.ts";
import type { PeerInfo } from "../../src/messenger/mod.ts";
import { startPeer, whoAnswers } from "../support/discovery_peers.ts";
import { leakCheck } from "../support/fixture.ts";
import { startProxy } from "../support/proxy.ts";
import { allRuntimes, watchesDaily } from "../support/runtime.ts";
import { missing, startNats } from "../support/servers.ts";
import { until, within } from "../support/until.ts";

const skip = missing("nats-server");

test("nats: an instance is found and called, and found again after the server was killed and restarted", {
  skip,
}, async () => {
  await using t = await leakCheck();
  const server = t.use(await startNats());
  const make = () => new NatsDiscovery({ servers: [server.url], timeoutMs: 1_000 });
  const callee = await t.messenger({ discovery: make() });
  callee.registerHandler(unaryHandler("whoami", () => new TextEncoder().encode(callee.instanceId)));
  const caller = await t.messenger({ discovery: make() });
  assert.equal(await whoAnswers(caller, callee.instanceId), callee.instanceId);
  await server.kill();
  assert.equal(await whoAnswers(caller, callee.instanceId), callee.instanceId);
  await server.start();
  const reader = make();
  const use = reader.use();
  await until(async () => await reader.discoverByInstanceId(callee.instanceId) !== null, {
    timeoutMs: 15_000,
    message: "the subscriptions to come back",
  });
  await use[Symbol.asyncDispose]();
});

test(
  "nats: nobody is found at once, and a server that is not there is an error that says so",
  { skip },
  async () => {
    await using t = await leakCheck();
    const server = t.use(await startNats());
    const caller = await t.messenger({ discovery: new NatsDiscovery({ servers: [server.url] }) });
    const id = newInstanceId();
    await assert.rejects(caller.availableHandlers(id), { code: "PEER_UNKNOWN", peer: id });
    await server.kill();
    const late = new NatsDiscovery({ servers: [server.url], timeoutMs: 500 });
    await assert.rejects(late.discoverByInstanceId(id), { code: "PEER_UNREACHABLE" });
  },
);

test("nats: a lookup whose time is endless, or beyond any timer's range, is answered", { skip }, async () => {
  await using t = await leakCheck();
  const server = t.use(await startNats());
  const callee = await t.messenger({ discovery: new NatsDiscovery({ servers: [server.url] }) });
  for (const timeoutMs of [Infinity, 2 ** 60, 2 ** 40]) {
    const reader = new NatsDiscovery({ servers: [server.url], timeoutMs });
    await using _use = reader.use();
    const found = await reader.discoverByInstanceId(callee.instanceId);
    assert.equal(found?.instanceId, callee.instanceId, String(timeoutMs));
  }
});

test(
  "nats: while the server is away, who asks is told so, and not that nobody is known",
  { skip },
  async () => {
    await using t = await leakCheck();
    const server = t.use(await startNats());
    const make = () => new NatsDiscovery({ servers: [server.url], timeoutMs: 300 });
    const callee = await t.messenger({ discovery: make() });
    const reader = make();
    t.use(reader.use());
    assert.equal((await reader.discoverByInstanceId(callee.instanceId))?.instanceId, callee.instanceId);
    await server.kill();
    const [id, worker] = [callee.instanceId, callee.workerId];
    await assert.rejects(reader.discoverByInstanceId(id), { code: "PEER_UNREACHABLE" });
    await assert.rejects(reader.discoverByWorkerId(worker), { code: "PEER_UNREACHABLE" });
  },
);

test("nats: silence is the server's behind a dead link, and the instance's where the server answers", {
  skip,
}, async () => {
  await using t = await leakCheck();
  const server = t.use(await startNats());
  const peer = await startPeer(t, `nats:${server.url}`, []);
  const proxy = t.use(await startProxy({ targetPort: server.port }));
  const reader = new NatsDiscovery({ servers: [`nats://127.0.0.1:${proxy.port}`], timeoutMs: 300 });
  t.use(reader.use());
  assert.equal((await reader.discoverByInstanceId(peer.id))?.instanceId, peer.id);
  peer.process.signal("SIGSTOP");
  assert.equal(await reader.discoverByInstanceId(peer.id), null);
  peer.process.signal("SIGCONT");
  proxy.pause();
  await assert.rejects(reader.discoverByInstanceId(peer.id), { code: "PEER_UNREACHABLE" });
  proxy.resume();
  assert.equal((await reader.discoverByInstanceId(peer.id))?.instanceId, peer.id);
});

if (watchesDaily) {
  test("nats: processes of both runtimes are found again after a kill and restart under load", {
    skip,
  }, async () => {
    await using t = await leakCheck();
    const server = t.use(await startNats());
    const peers = await Promise.all(
      [...allRuntimes, ...allRuntimes].map((runtime) => startPeer(t, `nats:${server.url}`, [], runtime)),
    );
    const reader = new NatsDiscovery({ servers: [server.url], timeoutMs: 500 });
    t.use(reader.use());
    const known = new Map<InstanceId, PeerInfo>();
    for (const { id } of peers) known.set(id, (await reader.discoverByInstanceId(id))!);
    const counts = { found: 0, nobody: 0, unreachable: 0 };
    const wrong: string[] = [];
    let phase: "before" | "away" | "after" = "before";
    let stop = false;
    const ask = async (id: InstanceId, byWorker: boolean): Promise<void> => {
      const begun = phase;
      try {
        const lookup = byWorker ? reader.discoverByWorkerId(workerIdOf(id)) : reader.discoverByInstanceId(id);
        const info = await within(lookup, 3_000, "a lookup");
        if (info !== null) {
          counts.found++;
          assert.deepEqual(info, known.get(id));
        } else {
          counts.nobody++;
          // Only until the process has found the server again.
          assert.equal(phase, "after", `${id} was taken for lost, asked ${begun}`);
        }
      } catch (error) {
        counts.unreachable++;
        const { code } = error as { code?: string };
        if (code !== "PEER_UNREACHABLE" || phase === "before") wrong.push(String(error));
      }
    };
    const load = Promise.all(peers.flatMap(({ id }) =>
      [false, true].map(async (byWorker) => {
        while (!stop) await ask(id, byWorker);
      })
    ));
    await until(() => counts.found >= 200, { message: "lookups before the kill" });
    phase = "away";
    await server.kill();
    await until(() => counts.unreachable >= 8, { message: "lookups while the server is away" });
    phase = "after";
    await server.start();
    const answered = async () => {
      const all = await Promise.allSettled(peers.map(({ id }) => reader.discoverByInstanceId(id)));
      return all.every((one) => one.status === "fulfilled" && one.value !== null);
    };
    await until(answered, { timeoutMs: 10_000, message: () => `all to be found: ${JSON.stringify(counts)}` });
    const before = counts.found;
    await until(() => counts.found >= before + 200, { message: "lookups after the restart" });
    stop = true;
    await within(load, 5_000, "the lookups to end");
    assert.deepEqual(wrong, []);
    const caller = await t.messenger({ discovery: reader });
    for (const { id } of peers) assert.equal(await whoAnswers(caller, id), id);
  });
}
