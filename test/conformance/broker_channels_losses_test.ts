/** Channels whose connection or producer is lost, and comes back; and consumers that are refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { channelContract } from "../../src/broker/mod.ts";
import { consume, produce } from "../../src/broker/channels/mod.ts";
import { ZeromeshError } from "../../src/mod.ts";
import { portOf } from "../../src/messenger/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import {
  consumer,
  cuttable,
  line,
  news,
  notice,
  numbered,
  producer,
  rest,
  take,
  talk,
  untilNothing,
} from "./broker_channels_kit.ts";
import { fails, pair } from "./messenger_kit.ts";

test("a pipeline whose connection is lost goes on when it is back, with what had waited", async () => {
  await using t = await leakCheck();
  const { server, client, peer, lost, back } = await cuttable(t);
  const { handle: out } = producer(t, server, line);
  const { handle: into } = await consumer(t, client, line, peer);
  const [heard, seen] = [into.notices(), out.notices()];
  const messages = into.messages();
  await out.send({ n: 1 });
  await take(messages, 1);
  await lost();
  await notice(heard, "producerLost");
  assert.equal((await notice(seen, "left")).why, "lost");
  for (const message of numbered(2, 4)) await out.send(message);
  assert.equal(out.stats().queued, 3);
  back();
  assert.equal((await notice(heard, "producerBack")).restarted, false);
  const got = await take(messages, 3);
  assert.deepEqual(got.map(({ message: { n }, sequence }) => [n, sequence]), [[2, 2], [3, 3], [4, 4]]);
  assert.equal(into.stats().gaps, 0);
});

test("a pubsub consumer whose connection was lost is told by the numbers how much it has missed", async () => {
  await using t = await leakCheck();
  const { server, client, peer, lost, back } = await cuttable(t);
  const { handle: out } = producer(t, server, news);
  const { handle: into } = await consumer(t, client, news, peer);
  const messages = into.messages();
  const heard = into.notices();
  for (const message of numbered(1, 2)) await out.send(message);
  await take(messages, 1);
  // The second one has arrived, and is not taken.
  await until(() => into.stats().unread === 1);
  await lost();
  await notice(heard, "producerLost");
  for (const message of numbered(3, 5)) await out.send(message);
  back();
  await notice(heard, "producerBack");
  await until(() => out.consumers().length === 1);
  await out.send({ n: 6 });
  const got = await take(messages, 2);
  assert.deepEqual(got.map(({ message: { n }, sequence }) => [n, sequence]), [[2, 2], [6, 6]]);
  assert.deepEqual(await notice(heard, "gap"), { type: "gap", from: null, count: 3 });
  assert.equal(into.stats().gaps, 3);
});

test("a bidirectional consumer keeps what it sends while the connection is lost", async () => {
  await using t = await leakCheck();
  const { server, client, peer, lost, back } = await cuttable(t);
  const { handle: hub } = producer(t, server, talk);
  const { handle: one } = await consumer(t, client, talk, peer);
  const heard = one.notices();
  const messages = hub[Symbol.asyncIterator]();
  await one.send("a");
  assert.deepEqual(await take(messages, 1), ["a"]);
  await lost();
  await notice(heard, "producerLost");
  for (const text of ["b", "c"]) await one.send(text);
  assert.equal(one.stats().queued, 2);
  back();
  assert.deepEqual(await take(messages, 2), ["b", "c"]);
  await hub.send({ n: 1 });
  assert.deepEqual(await take(one[Symbol.asyncIterator](), 1), numbered(1, 1));
});

test("a producer that is invalidated loses its consumers to the one that takes over, which starts to count anew", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const first = producer(t, server, news);
  const { handle: into } = await consumer(t, client, news, peer);
  const heard = into.notices();
  const messages = into.messages();
  await first.handle.send({ n: 1 });
  const fenced = new ZeromeshError("STALE_INSTANCE", "Another instance has taken over");
  const second = producer(t, server, news);
  first.run.invalidate("it was taken over", fenced);
  await fails(first.handle.send({ n: 2 }), { code: "STALE_INSTANCE" });
  assert.equal(await first.handle.closed, fenced);
  assert.equal((await notice(heard, "producerBack")).restarted, true);
  assert.deepEqual(await notice(heard, "gap"), { type: "gap", from: null, count: null });
  await second.handle.send({ n: 3 });
  const got = await take(messages, 2);
  assert.deepEqual(got.map(({ message: { n }, sequence }) => [n, sequence]), [[1, 1], [3, 1]]);
});

test("a consumer whose presence has ended by what the broker says gets no more", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out, run } = producer(t, server, line);
  const { handle: into, presence } = await consumer(t, client, line, peer);
  run.told(presence, "anna");
  assert.deepEqual(out.consumers(), [{ presence, instance: client.instanceId, name: "anna", unread: 0 }]);
  run.gone(presence, false);
  assert.equal(await into.closed, "its producer has closed the channel");
  await out.send({ n: 1 });
  assert.equal(out.stats().queued, 1);
});

test("a consumer that is not admitted asks again until it is", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const claims: unknown[] = [];
  let admitted = false;
  const { handle: out } = producer(t, server, line, {}, {
    admits: (claim) => {
      claims.push(claim);
      return Promise.resolve(admitted);
    },
  });
  const source = { route: () => Promise.resolve({ instance: peer, presence: 7 }) };
  const { handle: into, run } = consume({ port: portOf(client)!, contract: line, source });
  t.defer(() => into.invalidate());
  await until(() => claims.length >= 2);
  assert.deepEqual(claims[0], { consumer: 7, instance: client.instanceId });
  admitted = true;
  await within(run.opened, 5_000);
  await out.send({ n: 1 });
  assert.deepEqual(await take(into[Symbol.asyncIterator](), 1), numbered(1, 1));
});

test("a consumer of another pattern, or without a route, is refused for good", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  producer(t, server, line);
  const port = portOf(client)!;
  const other = channelContract("lab/line", { pattern: "pubsub", message: line.message });
  const source = { route: () => Promise.resolve({ instance: peer, presence: 7 }) };
  const wrong = consume({ port, contract: other, source });
  await fails(wrong.run.opened, {
    code: "PATTERN_MISMATCH",
    details: { channel: "lab/line", expected: "pipeline", given: "pubsub" },
  });
  await fails(wrong.handle[Symbol.asyncIterator]().next(), { code: "PATTERN_MISMATCH" });
  const gone = new ZeromeshError("CHANNEL_NOT_FOUND", "no such channel");
  const lost = consume({ port, contract: line, source: { route: () => Promise.reject(gone) } });
  await fails(lost.run.opened, { code: "CHANNEL_NOT_FOUND" });
  assert.equal(await lost.handle.closed, gone);
});

test("at maxConsumers further ones are refused, until one leaves", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out } = producer(t, server, line, { maxConsumers: 1 });
  const { handle: one } = await consumer(t, client, line, peer);
  let tries = 0;
  const route = () => {
    tries++;
    return Promise.resolve({ instance: peer, presence: 7_000 });
  };
  const source = { route };
  const other = consume({ port: portOf(client)!, contract: line, source });
  t.defer(() => other.handle.invalidate());
  await until(() => tries >= 2);
  assert.equal(out.consumers().length, 1);
  await one.close();
  await within(other.run.opened, 5_000);
});

test("handles end with their messenger, and the other side hears of it", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out } = producer(t, server, line);
  const { handle: into } = await consumer(t, client, line, peer);
  const heard = into.notices();
  await out.send({ n: 1 });
  await until(() => into.stats().unread === 1);
  await server.close();
  assert.equal(await out.closed, "the messenger has closed");
  await notice(heard, "producerLost");
  await client.close();
  assert.equal(await into.closed, "the messenger has closed");
  assert.deepEqual(await rest(into[Symbol.asyncIterator]()), []);
});

test("a consumer that opens again under its presence takes the place of its earlier stream", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out } = producer(t, server, line);
  const port = portOf(client)!;
  const route = () => Promise.resolve({ instance: peer, presence: 8_000 });
  const stays = Promise.withResolvers<never>();
  let routes = 0;
  const once = () => routes++ === 0 ? route() : stays.promise;
  const first = consume({ port, contract: line, source: { route: once } });
  t.defer(() => first.handle.invalidate());
  await within(first.run.opened, 5_000);
  const heard = first.handle.notices();
  const second = consume({ port, contract: line, source: { route } });
  t.defer(() => second.handle.invalidate());
  await within(second.run.opened, 5_000);
  await notice(heard, "producerLost");
  assert.equal(out.consumers().length, 1);
  await out.send({ n: 1 });
  assert.deepEqual(await take(second.handle[Symbol.asyncIterator](), 1), numbered(1, 1));
});

test("a message that is larger than what a consumer takes is dropped or missing there, and nobody waits for it", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const small = await t.messenger({ maxPayloadBytes: 4_096 });
  const large = await t.messenger();
  const [near, far] = [await small.connect(server.endpoint), await large.connect(server.endpoint)];
  const text = z.string();
  const pipe = channelContract("lab/texts", { pattern: "pipeline", message: text });
  const { handle: out } = producer(t, server, pipe);
  const big = "é".repeat(4_000);
  await out.send(big);
  const { handle: into } = await consumer(t, small, pipe, near);
  await until(() => out.stats().dropped === 1);
  await fails(out.send(big), {
    code: "PAYLOAD_TOO_LARGE",
    message: /^Message 2 of channel "lab\/texts" cannot be sent/,
  });
  await into.close();
  const all = channelContract("lab/all", { pattern: "pubsub", message: text });
  const { handle: to } = producer(t, server, all);
  const { handle: one } = await consumer(t, small, all, near);
  const { handle: other } = await consumer(t, large, all, far);
  for (const message of ["a", big, "b"]) await to.send(message);
  assert.deepEqual(await take(other[Symbol.asyncIterator](), 3), ["a", big, "b"]);
  const got = await take(one.messages(), 2);
  assert.deepEqual(got.map(({ message, sequence }) => [message, sequence]), [["a", 1], ["b", 3]]);
  assert.equal(one.stats().gaps, 1);
});

test("an open consumer without messages, and its producer, leave nothing behind when they are closed", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  for (let i = 0; i < 20; i++) {
    const { handle: out } = produce({ port: portOf(server)!, contract: talk, admits: () => true });
    const { handle: into } = await consumer(t, client, talk, peer);
    await out.send({ n: 1 });
    await into.close();
    await out.close();
  }
  await untilNothing(server, client);
});
