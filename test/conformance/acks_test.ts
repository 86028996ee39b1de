/** Tests of ACKs by id, and of the metadata of messages. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  acknowledge,
  amHandler,
  contract,
  type HandlerContext,
  type InstanceId,
  type Logger,
  Messenger,
  unaryHandler,
} from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { Kind, le, PlainVelo, requestHeader, utf8 } from "../support/plain_velo.ts";
import { until, within } from "../support/until.ts";
import { fails, gate, looksLike, pair, thrown } from "./messenger_kit.ts";

/** Makes a logger that keeps its warnings. */
function kept(): { logger: Logger; warnings: Record<string, unknown>[] } {
  const warnings: Record<string, unknown>[] = [];
  const warn = (message: string, fields?: object) => void warnings.push({ message, ...fields });
  return { logger: { debug() {}, info() {}, warn, error() {} }, warnings };
}

/** Makes an instance, and a plain node that it knows and has called. */
async function known(t: Parameters<typeof PlainVelo.open>[0]) {
  const messenger = await t.messenger();
  const node = await PlainVelo.open(t);
  await node.introduce(messenger.endpoint);
  const peer = node.instanceId as InstanceId;
  const ack = (payload: object): void =>
    node.send(messenger.endpoint, 0, requestHeader(Kind.fire, node.nextId(), "_ack"), payload);
  return { messenger, node, peer, ack };
}

test("an ACK is registered, its id travels in the payload, and the handler's ACK ends the wait", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const seen: unknown[] = [];
  server.registerHandler(amHandler("compute_task", async (context) => {
    seen.push(context.json());
    assert.equal(await acknowledge(context), true);
  }));
  const { id, received } = client.registerAck({ timeoutMs: 5_000 });
  assert.match(id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  await client.amSend("compute_task", { to: peer, payload: { operation: "compute", _ack_id: id } });
  assert.equal(await within(received, 2_000), undefined);
  assert.deepEqual(seen, [{ operation: "compute", _ack_id: id }]);
  const { waiting, received: count } = client.stats().acks;
  assert.deepEqual([waiting, count], [0, 1]);
});

test("a minted id is the call's own 16 bytes: worker id, slot, generation", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger();
  const ids = [];
  for (let i = 0; i < 3; i++) {
    using ack = alone.registerAck();
    ids.push(ack.id.replaceAll("-", ""));
  }
  const worker = le(alone.workerId, 8);
  assert.deepEqual(ids, [0, 1, 2].map((generation) => worker + le(0, 2) + le(generation, 6)));
});

test("_ack is the document's JSON in both directions, byte for byte", async () => {
  await using t = await leakCheck();
  const { messenger, node, peer, ack } = await known(t);
  const sending = messenger.sendWithAck("compute_task", { to: peer, payload: { data: [1, 2, 3] } });
  await node.answerHello(messenger);
  const { request, text } = await node.nextRequest("compute_task");
  const { _ack_id } = JSON.parse(text) as { _ack_id: string };
  assert.equal(text, `{"data":[1,2,3],"_ack_id":"${_ack_id}"}`);
  assert.equal(request.map, "");
  ack({ ack_id: _ack_id });
  await within(sending, 2_000);
  // The handler goes on after its ACK, and is done now.
  node.send(messenger.endpoint, 2, `00${request.id}`);

  await messenger.sendAck(peer, "abc");
  await messenger.sendAck(peer, "def", { error: "no disk" });
  const plain = await node.nextRequest("_ack");
  assert.equal(plain.text, '{"ack_id":"abc"}');
  assert.equal(plain.header, requestHeader(Kind.fire, plain.request.id, "_ack"));
  assert.equal(
    (await node.nextRequest("_ack")).text,
    '{"ack_id":"def","status":{"type":"Nack","data":{"error":"no disk"}}}',
  );
});

test("an ACK may say with a status that it is one, or that the handler failed", async () => {
  await using t = await leakCheck();
  const { messenger, peer, ack } = await known(t);
  const good = messenger.registerAck();
  ack({ ack_id: good.id, status: { type: "Ack" } });
  await within(good.received, 2_000);
  const bad = messenger.registerAck({ from: peer });
  ack({ ack_id: bad.id, status: { type: "Nack", data: { error: "no disk" } } });
  await fails(bad.received, { code: "HANDLER_FAILED", message: "no disk", ran: "yes", peer });
});

