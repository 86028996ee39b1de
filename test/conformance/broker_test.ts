/** A broker and its clients: registration, discovery, and what both sides are told. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Broker, BrokerClient } from "../../src/broker/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { clientOf, news, numbers, startedBroker, words } from "./broker_kit.ts";

const hash = "a".repeat(64);

test("a producer registers, is discovered with what it has said of itself, and deregisters", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t);
  const { client: producer } = await clientOf(t, broker, { name: "sensor" });
  const { client: consumer } = await clientOf(t, broker, { listen: false });
  assert.equal(await consumer.discoverProducer("lab/frames"), null);
  const facts = { schemaHash: hash, sharedMemory: "/frames", metadata: { width: 640 } };
  assert.equal(await producer.registerProducer("lab/frames", facts), true);
  const found = await consumer.discoverProducer("lab/frames");
  assert.equal(found?.state, "ready");
  assert.equal(found?.sharedMemory, "/frames");
  assert.deepEqual(found?.metadata, { width: 640 });
  assert.equal(found?.schema.hash, hash);
  assert.deepEqual((await consumer.listChannels("lab/*")).map(({ name }) => name), ["lab/frames"]);
  assert.equal(await producer.deregisterProducer("lab/frames"), true);
  assert.equal(await consumer.discoverProducer("lab/frames"), null);
});

test("consumers are counted in what is discovered", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t);
  const { client: producer } = await clientOf(t, broker);
  const { client: consumer } = await clientOf(t, broker, { listen: false });
  await producer.registerProducer(numbers);
  const count = async (): Promise<number | undefined> =>
    (await producer.discoverProducer(numbers))?.consumers;
  assert.equal(await count(), 0);
  assert.equal((await consumer.registerConsumer(numbers))?.name, numbers.name);
  assert.equal(await count(), 1);
  assert.equal(await consumer.deregisterConsumer(numbers), true);
  assert.equal(await count(), 0);
  await assert.rejects(consumer.registerConsumer("lab/none"), { code: "CHANNEL_NOT_FOUND" });
});

test("another schema is refused before the owner is asked for, and the owner is told", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t);
  const { client: producer } = await clientOf(t, broker);
  const { client: other } = await clientOf(t, broker);
  const notices = producer.notices();
  await producer.registerProducer(numbers);
  await assert.rejects(other.registerProducer(words), { code: "SCHEMA_MISMATCH" });
  const { value: told } = await notices.next();
  assert.equal(told.type, "channelError");
  await assert.rejects(other.registerProducer(numbers), { code: "CHANNEL_OWNED" });
  await assert.rejects(other.registerConsumer(words), { code: "SCHEMA_MISMATCH" });
});

test("a client that starts before its broker registers as soon as the broker answers", async () => {
  await using t = await leakCheck();
  const first = await Broker.start({ heartbeatMs: 200 });
  const { endpoint } = first;
  await first.close();
  const messenger = await t.messenger();
  const client = t.use(await BrokerClient.connect(messenger, endpoint, { timeoutMs: 50 }));
  assert.equal(client.connected, false);
  assert.equal(await client.registerProducer(numbers), false);
  assert.equal(await client.discoverProducer(numbers), null);
  assert.deepEqual(await client.listChannels(), []);
  const broker = await startedBroker(t, { endpoint });
  await until(() => broker.channels().length === 1, { message: "the channel to be registered" });
});

test("a broker that starts again knows all registrations, and nobody hears that a channel closes", async () => {
  await using t = await leakCheck();
  const first = await Broker.start({ heartbeatMs: 200 });
  const { endpoint } = first;
  const { client: producer } = await clientOf(t, first);
  const { client: consumer } = await clientOf(t, first, { listen: false });
  const notices: string[] = [];
  void (async () => {
    for await (const { type } of consumer.notices()) notices.push(type);
  })();
  await producer.registerProducer(numbers);
  await consumer.registerConsumer(numbers);
  await first.close();
  await until(() => !producer.connected && !consumer.connected, { message: "both to lose the broker" });
  const broker = await startedBroker(t, { endpoint });
  await until(() => broker.channels()[0]?.consumers === 1, { message: "both to be registered again" });
  assert.equal(broker.channels()[0]?.state, "ready");
  assert.equal(notices.includes("channelClosing"), false);
});

test("a consumer that reads everything keeps a pipeline for itself, and one that does not shares it", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t);
  const { client: producer } = await clientOf(t, broker);
  const { client: fast } = await clientOf(t, broker, { listen: false });
  const { client: other } = await clientOf(t, broker, { listen: false });
  const channel = await producer.createChannel(numbers);
  const first = await fast.connectChannel(numbers);
  const second = await other.connectChannel(numbers);
  const messages = first[Symbol.asyncIterator]();
  for (let n = 1; n <= 20; n++) {
    await channel.send(n);
    assert.equal((await messages.next()).value, n);
    // The producer knows by its credit that the message was read.
    await until(() => channel.consumers().every(({ unread }) => unread === 0));
  }
  // Nobody reads these, so that the other one gets its share.
  for (let n = 21; n <= 30; n++) await channel.send(n);
  await until(() => second.stats().unread >= 4);
  assert.equal(second.stats().received, 0);
});

test("messages come from a producer that nobody can dial: it dials the consumer, or the broker relays", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t);
  const { client: producer } = await clientOf(t, broker, { listen: false });
  const { client: dialled } = await clientOf(t, broker);
  const { client: hidden } = await clientOf(t, broker, { listen: false });
  const channel = await producer.createChannel(news);
  const direct = await dialled.connectChannel(news);
  assert.equal(broker.stats().relay.links, 0);
  const relayed = await hidden.connectChannel(news);
  assert.equal(broker.stats().relay.links, 1);
  await channel.send("hello");
  for (const side of [direct, relayed]) {
    assert.equal((await side[Symbol.asyncIterator]().next()).value, "hello");
  }
  await relayed.close();
  await until(() => broker.stats().relay.links === 0);
});

test("a channel that is closed ends at its consumers after the messages that were sent before", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t);
  const { client: producer } = await clientOf(t, broker);
  const { client: consumer } = await clientOf(t, broker, { listen: false });
  const channel = await producer.createChannel(news);
  const reading = await consumer.connectChannel(news);
  for (const text of ["a", "b", "c"]) await channel.send(text);
  await channel.close();
  const texts: string[] = [];
  for await (const text of reading) texts.push(text);
  assert.deepEqual(texts, ["a", "b", "c"]);
  assert.equal(await consumer.discoverProducer(news), null);
  await until(() => broker.channels().length === 0);
});

test("of registrations that leave together each has its own answer", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t, { maxChannels: 20 });
  const { client } = await clientOf(t, broker);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 30 }, (_, i) => client.registerProducer(`many/c${i}`)),
  );
  const refused = outcomes.filter((one) => one.status === "rejected").map(({ reason }) => reason.code);
  assert.deepEqual(refused, Array.from({ length: 10 }, () => "LIMIT_REACHED"));
  assert.equal(broker.stats().requests["register"], undefined);
  assert.equal(broker.channels().length, 20);
});

test("clients tell producers and channels of events, and report counters, which others can see", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t, { heartbeatMs: 50 });
  const { client: producer } = await clientOf(t, broker);
  const { client: consumer } = await clientOf(t, broker, { listen: false });
  await producer.registerProducer(numbers);
  await consumer.registerConsumer(numbers);
  const [own, other] = [producer.notices(), consumer.notices()];
  const told = {
    type: "channelEvent",
    channel: numbers.name,
    from: consumer.identity,
    event: "low",
    data: { left: 1 },
  };
  assert.equal(await consumer.notify(numbers, "low", { left: 1 }), 1);
  let first = (await own.next()).value;
  // What came before may still be on its way.
  if (first.type === "consumerJoined") first = (await own.next()).value;
  assert.deepEqual(first, told);
  assert.equal(await producer.broadcast(numbers, "pause", [1]), 2);
  for (const notices of [own, other]) {
    const { value } = await notices.next();
    assert.deepEqual([value.type, value.message, value.from], ["broadcast", "pause", producer.identity]);
  }
  assert.equal(await consumer.notify("lab/none", "low"), 0);
  assert.deepEqual(await consumer.queryPresence(producer.identity ?? ""), [
    { channel: numbers.name, role: "producer" },
  ]);
  assert.equal(producer.reportMetrics("lab/none", { frames: 1 }), false);
  assert.equal(producer.reportMetrics(numbers, { frames: 7 }), true);
  const [seen] = await until(async () => {
    const all = await consumer.queryMetrics(numbers);
    return all.length > 0 && all;
  });
  assert.deepEqual([seen?.role, seen?.metrics], ["producer", { frames: 7 }]);
});

test("a broker and its clients list more channels than one page has", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t);
  const { client } = await clientOf(t, broker);
  const names = Array.from({ length: 1_100 }, (_, i) => `page/c${1_000 + i}`);
  await Promise.all(names.map((name) => client.registerProducer(name)));
  assert.deepEqual(broker.channels("page/*").map(({ name }) => name), names);
  assert.deepEqual((await client.listChannels("page/*")).map(({ name }) => name), names);
});
