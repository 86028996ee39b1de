/** Streams of bytes between two messengers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { unaryHandler } from "../../src/mod.ts";
import { prometheusMeter } from "../../src/prometheus/mod.ts";
import { writersAnchor } from "../../src/streams/byte_stream.ts";
import { terminalFrames } from "../../src/streams/wire/frame.ts";
import { leakCheck } from "../support/fixture.ts";
import { agreed, pour, Reading, streamsOf, write } from "../support/streams_kit.ts";
import { until } from "../support/until.ts";
import { fails, pair, thrown, turn } from "./messenger_kit.ts";

const { finalized } = terminalFrames;

/** A frame with a number. */
function numbered(i: number, size = 64): Uint8Array {
  const frame = new Uint8Array(size);
  new DataView(frame.buffer).setUint32(0, i);
  return frame;
}

const numberOf = (frame: Uint8Array): number => new DataView(frame.buffer, frame.byteOffset).getUint32(0);

test("streams in both directions carry all frames in order, beyond their windows", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const there = new Reading(server, client.instanceId, { session: 1n });
  const back = new Reading(client, peer, { session: 2n });
  const one = write(client, peer, { session: 1n });
  const other = write(server, client.instanceId, { session: 2n });
  const total = 5_000;
  const sending = [one, other].map(async ({ writer }) => {
    await pour(writer, (i) => i < total ? numbered(i, 1 + 64 * (i % 9 === 0 ? 20 : 1)) : null).catch(() => 0);
    writer.end(finalized);
  });
  for (const reading of [there, back]) {
    for (let i = 0; i < total; i++) assert.equal(numberOf((await reading.next())!), i);
    assert.deepEqual(await reading.end(), { reason: "finalized", text: "" });
    assert.equal(reading.ends, 1);
  }
  await Promise.all(sending);
  assert.deepEqual([one.ends, other.ends], [[], []]);
  await until(
    () => server.stats().streams?.writers === 0 && client.stats().streams?.readers === 0,
    { message: "all have ended" },
  );
  const { itemsSent, itemsReceived, unreadBytes, batchesSent } = client.stats().streams!;
  assert.deepEqual({ itemsSent, itemsReceived, unreadBytes }, {
    itemsSent: total,
    itemsReceived: total,
    unreadBytes: 0,
  });
  assert.ok(batchesSent < total / 10, `${batchesSent} batches`);
});

test("a reader that stops reading stops its writer, and nobody else", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("ping", () => {}));
  const stopped = new Reading(server, client.instanceId, { session: 1n });
  const reading = new Reading(server, client.instanceId, { session: 2n });
  const slow = write(client, peer, { session: 1n });
  const fast = write(client, peer, { session: 2n });
  void pour(slow.writer, (i) => numbered(i, 4_096));
  await until(() => stopped.reader.size === 256, { message: "the window is full" });
  void pour(fast.writer, (i) => i < 3_000 ? numbered(i, 4_096) : null).then(() => fast.writer.end(finalized));
  assert.equal((await reading.end()).reason, "finalized");
  await client.unary("ping", { to: peer });
  assert.equal(stopped.reader.size, 256);
  assert.equal(server.stats().streams?.unreadBytes, 256 * 4_096);
  // It goes on when it reads.
  for (let i = 0; i < 1_000; i++) assert.equal(numberOf((await stopped.next())!), i);
  stopped.reader.cancel();
  await until(() => slow.ends.length > 0, { message: "the writer is told" });
  assert.deepEqual(slow.ends, [{ reason: "cancelled", text: "" }]);
});

test("a frame of many megabytes goes alone, and one above the peer's limit is known before", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: { maxPayloadBytes: 8 * 1024 * 1024 } });
  const reading = new Reading(server, client.instanceId, { session: 1n });
  const { writer } = write(client, peer, { session: 1n });
  assert.equal(writer.maxFrameBytes, 8 * 1024 * 1024 - 29);
  const sizes = [10, writer.maxFrameBytes, 100_000, 65_536, 65_500, 5];
  void pour(writer, (i) => i < sizes.length ? numbered(i, sizes[i]) : null).then(() => writer.end(finalized));
  for (const [i, size] of sizes.entries()) {
    const frame = (await reading.next())!;
    assert.deepEqual([frame.length, numberOf(frame)], [size, i]);
  }
  assert.equal((await reading.end()).reason, "finalized");
});

test("without room at the peer a writer waits, whatever its credit, and nothing is lost", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { client: { highWaterMark: 1, maxQueuedMessages: 2 } });
  const window = { items: 65_535, bytes: 1e9 };
  const reading = new Reading(server, client.instanceId, { session: 1n, window });
  const { writer } = write(client, peer, { session: 1n, window });
  const sizeOf = (i: number) => 10_000 + (i % 3) * 10_000;
  let most = 0;
  const sending = pour(writer, (i) => {
    most = Math.max(most, client.stats().transport.queuedMessages);
    return i < 1_000 ? numbered(i, sizeOf(i)) : null;
  }).then(() => writer.end(finalized));
  for (let i = 0; i < 1_000; i++) {
    const frame = (await reading.next())!;
    assert.deepEqual([numberOf(frame), frame.length], [i, sizeOf(i)]);
  }
  assert.equal((await reading.end()).reason, "finalized");
  await sending;
  assert.ok(most <= 2, `${most} queued`);
  assert.ok(client.stats().streams!.creditWaits > 0);
});

