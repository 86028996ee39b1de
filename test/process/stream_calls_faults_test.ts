/** Calls with streams whose other process is killed or frozen, or whose connection is cut, while items flow both ways. */
import assert from "node:assert/strict";
import type { InstanceId, Messenger, ZeromeshError } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { type Flow, flow, flowing, nothingLeft, serveNumbers } from "../support/number_streams.ts";
import { type CuttingProxy, startProxy } from "../support/proxy.ts";
import { longRun, peerRuntimes, type RuntimeName, watchesDaily } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { test } from "../support/testing.ts";
import { until, within } from "../support/until.ts";

interface Other {
  readonly child: SpawnedProcess;
  readonly endpoint: string;
  readonly id: InstanceId;
}

async function start(t: LeakCheck, runtime: RuntimeName, at?: string): Promise<Other> {
  const args = at === undefined ? [] : [at];
  const child = t.use(spawnScript("test/support/peers/stream_calls_peer.ts", args, { runtime }));
  const [, endpoint, id] = (await child.waitForLine("ready")).split(" ");
  return { child, endpoint: endpoint!, id: id as InstanceId };
}

/** How the other process says that its calls have ended, once there are so many. */
async function endedAt(client: Messenger, { id }: Other, count: number): Promise<string[]> {
  return await until(async () => {
    const { ended } = JSON.parse(new TextDecoder().decode(await client.unary("state", { to: id }))) as {
      ended: string[];
    };
    return ended.length >= count ? ended.sort() : undefined;
  });
}

/** Checks that both calls end by the loss of their peer. */
async function lost(calls: Flow, peer: InstanceId, timeoutMs = 5_000): Promise<void> {
  for (const end of await within(calls.ends, timeoutMs, "the ends of both calls")) {
    const { code, ran, peer: of } = end as ZeromeshError;
    assert.deepEqual([code, ran, of], ["PEER_DISCONNECTED", "yes", peer], String(end));
  }
}

for (const runtime of peerRuntimes) {
  test(`when a reader and writer on ${runtime} is killed, its calls end, and those of the next one at its place work`, async () => {
    await using t = await leakCheck();
    const client = await t.messenger({ listen: false });
    const first = await start(t, runtime);
    const calls = flow(client, await client.connect(first.endpoint));
    await flowing(calls);
    await first.child.kill();
    await lost(calls, first.id);
    await nothingLeft(client);
    const second = await start(t, runtime, first.endpoint);
    assert.equal(await client.connect(first.endpoint), second.id);
    assert.deepEqual(await flow(client, second.id, 5_000).ends, [null, null]);
    assert.deepEqual(await endedAt(client, second, 2), ["down finished", "up finished"]);
    await nothingLeft(client);
  });

  test(`a reader and writer on ${runtime} that is frozen for a moment holds up its own calls alone, and loses nothing`, async () => {
    await using t = await leakCheck();
    const client = await t.messenger({ listen: false });
    const other = await start(t, runtime);
    const free = await t.messenger();
    serveNumbers(free);
    const calls = flow(client, await client.connect(other.endpoint), 60_000);
    await client.connect(free.endpoint);
    await flowing(calls);
    other.child.signal("SIGSTOP");
    const began = performance.now();
    assert.deepEqual(await flow(client, free.instanceId, 5_000).ends, [null, null]);
    let at = -1;
    await until(() => at === (at = calls.read + calls.sent), { intervalMs: 50, message: "both stand still" });
    const stood = calls.read + calls.sent;
    await until(() => performance.now() - began > 700);
    assert.equal(calls.read + calls.sent, stood);
    assert.ok(client.stats().streams!.unreadBytes <= 1024 * 1024);
    other.child.signal("SIGCONT");
    assert.deepEqual(await within(calls.ends, 20_000), [null, null]);
    await nothingLeft(client);
  });
}

