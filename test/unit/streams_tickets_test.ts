/** Tickets: streams that are prepared for whoever opens them. In virtual time, over the multiplexer itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { StreamTicket } from "../../src/streams/mod.ts";
import { localOfHandle, type StreamHandle } from "../../src/streams/wire/handle.ts";
import type { StreamNode } from "./streams_kit.ts";
import { MuxNet } from "./streams_net.ts";

function scene(): { net: MuxNet; reader: StreamNode; worker: StreamNode; other: StreamNode } {
  const net = new MuxNet();
  return { net, reader: net.node(), worker: net.node(), other: net.node({ ours: false }) };
}

/** As it arrives in a payload. */
function carried(ticket: StreamTicket): StreamTicket {
  return JSON.parse(JSON.stringify(ticket)) as StreamTicket;
}

const renewal = (handle: StreamHandle, session: unknown): string =>
  `[{"handle":{"hi":${handle >> 64n},"lo":${localOfHandle(handle)}},"session":${session}}]`;

test("a ticket has Velo's fields, in Velo's order, and a session that JSON can carry", () => {
  const { reader } = scene();
  const ticket = reader.streams.anchor({ heartbeatMs: 700 }).ticket();
  assert.match(
    JSON.stringify(ticket),
    /^\{"streaming_transport_key":"messenger-mux-v2","heartbeat_interval_ms":700,"routing_session_id":\d{16},"initial_credit":8,"slot_byte_budget":10000\}$/,
  );
  assert.ok(Number.isSafeInteger(ticket.routing_session_id));
});

for (const who of ["worker", "other"] as const) {
  test(`whoever has a ticket sends at once, and asks nobody (${who === "worker" ? "zeromesh" : "Velo"})`, async () => {
    const { net, reader, [who]: writer } = scene();
    const anchor = reader.streams.anchor();
    const sender = await writer.streams.attach(anchor.handle, { ticket: carried(anchor.ticket()) });
    assert.equal(anchor.senders, 0);
    const sending = Array.from({ length: 12 }, (_, i) => sender.send(i));
    const ending = sender.finalize();
    await net.carry();
    assert.deepEqual(await Promise.all([Array.fromAsync(anchor), net.carry()]), [
      Array.from({ length: 12 }, (_, i) => i),
      undefined,
    ]);
    await Promise.all([...sending, ending]);
    assert.deepEqual(writer.sent, []);
    assert.equal(await anchor.closed, "finalized");
    await net.carry();
    assert.deepEqual([net.counts(reader).readers, net.counts(writer).writers], [0, 0]);
    assert.deepEqual([reader.table.stats().anchors, writer.table.stats().senders], [0, 0]);
  });

  test(`a reader stops and cancels a sender that came by a ticket (${who === "worker" ? "zeromesh" : "Velo"})`, async () => {
    const { net, reader, [who]: writer } = scene();
    const anchor = reader.streams.anchor();
    const ticket = anchor.ticket();
    anchor.stop();
    const sender = await writer.streams.attach(anchor.handle, { ticket });
    await net.carry();
    assert.deepEqual([sender.stopping.aborted, sender.cancelled.aborted], [true, false]);
    anchor.cancel();
    await net.carry();
    assert.equal(sender.cancelled.aborted, true);
    assert.equal((await sender.closed as { code?: string }).code, "CANCELLED");
    // It has no name by which messages could reach it.
    assert.deepEqual(reader.sent, []);
  });
}

test("the first one that uses a ticket is the sender, and the next one is told that it is unknown", async () => {
  const { net, reader, worker, other } = scene();
  const anchor = reader.streams.anchor();
  const ticket = anchor.ticket();
  const first = await worker.streams.attach(anchor.handle, { ticket });
  const second = await other.streams.attach(anchor.handle, { ticket });
  await net.carry();
  assert.equal(anchor.senders, 1);
  assert.equal(second.cancelled.aborted, true);
  await assert.rejects(second.send(1), { code: "STREAM_FAILED", message: /does not know the stream/ });
  await assert.rejects(other.streams.attach(anchor.handle), { code: "STREAM_TAKEN" });
  await first.send("first");
  await first.finalize();
  await net.carry();
  assert.deepEqual(await Array.fromAsync(anchor), ["first"]);
});