test("ten thousand streams, a thousand open at once, ended in every way, leave nothing behind", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let session = 0n;
  for (let round = 0; round < 10; round++) {
    const open = Array.from({ length: 1_000 }, (_, i) => {
      session++;
      const named = i % 2 === 0 ? writersAnchor : 0n;
      const options = { session, anchor: named | 1n };
      // Every fifth one has no reader.
      const reading = i % 5 === 0 ? null : new Reading(server, client.instanceId, options);
      return { reading, ...write(client, peer, options) };
    });
    for (const { writer } of open) writer.write(numbered(round));
    await until(() => open.every(({ reading }) => reading === null || reading.reader.size === 1));
    open.forEach(({ reading, writer }, i) => {
      if (i % 3 === 0) reading?.reader.cancel();
      else writer.end(i % 3 === 1 ? finalized : terminalFrames.dropped);
    });
    for (const { reading } of open) while (await reading?.next()) continue;
    for (const { writer } of open) writer.end(finalized);
  }
  await until(() => {
    return client.stats().streams!.writers + server.stats().streams!.readers === 0;
  });
  // Those that their writer has named and finished, and not dropped, still wait for a reader, with their frame.
  const { unclaimed } = server.stats().streams!;
  assert.deepEqual([unclaimed, server.stats().streams!.unreadBytes], [670, 670 * 64]);
  client.disconnect(peer);
  await until(() => server.stats().streams!.unclaimed === 0);
  const { readers, unreadBytes, ends } = server.stats().streams!;
  assert.deepEqual({ readers, unreadBytes }, { readers: 0, unreadBytes: 0 });
  assert.ok(ends.finalized > 0 && ends.dropped > 0 && ends.cancelled > 0);
});

test("an instance has streams to itself", async () => {
  await using t = await leakCheck();
  const messenger = await t.messenger();
  assert.equal(streamsOf(messenger).supports(messenger.instanceId), true);
  const reading = new Reading(messenger, messenger.instanceId, { session: 1n });
  const { writer } = write(messenger, messenger.instanceId, { session: 1n });
  void pour(writer, (i) => i < 3_000 ? numbered(i) : null).then(() => writer.end(finalized));
  for (let i = 0; i < 3_000; i++) assert.equal(numberOf((await reading.next())!), i);
  assert.equal((await reading.end()).reason, "finalized");
});

test("the loss of the connection ends each stream once, at both ends, and new ones can be opened after it", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const there = new Reading(server, client.instanceId, { session: 1n });
  const back = new Reading(client, peer, { session: 2n });
  const one = write(client, peer, { session: 1n });
  const other = write(server, client.instanceId, { session: 2n });
  one.writer.write(numbered(7));
  await until(() => there.reader.size === 1 && back.reader.opened, { message: "both are open" });
  client.disconnect(peer);
  await until(() => one.ends.length > 0 && other.ends.length > 0, { message: "the writers are told" });
  assert.equal(numberOf((await there.next())!), 7);
  assert.equal((await there.end()).reason, "peerLost");
  assert.equal((await back.end()).reason, "peerLost");
  await turn();
  assert.deepEqual([there.ends, back.ends, one.ends.length, other.ends.length], [1, 1, 1, 1]);
  assert.match(one.ends[0]!.text, new RegExp(peer));
  assert.equal(thrown(() => write(client, peer, { session: 3n })).code, "PEER_DISCONNECTED");
  const again = await client.connect(server.endpoint);
  const reading = new Reading(server, client.instanceId, { session: 4n });
  const { writer } = write(client, again, { session: 4n });
  writer.end(finalized);
  assert.equal((await reading.end()).reason, "finalized");
});

test("closing an instance ends the streams of the other one", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const reading = new Reading(server, client.instanceId, { session: 1n });
  const { writer } = write(client, peer, { session: 1n });
  writer.write(numbered(1));
  // What was written in this turn still leaves.
  await client.close();
  assert.equal(numberOf((await reading.next())!), 1);
  assert.equal((await reading.end()).reason, "peerLost");
  assert.equal(writer.ended?.reason, "peerLost");
});

test("streams are negotiated, and their limits are options", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, {
    server: { features: { streams: false } },
    client: { streams: { maxPeerStreams: 1, windowItems: 5 } },
  });
  assert.equal(streamsOf(client).supports(peer), false);
  assert.equal(streamsOf(server).supports(client.instanceId), false);
  assert.deepEqual(streamsOf(client).window, { items: 5, bytes: 1024 * 1024 });
  assert.equal(client.stats().streams, null);
  const { ends } = write(client, peer, { session: 1n });
  assert.equal(thrown(() => write(client, peer, { session: 2n })).code, "LIMIT_REACHED");
  await until(() => ends.length > 0, { message: "nobody reads it" });
  assert.equal(ends[0]!.reason, "failed");
  await fails(t.messenger({ streams: { maxPeerStreams: 0 } }), { name: "RangeError" });
});

test("the counters of streams are at the meter", async () => {
  await using t = await leakCheck();
  const meter = prometheusMeter();
  const { server, client, peer } = await pair(t, { client: { meter } });
  const reading = new Reading(server, client.instanceId, { session: 1n });
  const { writer } = write(client, peer, { session: 1n, ...agreed });
  writer.write(numbered(1));
  writer.end(finalized);
  await reading.end();
  const text = await meter.text();
  assert.match(text, /^zeromesh_streams_items_sent_total 1$/m);
  assert.match(text, /^zeromesh_streams_ended_total\{reason="finalized"\} 1$/m);
});