test("ids of one's own are any text up to 256 characters, and each is taken once at a time", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(amHandler("job", (context) => acknowledge(context)));
  for (const id of ["a", "job/1", "ж".repeat(256), crypto.randomUUID(), crypto.randomUUID().toUpperCase()]) {
    const ack = client.registerAck({ id });
    assert.equal(ack.id, id);
    looksLike(thrown(() => client.registerAck({ id })), {
      code: "ACK_EXISTS",
      message: /another wait has this id/,
    });
    await client.amSend("job", { to: peer, payload: { _ack_id: id } });
    await within(ack.received, 2_000, id);
    client.registerAck({ id })[Symbol.dispose](); // free again
  }
  const minted = client.registerAck();
  looksLike(thrown(() => client.registerAck({ id: minted.id })), { code: "ACK_EXISTS" });
  minted[Symbol.dispose]();
  for (const id of ["", "x".repeat(257)]) {
    assert.ok(thrown(() => client.registerAck({ id })) instanceof RangeError);
  }
  for (const wrong of [{ id: 1 }, { from: "me" }, { signal: 1 }, { timeoutMs: "1" }]) {
    const options = wrong as unknown as Parameters<Messenger["registerAck"]>[0];
    assert.ok(thrown(() => client.registerAck(options)) instanceof TypeError, JSON.stringify(wrong));
  }
  assert.equal(client.stats().acks.waiting, 0);
});

test("an id of one's own that looks like a minted one ends nothing else", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("slow", () => hold.opened));
  const call = client.unary("slow", { to: peer });
  await until(() => server.stats().handlers.running === 1);
  // An ACK with the id of the call that is under way must not end that call.
  using probe = client.registerAck();
  const slot = probe.id.replaceAll("-", "").slice(16, 20);
  assert.equal(slot, le(1, 2));
  const worker = le(client.workerId, 8);
  for (const generation of [0, 1, 2]) {
    const digits = worker + le(0, 2) + le(generation, 6);
    const id = digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    const mine = client.registerAck({ id });
    await server.sendAck(client.instanceId, id);
    await within(mine.received, 2_000);
    await server.sendAck(client.instanceId, id);
  }
  await until(() => client.stats().acks.duplicate === 3);
  assert.equal(client.stats().calls.pending, 2);
  hold.open();
  await call;
});

test("late, duplicate, foreign and unknown ACKs are counted and logged, and disturb no other call", async () => {
  await using t = await leakCheck();
  const { logger, warnings } = kept();
  const { server, client, peer } = await pair(t, { client: { logger } });
  const stranger = await t.messenger();
  await stranger.connect(client.endpoint);
  const me = client.instanceId;
  const counted = async (wanted: object): Promise<void> => {
    await until(() => Object.entries(wanted).every(([k, n]) => Reflect.get(client.stats().acks, k) === n));
  };
  // These ACKs are late: the wait has timed out, was given up, or was forgotten long ago.
  const late = client.registerAck({ timeoutMs: 5 });
  await fails(late.received, { code: "TIMEOUT", message: /did not come within 5 ms/ });
  await server.sendAck(me, late.id);
  const named = client.registerAck({ id: "named" });
  named[Symbol.dispose]();
  await fails(named.received, { code: "CANCELLED" });
  await server.sendAck(me, "named");
  await counted({ late: 2 });
  // These ACKs are duplicates, one with an id of the library and one with an id of the user.
  for (const id of [undefined, "twice"]) {
    const ack = client.registerAck({ id });
    await server.sendAck(me, ack.id);
    await server.sendAck(me, ack.id);
    await ack.received;
  }
  await counted({ duplicate: 2 });
  // This ACK is foreign: the id is right, the instance is not, and the wait goes on.
  const bound = client.registerAck({ from: peer });
  await stranger.sendAck(me, bound.id);
  await counted({ foreign: 1 });
  assert.equal(client.stats().acks.waiting, 1);
  await server.sendAck(me, bound.id);
  await within(bound.received, 2_000);
  // This ACK has an unknown id.
  for (const id of ["nonsense", crypto.randomUUID()]) await server.sendAck(me, id);
  await counted({ unknown: 2 });
  assert.deepEqual(client.stats().acks, {
    waiting: 0,
    named: 0,
    received: 3,
    late: 2,
    duplicate: 2,
    foreign: 1,
    unknown: 2,
    malformed: 0,
  });
  assert.deepEqual(warnings.map(({ why }) => why), [
    "late",
    "late",
    "duplicate",
    "duplicate",
    "foreign",
    "unknown",
    "unknown",
  ]);
  assert.deepEqual(warnings[4], {
    message: "an ACK arrived that no wait expects",
    why: "foreign",
    id: bound.id,
    peer: stranger.instanceId,
  });
});

