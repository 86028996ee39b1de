import assert from "node:assert/strict";
import { test } from "node:test";
import { instanceIdToBytes, newInstanceId } from "../../src/core/mod.ts";
import { amHandler, type InstanceId, type Messenger, unaryHandler } from "../../src/mod.ts";
import {
  encodeHello,
  MessageType,
  peerInfoOf,
  type RequestHeader,
  type ResponseId,
  ResponseKind,
} from "../../src/wire/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { seededPrng } from "../support/prng.ts";
import { pause, until } from "../support/until.ts";
import { bytes, fails, pair, text } from "./messenger_kit.ts";
import {
  ack,
  ackIn,
  RawDealer,
  type RawMessage,
  RawRouter,
  request,
  requestIn,
  response,
  responseIn,
} from "./messenger_raw_peer.ts";

/** A client that has called a raw server, which has the request in its hands. */
async function called(t: LeakCheck, pattern: "unary" | "amSync" = "unary") {
  const server = await RawRouter.open(t);
  const client = await t.messenger();
  const [peer] = await Promise.all([
    client.connect(server.endpoint),
    server.hello(["same-connection", "errors"]),
  ]);
  const call = client[pattern]("x", { to: peer });
  call.catch(() => {});
  const message = await server.next();
  return { server, client, peer, call, message, id: requestIn(message) };
}

/** The id, changed. */
function other(id: RequestHeader, change: Partial<ResponseId>): ResponseId {
  return { id0: id.id0, id1: id.id1, id2: id.id2, id3: id.id3, ...change };
}

const drops = (of: Messenger) => of.stats().transport.drops;

test("an answer with a stale generation, another slot or another worker's id completes nothing", async () => {
  await using t = await leakCheck();
  const { server, client, call, message, id } = await called(t);
  const wrong: ResponseId[] = [
    other(id, { id2: (id.id2 ^ 0x10000) >>> 0 }),
    other(id, { id3: id.id3 + 1 }),
    other(id, { id2: (id.id2 ^ 1) >>> 0 }),
    other(id, { id2: 0xffff }),
    other(id, { id0: (id.id0 ^ 1) >>> 0 }),
    other(id, { id1: (id.id1 ^ 0x80000000) >>> 0 }),
    other(id, { id0: 0, id1: 0, id2: 0, id3: 0 }),
  ];
  for (const one of wrong) {
    server.send(message.from, response(one, bytes("wrong")));
    server.send(message.from, ack(one, bytes("wrong")));
  }
  await until(() => drops(client).replyUnknown === wrong.length * 2);
  assert.equal(client.stats().calls.pending, 1);
  server.send(message.from, response(id, bytes("right")));
  assert.equal(text(await call as Uint8Array), "right");
});

test("the second answer to a call, and one after its end, complete nothing", async () => {
  await using t = await leakCheck();
  const { server, client, peer, call, message, id } = await called(t);
  server.send(message.from, response(id, bytes("first")));
  server.send(message.from, response(id, bytes("second")));
  server.send(message.from, response(id, bytes("third"), true));
  assert.equal(text(await call as Uint8Array), "first");
  await until(() => drops(client).replyUnknown === 2);
  // The next call takes the slot over, with a new generation.
  const next = client.unary("y", { to: peer });
  const again = await server.next();
  const { id2 } = requestIn(again);
  assert.equal(id2 & 0xffff, id.id2 & 0xffff);
  assert.notEqual(id2, id.id2);
  server.send(message.from, response(id, bytes("from the past")));
  server.send(message.from, response(requestIn(again), bytes("now")));
  assert.equal(text(await next), "now");
  assert.equal(drops(client).replyUnknown, 3);
});

test("an answer on another connection than the call's completes nothing", async () => {
  await using t = await leakCheck();
  const { server, client, call, message, id } = await called(t);
  const stranger = await RawDealer.open(t, client.endpoint);
  stranger.send(response(id, bytes("hijacked")));
  stranger.send(ack(id, bytes("hijacked"), true));
  await until(() => drops(client).replyUnknown === 2);
  assert.equal(client.stats().calls.pending, 1);
  server.send(message.from, response(id, bytes("right")));
  assert.equal(text(await call as Uint8Array), "right");
});

