/** Channels whose messages go to all consumers: windows of their own, and gaps that are told. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import {
  consumer,
  news,
  notice,
  numbered,
  producer,
  rest,
  take,
  untilNothing,
} from "./broker_channels_kit.ts";
import { fails, pair } from "./messenger_kit.ts";

test("pubsub: each consumer gets each message from the moment at which it came, with the channel's numbers", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out } = producer(t, server, news);
  await out.send({ n: 1 });
  const { handle: one } = await consumer(t, client, news, peer);
  await out.send({ n: 2 });
  const { handle: other } = await consumer(t, client, news, peer);
  await out.send({ n: 3 });
  const numbers = async (handle: typeof one, count: number) =>
    (await take(handle.messages(), count)).map(({ message: { n }, sequence }) => [n, sequence]);
  assert.deepEqual(await numbers(one, 2), [[2, 2], [3, 3]]);
  assert.deepEqual(await numbers(other, 1), [[3, 3]]);
  // The first one found nobody.
  assert.equal(out.stats().dropped, 1);
  assert.equal(out.stats().sent, 3);
});

test("pubsub: a slow consumer loses the oldest messages that wait for it, and is told how many", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out } = producer(t, server, news, { maxUnsent: 3 });
  const { handle: slow } = await consumer(t, client, news, peer, { window: { items: 2 } });
  const { handle: quick } = await consumer(t, client, news, peer);
  const notices = slow.notices();
  for (const message of numbered(1, 10)) await within(out.send(message), 1_000);
  assert.equal(out.stats().dropped, 5);
  assert.deepEqual(await take(quick[Symbol.asyncIterator](), 10), numbered(1, 10));
  const got = await take(slow.messages(), 5);
  assert.deepEqual(
    got.map(({ sequence, message: { n } }) => [sequence, n]),
    [1, 2, 8, 9, 10].map((n) => [n, n]),
  );
  assert.deepEqual(await notice(notices, "gap"), { type: "gap", from: null, count: 5 });
  assert.equal(slow.stats().gaps, 5);
});

test("pubsub: with dropNewest the newest messages are missing, also when all that waited has left", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out } = producer(t, server, news, { maxUnsent: 3, overflow: "dropNewest" });
  const { handle: slow } = await consumer(t, client, news, peer, { window: { items: 2 } });
  const messages = slow.messages();
  for (const message of numbered(1, 10)) await out.send(message);
  assert.deepEqual((await take(messages, 5)).map(({ sequence }) => sequence), [1, 2, 3, 4, 5]);
  await until(() => slow.stats().gaps === 5 || out.stats().queued === 0);
  await out.send({ n: 11 });
  assert.deepEqual((await take(messages, 1)).map(({ sequence, message: { n } }) => [sequence, n]), [[
    11,
    11,
  ]]);
  assert.equal(slow.stats().gaps, 5);
});

test("pubsub: with wait send() waits for the slowest consumer, and no longer once that has left", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out } = producer(t, server, news, { maxUnsent: 1, overflow: "wait" });
  const { handle: slow } = await consumer(t, client, news, peer, { window: { items: 1 } });
  const { handle: quick } = await consumer(t, client, news, peer);
  for (const message of numbered(1, 2)) await out.send(message);
  await fails(out.send({ n: 3 }, { timeoutMs: 10 }), { code: "TIMEOUT" });
  const waits = out.send({ n: 4 });
  // The others have it already.
  assert.deepEqual(await take(quick[Symbol.asyncIterator](), 4), numbered(1, 4));
  const messages = slow.messages();
  const got = await take(messages, 3);
  assert.deepEqual(got.map(({ sequence }) => sequence), [1, 2, 4]);
  await within(waits, 1_000);
  assert.equal(slow.stats().gaps, 1);
  for (const message of numbered(5, 6)) await out.send(message);
  const last = out.send({ n: 7 });
  await messages.return!();
  await within(last, 2_000, "the send that waited for the one that has left");
});

test("pubsub: with fail nobody gets a message that one consumer has no room for", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out } = producer(t, server, news, { maxUnsent: 1, overflow: "fail" });
  const { handle: quick } = await consumer(t, client, news, peer);
  const { handle: slow } = await consumer(t, client, news, peer, { window: { items: 1 } });
  for (const message of numbered(1, 2)) await out.send(message);
  await fails(out.send({ n: 3 }), { code: "QUEUE_FULL" });
  assert.deepEqual(await take(slow[Symbol.asyncIterator](), 2), numbered(1, 2));
  await until(() => out.stats().queued === 0);
  await out.send({ n: 4 });
  const got = await take(quick.messages(), 3);
  assert.deepEqual(got.map(({ sequence, message: { n } }) => [sequence, n]), [[1, 1], [2, 2], [3, 4]]);
});

test("pubsub: close() lets what waits leave to each consumer, and ends their iterations", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out } = producer(t, server, news);
  const { handle: slow } = await consumer(t, client, news, peer, { window: { items: 1 } });
  const { handle: quick } = await consumer(t, client, news, peer);
  for (const message of numbered(1, 10)) await out.send(message);
  const closing = out.close();
  assert.deepEqual(await rest(slow[Symbol.asyncIterator]()), numbered(1, 10));
  assert.deepEqual(await closing, { lost: 0 });
  // One that begins to read after the end gets what has arrived.
  assert.deepEqual(await rest(quick[Symbol.asyncIterator]()), numbered(1, 10));
  await untilNothing(server, client);
});