test("ACKs that cannot be read are counted, and the waiter for an answer gets an error", async () => {
  await using t = await leakCheck();
  const { messenger, node, ack } = await known(t);
  const wait = messenger.registerAck();
  for (
    const payload of [
      {},
      { ack_id: 1 },
      { ack_id: "" },
      { ack_id: "x".repeat(257) },
      { ack_id: wait.id, status: 1 },
      { ack_id: wait.id, status: { type: "Maybe" } },
    ]
  ) ack(payload);
  await until(() => messenger.stats().acks.malformed === 6);
  const told = await node.ask(messenger.endpoint, "_ack", { id: 1 }, { kind: Kind.ack });
  assert.match(told.text, /ack_id/);
  assert.equal(messenger.stats().acks.waiting, 1);
  ack({ ack_id: wait.id });
  await within(wait.received, 2_000);
});

test("every way out of a wait frees its place: time, signal, dispose, close", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger({ maxPendingCalls: 4 });
  const signal = AbortSignal.abort(new Error("before"));
  await assert.rejects(alone.registerAck({ signal }).received, /before/);
  await fails(alone.registerAck({ timeoutMs: 0 }).received, { code: "TIMEOUT" });
  const controller = new AbortController();
  const acks = [
    alone.registerAck({ signal: controller.signal }),
    alone.registerAck({ timeoutMs: 5, id: "b" }),
    alone.registerAck(),
    alone.registerAck({ id: "d", timeoutMs: Infinity }),
  ];
  looksLike(thrown(() => alone.registerAck()), { code: "QUEUE_FULL" });
  looksLike(thrown(() => alone.registerAck({ id: "e" })), { code: "QUEUE_FULL" });
  assert.equal(alone.stats().acks.waiting, 4);
  assert.equal(alone.stats().acks.named, 2);
  assert.equal(alone.stats().calls.pending, 4);
  controller.abort(new Error("enough"));
  await assert.rejects(acks[0]!.received, /enough/);
  await fails(acks[1]!.received, { code: "TIMEOUT" });
  acks[2]![Symbol.dispose]();
  await fails(acks[2]!.received, { code: "CANCELLED" });
  await Promise.all([fails(acks[3]!.received, { code: "CLOSED" }, 2_000), alone.close()]);
  assert.equal(alone.stats().acks.waiting, 0);
  assert.equal(alone.stats().acks.named, 0);
  assert.equal(alone.stats().calls.pending, 0);
  looksLike(thrown(() => alone.registerAck()), { code: "CLOSED" });
});

test("the promise of an ACK that did not come need not be handled", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger({ timeoutMs: 1 });
  alone.registerAck();
  await until(() => alone.stats().acks.waiting === 0);
});

test("sendWithAck() resolves at the handler's ACK, which may be before its end or after it", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(amHandler("early", async (context) => {
    await acknowledge(context);
    await hold.opened;
  }));
  await within(client.sendWithAck("early", { to: peer, payload: {} }), 2_000);
  assert.equal(server.stats().handlers.running, 1);
  hold.open();

  let open: (() => void) | undefined;
  server.registerHandler(amHandler("later", (context) => {
    const { _ack_id } = context.json() as { _ack_id: string };
    open = () => void server.sendAck(client.instanceId, _ack_id);
  }));
  let done = false;
  const sending = client.sendWithAck("later", { to: peer }).then(() => done = true);
  await until(() => open !== undefined && client.stats().calls.pending === 1);
  assert.equal(done, false);
  open!();
  await within(sending, 2_000);
});

test("sendWithAck() takes contracts, headers and metadata like any message", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const job = contract("job", { input: z.object({ n: z.number() }) });
  const seen: unknown[] = [];
  server.handle(job, async (context) => {
    seen.push(context.input, context.headers["a"], context.metadata);
    await acknowledge(context);
  });
  await client.sendWithAck(job, {
    to: peer,
    payload: { n: 1 },
    headers: { a: "b" },
    metadata: { priority: "high" },
  });
  assert.deepEqual(seen, [{ n: 1 }, "b", { priority: "high" }]);
  await fails(client.sendWithAck(job, { to: peer, payload: { n: "1" } }), { code: "PAYLOAD_INVALID" });
  assert.equal(client.stats().acks.waiting, 0);
});

