/** Channels whose messages go both ways. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { channelContract } from "../../src/broker/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import {
  consumer,
  notice,
  numbered,
  producer,
  rest,
  take,
  talk,
  untilNothing,
} from "./broker_channels_kit.ts";
import { fails, pair } from "./messenger_kit.ts";

test("bidirectional: the producer sends to one consumer or to all, and knows from whom a message is", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: hub } = producer(t, server, talk);
  const one = await consumer(t, client, talk, peer);
  const other = await consumer(t, client, talk, peer);
  await one.handle.send("from one");
  await other.handle.send("from the other");
  const heard = await take(hub.messages(), 2);
  assert.deepEqual(
    new Set(heard.map(({ message, from, sequence }) => `${message} ${from} ${sequence}`)),
    new Set([
      `from one ${one.presence} 1`,
      `from the other ${other.presence} 1`,
    ]),
  );
  await hub.send({ n: 1 }, { to: one.presence });
  await hub.send({ n: 2 });
  assert.deepEqual(await take(one.handle[Symbol.asyncIterator](), 2), numbered(1, 2));
  const got = await take(other.handle.messages(), 1);
  assert.deepEqual(got.map(({ message: { n }, sequence }) => [n, sequence]), [[2, 1]]);
  await fails(hub.send({ n: 3 }, { to: 999_999 }), { code: "NOT_REGISTERED" });
});

test("bidirectional: both directions have a window, and close() lets what waits leave", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: hub } = producer(t, server, talk, { window: { items: 1 } });
  const { handle: one, presence } = await consumer(t, client, talk, peer, {
    window: { items: 1 },
    maxUnsent: 1,
  });
  for (const text of ["a", "b"]) await one.send(text);
  await fails(one.send("x", { timeoutMs: 10 }), { code: "TIMEOUT" });
  const last = one.send("c");
  const closing = one.close();
  const heard = await take(hub.messages(), 3);
  // The one that had no place in time is not missing, since its sender knows.
  assert.deepEqual(heard.map(({ message, sequence }) => `${message}${sequence}`), ["a1", "b2", "c3"]);
  await within(last, 1_000);
  assert.deepEqual(await closing, { lost: 0 });
  await until(() => hub.consumers().length === 0);
  assert.equal(hub.stats().gaps, 0);
  await fails(hub.send({ n: 1 }, { to: presence }), { code: "NOT_REGISTERED" });
  await untilNothing(server, client);
});

test("bidirectional: what a consumer has sent before it left is still read", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: hub } = producer(t, server, talk);
  const { handle: one } = await consumer(t, client, talk, peer);
  for (const text of ["a", "bye"]) await one.send(text);
  await one.close();
  await until(() => hub.consumers().length === 0);
  assert.deepEqual((await take(hub.messages(), 2)).map(({ message }) => message), ["a", "bye"]);
});

test("bidirectional: a consumer that sends what the schema refuses is dropped, and nobody else", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const loose = channelContract("lab/talk", {
    pattern: "bidirectional",
    message: z.unknown(),
    reply: z.unknown(),
  });
  const { handle: hub } = producer(t, server, talk);
  const notices = hub.notices();
  const good = await consumer(t, client, talk, peer);
  const bad = await consumer(t, client, loose, peer);
  await bad.handle.send(7);
  await bad.handle.send("after it");
  const messages = hub.messages();
  const first = take(messages, 1);
  const { consumer: { presence }, why } = await notice(notices, "left");
  assert.deepEqual([presence, why], [bad.presence, "broken"]);
  await good.handle.send("well");
  assert.deepEqual((await first).map(({ message, from }) => [message, from]), [["well", good.presence]]);
  assert.equal(hub.stats().invalid, 1);
  assert.equal(hub.isValid, true);
});

for (const [reads, early] of [[false, false], [false, true], [true, true]] as const) {
  const who = reads ? "reads" : "does not read";
  const what = early ? "messages that have arrived or cross its end" : "messages that cross its end";
  test(`bidirectional: a producer that ${who} leaves nothing behind of ${what}`, async () => {
    await using t = await leakCheck();
    const { server, client, peer } = await pair(t);
    const { handle: hub } = producer(t, server, talk);
    const { handle: one } = await consumer(t, client, talk, peer);
    const messages = reads ? hub.messages() : null;
    if (early) {
      await one.send("early");
      await until(() => hub.stats().unread === 1);
    }
    for (let i = 0; i < 10; i++) void one.send("late");
    await hub.close();
    await within(one.closed, 5_000);
    if (messages !== null) assert.equal((await rest(messages))[0]?.message, "early");
    await untilNothing(server, client);
  });
}

test("bidirectional: the end of the producer ends the consumers, and theirs ends nobody", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { handle: hub } = producer(t, server, talk);
  const { handle: one } = await consumer(t, client, talk, peer);
  await hub.send({ n: 1 });
  await hub.close();
  assert.deepEqual(await rest(one[Symbol.asyncIterator]()), numbered(1, 1));
  await fails(one.send("late"), { code: "CLOSED" });
  assert.deepEqual(await rest(hub.messages()), []);
  await untilNothing(server, client);
});