test("a sender that attaches without the ticket makes it void", async () => {
  const { net, reader, worker, other } = scene();
  const anchor = reader.streams.anchor();
  const ticket = anchor.ticket();
  const sender = await worker.streams.attach(anchor.handle);
  const late = await other.streams.attach(anchor.handle, { ticket });
  await net.carry();
  assert.equal(late.cancelled.aborted, true);
  await sender.detach();
  await net.carry();
  // It may be given out again when the sender has left.
  const next = await other.streams.attach(anchor.handle, { ticket: anchor.ticket() });
  await next.finalize();
  await net.carry();
  assert.deepEqual(await Array.fromAsync(anchor), []);
});

test("an anchor that ends makes its ticket void", async () => {
  const { net, reader, worker } = scene();
  const anchor = reader.streams.anchor();
  const ticket = anchor.ticket();
  anchor.cancel();
  const late = await worker.streams.attach(anchor.handle, { ticket });
  await net.carry();
  assert.equal((await late.closed as { code?: string }).code, "STREAM_FAILED");
  assert.throws(() => anchor.ticket(), { code: "CLOSED" });
});

test("in one instance a ticket is as good as none, and is used up", async () => {
  const { reader } = scene();
  const anchor = reader.streams.anchor();
  const sender = await reader.streams.attach(anchor.handle, { ticket: anchor.ticket() });
  await sender.send(1);
  assert.throws(() => anchor.ticket(), { code: "STREAM_TAKEN", message: /it has a sender/ });
  await sender.finalize();
  assert.deepEqual(await Array.fromAsync(anchor), [1]);
});

test("what is no ticket, and what a ticket is not for, is refused", async () => {
  const { reader, worker } = scene();
  const anchor = reader.streams.anchor();
  const ticket = anchor.ticket();
  assert.throws(() => anchor.ticket(), { code: "STREAM_TAKEN", message: /nobody has used/ });
  assert.throws(() => reader.streams.anchor({ senders: "many" }).ticket(), TypeError);
  assert.throws(() => reader.streams.anchor().ticket({ timeoutMs: -1 }), RangeError);
  const many = reader.streams.anchor({ senders: "many" });
  await assert.rejects(worker.streams.attach(many.handle, { ticket }), TypeError);
  for (
    const wrong of [
      {},
      { ...ticket, routing_session_id: undefined },
      { ...ticket, routing_session_id: 1.5 },
      { ...ticket, initial_credit: 0 },
      { ...ticket, streaming_transport_key: 1 },
    ]
  ) await assert.rejects(worker.streams.attach(anchor.handle, { ticket: wrong as StreamTicket }), TypeError);
  // What later versions of Velo may add changes nothing, and a session may have 64 bits.
  const other = {
    ...ticket,
    streaming_transport_key: "grpc-stream",
    routing_session_id: 2n ** 64n - 1n,
    new: 1,
  };
  await assert.rejects(worker.streams.attach(anchor.handle, { ticket: other }), {
    code: "PEER_LACKS_FEATURE",
    peer: reader.id,
    message: /grpc-stream/,
  });
});