test("sendWithAck() fails at once for an unknown handler, a failing one, a NACK and a payload without room for the id", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  await fails(client.sendWithAck("nobody", { to: peer }), { code: "HANDLER_NOT_FOUND", ran: "no" });
  server.registerHandler(amHandler("throws", () => {
    throw new Error("no disk");
  }));
  await fails(client.sendWithAck("throws", { to: peer }), { code: "HANDLER_FAILED", message: "no disk" });
  server.registerHandler(amHandler("refuses", (context) => acknowledge(context, { error: "not today" })));
  await fails(client.sendWithAck("refuses", { to: peer }), { code: "HANDLER_FAILED", message: "not today" });
  for (const payload of [[1], null, 1, { _ack_id: "mine" }]) {
    const options = { to: peer, payload } as { to: InstanceId; payload: object };
    await assert.rejects(client.sendWithAck("x", options), TypeError);
  }
  const packed = contract("x", { input: z.object({}), encoding: "msgpack" });
  await assert.rejects(client.sendWithAck(packed, { to: peer }), TypeError);
  server.registerHandler(amHandler("silent", () => {}));
  await fails(client.sendWithAck("silent", { to: peer, timeoutMs: 30 }), { code: "TIMEOUT", peer });
  const controller = new AbortController();
  const given = client.sendWithAck("silent", { to: peer, signal: controller.signal });
  controller.abort(new Error("enough"));
  await assert.rejects(given, /enough/);
  assert.equal(client.stats().acks.waiting, 0);
});

test("sendWithAck() ends when the peer closes without its ACK", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(amHandler("silent", () => {}));
  const sending = fails(client.sendWithAck("silent", { to: peer }), { code: "PEER_DISCONNECTED", peer });
  await until(() => client.stats().calls.pending === 1);
  await server.close();
  await within(sending, 2_000);
});

test("a draining instance still takes the ACKs it waits for, and still sends its own", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(amHandler("job", async (context) => {
    await hold.opened;
    await acknowledge(context);
  }));
  const sending = client.sendWithAck("job", { to: peer });
  await until(() => server.stats().handlers.running === 1);
  const closing = server.close();
  hold.open();
  await within(sending, 2_000);
  await closing;

  const busy = gate(t);
  client.registerHandler(unaryHandler("busy", () => busy.opened));
  const other = await t.messenger();
  const call = other.unary("busy", { to: await other.connect(client.endpoint) });
  await until(() => client.stats().handlers.running === 1);
  const ack = client.registerAck();
  const ending = client.close();
  await other.sendAck(client.instanceId, ack.id);
  await within(ack.received, 2_000);
  busy.open();
  await Promise.all([call, ending]);
});

test("an instance acknowledges its own messages", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger();
  alone.registerHandler(amHandler("job", (context) => acknowledge(context)));
  await within(alone.sendWithAck("job", { to: alone.instanceId }), 2_000);
});

test("acknowledge() sends nothing for a message that asked for nothing", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const answers: boolean[] = [];
  server.registerHandler(amHandler("job", async (context) => void answers.push(await acknowledge(context))));
  await client.amSync("job", { to: peer });
  await client.amSync("job", { to: peer, payload: { _ack_id: 1 } });
  await client.amSync("job", { to: peer, payload: ["_ack_id"] });
  await client.amSync("job", { to: peer, rawPayload: new Uint8Array([0xff, 0]) });
  assert.deepEqual(answers, [false, false, false, false]);
});

test("a payload of any size may ask for an ACK", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(amHandler("job", (context) => acknowledge(context)));
  const payload = { text: "x".repeat(2 ** 21) };
  await within(client.sendWithAck("job", { to: peer, payload }), 5_000);
});

test("ten thousand ACKs at once all find their waits", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(amHandler("job", (context) => acknowledge(context)));
  await within(
    Promise.all(
      Array.from({ length: 10_000 }, (_, i) => client.sendWithAck("job", { to: peer, payload: { i } })),
    ),
    20_000,
  );
  const { waiting, received } = client.stats().acks;
  assert.deepEqual([waiting, received], [0, 10_000]);
});

test("metadata rides with every kind of message, beside the headers", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const seen: unknown[] = [];
  server.registerHandler(unaryHandler("look", ({ metadata, headers }) => {
    seen.push([metadata, { ...headers }]);
  }));
  const values = [{ priority: "high", at: [1, 2.5, null] }, "text", 0, false, null, [], { "ключ": "знач" }];
  for (const metadata of values) {
    await client.unary("look", { to: peer, metadata, headers: { a: "b" } });
    await client.amSync("look", { to: peer, metadata });
  }
  await client.amSend("look", { to: peer, metadata: 9 });
  await client.unary("look", { to: peer });
  assert.deepEqual(seen, [
    ...values.flatMap((value) => [[value, { a: "b" }], [value, {}]]),
    [9, {}],
    [null, {}],
  ]);
});

