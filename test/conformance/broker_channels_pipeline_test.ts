import assert from "node:assert/strict";
import { test } from "node:test";
import { leakCheck } from "../support/fixture.ts";
import { consumer, line, numbered, producer, rest, take } from "./broker_channels_kit.ts";
import { fails, pair } from "./messenger_kit.ts";

test("pipeline: messages arrive in order, those of before the consumer came too", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out } = producer(t, server, line);
  for (const message of numbered(1, 3)) await out.send(message);
  assert.equal(out.stats().queued, 3);
  const { handle: into } = await consumer(t, client, line, peer);
  for (const message of numbered(4, 6)) await out.send(message);
  assert.deepEqual(await take(into[Symbol.asyncIterator](), 6), numbered(1, 6));
  assert.equal(out.stats().sent, 6);
  assert.equal(into.stats().received, 6);
});

test("pipeline: close() of the producer lets what waits leave, and ends the consumer's iteration", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out } = producer(t, server, line);
  const { handle: into } = await consumer(t, client, line, peer, { window: { items: 4 } });
  for (const message of numbered(1, 20)) await out.send(message);
  const closing = out.close();
  assert.deepEqual(await rest(into[Symbol.asyncIterator]()), numbered(1, 20));
  assert.deepEqual(await closing, { lost: 0 });
  await fails(out.send({ n: 21 }), { code: "CLOSED" });
  assert.equal(out.isValid, false);
  assert.equal(await into.closed, "its producer has closed the channel");
});
