/** Tests of batches: which messages leave together, which leave alone, and what a bad batch causes. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { amHandler, type Messenger, unaryHandler } from "../../src/mod.ts";
import { BatchWriter, encodeBatchHeader, MessageType } from "../../src/wire/mod.ts";
import { viewOf } from "../../src/wire/bytes.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { prng } from "../support/prng.ts";
import { turn } from "../support/raw_sockets.ts";
import { longRun } from "../support/runtime.ts";
import { until } from "../support/until.ts";
import { bytes, pair, text } from "./messenger_kit.ts";
import { RawDealer, type RawMessage, RawRouter, request, requestIn } from "./messenger_raw_peer.ts";

/** A client that has dialled a ROUTER which claims these features. */
async function dialled(t: LeakCheck, features: Parameters<RawRouter["hello"]>[0]) {
  const router = await RawRouter.open(t);
  const client = await t.messenger();
  const [peer] = await Promise.all([client.connect(router.endpoint), router.hello(features)]);
  return { router, client, peer };
}

/** The requests' numbers in a message, one or many. */
function numbersIn(message: RawMessage): number[] {
  const { type, header, payload } = message;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  if (type === MessageType.message) return [view.getUint32(0)];
  assert.equal(type, MessageType.batch);
  const numbers: number[] = [];
  const count = new DataView(header.buffer, header.byteOffset).getUint32(1, true);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const start = at + 9 + view.getUint32(at + 1, true);
    numbers.push(view.getUint32(start));
    at = start + view.getUint32(at + 5, true);
  }
  assert.equal(at, payload.length);
  return numbers;
}

function numbered(value: number, size = 4): Uint8Array {
  const payload = new Uint8Array(size);
  new DataView(payload.buffer).setUint32(0, value);
  return payload;
}

/** Notes the number in each message; `n` is the handler. */
function noted(messenger: Messenger): number[] {
  const seen: number[] = [];
  messenger.registerHandler(amHandler("n", ({ payload }) => {
    seen.push(new DataView(payload.buffer, payload.byteOffset).getUint32(0));
  }));
  return seen;
}

const inOrder = (count: number) => Array.from({ length: count }, (_, i) => i);

test("a lone call is one ordinary message, call after call", async () => {
  await using t = await leakCheck();
  const { router, client, peer } = await dialled(t, ["batch", "same-connection"]);
  for (let i = 0; i < 10; i++) {
    void client.amSend("n", { to: peer, rawPayload: numbered(i) });
    const message = await router.next();
    assert.equal(message.type, MessageType.message);
    assert.equal(requestIn(message).name, "n");
    assert.deepEqual(numbersIn(message), [i]);
  }
});

test("a lone message leaves before its call returns, not at the end of the turn", async () => {
  await using t = await leakCheck();
  const { router, client, peer } = await dialled(t, ["batch", "same-connection"]);
  for (let i = 0; i < 5; i++) {
    const before = client.stats().transport.sentMessages;
    void client.amSend("n", { to: peer, rawPayload: numbered(i) });
    assert.equal(client.stats().transport.sentMessages, before + 1);
    assert.deepEqual(numbersIn(await router.next()), [i]);
    await turn();
  }
});

test("a thousand sends of one turn leave in a handful of messages, in order", async () => {
  await using t = await leakCheck();
  const { router, client, peer } = await dialled(t, ["batch", "same-connection"]);
  for (let i = 0; i < 1_000; i++) void client.amSend("n", { to: peer, rawPayload: numbered(i) });
  const numbers: number[] = [];
  let messages = 0;
  for (; numbers.length < 1_000; messages++) numbers.push(...numbersIn(await router.next()));
  assert.deepEqual(numbers, inOrder(1_000));
  assert.ok(messages < 10, `${messages} messages`);
});

test("sends of promises that go on in the same turn leave with it", async () => {
  await using t = await leakCheck();
  const { router, client, peer } = await dialled(t, ["batch", "same-connection"]);
  for (let i = 0; i < 2; i++) void client.amSend("n", { to: peer, rawPayload: numbered(i) });
  await turn();
  for (let i = 2; i < 34; i++) {
    void Promise.resolve().then(() => client.amSend("n", { to: peer, rawPayload: numbered(i) }));
  }
  const numbers: number[] = [];
  let messages = 0;
  for (; numbers.length < 34; messages++) numbers.push(...numbersIn(await router.next()));
  assert.deepEqual(numbers, inOrder(34));
  assert.ok(messages <= 4, `${messages} messages`);
});