test("metadata that has no form in JSON, or is too long, is refused before anything is sent", async () => {
  await using t = await leakCheck();
  const { client, peer } = await pair(t);
  const to = { to: peer };
  await fails(client.unary("x", { ...to, metadata: "x".repeat(65_535) }), {
    code: "HEADERS_TOO_LARGE",
    ran: "no",
  });
  await fails(client.unary("x", { ...to, metadata: "x".repeat(65_534) }), { code: "HANDLER_NOT_FOUND" });
  for (
    const [metadata, message] of [[() => {}, "it is a function"], [{ at: [1n] }, "at.0 is a bigint"]] as const
  ) {
    await fails(client.unary("x", { ...to, metadata }), {
      code: "ENCODING_FAILED",
      message: `Metadata of "x" cannot be encoded: ${message}, which JSON cannot carry`,
      ran: "no",
    });
  }
  await fails(client.unary("x", { ...to, headers: { _metadata: "1" } }), { code: "NAME_INVALID" });
});

test("metadata of up to 64 KiB rides with every kind of message between instances of ours", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const echo = ({ metadata, payload, headers }: HandlerContext) => {
    seen.push([metadata, payload.length, { ...headers }]);
    return payload;
  };
  const seen: unknown[] = [];
  for (const each of [server, client]) each.registerHandler(unaryHandler("look", echo));
  const large = (size: number) => ({ a: "\u00e9".repeat((size - 8) / 2) });
  for (const to of [peer, client.instanceId]) {
    for (const size of [1_024, 1_026, 40_000, 65_536]) {
      for (const bytes of [0, 5, 300_000]) {
        const rawPayload = new Uint8Array(bytes).fill(7);
        seen.length = 0;
        const answer = await client.unary("look", {
          to,
          metadata: large(size),
          headers: { a: "b" },
          rawPayload,
        });
        assert.deepEqual(answer, rawPayload);
        await client.amSync("look", { to, metadata: large(size), rawPayload });
        await client.amSend("look", { to, metadata: large(size), rawPayload });
        await until(() => seen.length === 3);
        assert.deepEqual(seen, [
          [large(size), bytes, { a: "b" }],
          [large(size), bytes, {}],
          [large(size), bytes, {}],
        ]);
      }
    }
  }
  assert.equal(server.stats().handlers.heldBytes, 0);
});

test("metadata above 1 024 bytes is HEADERS_TOO_LARGE towards plain Velo, and one of ours without the feature", async () => {
  await using t = await leakCheck();
  const { messenger, node, peer } = await known(t);
  const metadata = "x".repeat(1_023);
  const plain = fails(messenger.unary("note", { to: peer, metadata }), {
    code: "HEADERS_TOO_LARGE",
    ran: "no",
    message: /1025 bytes of JSON, more than the 1024/,
  });
  await node.answerHello(messenger);
  await plain;
  const { client, peer: ours } = await pair(t, { server: { features: { metadata: false } } });
  for (const pattern of ["unary", "amSync", "amSend"] as const) {
    await fails(client[pattern]("x", { to: ours, metadata }), {
      code: "HEADERS_TOO_LARGE",
      ran: "no",
      peer: ours,
    });
  }
});

test("metadata is one header on the wire, and one that is no JSON is none", async () => {
  await using t = await leakCheck();
  const { messenger, node, peer } = await known(t);
  const map = (value: string) => `81a9${utf8("_metadata")}${le(0xa0 + value.length, 1)}${utf8(value)}`;
  const sending = messenger.amSend("note", { to: peer, metadata: { a: 1 } });
  await node.answerHello(messenger);
  await sending;
  assert.equal((await node.nextRequest("note")).request.map, map('{"a":1}'));
  const seen: unknown[] = [];
  messenger.registerHandler(amHandler("look", ({ metadata }) => void seen.push(metadata)));
  for (const value of ['{"a":1}', "{a", "[]"]) {
    await node.ask(messenger.endpoint, "look", "", { kind: Kind.ack, map: map(value) });
  }
  assert.deepEqual(seen, [{ a: 1 }, null, []]);
});
