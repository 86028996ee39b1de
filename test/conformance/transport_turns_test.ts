/** One peer's work, however much it is and however it comes, leaves others their turn. */
import assert from "node:assert/strict";
import process from "node:process";
import { amHandler, type InstanceId, type Messenger, unaryHandler, ZeromeshError } from "../../src/mod.ts";
import {
  BatchWriter,
  encodeBatchHeader,
  type Feature,
  maxBatchRecords,
  MessageType,
  ResponseKind,
} from "../../src/wire/mod.ts";
import { viewOf } from "../../src/wire/bytes.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { busy } from "../support/raw_sockets.ts";
import { test } from "../support/testing.ts";
import { until } from "../support/until.ts";
import { bytes, fails, keptLog, pair, text } from "./messenger_kit.ts";
import { idOf, RawDealer, RawRouter, request, requestIn, response } from "./messenger_raw_peer.ts";

/** A number as a payload, with so many bytes behind it. */
function numbered(number: number, more = 0): Uint8Array {
  const payload = new Uint8Array(4 + more);
  new DataView(payload.buffer).setUint32(0, number);
  return payload;
}

function numberOf(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0);
}

/** The frames of a batch. */
function batchOf(messages: readonly (readonly Uint8Array[])[]): Uint8Array[] {
  const writer = new BatchWriter(
    messages.reduce((sum, [, header, payload]) => sum + 9 + header!.length + payload!.length, 0),
  );
  for (const [type, header, payload] of messages) {
    writer.append(type![0]!, viewOf(header!), header!.length, payload!);
  }
  const header = new Uint8Array(5);
  encodeBatchHeader(header, new DataView(header.buffer), 0, messages.length);
  return [Uint8Array.of(MessageType.batch), header, writer.bytes];
}

/** The frames of messages that nobody answers, with consecutive numbers in a batch. */
function notes(dealer: Pick<RawDealer, "id">, first: number, count: number): Uint8Array[] {
  return batchOf(Array.from({ length: count }, (_, i) => note(dealer, first + i)));
}

function note(dealer: Pick<RawDealer, "id">, number: number, more = 0): Uint8Array[] {
  return request("note", dealer.id(0), numbered(number, more), ResponseKind.fire);
}

/** A client's connection to a server by hand that knows these features. */
async function connected(
  t: LeakCheck,
  client: Messenger,
  features: readonly Feature[],
): Promise<{ router: RawRouter; from: Uint8Array; peer: InstanceId }> {
  const router = await RawRouter.open(t);
  const connecting = client.connect(router.endpoint);
  const { from } = await router.hello(features);
  return { router, from, peer: await connecting };
}

/** Registers `note`, which takes so long; the numbers that it was given. */
function takeNotes(messenger: Messenger, ms: number): number[] {
  const taken: number[] = [];
  messenger.registerHandler(amHandler("note", ({ payload }) => {
    taken.push(numberOf(payload));
    busy(ms);
  }));
  return taken;
}

/**
 * Makes calls until something is done. Returns how many messages of others were handled during the quickest of them
 * that was answered before: on a busy machine some wait for libzmq's threads, but who has no turn always waits.
 */
async function quickest(
  call: () => Promise<unknown>,
  handled: () => number,
  done: () => boolean,
): Promise<number> {
  let least = Infinity;
  const end = performance.now() + 10_000;
  while (!done()) {
    const before = handled();
    await call();
    if (!done()) least = Math.min(least, handled() - before);
    assert.ok(performance.now() < end, `waited in vain, ${handled()} messages were handled`);
  }
  return least;
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

for (const batch of [true, false]) {
  test(`slow calls of one peer leave the calls of another their turn (${batch ? "in batches" : "one by one"})`, async () => {
    await using t = await leakCheck();
    const { server, client, peer } = await pair(t, { client: { features: { batch } } });
    const other = await t.messenger();
    await other.connect(server.endpoint);
    let handled = 0;
    server.registerHandler(unaryHandler("slow", () => {
      handled++;
      busy(2);
      return new Uint8Array(1);
    }));
    server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
    let early = 0;
    const calls = upTo(200).map(() =>
      client.unary("slow", { to: peer }).then(() => {
        if (handled < 200) early++;
      })
    );
    await until(() => handled > 0, { intervalMs: 0 });
    const echo = () => other.unary("echo", { to: peer });
    const least = await quickest(echo, () => handled, () => handled === 200);
    assert.ok(least < 60, `${least} slow calls ran before an echo was answered`);
    assert.ok(early > 0, "no slow call was answered while others ran");
    await Promise.all(calls);
  });
}

test("handlers that compute after they have awaited something leave other peers their turn", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const other = await t.messenger();
  await other.connect(server.endpoint);
  let handled = 0;
  server.registerHandler(unaryHandler("slow", async () => {
    await null;
    handled++;
    busy(2);
    return new Uint8Array(1);
  }));
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const calls = upTo(200).map(() => client.unary("slow", { to: peer }));
  await until(() => handled > 0, { intervalMs: 0 });
  const echo = () => other.unary("echo", { to: peer });
  const least = await quickest(echo, () => handled, () => handled === 200);
  assert.ok(least < 30, `${least} slow calls ran before an echo was answered`);
  await Promise.all(calls);
});