test("a chain of microtasks that sends without end does not hold its first message back", async () => {
  await using t = await leakCheck();
  const { router, client, peer } = await dialled(t, ["batch", "same-connection"]);
  for (let i = 0; i < 2; i++) void client.amSend("n", { to: peer, rawPayload: numbered(i) });
  await turn();
  const before = client.stats().transport.sentMessages;
  let [hops, leftAt] = [0, 0];
  while (hops < 2_000) {
    void client.amSend("n", { to: peer, rawPayload: numbered(2 + hops++) });
    if (leftAt === 0 && client.stats().transport.sentMessages > before) leftAt = hops;
    await Promise.resolve();
  }
  assert.ok(leftAt > 1 && leftAt <= 40, `the first one left after ${leftAt} hops`);
  const numbers: number[] = [];
  while (numbers.length < 2_002) numbers.push(...numbersIn(await router.next()));
  assert.deepEqual(numbers, inOrder(2_002));
});

test("sizes round the 4 KiB rule, mixed at random, arrive in their order", async () => {
  await using t = await leakCheck();
  const random = prng("sizes round 4 KiB");
  // Nobody waits for room here, so that all 50 MB of them may have to.
  const { server, client, peer } = await pair(t, { client: { highWaterMark: 20, maxWaitingBytes: 2 ** 27 } });
  const seen = noted(server);
  const sizes = [4, 4, 4, 64, 4_000, 4_095, 4_096, 4_097, 8_192, 16_383, 16_384, 16_385, 70_000];
  const count = 5_000;
  for (let i = 0; i < count; i++) {
    void client.amSend("n", { to: peer, rawPayload: numbered(i, random.pick(sizes)) });
    if (random.below(60) === 0) await turn();
  }
  await until(() => seen.length === count, { timeoutMs: 20_000, message: () => `${seen.length} messages` });
  assert.deepEqual(seen, inOrder(count));
});

for (const kind of ["at once", "later, one after the other"] as const) {
  test(`answers that are given ${kind} leave together as well`, async () => {
    await using t = await leakCheck();
    const { server, client, peer } = await pair(t);
    server.registerHandler(
      kind === "at once"
        ? unaryHandler("echo", ({ payload }) => payload)
        : unaryHandler("echo", async ({ payload }) => {
          await Promise.resolve();
          return payload;
        }, { dispatch: { ordered: "sender" } }),
    );
    const calls = (count: number) =>
      Promise.all(
        Array.from({ length: count }, () => client.unary("echo", { to: peer, rawPayload: bytes("x") })),
      );
    await calls(10);
    const before = client.stats().transport;
    await calls(2_000);
    const after = client.stats().transport;
    assert.equal(after.receivedMessages - before.receivedMessages, 2_000);
    assert.ok(after.reactor.messages - before.reactor.messages < 400, "they came one by one");
  });
}

for (const who of ["the peer", "the instance itself"] as const) {
  test(`without the feature at ${who} every message leaves by itself, at once`, async () => {
    await using t = await leakCheck();
    const router = await RawRouter.open(t);
    const client = await t.messenger(who === "the peer" ? {} : { features: { batch: false } });
    const features = who === "the peer"
      ? ["same-connection"] as const
      : ["same-connection", "batch"] as const;
    const [peer, hello] = await Promise.all([client.connect(router.endpoint), router.hello(features)]);
    assert.equal(text(hello.payload).includes('"batch"'), who === "the peer");
    const before = client.stats().transport.sentMessages;
    for (let i = 0; i < 50; i++) void client.amSend("n", { to: peer, rawPayload: numbered(i) });
    assert.equal(client.stats().transport.sentMessages - before, 50, "before the turn is over");
    for (let i = 0; i < 50; i++) {
      const message = await router.next();
      assert.equal(message.type, MessageType.message);
      assert.deepEqual(numbersIn(message), [i]);
    }
  });
}

// Credit would hold most of them back before the high-water mark does.
for (const features of [{ credit: false }, { credit: false, batch: false }] as const) {
  const how = "batch" in features ? "one by one" : "in batches";
  const count = longRun ? 100_000 : "batch" in features ? 12_000 : 25_000;
  // Batches of a few bytes each never fill anything.
  const size = "batch" in features ? 4 : 1_000;
  test(`${count} sends through a high-water mark of 10 arrive once and in order (${how})`, async () => {
    await using t = await leakCheck();
    const options = { highWaterMark: 10, maxWaitingSends: count, features, timeoutMs: 60_000 };
    const { server, client, peer } = await pair(t, { client: options, server: options });
    const seen = noted(server);
    const sends = Array.from(
      { length: count },
      (_, i) => client.amSend("n", { to: peer, rawPayload: numbered(i, size) }),
    );
    await Promise.all(sends);
    await until(() => seen.length >= count, { timeoutMs: 30_000, message: () => `${seen.length} messages` });
    assert.deepEqual(seen.length, count);
    assert.equal(seen.findIndex((value, i) => value !== i), -1);
    const { transport } = client.stats();
    assert.ok(transport.blocked > 0, "the high-water mark was never reached");
    assert.deepEqual([transport.queuedMessages, transport.queuedBytes, transport.drops], [0, 0, {}]);
  });
}

