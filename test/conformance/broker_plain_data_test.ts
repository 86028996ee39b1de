/** Channels whose data travels over sockets of ZeroMQ: the same handle, and sockets of foreign programs at the other end. */
import assert from "node:assert/strict";
import { BrokerErrorCode, channelContract } from "zeromesh/broker";
import { curveKeyPair } from "zeromesh";
import { z } from "zod";
import { loadBlake2b } from "../../src/broker/plain/blake2b.ts";
import {
  decodeDataFrame,
  encodeDataFrame,
  isDataProblem,
  schemaTag,
} from "../../src/broker/plain/data_frames.ts";
import { test } from "../support/testing.ts";
import { Program } from "../support/broker_door.ts";
import { freePort } from "../support/ports.ts";
import { pause, until } from "../support/until.ts";
import { socketCheck } from "../support/zmq_sockets.ts";
import { clientOf, startedBroker } from "./broker_kit.ts";
import * as zmq from "zeromesh/zmq";

const reading = z.object({ at: z.number(), celsius: z.number() });
const pipeline = channelContract("lab/pipeline", { pattern: "pipeline", message: reading });
const pubsub = channelContract("lab/pubsub", { pattern: "pubsub", message: z.string() });
const talk = channelContract("lab/talk", {
  pattern: "bidirectional",
  message: z.string(),
  reply: z.number(),
});
const blake2b = await loadBlake2b();

test("a pipeline over PUSH and PULL keeps every message, also those sent before there is a consumer", async () => {
  await using t = await socketCheck();
  const broker = await startedBroker(t);
  const { client: maker } = await clientOf(t, broker);
  const { client: taker } = await clientOf(t, broker);
  const producer = t.use(await maker.createChannel(pipeline, { plain: true }));
  await producer.send({ at: 0, celsius: 20 });
  const consumer = t.use(await taker.connectChannel(pipeline, { window: { items: 10 } }));
  for (let at = 1; at < 500; at++) await producer.send({ at, celsius: 20 });
  assert.deepEqual(await producer.close(), { lost: 0 });
  // Nobody reads yet, and most of it waits at the socket.
  await pause(500);
  const seen: number[] = [];
  for await (const { at } of consumer) seen.push(at);
  assert.deepEqual(seen, Array.from({ length: 500 }, (_, at) => at));
  assert.equal(
    await consumer.closed.then(String),
    'Channel "lab/pipeline" has ended: its producer has closed it',
  );
  assert.deepEqual([producer.stats().sent, consumer.stats().received, consumer.stats().gaps], [500, 500, 0]);
  await assert.rejects(producer.send({ at: 1, celsius: 1 }), { code: "CLOSED" });
});

test("what does not fit the bounded window of a pipeline without a consumer is refused or dropped, as it says", async () => {
  await using t = await socketCheck();
  const broker = await startedBroker(t);
  const { client } = await clientOf(t, broker);
  const producer = t.use(
    await client.createChannel(pipeline, { plain: true, maxUnsent: 3, overflow: "fail" }),
  );
  // One is with the socket, which has no consumer, and three wait.
  for (let at = 0; at < 4; at++) await producer.send({ at, celsius: 1 });
  await assert.rejects(producer.send({ at: 4, celsius: 1 }), { code: "QUEUE_FULL" });
  await assert.rejects(producer.send({ at: "x" } as never), { code: "PAYLOAD_INVALID" });
  assert.deepEqual([producer.stats().queued, (await producer.close({ timeoutMs: 20 })).lost], [4, 4]);
});

test("pubsub over PUB and SUB goes to all, and numbers show what is missing", async () => {
  await using t = await socketCheck();
  const broker = await startedBroker(t);
  const { client: maker } = await clientOf(t, broker);
  const producer = t.use(await maker.createChannel(pubsub, { plain: true }));
  await producer.send("nobody");
  assert.equal(producer.stats().dropped, 1);
  const consumers = [];
  for (let i = 0; i < 2; i++) {
    const { client } = await clientOf(t, broker);
    consumers.push(t.use(await client.connectChannel(pubsub)));
  }
  await until(() => producer.consumers().length === 2);
  const all = consumers.map(async (consumer) => {
    const seen: { message: string; sequence: number }[] = [];
    for await (const { message, sequence } of consumer.messages()) {
      seen.push({ message, sequence });
      if (message === "last") break;
    }
    return seen;
  });
  // A subscription takes a moment to arrive.
  let over = false;
  void Promise.all(all).then(() => over = true);
  await until(async () => {
    await producer.send("last");
    return over;
  });
  for (const [first] of await Promise.all(all)) assert.ok(first!.sequence > 1);
});

test("a bidirectional channel over ROUTER and DEALER: to one, to all, and back", async () => {
  await using t = await socketCheck();
  const broker = await startedBroker(t);
  const { client: maker } = await clientOf(t, broker);
  const producer = t.use(await maker.createChannel(talk, { plain: true }));
  const clients = [await clientOf(t, broker), await clientOf(t, broker)];
  const [one, two] = await Promise.all(
    clients.map(async ({ client }) => t.use(await client.connectChannel(talk))),
  );
  await until(() => producer.consumers().length === 2);
  const [first] = producer.consumers();
  await producer.send("all");
  await producer.send("one", { to: first!.presence });
  const heard = await Promise.all([one!, two!].map(async (channel) => {
    const iteration = channel[Symbol.asyncIterator]();
    return (await iteration.next()).value;
  }));
  assert.deepEqual(heard, ["all", "all"]);
  await one!.send(1);
  await two!.send(2);
  const replies: unknown[] = [];
  for await (const { message, from, sequence } of producer.messages()) {
    assert.equal(sequence, 1);
    assert.ok(producer.consumers().some(({ presence }) => presence === from));
    if (replies.push(message) === 2) break;
  }
  assert.deepEqual(replies.sort(), [1, 2]);
  await assert.rejects(one!.send("x" as never), { code: "PAYLOAD_INVALID" });
});