test("an ack completes a unary call with no bytes, a nack fails it with its text", async () => {
  await using t = await leakCheck();
  const { server, client, peer, call, message, id } = await called(t);
  server.send(message.from, ack(id, new Uint8Array()));
  assert.equal((await call as Uint8Array).length, 0);
  const nacked = client.unary("x", { to: peer });
  nacked.catch(() => {});
  server.send(message.from, ack(requestIn(await server.next()), bytes("Handler 'x' not found"), true));
  await fails(nacked, { code: "HANDLER_NOT_FOUND", ran: "no", message: "Handler 'x' not found" });
});

test("a response completes amSync() as well", async () => {
  await using t = await leakCheck();
  const { server, message, id, call } = await called(t, "amSync");
  server.send(message.from, response(id, bytes("dropped")));
  assert.equal(await call, undefined);
});

test("a failure without a code is what plain peers say: REMOTE_ERROR unless the text is known", async () => {
  await using t = await leakCheck();
  const { server, client, peer, call, message, id } = await called(t);
  server.send(message.from, response(id, bytes("something broke"), true));
  await fails(call, { code: "REMOTE_ERROR", ran: "yes", message: "something broke", peer, handler: "x" });
  const known: readonly (readonly [text: string, code: string, ran: string])[] = [
    ["Failed to deserialize input: missing field", "PAYLOAD_INVALID", "maybe"],
    ["Failed to serialize output: no", "RESULT_INVALID", "yes"],
    ["Handler failed: handler panicked", "HANDLER_FAILED", "yes"],
    ["", "REMOTE_ERROR", "yes"],
  ];
  for (const [said, code, ran] of known) {
    const next = client.unary("x", { to: peer });
    next.catch(() => {});
    server.send(message.from, response(requestIn(await server.next()), bytes(said), true));
    await fails(next, { code, ran });
  }
});

test("a request given back as message type 4 is PEER_DRAINING and did not run", async () => {
  await using t = await leakCheck();
  const { server, client, call, message, peer } = await called(t);
  server.send(message.from, [Uint8Array.of(MessageType.shuttingDown), message.header, new Uint8Array()]);
  await fails(call, { code: "PEER_DRAINING", ran: "no", peer, handler: "x" });
  assert.deepEqual(drops(client), {});
});

test("malformed frames are counted and disturb no other call", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const raw = await RawDealer.open(t, server.endpoint);
  const empty = new Uint8Array();
  const good = request("echo", raw.id(1), bytes("x"));
  const senseless: readonly (readonly [reason: string, frames: readonly Uint8Array[]])[] = [
    ["frameCount", [bytes("x")]],
    ["frameCount", [Uint8Array.of(0), empty]],
    ["frameCount", [...good, empty]],
    ["typeLength", [empty, ...good.slice(1)]],
    ["typeLength", [Uint8Array.of(0, 0), ...good.slice(1)]],
    ["typeUnknown", [Uint8Array.of(99), ...good.slice(1)]],
    ["headerTruncated", [good[0]!, good[1]!.subarray(0, 10), empty]],
    ["headerTruncated", [good[0]!, empty, empty]],
    ["schemaVersion", [good[0]!, Uint8Array.of(9, ...good[1]!.subarray(1)), empty]],
    ["responseType", [good[0]!, Uint8Array.of(1, 7, ...good[1]!.subarray(2)), empty]],
    ["headerTooLarge", [good[0]!, new Uint8Array(100_000), empty]],
  ];
  const expected: Record<string, number> = {};
  for (const [reason, frames] of senseless) {
    raw.send(frames);
    expected[reason] = (expected[reason] ?? 0) + 1;
  }
  await until(
    () => Object.values(drops(server)).reduce((sum, count) => sum + count, 0) === senseless.length,
    {
      message: () => JSON.stringify(drops(server)),
    },
  );
  assert.deepEqual(drops(server), expected);
  assert.equal(text(await client.unary("echo", { to: peer, rawPayload: bytes("alive") })), "alive");
});