test("messages of a peer are handled in order, whether they wait behind a batch or not", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  for (const [from, to, at] of [[client, peer, server], [server, client.instanceId, client]] as const) {
    const taken = takeNotes(at, 0.3);
    for (let i = 0; i < 800; i++) {
      // Now and then one that leaves alone, in a frame that is lent and in one that is not.
      const more = i % 100 === 99 ? 5_000 : i % 333 === 0 ? 100_000 : 0;
      await from.amSend("note", { to, rawPayload: numbered(i, more) });
    }
    await until(() => taken.length === 800, { message: () => `800 messages, ${taken.length} came` });
    assert.deepEqual(taken, upTo(800));
  }
});

test("messages of a stranger behind a batch wait for their turn, and are counted", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const taken = takeNotes(server, 1);
  const dealer = await RawDealer.open(t, server.endpoint);
  dealer.send(notes(dealer, 0, 100));
  dealer.send(note(dealer, 100));
  dealer.send(note(dealer, 101, 70_000));
  dealer.send(notes(dealer, 102, 50));
  let waited = false;
  await until(() => {
    const { backlogMessages, backlogBytes } = server.stats().transport;
    waited ||= backlogBytes > 70_000 && backlogMessages > 3;
    return taken.length === 152;
  }, { intervalMs: 0, message: () => `152 messages, ${taken.length} came` });
  assert.deepEqual(taken, upTo(152));
  assert.ok(waited, "nothing waited");
  await until(() => server.stats().transport.backlogMessages === 0);
  assert.equal(server.stats().transport.backlogBytes, 0);
});

test("messages of a stranger that has left are handled before it is forgotten", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const taken = takeNotes(server, 1);
  const dealer = await RawDealer.open(t, server.endpoint);
  dealer.send(notes(dealer, 0, 100));
  dealer.send(note(dealer, 100));
  dealer.send(notes(dealer, 101, 100));
  await until(() => taken.length > 0, { intervalMs: 0 });
  dealer.close();
  const echo = async () => {
    const at = taken.length;
    const left = server.stats().transport.accepted === 1;
    assert.equal(left, false, `it is forgotten after ${at} of 201 messages`);
    await client.unary("echo", { to: peer });
  };
  const least = await quickest(echo, () => taken.length, () => taken.length === 201);
  assert.ok(least < 60, `${least} messages of who has left came before an echo`);
  assert.deepEqual(taken, upTo(201));
  await until(() => server.stats().transport.accepted === 1, { message: "the stranger to be forgotten" });
});

test("the loss of one peer is told while the messages of another go on and on", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { client: { features: { batch: false } } });
  let handled = 0;
  server.registerHandler(unaryHandler("slow", () => {
    handled++;
    busy(1);
    return new Uint8Array(1);
  }));
  const taken = takeNotes(server, 0);
  const dealer = await RawDealer.open(t, server.endpoint);
  dealer.send(note(dealer, 0));
  await until(() => taken.length === 1);
  const calls = upTo(600).map(() => client.unary("slow", { to: peer }));
  await until(() => handled > 0, { intervalMs: 0 });
  dealer.close();
  await until(() => server.stats().transport.accepted === 1, { intervalMs: 0 });
  assert.ok(handled < 500, `it was told after ${handled} messages`);
  await Promise.all(calls);
});

test("messages of a lost server are handled, an answer too, and then its loss is reported", async () => {
  await using t = await leakCheck();
  const client = await t.messenger({ listen: false, redialForMs: 0 });
  const taken = takeNotes(client, 1);
  const { router, from, peer } = await connected(t, client, ["batch", "same-connection"]);
  const call = client.unary("held", { to: peer });
  const lost = client.unary("unheard", { to: peer });
  const of = await router.next();
  await router.next();
  const named = { id: (slot: number) => idOf(router.instanceId, slot) };
  router.send(from, notes(named, 0, 150));
  router.send(from, response(requestIn(of), bytes("late")));
  router.send(from, notes(named, 150, 50));
  await until(() => taken.length > 0, { intervalMs: 0 });
  router.close();
  assert.equal(text(await call), "late");
  await fails(lost, { code: "PEER_DISCONNECTED", ran: "maybe" });
  assert.deepEqual(taken, upTo(200));
});