test("a foreign consumer gets the frames of the reference, and a foreign producer is heard", async () => {
  await using t = await socketCheck();
  const broker = await startedBroker(t, { plainEndpoint: "tcp://127.0.0.1:0" });
  const { client } = await clientOf(t, broker);
  const producer = t.use(await client.createChannel(pipeline, { plain: true }));
  const program = t.use(new Program(broker.plainEndpoint!));
  const found = await program.get("CONSUMER_REG_REQ", { channel_name: pipeline.name, data_transport: "zmq" });
  const pull = t.use(new zmq.Pull({ receiveTimeout: 10_000 }));
  pull.connect(String(found["zmq_data_endpoint"]));
  await producer.send({ at: 7, celsius: 20.5 });
  const tag = schemaTag(String(found["schema_hash"]));
  const frame = decodeDataFrame((await pull.receive())[0]!, tag, blake2b);
  assert.ok(!isDataProblem(frame));
  assert.deepEqual([frame.sequence, frame.payload.toHex().slice(0, 10)], [1, "82a2617407"]);

  const push = t.use(new zmq.Push({ linger: 0 }));
  await push.bind("tcp://127.0.0.1:*");
  const channel = channelContract("lab/foreign", { pattern: "pipeline", message: reading });
  const { name: channel_name } = channel;
  await program.get("REG_REQ", {
    channel_name,
    channel_pattern: "Pipeline",
    zmq_data_endpoint: push.lastEndpoint,
  });
  await program.get("HEARTBEAT_REQ");
  const consumer = t.use(await client.connectChannel(channel));
  const good = encodeDataFrame(schemaTag(null), 1, frame.payload, blake2b);
  const wrong = (at: number): Uint8Array => good.with(at, good[at]! ^ 1);
  for (const bytes of [wrong(0), wrong(2), wrong(30), new Uint8Array(), good.slice(1)]) {
    await push.send(bytes);
  }
  const text = encodeDataFrame(schemaTag(null), 2, new Uint8Array([0xa1, 0x61]), blake2b);
  await push.send(text);
  await push.send(good);
  for await (const message of consumer) {
    assert.deepEqual(message, { at: 7, celsius: 20.5 });
    break;
  }
  const { invalid, frames } = consumer.stats();
  assert.deepEqual([invalid, frames], [1, { malformed: 3, badMagic: 1, tagMismatch: 0, badChecksum: 1 }]);
});

test("with keys the data is encrypted, and only registered consumers get it", {
  skip: zmq.capability.curve ? false : "libzmq without CURVE",
}, async () => {
  await using t = await socketCheck();
  const [keys, own, other] = await Promise.all([curveKeyPair(), curveKeyPair(), curveKeyPair()]);
  const broker = await startedBroker(t, { keys });
  const { client: maker } = await clientOf(t, broker, { curve: { ...own, allow: "any" } });
  const { client: taker } = await clientOf(t, broker, { curve: { ...other, allow: "any" } });
  const endpoint = `tcp://127.0.0.1:${await freePort()}`;
  const producer = t.use(await maker.createChannel(pipeline, { plain: { keys: own, endpoint } }));
  const stranger = t.use(new zmq.Pull({ linger: 0 }));
  const pair = zmq.curveKeyPair();
  stranger.curveServerKey = own.publicKey;
  stranger.curvePublicKey = pair.publicKey;
  stranger.curveSecretKey = pair.secretKey;
  const connected = new Promise<void>((resolve) => stranger.events.on("connect", () => resolve()));
  stranger.connect(endpoint);
  await connected;
  const consumer = t.use(await taker.connectChannel(pipeline, { keys: other }));
  await producer.send({ at: 1, celsius: 2 });
  for await (const { at } of consumer) {
    assert.equal(at, 1);
    break;
  }
  assert.equal(stranger.readable, false);
});

test("a producer that listens on all interfaces tells consumers an address that others can reach", async () => {
  await using t = await socketCheck();
  const broker = await startedBroker(t);
  const { client } = await clientOf(t, broker);
  const named = { endpoint: "tcp://0.0.0.0:0", advertise: "lab.example" };
  const producer = t.use(await client.createChannel(pipeline, { plain: named }));
  await assert.rejects(client.createChannel(pubsub, { plain: { endpoint: "pigeon://x" } }), {
    code: "ENDPOINT_INVALID",
  });
  const { client: taker } = await clientOf(t, broker);
  await taker.registerConsumer(pipeline);
  assert.equal((await taker.discoverProducer(pipeline))?.transport, "plain");
  assert.equal(producer.isValid, true);
  assert.equal(BrokerErrorCode.TRANSPORT_MISMATCH, "TRANSPORT_MISMATCH");
});
