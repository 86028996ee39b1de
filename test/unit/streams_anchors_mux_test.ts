/** Anchors and senders over the multiplexer itself: silence, losses and failures. In virtual time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AnchorFrame } from "../../src/streams/anchors/frames.ts";
import { terminalFrames, transportErrorFrame } from "../../src/streams/wire/frame.ts";
import { localOfHandle, type StreamHandle } from "../../src/streams/wire/handle.ts";
import type { StreamNode } from "./streams_kit.ts";
import { MuxNet } from "./streams_net.ts";

function scene(): { net: MuxNet; reader: StreamNode; one: StreamNode; two: StreamNode; velo: StreamNode } {
  const net = new MuxNet();
  return { net, reader: net.node(), one: net.node(), two: net.node(), velo: net.node({ ours: false }) };
}

/** Attaches by Velo's message, without opening the stream. Returns the session to open. */
async function attachOnly(reader: StreamNode, from: StreamNode, handle: StreamHandle): Promise<bigint> {
  const many = (handle & (1n << 63n)) !== 0n;
  const answer = await reader.receive(
    many ? "_mpsc_anchor_attach" : "_anchor_attach",
    `{"handle":{"hi":${handle >> 64n},"lo":${localOfHandle(handle)}},"session_id":1,` +
      `"stream_cancel_handle":{"hi":${from.worker},"lo":1},"supported_transport_keys":["messenger-mux-v2"]}`,
    from,
  );
  return BigInt(/"routing_session_id":(\d+)/.exec(answer)![1]!);
}

const codeOf = async (closed: Promise<unknown>): Promise<unknown> => (await closed as { code?: string }).code;

test("a sender that falls silent is dropped after three pauses, and those beside it go on", async () => {
  const { net, reader, one, two } = scene();
  const single = reader.streams.anchor({ heartbeatMs: 1_000 });
  const many = reader.streams.anchor({ senders: "many", heartbeatMs: 1_000 });
  const silent = [await one.streams.attach(single.handle), await one.streams.attach(many.handle)] as const;
  const lively = await two.streams.attach(many.handle);
  await silent[0].send("before");
  await net.pass(10_000);
  assert.deepEqual([single.senders, many.senders], [1, 2]);
  net.silence(one, reader);
  await net.pass(2_500);
  assert.deepEqual([single.senders, many.senders], [1, 2]);
  await net.pass(2_000);
  assert.deepEqual([single.senders, many.senders], [0, 1]);
  assert.deepEqual(await single.next(), { done: false, value: "before" });
  await assert.rejects(single.next(), {
    code: "STREAM_DROPPED",
    peer: one.id,
    message: /silent for too long/,
  });
  assert.equal(reader.table.get(single.handle), undefined);
  const dropped = (await many.next()).value as AnchorFrame<unknown>;
  assert.deepEqual([dropped.type, dropped.sender], ["dropped", 1]);
  // They are told, and nothing else is said of them.
  for (const sender of silent) assert.equal(sender.cancelled.aborted, true);
  await lively.send("after");
  await net.carry();
  assert.deepEqual(await many.next(), { done: false, value: { type: "item", sender: 2, item: "after" } });
});

test("an idle sender stays attached, and its signs of life are never read", async () => {
  for (const from of ["one", "velo"] as const) {
    const { net, reader, [from]: writer } = scene();
    const anchor = reader.streams.anchor();
    const sender = await writer.streams.attach(anchor.handle);
    const read = Array.fromAsync(anchor);
    await net.pass(600_000, 2_000);
    assert.equal(anchor.senders, 1);
    await sender.send("late");
    await sender.finalize();
    await net.carry();
    assert.deepEqual(await read, ["late"]);
  }
});

test("a sender whose reader does not read is not silent: it may not send", async () => {
  const { net, reader, one } = scene();
  const anchor = reader.streams.anchor({ heartbeatMs: 1_000 });
  const sender = await one.streams.attach(anchor.handle);
  const sent = Array.from({ length: 10 }, (_, i) => sender.send(i));
  await net.pass(60_000, 500);
  assert.equal(anchor.senders, 1);
  const finished = sender.finalize();
  const read = Array.fromAsync(anchor);
  await net.carry();
  assert.deepEqual(await read, Array.from({ length: 10 }, (_, i) => i));
  await Promise.all([...sent, finished]);
});

test("a sender that attaches and never opens its stream gives its place up after three minutes", async () => {
  const { net, reader, velo, one } = scene();
  const single = reader.streams.anchor();
  const many = reader.streams.anchor({ senders: "many", maxSenders: 1 });
  await attachOnly(reader, velo, single.handle);
  await attachOnly(reader, velo, many.handle);
  await net.pass(178_000, 1_000);
  assert.deepEqual([single.senders, many.senders], [1, 1]);
  await assert.rejects(one.streams.attach(many.handle), { code: "LIMIT_REACHED" });
  await net.pass(4_000, 1_000);
  assert.deepEqual([single.senders, many.senders], [0, 0]);
  await assert.rejects(single.next(), { code: "STREAM_DROPPED", message: /no writer has opened it in time/ });
  assert.equal(((await many.next()).value as AnchorFrame<unknown>).type, "dropped");
  await one.streams.attach(many.handle);
});