test("calls that wait for their turn when the instance closes are given back, and did not run", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let ran = 0;
  server.registerHandler(unaryHandler("slow", () => {
    ran++;
    busy(1);
    return new Uint8Array(1);
  }));
  const calls = upTo(300).map(() => client.unary("slow", { to: peer }));
  const ends = Promise.allSettled(calls);
  await until(() => ran > 0, { intervalMs: 0 });
  await server.close();
  let answered = 0;
  for (const end of await ends) {
    if (end.status === "fulfilled") answered++;
    else {
      assert.ok(end.reason instanceof ZeromeshError);
      assert.deepEqual([end.reason.code, end.reason.ran], ["PEER_DRAINING", "no"]);
    }
  }
  assert.equal(answered, ran);
  assert.ok(ran < 300, "all of them ran before the instance closed");
});

test("a batch of more messages than a batch may have costs its connection, as the log says, and none of them is handled", async () => {
  await using t = await leakCheck();
  const { logger, lines } = keptLog();
  const { server, client, peer } = await pair(t, { server: { ipc: false, logger } });
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const taken = takeNotes(server, 0);
  const good = await RawDealer.open(t, server.endpoint);
  good.send(notes(good, 0, maxBatchRecords));
  await until(() => taken.length === maxBatchRecords);
  const bad = await RawDealer.open(t, server.endpoint);
  bad.send(notes(bad, 0, maxBatchRecords + 1));
  await until(() => server.stats().transport.drops.batchRecords === 1);
  if (process.platform === "linux") await until(() => server.stats().transport.accepted === 2);
  const [refusal, ...more] = lines.filter(({ message }) => message === "a connection was refused");
  assert.match(String(refusal?.fields["reason"]), /a batch of more than 4096 messages/);
  assert.deepEqual(more, []);
  assert.equal(taken.length, maxBatchRecords);
  assert.equal(text(await client.unary("echo", { to: peer, rawPayload: bytes("still here") })), "still here");
});

test("a server that answers with such a batch is given up", async () => {
  await using t = await leakCheck();
  const client = await t.messenger({ listen: false, redialForMs: 0 });
  const { router, from, peer } = await connected(t, client, ["batch", "same-connection"]);
  const call = client.unary("held", { to: peer });
  await router.next();
  const named = { id: (slot: number) => idOf(router.instanceId, slot) };
  router.send(from, notes(named, 0, maxBatchRecords + 1));
  await fails(call, {
    code: "PEER_DISCONNECTED",
    message: /a batch of more than 4096 messages/,
    ran: "maybe",
  });
  assert.equal(client.stats().transport.drops.batchRecords, 1);
});

test("a peer of which more waits than may is read more slowly, and cut at four times as much; others have their turn", async () => {
  await using t = await leakCheck();
  const options = { ipc: false, maxPeerBytes: 200_000 };
  const { server, client, peer } = await pair(t, { server: options });
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const taken = takeNotes(server, 1);
  const calls = async (done: () => boolean) => {
    const least = await quickest(() => client.unary("echo", { to: peer }), () => taken.length, done);
    assert.ok(least < 60, `${least} messages came before an echo`);
  };
  const much = await RawDealer.open(t, server.endpoint);
  much.send(notes(much, 0, 150));
  for (let i = 0; i < 20; i++) much.send(note(much, 150 + i, 10_000));
  await calls(() => taken.length === 170);
  assert.deepEqual(taken, upTo(170));
  assert.deepEqual(server.stats().transport.drops, {});
  const tooMuch = await RawDealer.open(t, server.endpoint);
  tooMuch.send(notes(tooMuch, 170, 1_000));
  for (let i = 0; i < 400; i++) tooMuch.send(note(tooMuch, 1_170 + i, 10_000));
  await calls(() => (server.stats().transport.drops.backlogFull ?? 0) > 0);
  assert.ok(server.stats().transport.backlogBytes < 450_000);
  if (process.platform !== "linux") return;
  much.close();
  await until(() => server.stats().transport.accepted === 1, { timeoutMs: 10_000 });
  assert.ok(taken.length < 1_570);
  assert.deepEqual(taken, upTo(taken.length));
});