test("random frames are dropped or refused, and the instance goes on", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const raw = await RawDealer.open(t, server.endpoint);
  const random = seededPrng(20_240_229);
  const good = request("echo", raw.id(1), bytes("payload"));
  for (let i = 0; i < 3_000; i++) {
    const frames = Array.from({ length: 1 + random.below(4) }, () => random.bytes(random.below(60)));
    if (random.below(2) === 0) frames[0] = Uint8Array.of(random.below(6));
    if (random.below(2) === 0) {
      const header = good[1]!.slice();
      header[random.below(header.length)] = random.below(256);
      frames[1] = header;
    }
    raw.send(frames);
  }
  const before = server.stats().transport.receivedMessages;
  raw.send(request("echo", raw.id(2), bytes("last")));
  await until(() => server.stats().transport.receivedMessages > before);
  assert.equal(text(await client.unary("echo", { to: peer, rawPayload: bytes("alive") })), "alive");
  assert.equal(server.stats().handlers.running, 0);
});

/** Introduces a raw DEALER to an instance. */
async function introduce(raw: RawDealer, claimed: InstanceId, named: InstanceId): Promise<RawMessage> {
  const hello = encodeHello({
    peerInfo: peerInfoOf(claimed, []),
    negotiation: { features: ["same-connection", "errors"], instanceId: named },
  });
  raw.send(request("_hello", raw.id(1), hello));
  return await raw.next();
}

/** A routing id as instances choose theirs: the instance's 16 bytes and 8 more. */
function routingId(of: InstanceId): Uint8Array {
  const id = new Uint8Array(24).fill(7);
  id.set(instanceIdToBytes(of));
  return id;
}

test("a hello in another instance's name is refused with IDENTITY_MISMATCH", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t);
  const claims: readonly (readonly [routing: InstanceId, claimed: InstanceId, named: InstanceId])[] = [
    [newInstanceId(), client.instanceId, client.instanceId],
    [newInstanceId(), newInstanceId(), newInstanceId()],
  ];
  for (const [routing, claimed, named] of claims) {
    const raw = await RawDealer.open(t, server.endpoint, routingId(routing));
    const hello = encodeHello({
      peerInfo: peerInfoOf(claimed, []),
      negotiation: { features: ["same-connection", "errors"], instanceId: named },
    });
    raw.send(request("_hello", raw.id(1), hello));
    await until(() => server.stats().handlers.failed > 0 || server.stats().handlers.refused > 0);
  }
  assert.deepEqual(server.peers().map(({ instanceId }) => instanceId), [client.instanceId]);
  server.registerHandler(amHandler("x", () => {}));
  await client.amSync("x", { to: server.instanceId });
});

test("after its hello a connection carries only messages of the instance that it belongs to", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  let runs = 0;
  server.registerHandler(amHandler("count", () => void runs++));
  const another = await RawDealer.open(t, server.endpoint);
  const mine = newInstanceId();
  const raw = await RawDealer.open(t, server.endpoint, routingId(mine), mine);
  const reply = await introduce(raw, mine, mine);
  assert.equal(reply.type, MessageType.response);
  assert.equal(responseIn(reply).failed, false);
  raw.send(request("count", raw.id(5), new Uint8Array(), ResponseKind.ack));
  assert.equal(ackIn(await raw.next()).failed, false);
  assert.equal(runs, 1);
  raw.send(request("count", another.id(5), new Uint8Array(), ResponseKind.ack));
  await until(() => drops(server).identityMismatch === 1);
  assert.equal(runs, 1);
});

test("a raw request without a hello runs, and its answer goes nowhere but into the counters", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  let runs = 0;
  server.registerHandler(unaryHandler("count", ({ senderInstanceId }) => {
    assert.equal(senderInstanceId, null);
    runs++;
  }));
  const raw = await RawDealer.open(t, server.endpoint);
  raw.send(request("count", raw.id(1), new Uint8Array(), ResponseKind.unary));
  raw.send(request("count", raw.id(1), new Uint8Array(), ResponseKind.fire));
  await until(() => runs === 2);
  await pause(0);
  assert.equal(drops(server).noRoute, 1);
});