test("a sender that fails says why: the end of an anchor, or of one of many senders", async () => {
  const { net, reader, velo, one } = scene();
  const single = reader.streams.anchor();
  const many = reader.streams.anchor({ senders: "many" });
  for (const anchor of [single, many]) {
    const session = await attachOnly(reader, velo, anchor.handle);
    const writer = net.muxOf(velo).openWriter(reader.id, {
      anchor: localOfHandle(anchor.handle),
      session,
      window: { items: 32, bytes: 1_048_576 },
    }, {});
    writer.end(transportErrorFrame("the disk is full"));
    // Nothing can follow.
    writer.end(terminalFrames.finalized);
  }
  const other = await one.streams.attach(many.handle);
  await other.send("goes on");
  await net.carry();
  await assert.rejects(single.next(), { code: "STREAM_FAILED", message: /the disk is full/, peer: velo.id });
  assert.deepEqual(await single.next(), { done: true, value: undefined });
  assert.equal(await codeOf(single.closed), "STREAM_FAILED");
  const frames = [(await many.next()).value, (await many.next()).value] as AnchorFrame<unknown>[];
  assert.deepEqual(frames.map((frame) => "error" in frame ? [frame.type, frame.error.code] : frame.type), [
    ["dropped", "STREAM_FAILED"],
    "item",
  ]);
});

test("the loss of a connection drops each of its senders once, and nobody else", async () => {
  const { net, reader, one, two } = scene();
  const single = reader.streams.anchor();
  const many = reader.streams.anchor({ senders: "many" });
  await one.streams.attach(single.handle);
  // Both have number 2 for their sender.
  const lost = await one.streams.attach(many.handle);
  await two.streams.attach(reader.streams.anchor().handle);
  const kept = await two.streams.attach(many.handle);
  for (const sender of [lost, kept]) await sender.send(sender.number);
  await net.carry();
  net.lose(one, reader);
  await kept.send("after");
  await kept.detach();
  await net.carry();
  await assert.rejects(single.next(), { code: "PEER_DISCONNECTED", peer: one.id });
  await assert.rejects(lost.send(1), { code: "PEER_DISCONNECTED", peer: reader.id });
  const frames: AnchorFrame<unknown>[] = [];
  while (frames.length < 5) frames.push((await many.next()).value);
  assert.deepEqual(frames.filter(({ sender }) => sender === 1).map(({ type }) => type), ["item", "dropped"]);
  assert.deepEqual(frames.filter(({ sender }) => sender === 2).map(({ type }) => type), [
    "item",
    "item",
    "detached",
  ]);
  // The next connection has streams as well.
  const again = await one.streams.attach(many.handle);
  await again.send("again");
  await net.carry();
  assert.deepEqual(await many.next(), { done: false, value: { type: "item", sender: 3, item: "again" } });
});

test("one of many senders can cancel by message once the others are gone, and a reader that waits ends then", async () => {
  const { net, reader, one, two, velo } = scene();
  const anchor = reader.streams.anchor({ senders: "many" });
  const [first, second, third] = await Promise.all(
    [one, two, velo].map((node) => node.streams.attach(anchor.handle)),
  );
  await net.carry();
  const cancel = (from: StreamNode) =>
    reader.receive(
      "_mpsc_anchor_cancel",
      `{"handle":{"hi":${anchor.handle >> 64n},"lo":${localOfHandle(anchor.handle)}}}`,
      from,
    );
  for (const node of [one, two, velo, reader]) assert.equal(await cancel(node), "null");
  await net.carry();
  assert.equal(anchor.senders, 3);
  await first!.detach();
  second!.close();
  await net.carry();
  for (const type of ["detached", "dropped"]) {
    assert.equal(((await anchor.next()).value as AnchorFrame<unknown>).type, type);
  }
  const waiting = anchor.next();
  await cancel(one);
  assert.equal(anchor.senders, 1);
  await cancel(velo);
  assert.deepEqual(await waiting, { done: true, value: undefined });
  await net.carry();
  assert.equal(third!.cancelled.aborted, true);
  assert.equal(await codeOf(third!.closed), "CANCELLED");
  // A sender of plain Velo is told by message, too.
  assert.deepEqual(reader.sent.map(({ name }) => name), ["_stream_cancel"]);
});

test("a reader that cancels ends all senders of all instances", async () => {
  const { net, reader, one, two, velo } = scene();
  const anchor = reader.streams.anchor({ senders: "many" });
  const senders = await Promise.all(
    [one, two, velo, reader].map((node) => node.streams.attach(anchor.handle)),
  );
  await net.carry();
  const waiting = anchor.next();
  anchor.cancel();
  anchor.cancel();
  assert.deepEqual(await waiting, { done: true, value: undefined });
  await net.carry();
  for (const sender of senders) {
    assert.equal(sender.cancelled.aborted, true);
    assert.equal(await codeOf(sender.closed), "CANCELLED");
  }
});

test("a sender of an anchor whose reader is silent goes on, and waits with its items", async () => {
  const { net, reader, one } = scene();
  const anchor = reader.streams.anchor({ heartbeatMs: 1_000 });
  const sender = await one.streams.attach(anchor.handle);
  await net.carry();
  net.silence(reader, one);
  const sent = Array.from({ length: 9 }, (_, i) => sender.send(i, { timeoutMs: 20_000 }));
  await net.pass(19_000, 500);
  assert.deepEqual(await Promise.all(sent.slice(0, 8)), new Array(8).fill(undefined));
  assert.equal(sender.cancelled.aborted, false);
  await net.pass(2_000, 500);
  await assert.rejects(sent[8]!, { code: "TIMEOUT" });
});
