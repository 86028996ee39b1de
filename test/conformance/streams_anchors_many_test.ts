/** Many anchors, what they share, and an instance that drains with them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { streams } from "../../src/streams/mod.ts";
import { unaryHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { gate, pair } from "./messenger_kit.ts";

test("ten thousand anchors at once each get their items, and end in every way", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t);
  const total = 10_000;
  const anchors = Array.from({ length: total }, () => streams(server).anchor());
  const senders = await Promise.all(anchors.map(({ handle }) => streams(client).attach(handle)));
  for (const messenger of [server, client]) {
    const { anchors, senders, readers, writers } = messenger.stats().streams!;
    assert.equal(messenger === server ? anchors : senders, total);
    assert.equal(messenger === server ? readers : writers, total);
  }
  await Promise.all(senders.map((sender, i) => sender.send(i)));
  const ends = anchors.map(async (anchor, i) => {
    assert.deepEqual(await anchor.next(), { done: false, value: i });
    const sender = senders[i]!;
    switch (i % 4) {
      case 0:
        await sender.finalize();
        assert.equal((await anchor.next()).done, true);
        break;
      case 1:
        sender.close();
        await assert.rejects(anchor.next(), { code: "STREAM_DROPPED" });
        break;
      case 2:
        anchor.cancel();
        await sender.closed;
        break;
      default:
        await sender.detach();
        anchor.cancel();
    }
  });
  await Promise.all(ends);
  for (const messenger of [server, client]) {
    await until(() => {
      const { writers, readers, unreadBytes, anchors, senders } = messenger.stats().streams!;
      return writers + readers + unreadBytes + anchors + senders === 0;
    }, { message: "the end of all streams" });
  }
});

test("items of many senders leave together, and waits for credit are counted only when a reader does not read", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t);
  const anchors = Array.from({ length: 50 }, () => streams(server).anchor());
  const senders = await Promise.all(anchors.map(({ handle }) => streams(client).attach(handle)));
  const before = client.stats().streams!;
  for (let round = 0; round < 20; round++) {
    await Promise.all(senders.map((sender) => sender.send(round)));
    for (const anchor of anchors) assert.deepEqual(await anchor.next(), { done: false, value: round });
  }
  const after = client.stats().streams!;
  assert.equal(after.itemsSent - before.itemsSent, 1_000);
  const batches = after.batchesSent - before.batchesSent;
  assert.ok(batches < 60, `${batches} batches for 20 rounds of 50 items`);
  assert.equal(after.creditWaits, 0);
  const starved = Array.from({ length: 1_100 }, (_, i) => senders[0]!.send(i));
  await until(() => client.stats().streams!.creditWaits > 0, { message: "a wait for credit" });
  assert.equal(client.stats().streams!.creditWaits, 1);
  const finished = senders[0]!.finalize();
  assert.equal((await Array.fromAsync(anchors[0]!)).length, 1_100);
  await Promise.all([...starved, finished]);
  for (const anchor of anchors) anchor.cancel();
});

test("a draining instance takes no new senders, and the streams that it has go on until it closes", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("stuck", () => hold.opened));
  const anchor = streams(server).anchor();
  const other = streams(server).anchor();
  const sender = await streams(client).attach(anchor.handle);
  const unused = other.ticket();
  const call = client.unary("stuck", { to: peer });
  await until(() => server.stats().handlers.running === 1);
  const closing = server.close({ timeoutMs: 10_000 });
  await assert.rejects(streams(client).attach(other.handle), { code: "PEER_DRAINING", peer });
  await streams(client).renew([{ handle: other.handle, ticket: unused }]);
  for (let i = 0; i < 2_000; i++) {
    const [read] = await within(Promise.all([anchor.next(), sender.send(i)]), 5_000);
    assert.deepEqual(read, { done: false, value: i });
  }
  // What was prepared before goes on as well.
  const late = await streams(client).attach(other.handle, { ticket: unused });
  await late.send("late");
  assert.deepEqual(await other.next(), { done: false, value: "late" });
  await sender.finalize();
  assert.equal((await anchor.next()).done, true);
  hold.open();
  await call;
  await closing;
  assert.equal((await other.closed as { code?: string }).code, "CLOSED");
  await until(() => late.cancelled.aborted, { message: "the end of the sender" });
});
