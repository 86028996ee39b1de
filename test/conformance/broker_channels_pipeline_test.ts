/** Pipelines: each message goes to one consumer, and what waits is bounded. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import type { StandardSchema } from "../../src/core/mod.ts";
import { channelContract } from "../../src/broker/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import {
  consumer,
  line,
  notice,
  type Numbered,
  numbered,
  producer,
  rest,
  take,
  untilNothing,
} from "./broker_channels_kit.ts";
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
  assert.equal(out.stats().queued, 0);
  assert.equal(into.stats().received, 6);
});

test("pipeline: messages() has the numbers of the messages that this consumer got", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out } = producer(t, server, line);
  const { handle: into } = await consumer(t, client, line, peer);
  for (const message of numbered(5, 6)) await out.send(message);
  assert.deepEqual(await take(into.messages(), 2), [
    { message: { n: 5 }, from: null, sequence: 1 },
    { message: { n: 6 }, from: null, sequence: 2 },
  ]);
  assert.throws(() => into[Symbol.asyncIterator](), { name: "TypeError", message: /twice/ });
});

test("pipeline: messages go to whoever has most credit, so that a slow consumer gets no more than its window", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const other = await t.messenger();
  const { handle: out } = producer(t, server, line);
  const { handle: slow } = await consumer(t, client, line, peer, { window: { items: 2 } });
  const { handle: quick } = await consumer(t, other, line, await other.connect(server.endpoint), {
    window: { items: 8 },
  });
  const messages = quick[Symbol.asyncIterator]();
  const got: Numbered[] = [];
  for (const message of numbered(1, 100)) {
    await out.send(message);
    if (message.n > 10) got.push(...await take(messages, 1));
  }
  got.push(...await take(messages, 98 - got.length));
  const rest = await take(slow[Symbol.asyncIterator](), 2);
  assert.deepEqual(
    [...got, ...rest].map(({ n }) => n).sort((a, b) => a - b),
    numbered(1, 100).map(({ n }) => n),
  );
});

test("pipeline: many consumers share the messages of a burst evenly", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out } = producer(t, server, line);
  const sides = await Promise.all(Array.from({ length: 40 }, () => consumer(t, client, line, peer)));
  const all = sides.map(({ handle }) => handle);
  for (const message of numbered(1, 4_000)) await out.send(message);
  await until(() => all.reduce((sum, one) => sum + one.stats().unread, 0) === 4_000);
  for (const one of all) {
    assert.ok(one.stats().unread >= 80 && one.stats().unread <= 120, String(one.stats().unread));
  }
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
  await untilNothing(server, client);
});

test("pipeline: close() tells how many messages nobody came for in time", async () => {
  await using t = await leakCheck();
  const { server } = await pair(t);
  let told = 0;
  const { handle: out } = producer(t, server, line, { maxUnsent: 2 }, { left: () => void told++ });
  for (const message of numbered(1, 2)) await out.send(message);
  const waits = out.send({ n: 3 });
  assert.deepEqual(await out.close({ timeoutMs: 20 }), { lost: 2 });
  await fails(waits, { code: "CLOSED" });
  await out.close();
  assert.equal(told, 1);
  assert.equal(await out.closed, "closed");
});

test("pipeline: a full window lets send() wait, within its time and its signal", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out } = producer(t, server, line, { maxUnsent: 2 });
  for (const message of numbered(1, 2)) await out.send(message);
  const waits = out.send({ n: 3 });
  assert.equal(out.stats().waiting, 1);
  await fails(out.send({ n: 90 }, { timeoutMs: 10 }), { code: "TIMEOUT", ran: "no" });
  await fails(out.send({ n: 91 }, { timeoutMs: 0 }), { code: "TIMEOUT" });
  const abort = new AbortController();
  const aborted = out.send({ n: 92 }, { signal: abort.signal });
  abort.abort(new Error("enough"));
  await fails(aborted, { message: "enough" });
  void out.send({ n: 4 });
  await fails(out.send({ n: 93 }), { code: "QUEUE_FULL", message: /await send\(\)/ });
  const { handle: into } = await consumer(t, client, line, peer);
  assert.deepEqual(await take(into[Symbol.asyncIterator](), 4), numbered(1, 4));
  await within(waits, 1_000);
});

for (
  const [overflow, kept, dropped] of [["dropOldest", [2, 3, 4], 1], ["dropNewest", [1, 2, 3], 1]] as const
) {
  test(`pipeline: with ${overflow} a full window keeps ${kept.join(", ")} of 4`, async () => {
    await using t = await leakCheck();
    const { server, client, peer } = await pair(t);
    const { handle: out } = producer(t, server, line, { maxUnsent: 3, overflow });
    for (const message of numbered(1, 4)) await out.send(message);
    assert.equal(out.stats().dropped, dropped);
    const { handle: into } = await consumer(t, client, line, peer);
    assert.deepEqual((await take(into[Symbol.asyncIterator](), 3)).map(({ n }) => n), kept);
  });
}

test("pipeline: a window that is full by its bytes fails with the overflow fail", async () => {
  await using t = await leakCheck();
  const { server } = await pair(t);
  const { handle: out } = producer(t, server, line, { maxUnsentBytes: 20, overflow: "fail" });
  // One message may exceed the bytes alone.
  for (const message of numbered(1, 2)) await out.send(message);
  await fails(out.send({ n: 3 }), { code: "QUEUE_FULL" });
});

test("pipeline: a consumer that leaves its loop gets no more, and the next one gets the rest", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out } = producer(t, server, line);
  const notices = out.notices();
  let left = 0;
  const { handle: first, presence } = await consumer(t, client, line, peer, { window: { items: 1 } }, {
    left: () => void left++,
  });
  for (const message of numbered(1, 5)) await out.send(message);
  assert.equal((await notice(notices, "joined")).consumer.presence, presence);
  for await (const { n } of first) if (n === 2) break;
  const { consumer: { presence: gone }, why } = await notice(notices, "left");
  assert.deepEqual([gone, why], [presence, "left"]);
  assert.deepEqual(out.consumers(), []);
  await within(first.closed, 1_000);
  await until(() => left === 1);
  const { handle: second } = await consumer(t, client, line, peer);
  const rest = await take(second[Symbol.asyncIterator](), 2);
  assert.deepEqual(rest, numbered(4, 5));
});

test("pipeline: close() of a consumer that reads lets it read what has been sent to it", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out } = producer(t, server, line);
  const { handle: into } = await consumer(t, client, line, peer);
  const messages = into[Symbol.asyncIterator]();
  for (const message of numbered(1, 5)) await out.send(message);
  assert.deepEqual(await take(messages, 1), numbered(1, 1));
  await within(into.close(), 2_000);
  await until(() => out.consumers().length === 0);
  await out.send({ n: 6 });
  assert.deepEqual(await rest(messages), numbered(2, 5));
  assert.equal(out.stats().queued, 1);
  await untilNothing(server, client);
});

test("pipeline: a message that its schema refuses is not sent, and named by its number", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out } = producer(t, server, line);
  const { handle: into } = await consumer(t, client, line, peer);
  await out.send({ n: 1 });
  // Nobody awaits it, which is no unhandled rejection.
  void out.send({ n: "two" } as never);
  await fails(out.send({ n: "two" } as never), {
    code: "PAYLOAD_INVALID",
    ran: "no",
    message: /^Message 2 of channel "lab\/line" is invalid: n: /,
  });
  await out.send({ n: 2 });
  assert.deepEqual(await take(into[Symbol.asyncIterator](), 2), numbered(1, 2));
});

test("pipeline: a message that the consumer's schema refuses ends its handle with the message's number", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const loose = channelContract("lab/line", { pattern: "pipeline", message: z.object({ n: z.unknown() }) });
  const { handle: out } = producer(t, server, loose);
  const { handle: into } = await consumer(t, client, line, peer);
  for (const n of [1, "two", 3]) await out.send({ n });
  const messages = into[Symbol.asyncIterator]();
  assert.deepEqual(await take(messages, 1), numbered(1, 1));
  await fails(messages.next(), { code: "RESULT_INVALID", message: /^Message 2 of channel/ });
  assert.equal((await messages.next()).done, true);
  assert.equal(((await into.closed) as { code?: string }).code, "RESULT_INVALID");
  assert.equal(into.stats().invalid, 1);
  await until(() => out.consumers().length === 0);
});

test("pipeline: messages whose schema answers later keep their order, and are sent before close() returns", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const first = Promise.withResolvers<void>();
  const validate = (value: unknown) => {
    const { n } = value as Numbered;
    const result = n === 3 ? { issues: [{ message: "no threes" }] } : { value: { n } };
    // The others answer at once.
    return n % 2 === 1 ? first.promise.then(() => result) : result;
  };
  const message: StandardSchema<Numbered> = { "~standard": { version: 1, vendor: "test", validate } };
  const slow = channelContract("lab/line", { pattern: "pipeline", message });
  const { handle: out } = producer(t, server, slow);
  const { handle: into } = await consumer(t, client, line, peer);
  const sent = numbered(1, 4).map((message) => out.send(message));
  assert.equal(out.stats().waiting, 4);
  const closing = out.close();
  first.resolve();
  await fails(sent[2]!, { code: "PAYLOAD_INVALID", message: /^Message 3 / });
  await Promise.all([sent[0], sent[1], sent[3]]);
  assert.deepEqual(await closing, { lost: 0 });
  assert.deepEqual((await rest(into[Symbol.asyncIterator]())).map(({ n }) => n), [1, 2, 4]);
});

test("pipeline: a loop over messages that have arrived lets the process do other things", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out } = producer(t, server, line);
  const { handle: into } = await consumer(t, client, line, peer);
  for (const message of numbered(1, 1_000)) await out.send(message);
  await until(() => into.stats().unread === 1_000);
  let turns = 0;
  let read = 0;
  const count = (): void => {
    turns++;
    if (read < 1_000) setImmediate(count);
  };
  setImmediate(count);
  for await (const _ of into) {
    const end = performance.now() + 0.05;
    while (performance.now() < end);
    if (++read === 1_000) break;
  }
  assert.ok(turns >= 4, `${turns} turns in 50 ms`);
});

test("pipeline: sides that do not send or receive say so", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: out } = producer(t, server, line, {}, { sharedMemory: "/lab" });
  const { handle: into } = await consumer(t, client, line, peer);
  await fails(into.send({ n: 1 } as never), { name: "TypeError", message: /only receive/ });
  assert.throws(() => out.messages(), { name: "TypeError", message: /only sends/ });
  await fails(out.send({ n: 1 }, { timeout: 1 } as never), { name: "TypeError" });
  assert.deepEqual([out.channelName, out.pattern, out.role, into.role], [
    "lab/line",
    "pipeline",
    "producer",
    "consumer",
  ]);
  assert.deepEqual([out.hasSharedMemory, out.sharedMemoryName, into.hasSharedMemory], [true, "/lab", false]);
});