test("a process that stays frozen ends its calls at both sides", {
  skip: !watchesDaily && "on the other runtime",
}, async () => {
  await using t = await leakCheck();
  const client = await t.messenger({ listen: false, redialForMs: 0 });
  const other = await start(t, peerRuntimes[0]!);
  const calls = flow(client, await client.connect(other.endpoint));
  await flowing(calls);
  other.child.signal("SIGSTOP");
  await lost(calls, other.id, 10_000);
  other.child.signal("SIGCONT");
  await client.connect(other.endpoint);
  assert.deepEqual(await endedAt(client, other, 2), ["down PEER_DISCONNECTED", "up PEER_DISCONNECTED"]);
  await nothingLeft(client);
});

for (const runtime of peerRuntimes) {
  test(`a caller on ${runtime} that is frozen in the middle ends its calls at the one that it dialled, within the heartbeat bound`, async () => {
    await using t = await leakCheck();
    const listening = await t.messenger();
    const ended = serveNumbers(listening);
    const child = t.use(
      spawnScript("test/support/peers/stream_reader_peer.ts", [listening.endpoint], { runtime }),
    );
    await child.waitForLine("flowing");
    // What it sends between two of its heartbeats must not hide that none follows.
    child.signal("SIGSTOP");
    const began = performance.now();
    await until(() => ended.length === 2, { timeoutMs: 10_000, message: "the ends of both calls" });
    const after = performance.now() - began;
    assert.ok(after > 2_000 && after < 6_000, `noticed after ${after} ms`);
    assert.deepEqual(ended.sort(), ["down PEER_DISCONNECTED", "up PEER_DISCONNECTED"]);
    await nothingLeft(listening);
    child.signal("SIGCONT");
    assert.equal(await child.waitForLine("ended"), "ended PEER_DISCONNECTED PEER_DISCONNECTED");
  });
}

/** Two instances whose connection goes through a proxy, dialled by the caller, or by the one that it calls. */
async function throughProxy(t: LeakCheck, dials: "caller" | "called") {
  const listening = await t.messenger();
  const dialling = await t.messenger({ listen: false, redialForMs: 0 });
  const [caller, called] = dials === "caller" ? [dialling, listening] : [listening, dialling];
  const proxy = t.use(await startProxy({ targetPort: Number(listening.endpoint.split(":").at(-1)) }));
  const connect = () => dialling.connect(proxy.endpoint);
  await connect();
  const ended = serveNumbers(called);
  return { caller, called, proxy, connect, ended };
}

const cuts: readonly {
  readonly how: string;
  readonly skip?: boolean;
  readonly cut: (proxy: CuttingProxy) => void;
}[] = [
  { how: "cut", cut: (proxy) => proxy.cut() },
  { how: "reset", cut: (proxy) => proxy.cut({ reset: true }) },
  // The dialler notices it after seconds, and ends the connection for both.
  { how: "silent", skip: !longRun, cut: (proxy) => proxy.pause() },
];

for (const { how, cut, skip = false } of cuts) {
  for (const dials of how === "silent" ? ["caller" as const] : ["caller" as const, "called" as const]) {
    test(
      `a connection that the ${dials} has dialled and that is ${how} in the middle ends both sides once, and the next one works`,
      { skip: skip && "only with --long" },
      async () => {
        await using t = await leakCheck();
        const { caller, called, proxy, connect, ended } = await throughProxy(t, dials);
        const calls = flow(caller, called.instanceId);
        await flowing(calls);
        cut(proxy);
        await lost(calls, called.instanceId, 10_000);
        proxy.cut();
        proxy.resume();
        await until(() => ended.length === 2);
        assert.deepEqual(ended.splice(0).sort(), ["down PEER_DISCONNECTED", "up PEER_DISCONNECTED"]);
        await connect();
        assert.deepEqual(await flow(caller, called.instanceId, 3_000).ends, [null, null]);
        assert.deepEqual(ended.sort(), ["down finished", "up finished"]);
        for (const messenger of [caller, called]) await nothingLeft(messenger);
      },
    );
  }
}