test("a ticket that nobody uses ends its anchor in its time, which stands for that of the anchor", async () => {
  const { net, reader, worker } = scene();
  const anchor = reader.streams.anchor({ unattachedTimeoutMs: 1_000 });
  const ticket = anchor.ticket();
  anchor.setUnattachedTimeout(500);
  await net.pass(179_000, 1_000);
  assert.notEqual(reader.table.get(anchor.handle), undefined);
  await net.pass(2_000, 1_000);
  await assert.rejects(anchor.next(), { code: "TIMEOUT", message: /^Nobody used the ticket .* 180000 ms/ });
  const late = await worker.streams.attach(anchor.handle, { ticket });
  await net.carry();
  assert.equal(late.cancelled.aborted, true);
  // A sender that used its ticket is followed by the time of the anchor.
  const next = reader.streams.anchor({ unattachedTimeoutMs: 1_000 });
  const sender = await worker.streams.attach(next.handle, { ticket: next.ticket({ timeoutMs: 50 }) });
  await net.pass(500);
  await sender.detach();
  await net.pass(1_500);
  assert.equal((await next.closed as { code?: string }).code, "TIMEOUT");
});

test("those who hold handles and tickets renew them, one message for 256 of a reader", async () => {
  const { net, reader, worker, other } = scene();
  const own = worker.streams.anchor({ unattachedTimeoutMs: 1_000 });
  const elsewhere = other.streams.anchor({ unattachedTimeoutMs: 1_000 });
  const plain = Array.from({ length: 60 }, () => reader.streams.anchor({ unattachedTimeoutMs: 1_000 }));
  const ticketed = reader.streams.anchor({ unattachedTimeoutMs: 100 });
  const ticket = ticketed.ticket({ timeoutMs: 1_000 });
  const left = reader.streams.anchor({ unattachedTimeoutMs: 1_000 });
  const many = Array.from({ length: 200 }, () => ({ handle: plain[0]!.handle }));
  const held = [
    ...plain.map(({ handle }) => ({ handle: String(handle) })),
    ...many,
    { handle: ticketed.handle, ticket: carried(ticket) },
    { handle: own.handle },
    { handle: elsewhere.handle },
  ];
  for (let i = 0; i < 4; i++) {
    await net.pass(600);
    await worker.streams.renew(held);
  }
  assert.deepEqual(worker.sent.map(({ name }) => name), new Array(12).fill("_anchor_renew"));
  assert.equal((JSON.parse(worker.sent[0]!.text) as unknown[]).length, 256);
  assert.equal((await left.closed as { code?: string }).code, "TIMEOUT");
  for (const anchor of [own, elsewhere, ticketed, ...plain]) {
    const node = [reader, worker, other].find(({ worker }) => worker === anchor.handle >> 64n)!;
    assert.notEqual(node.table.get(anchor.handle), undefined);
  }
  await worker.streams.renew([]);
  const nobody = ((1n << 64n) | 5n) as StreamHandle;
  await assert.rejects(worker.streams.renew([{ handle: nobody }]), { code: "PEER_UNKNOWN" });
});

test("a ticket's place is renewed by its session alone", async () => {
  const { net, reader, other } = scene();
  const sessions = (ticket: StreamTicket): unknown[] => [null, 7, ticket.routing_session_id];
  const ends: string[] = [];
  for (const which of [0, 1, 2]) {
    const anchor = reader.streams.anchor();
    const session = sessions(anchor.ticket({ timeoutMs: 1_000 }))[which];
    for (let i = 0; i < 3; i++) {
      await net.pass(600);
      await reader.receive("_anchor_renew", renewal(anchor.handle, session), other);
    }
    ends.push(reader.table.get(anchor.handle) === undefined ? "ended" : "lives");
  }
  assert.deepEqual(ends, ["ended", "ended", "lives"]);
  // Without a ticket that is left, its session renews the anchor as well.
  const anchor = reader.streams.anchor({ unattachedTimeoutMs: 1_000 });
  const { routing_session_id: session } = anchor.ticket();
  await (await other.streams.attach(anchor.handle)).detach();
  await net.carry();
  for (let i = 0; i < 3; i++) {
    await net.pass(600);
    await reader.receive("_anchor_renew", renewal(anchor.handle, session), other);
  }
  assert.notEqual(reader.table.get(anchor.handle), undefined);
});
