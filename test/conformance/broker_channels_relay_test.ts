/** Channels between instances that cannot dial each other: a third one relays. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ChannelHost, ChannelRelay, consume } from "../../src/broker/channels/mod.ts";
import type { InstanceId } from "../../src/mod.ts";
import { portOf } from "../../src/messenger/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import {
  consumer,
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

/** A producer and a consumer that do not listen, and a relay that both have dialled. */
async function relayed(t: LeakCheck) {
  const middle = await t.messenger();
  const far = await t.messenger({ listen: false });
  const near = await t.messenger({ listen: false });
  await far.connect(middle.endpoint);
  const peer = await near.connect(middle.endpoint);
  const relay = new ChannelRelay(
    ChannelHost.of(portOf(middle)!),
    (channel): InstanceId | null => channel.startsWith("lab/") ? far.instanceId : null,
  );
  return { middle, far, near, peer, relay };
}

test("relay: messages and the end of a pipeline pass, and a slow consumer holds them up within its window", async () => {
  await using t = await leakCheck();
  const { middle, far, near, peer, relay } = await relayed(t);
  const { handle: out } = producer(t, far, line);
  const { handle: into } = await consumer(t, near, line, peer, { window: { items: 4 } });
  for (const message of numbered(1, 100)) await out.send(message);
  await until(() => into.stats().unread === 4);
  // One window on its way to the consumer, and one before the relay.
  await until(() => out.stats().queued === 92);
  assert.equal(relay.stats().links, 1);
  const closing = out.close();
  assert.deepEqual(await rest(into[Symbol.asyncIterator]()), numbered(1, 100));
  assert.deepEqual(await closing, { lost: 0 });
  assert.equal(relay.stats().messages, 100);
  await until(() => relay.stats().links === 0);
  await untilNothing(middle, far, near);
});

test("relay: a consumer that leaves is gone at the producer, and one that closes reads the rest", async () => {
  await using t = await leakCheck();
  const { middle, far, near, peer } = await relayed(t);
  const { handle: out } = producer(t, far, news);
  const seen = out.notices();
  const first = await consumer(t, near, news, peer);
  const second = await consumer(t, near, news, peer);
  assert.equal((await notice(seen, "joined")).consumer.instance, middle.instanceId);
  for (const message of numbered(1, 3)) await out.send(message);
  for await (const { n } of first.handle) if (n === 2) break;
  assert.equal((await notice(seen, "left")).consumer.presence, first.presence);
  const messages = second.handle[Symbol.asyncIterator]();
  await take(messages, 1);
  await second.handle.close();
  assert.deepEqual(await rest(messages), numbered(2, 3));
  assert.equal((await notice(seen, "left")).consumer.presence, second.presence);
  await untilNothing(middle, far, near);
});

test("relay: both directions of a bidirectional channel pass", async () => {
  await using t = await leakCheck();
  const { middle, far, near, peer } = await relayed(t);
  const { handle: hub } = producer(t, far, talk);
  const { handle: one, presence } = await consumer(t, near, talk, peer);
  await one.send("hello");
  assert.deepEqual((await take(hub.messages(), 1)).map(({ message, from }) => [message, from]), [[
    "hello",
    presence,
  ]]);
  await hub.send({ n: 1 }, { to: presence });
  assert.deepEqual(await take(one[Symbol.asyncIterator](), 1), numbered(1, 1));
  await one.send("bye");
  await one.close();
  await until(() => hub.consumers().length === 0);
  await until(() => hub.stats().unread === 1);
  await hub.close();
  await untilNothing(middle, near);
});

test("relay: a consumer whose producer is lost waits, and goes on when it is back", async () => {
  await using t = await leakCheck();
  const { middle, far, near, peer } = await relayed(t);
  const first = producer(t, far, line);
  const { handle: into } = await consumer(t, near, line, peer);
  const heard = into.notices();
  await first.handle.send({ n: 1 });
  const messages = into[Symbol.asyncIterator]();
  assert.deepEqual(await take(messages, 1), numbered(1, 1));
  first.handle.invalidate();
  await notice(heard, "producerLost");
  const { handle: out } = producer(t, far, line);
  await notice(heard, "producerBack");
  await out.send({ n: 2 });
  assert.deepEqual(await take(messages, 1), numbered(2, 2));
  await into.close();
  await until(() => out.consumers().length === 0);
  await untilNothing(middle, far, near);
});

test("relay: a channel that it does not know is not found, until it is", async () => {
  await using t = await leakCheck();
  const { near, peer } = await relayed(t);
  let tries = 0;
  const source = {
    route: () => {
      if (++tries > 2) return Promise.reject(new Error("no more"));
      return Promise.resolve({ instance: peer, presence: 1 });
    },
  };
  const contract = { ...line, name: "other" };
  const { handle } = consume({ port: portOf(near)!, contract, source });
  assert.equal(((await handle.closed) as Error).message, "no more");
  assert.equal(tries, 3);
});
