/** Anchors and senders whose connection is cut or held up, and a reader that is frozen. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "../support/testing.ts";
import { type InstanceId, type Messenger, unaryHandler } from "../../src/mod.ts";
import { type Anchor, type AnchorFrame, streams, type StreamSender } from "../../src/streams/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { type CuttingProxy, startProxy } from "../support/proxy.ts";
import { allRuntimes } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";
import { until, within } from "../support/until.ts";

/** A client that reaches its server through a proxy. */
async function scene(t: LeakCheck): Promise<{ server: Messenger; client: Messenger; proxy: CuttingProxy }> {
  const server = await t.messenger();
  server.registerHandler(unaryHandler("ping", () => {}));
  const client = await t.messenger({ listen: false });
  const proxy = t.use(await startProxy({ targetPort: Number(server.endpoint.split(":").at(-1)) }));
  await client.connect(proxy.endpoint);
  return { server, client, proxy };
}

/** Sends numbers until it may not. Resolves to how many, and why it ended. */
async function pour(sender: StreamSender<unknown>): Promise<[sent: number, code: string | undefined]> {
  for (let i = 0;; i++) {
    try {
      await sender.send(i);
    } catch (error) {
      return [i, (error as { code?: string }).code];
    }
  }
}

/** Reads numbers in order until the end. Resolves to how many, and why it ended. */
async function drain(anchor: Anchor<unknown>): Promise<[read: number, code: string | undefined]> {
  let next = 0;
  try {
    for await (const item of anchor) assert.equal(item, next++);
    return [next, undefined];
  } catch (error) {
    if (!("code" in (error as object))) throw error;
    return [next, (error as { code?: string }).code];
  }
}

async function untilNothing(...messengers: readonly Messenger[]): Promise<void> {
  for (const messenger of messengers) {
    await until(() => {
      const { writers, readers, unreadBytes, anchors, senders } = messenger.stats().streams!;
      return writers + readers + unreadBytes + anchors + senders === 0;
    }, { message: "the end of all streams" });
  }
}

test("a connection that is cut ends the streams of both directions once, and the next one has new ones", async () => {
  await using t = await leakCheck();
  const { server, client, proxy } = await scene(t);
  const many = streams(server).anchor({ senders: "many" });
  for (let round = 1; round <= 3; round++) {
    const up = streams(server).anchor();
    const down = streams(client).anchor();
    const senders = [
      await streams(client).attach(up.handle),
      await streams(server).attach(down.handle),
      await streams(client).attach(many.handle),
    ] as const;
    await senders[2].send(round);
    assert.deepEqual(await many.next(), { done: false, value: { type: "item", sender: round, item: round } });
    const [sending, reading] = [senders.slice(0, 2).map(pour), [up, down].map(drain)];
    await until(() => server.stats().streams!.itemsReceived > round * 2_000, { message: "items" });
    await until(() => client.stats().streams!.itemsReceived > round * 2_000, { message: "items" });
    proxy.cut({ reset: round === 2 });
    const sent = await within(Promise.all(sending), 10_000);
    const read = await within(Promise.all(reading), 10_000);
    for (const [i, [count, code]] of read.entries()) {
      assert.equal(code, "PEER_DISCONNECTED");
      assert.equal(sent[i]![1], "PEER_DISCONNECTED");
      assert.ok(count <= sent[i]![0], `${count} of ${sent[i]![0]} items were read`);
    }
    const dropped = (await many.next()).value as AnchorFrame<unknown>;
    assert.deepEqual([dropped.type, dropped.sender], ["dropped", round]);
    await assert.rejects(senders[2].send("late"), { code: "PEER_DISCONNECTED" });
    // A call opens the next connection.
    await client.unary("ping", { to: server.instanceId });
  }
  many.cancel();
  await untilNothing(server, client);
});

test("a sender whose messages are held up is dropped in time, and told", async () => {
  await using t = await leakCheck();
  const { server, client, proxy } = await scene(t);
  const anchor = streams(server).anchor({ heartbeatMs: 200 });
  const sender = await streams(client).attach(anchor.handle);
  await sender.send(0);
  assert.equal((await anchor.next()).value, 0);
  proxy.pause("up");
  await sender.send(1);
  await within(assert.rejects(anchor.next(), { code: "STREAM_DROPPED", peer: client.instanceId }), 3_000);
  await until(() => sender.cancelled.aborted, { message: "the end of the sender" });
  assert.equal((await sender.closed as { code?: string }).code, "STREAM_FAILED");
  // What was held up comes too late, and harms nobody.
  proxy.resume("up");
  const next = streams(server).anchor();
  const again = await streams(client).attach(next.handle);
  await again.send(2);
  await again.finalize();
  assert.deepEqual(await Array.fromAsync(next), [2]);
  await untilNothing(server, client);
});

for (const runtime of allRuntimes) {
  test(`a reader on ${runtime} that is frozen holds its sender up, nobody else, and goes on where it was`, async () => {
    await using t = await leakCheck();
    const child = t.use(spawnScript("test/support/peers/anchors_peer.ts", [], { runtime }));
    const [, endpoint, id] = (await child.waitForLine("ready")).split(" ");
    const ours = await t.messenger();
    await ours.connect(endpoint!);
    const other = await t.messenger();
    await ours.connect(other.endpoint);
    const answer = await ours.unary("anchor", { to: id as InstanceId });
    const sender = await streams(ours).attach(JSON.parse(new TextDecoder().decode(answer)) as string);
    process.kill(child.pid, "SIGSTOP");
    let sent = 0;
    const held = async () => {
      for (;; sent++) await sender.send(sent, { timeoutMs: 300 });
    };
    await within(assert.rejects(held(), { code: "TIMEOUT" }), 5_000);
    const elsewhere = streams(other).anchor();
    const free = await streams(ours).attach(elsewhere.handle);
    for (let i = 0; i < 500; i++) {
      await Promise.all([free.send(i), elsewhere.next().then(({ value }) => assert.equal(value, i))]);
    }
    process.kill(child.pid, "SIGCONT");
    const rest = (async () => {
      for (; sent < 5_000; sent++) await sender.send(sent);
    })();
    const last = await ours.unary("read", { to: id as InstanceId, payload: 5_000 });
    assert.equal(new TextDecoder().decode(last), "4999");
    await rest;
    await sender.finalize();
    elsewhere.cancel();
    await untilNothing(ours, other);
  });
}