/** A batch of requests for `n`, numbered from 0, as its two frames. */
function batchOf(dealer: RawDealer, count: number): [header: Uint8Array, payload: Uint8Array] {
  const writer = new BatchWriter(16_384);
  for (let i = 0; i < count; i++) {
    const [, header, payload] = request("n", dealer.id(0xffff), numbered(i), 0);
    assert.ok(writer.append(MessageType.message, viewOf(header!), header!.length, payload!));
  }
  const header = new Uint8Array(5);
  encodeBatchHeader(header, new DataView(header.buffer), 0, count);
  return [header, writer.bytes.slice(0, writer.length)];
}

type Spoil = (header: Uint8Array, payload: Uint8Array) => [Uint8Array, Uint8Array];
const lengthAt = (payload: Uint8Array, at: number, value: number) =>
  new DataView(payload.buffer).setUint32(at, value, true);
const recordSize = (payload: Uint8Array) => payload.length / 3;

const spoiled: [what: string, stand: number, reason: string, spoil: Spoil][] = [
  ["cut off in its last payload", 2, "batchTruncated", (header, payload) => [header, payload.slice(0, -1)]],
  ["cut off in its last lengths", 2, "batchTruncated", (header, payload) => [
    header,
    payload.slice(0, 2 * recordSize(payload) + 4),
  ]],
  ["whose second header is longer than all of it", 1, "batchTruncated", (header, payload) => {
    lengthAt(payload, recordSize(payload) + 1, 0xffffffff);
    return [header, payload];
  }],
  ["whose second payload is longer than all of it", 1, "batchTruncated", (header, payload) => {
    lengthAt(payload, recordSize(payload) + 5, 0xffffffff);
    return [header, payload];
  }],
  ["with a batch in it", 1, "batchNested", (header, payload) => {
    payload[recordSize(payload)] = MessageType.batch;
    return [header, payload];
  }],
  ["with a message of an unknown type", 1, "batchType", (header, payload) => {
    payload[recordSize(payload)] = 200;
    return [header, payload];
  }],
  ["with bytes behind its last message", 3, "batchTrailing", (header, payload) => [
    header,
    Uint8Array.of(...payload, 0),
  ]],
  ["that announces fewer messages than it has", 2, "batchTrailing", (header, payload) => {
    header[1] = 2;
    return [header, payload];
  }],
  ["that announces one message more than it has", 3, "batchCount", (header, payload) => {
    header[1] = 4;
    return [header, payload];
  }],
  ["that announces more messages than can be in it", 0, "batchCount", (header, payload) => {
    header[4] = 255;
    return [header, payload];
  }],
  ["of nothing", 0, "batchCount", (header) => [header, new Uint8Array()]],
  ["of another version", 0, "batchVersion", (header, payload) => {
    header[0] = 2;
    return [header, payload];
  }],
  ["whose header is cut", 0, "batchHeader", (header, payload) => [header.subarray(0, 4), payload]],
];

test("a bad batch is counted, what stands before its fault is handled, and the instance goes on", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const seen = noted(server);
  const dealer = await RawDealer.open(t, server.endpoint);
  for (const [what, stand, reason, spoil] of spoiled) {
    const counted = () => (server.stats().transport.drops as Record<string, number>)[reason] ?? 0;
    const before = counted();
    seen.length = 0;
    dealer.send([Uint8Array.of(MessageType.batch), ...spoil(...batchOf(dealer, 3))]);
    await until(() => counted() === before + 1, { message: `${reason} for a batch ${what}` });
    await turn();
    assert.deepEqual(seen, inOrder(stand), `a batch ${what}`);
    dealer.send([Uint8Array.of(MessageType.batch), ...batchOf(dealer, 3)]);
    await until(() => seen.length === stand + 3, { message: `the good batch after one ${what}` });
  }
  const client = await t.messenger();
  const peer = await client.connect(server.endpoint);
  assert.ok((await client.availableHandlers(peer)).includes("n"));
});
