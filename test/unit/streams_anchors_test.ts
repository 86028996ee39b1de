/** Anchors and senders: who is attached, what is read, and how streams end. In virtual time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import type { Anchor } from "../../src/streams/anchors/anchor.ts";
import { Deadlines } from "../../src/core/mod.ts";
import { type AnchorFrame, ItemReader } from "../../src/streams/anchors/frames.ts";
import { SenderCore } from "../../src/streams/anchors/sender_core.ts";
import { TurnShare } from "../../src/streams/turn_share.ts";
import { heartbeatFrame, itemFrame } from "../../src/streams/wire/frame.ts";
import { FakeClock } from "./core_fake_clock.ts";
import { StreamNet, type StreamNode } from "./streams_kit.ts";

/** Lets promises settle. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

/** What a promise is now. */
async function now<T>(promise: Promise<T>): Promise<T | "pending"> {
  let state: { value: T } | { error: unknown } | null = null;
  promise.then((value) => state = { value }, (error) => state = { error });
  await settle();
  const settled = state as { value: T } | { error: unknown } | null;
  if (settled === null) return "pending";
  if ("error" in settled) throw settled.error;
  return settled.value;
}

async function take(anchor: Anchor<unknown>, count: number): Promise<unknown[]> {
  const items: unknown[] = [];
  while (items.length < count) items.push((await anchor.next()).value);
  return items;
}

/** A sender and an anchor in one instance, and in two. */
const places: readonly [
  where: string,
  nodes: () => { reader: StreamNode; writer: StreamNode; net: StreamNet },
][] = [
  ["in one instance", () => {
    const net = new StreamNet();
    const reader = net.node();
    return { net, reader, writer: reader };
  }],
  ["between two instances", () => {
    const net = new StreamNet();
    return { net, reader: net.node(), writer: net.node() };
  }],
];

for (const [where, nodes] of places) {
  test(`items arrive in order, and the end after them, ${where}`, async () => {
    const { reader, writer } = nodes();
    const anchor = reader.streams.anchor();
    assert.equal(anchor.senders, 0);
    const sender = await writer.streams.attach(anchor.handle);
    assert.equal(anchor.senders, 1);
    assert.equal(sender.transport, reader === writer ? null : "messenger-mux-v2");
    for (const item of [1, "two", { three: [3] }, null]) await sender.send(item);
    await sender.finalize();
    assert.deepEqual(await Array.fromAsync(anchor), [1, "two", { three: [3] }, null]);
    assert.equal(await anchor.closed, "finalized");
    assert.equal(await sender.closed, "finalized");
    await assert.rejects(sender.send(5), { code: "CLOSED" });
    await assert.rejects(writer.streams.attach(anchor.handle), { code: "STREAM_UNKNOWN" });
    for (const node of [reader, writer]) {
      assert.deepEqual([node.table.stats().anchors, node.table.stats().senders], [0, 0]);
    }
  });

  test(`an anchor takes one sender at a time, and another when it has left, ${where}`, async () => {
    const { reader, writer } = nodes();
    const anchor = reader.streams.anchor();
    const frames = anchor.frames();
    for (let cycle = 1; cycle <= 5; cycle++) {
      const sender = await writer.streams.attach(String(anchor.handle));
      await assert.rejects(writer.streams.attach(anchor.handle), { code: "STREAM_TAKEN" });
      await sender.send(cycle);
      assert.equal(await sender.detach(), anchor.handle);
      // The next one comes before anybody has read.
      const next = await writer.streams.attach(anchor.handle);
      await next.send(-cycle);
      await next.detach();
      const seen: unknown[] = [];
      for (let i = 0; i < 4; i++) seen.push((await frames.next()).value);
      const number = 2 * cycle - 1;
      assert.deepEqual(seen, [
        { type: "item", sender: number, item: cycle },
        { type: "detached", sender: number },
        { type: "item", sender: number + 1, item: -cycle },
        { type: "detached", sender: number + 1 },
      ]);
    }
    assert.equal(anchor.senders, 0);
  });

  test(`senders that come and go without being read take bounded memory, ${where}`, async () => {
    const { reader, writer } = nodes();
    const anchor = reader.streams.anchor();
    for (let i = 0; i < 4; i++) await (await writer.streams.attach(anchor.handle)).detach();
    await assert.rejects(writer.streams.attach(anchor.handle), { code: "STREAM_TAKEN" });
    assert.equal(await now(anchor.next()), "pending");
    await (await writer.streams.attach(anchor.handle)).detach();
  });

  test(`an error that a sender reports is thrown, and a new loop goes on behind it, ${where}`, async () => {
    const { reader, writer } = nodes();
    const anchor = reader.streams.anchor();
    const sender = await writer.streams.attach(anchor.handle);
    await sender.send(1);
    await sender.sendError("row 2 is broken");
    await sender.send(3);
    await sender.finalize();
    const items: unknown[] = [];
    await assert.rejects(async () => {
      for await (const item of anchor) items.push(item);
    }, { code: "STREAM_SENDER_ERROR", message: "row 2 is broken" });
    for await (const item of anchor) items.push(item);
    assert.deepEqual(items, [1, 3]);
  });

  test(`a sender that is given up drops its anchor, after its items, ${where}`, async () => {
    const { reader, writer } = nodes();
    const anchor = reader.streams.anchor();
    {
      await using sender = await writer.streams.attach(anchor.handle);
      await sender.send(1);
    }
    await assert.rejects(writer.streams.attach(anchor.handle), { code: "STREAM_UNKNOWN" });
    assert.deepEqual(await anchor.next(), { done: false, value: 1 });
    await assert.rejects(anchor.next(), { code: "STREAM_DROPPED" });
    assert.deepEqual(await anchor.next(), { done: true, value: undefined });
    assert.equal((await anchor.closed as Error).name, "ZeromeshError");
  });

  test(`a sender that was disposed after its end adds nothing, ${where}`, async () => {
    const { reader, writer } = nodes();
    const anchor = reader.streams.anchor();
    {
      await using sender = await writer.streams.attach(anchor.handle);
      await sender.finalize();
    }
    assert.deepEqual(await anchor.next(), { done: true, value: undefined });
    assert.equal(await anchor.closed, "finalized");
  });

  test(`leaving the loop early cancels: the sender's signal aborts, and its sends fail, ${where}`, async () => {
    const { reader, writer } = nodes();
    const anchor = reader.streams.anchor();
    const sender = await writer.streams.attach(anchor.handle);
    for (let i = 0; i < 3; i++) await sender.send(i);
    for await (const item of anchor) if (item === 1) break;
    assert.equal(sender.cancelled.aborted, true);
    assert.equal(sender.cancelled.reason.code, "CANCELLED");
    await assert.rejects(sender.send(4), { code: "CANCELLED" });
    await assert.rejects(sender.finalize(), { code: "CANCELLED" });
    assert.equal((await sender.closed as { code?: string }).code, "CANCELLED");
    assert.equal(await anchor.closed, "cancelled");
    assert.equal(anchor.senders, 0);
    anchor.cancel();
    assert.deepEqual(await anchor.next(), { done: true, value: undefined });
    await assert.rejects(writer.streams.attach(anchor.handle), { code: "STREAM_UNKNOWN" });
  });

  test(`a waiting reader ends when its anchor is cancelled, ${where}`, async () => {
    const { reader, writer } = nodes();
    const anchor = reader.streams.anchor();
    const sender = await writer.streams.attach(anchor.handle);
    const waiting = [anchor.next(), anchor.next()];
    assert.equal(await now(waiting[0]!), "pending");
    assert.equal(reader.held, 1);
    anchor.cancel();
    for (const one of waiting) assert.deepEqual(await one, { done: true, value: undefined });
    assert.equal(reader.held, 0);
    assert.equal(sender.cancelled.aborted, true);
  });

  test(`without credit sends wait in order, up to a window of them, ${where}`, async () => {
    const { reader, writer } = nodes();
    const anchor = reader.streams.anchor();
    const sender = await writer.streams.attach(anchor.handle);
    const window = reader === writer ? 256 : 8;
    const sent = Array.from({ length: 2 * window }, (_, i) => sender.send(i));
    assert.equal(await now(sent[window - 1]!), undefined);
    assert.equal(await now(sent[window]!), "pending");
    await assert.rejects(sender.send("too many"), { code: "QUEUE_FULL" });
    assert.equal(writer.held, 1);
    assert.deepEqual(await take(anchor, window + 3), Array.from({ length: window + 3 }, (_, i) => i));
    assert.equal(await now(sent[window + 2]!), undefined);
    void sender.finalize();
    assert.equal((await Array.fromAsync(anchor)).length, window - 3);
    await Promise.all(sent);
    assert.equal(writer.held, 0);
  });

  test(`a send gives up at its deadline or by its signal, and its item is not sent, ${where}`, async () => {
    const { net, reader, writer } = nodes();
    const anchor = reader.streams.anchor();
    const sender = await writer.streams.attach(anchor.handle);
    const window = reader === writer ? 256 : 8;
    for (let i = 0; i < window; i++) await sender.send(i);
    const late = sender.send("late", { timeoutMs: 50 });
    await assert.rejects(sender.send("too late", { timeoutMs: 0 }), { code: "TIMEOUT" });
    const abort = new AbortController();
    const aborted = sender.send("aborted", { signal: abort.signal });
    const kept = sender.send("kept");
    await settle();
    net.clock.advance(100);
    await assert.rejects(late, { code: "TIMEOUT" });
    abort.abort("enough");
    await assert.rejects(aborted, (error) => error === "enough");
    assert.equal(await now(kept), "pending");
    void sender.finalize();
    assert.deepEqual((await Array.fromAsync(anchor)).slice(window), ["kept"]);
  });

  test(`a waiting send ends with its reader, and so does the end behind it, ${where}`, async () => {
    const { reader, writer } = nodes();
    const anchor = reader.streams.anchor();
    const sender = await writer.streams.attach(anchor.handle);
    const window = reader === writer ? 256 : 8;
    for (let i = 0; i < window; i++) await sender.send(i);
    const waiting = sender.send("waiting");
    const end = sender.finalize();
    await assert.rejects(sender.send("behind the end"), { code: "CLOSED" });
    anchor.cancel();
    await assert.rejects(waiting, { code: "CANCELLED" });
    await assert.rejects(end, { code: "CANCELLED" });
    assert.equal(writer.table.stats().senders, 0);
  });

  test(`a sender is asked to finish, also one that attaches later, ${where}`, async () => {
    const { reader, writer } = nodes();
    const anchor = reader.streams.anchor();
    const first = await writer.streams.attach(anchor.handle);
    assert.equal(first.stopping.aborted, false);
    anchor.stop();
    assert.equal(first.stopping.aborted, true);
    assert.equal(first.cancelled.aborted, false);
    await first.send("goodbye");
    await first.detach();
    const second = await writer.streams.attach(anchor.handle);
    await settle();
    assert.deepEqual(await take(anchor, 1), ["goodbye"]);
    if (reader === writer) assert.equal(second.stopping.aborted, true);
    await second.finalize();
    assert.deepEqual(await Array.fromAsync(anchor), []);
  });

  test(`items are checked where they leave and where they arrive, by number, ${where}`, async () => {
    const { reader, writer } = nodes();
    const schema = z.number().max(9);
    const anchor = reader.streams.anchor({ schema });
    const checking = await writer.streams.attach(anchor.handle, { schema });
    await checking.send(1);
    await assert.rejects(checking.send(10), { code: "PAYLOAD_INVALID", message: /^Item 2 of the stream/ });
    await assert.rejects(checking.send("2" as never), { code: "PAYLOAD_INVALID" });
    await checking.send(3);
    await checking.detach();
    assert.deepEqual(await take(anchor, 2), [1, 3]);
    assert.equal(await now(anchor.next()), "pending");
    const careless = await writer.streams.attach(anchor.handle);
    const again = reader.streams.anchor({ schema });
    const other = await writer.streams.attach(again.handle);
    await other.send(4);
    await other.send("five");
    await other.send(6);
    assert.deepEqual(await take(again, 1), [4]);
    await assert.rejects(again.next(), { code: "PAYLOAD_INVALID", message: /^Item 2 of anchor/ });
    assert.deepEqual(await again.next(), { done: true, value: undefined });
    assert.equal(other.cancelled.aborted, true);
    careless.close();
  });

  test(`an asynchronous schema keeps the order, on both sides, ${where}`, async () => {
    const { reader, writer } = nodes();
    let waits = 5;
    const slow = z.number().refine(async () => {
      for (let left = waits--; left > 0; left--) await Promise.resolve();
      return true;
    });
    const anchor = reader.streams.anchor({ schema: slow });
    const sender = await writer.streams.attach(anchor.handle, { schema: slow });
    const sent = [1, 2, 3].map((item) => sender.send(item));
    await sender.finalize();
    await Promise.all(sent);
    waits = 3;
    const read = await Promise.all([anchor.next(), anchor.next(), anchor.next(), anchor.next()]);
    assert.deepEqual(read.map(({ value }) => value), [1, 2, 3, undefined]);
  });

  test(`many senders: their items come with their numbers, and none of them ends the anchor, ${where}`, async () => {
    const { net, reader, writer } = nodes();
    const anchor = reader.streams.anchor({ senders: "many", unattachedTimeoutMs: 1_000 });
    const senders = await Promise.all([1, 2, 3].map(() => writer.streams.attach(anchor.handle)));
    assert.deepEqual(senders.map(({ number }) => number), [1, 2, 3]);
    assert.equal(anchor.senders, 3);
    for (const item of ["a", "b"]) for (const sender of senders) await sender.send(`${item}${sender.number}`);
    await senders[0]!.sendError("no c");
    await senders[0]!.finalize();
    await senders[1]!.detach();
    senders[2]!.close();
    const seen: AnchorFrame<unknown>[] = [];
    for (let i = 0; i < 10; i++) seen.push((await anchor.next()).value);
    const of = (number: number) =>
      seen.filter(({ sender }) => sender === number).map((frame) =>
        frame.type === "item" ? frame.item : "error" in frame ? frame.error.code : frame.type
      );
    assert.deepEqual(of(1), ["a1", "b1", "STREAM_SENDER_ERROR", "detached"]);
    assert.deepEqual(of(2), ["a2", "b2", "detached"]);
    assert.deepEqual(of(3), ["a3", "b3", "STREAM_DROPPED"]);
    // Whoever has much to say lets the others have their turn.
    assert.deepEqual(seen.slice(0, 3).map(({ sender }) => sender), [1, 2, 3]);
    const fourth = await writer.streams.attach(anchor.handle);
    assert.equal(fourth.number, 4);
    await fourth.detach();
    assert.deepEqual(await anchor.next(), { done: false, value: { type: "detached", sender: 4 } });
    const last = anchor.next();
    net.clock.advance(999);
    assert.equal(await now(last), "pending");
    net.clock.advance(10);
    // Their staying away is the regular end.
    assert.deepEqual(await last, { done: true, value: undefined });
    assert.equal(await anchor.closed, "unattached");
  });

  test(`many senders: a limit, an invalid item that ends nothing, and one cancel for all, ${where}`, async () => {
    const { reader, writer } = nodes();
    const anchor = reader.streams.anchor({ senders: "many", maxSenders: 2, schema: z.number() });
    const first = await writer.streams.attach(anchor.handle);
    const second = await writer.streams.attach(anchor.handle);
    await assert.rejects(writer.streams.attach(anchor.handle), { code: "LIMIT_REACHED" });
    await first.send("one");
    await first.send(1);
    const frames = [(await anchor.next()).value, (await anchor.next()).value];
    assert.deepEqual([frames[0].type, frames[0].error.code], ["error", "PAYLOAD_INVALID"]);
    assert.deepEqual(frames[1], { type: "item", sender: 1, item: 1 });
    await second.detach();
    const third = await writer.streams.attach(anchor.handle);
    assert.equal(third.number, 3);
    const waiting = (async () => {
      for (;;) if ((await anchor.next()).done) return;
    })();
    await settle();
    anchor.cancel();
    await waiting;
    for (const sender of [first, third]) assert.equal(sender.cancelled.aborted, true);
    assert.equal(second.cancelled.aborted, false);
    assert.equal(writer.table.stats().senders, 0);
  });

  test(`an anchor without a sender ends in time, which stands still while there is one, ${where}`, async () => {
    const { net, reader, writer } = nodes();
    const anchor = reader.streams.anchor();
    const sender = await writer.streams.attach(anchor.handle);
    net.clock.advance(500_000);
    await sender.send(1);
    await sender.detach();
    await settle();
    net.clock.advance(119_000);
    assert.deepEqual(await anchor.next(), { done: false, value: 1 });
    const last = anchor.next();
    assert.equal(await now(last), "pending");
    net.clock.advance(2_000);
    await assert.rejects(last, { code: "TIMEOUT", message: /120000 ms/ });
    assert.deepEqual(await anchor.next(), { done: true, value: undefined });
    await assert.rejects(writer.streams.attach(anchor.handle), { code: "STREAM_UNKNOWN" });
  });

  test(`the time without a sender can be changed, ended and begun, ${where}`, async () => {
    const { net, reader, writer } = nodes();
    const [never, short, attached] = [
      reader.streams.anchor({ unattachedTimeoutMs: 50 }),
      reader.streams.anchor({ unattachedTimeoutMs: Infinity }),
      reader.streams.anchor(),
    ];
    const sender = await writer.streams.attach(attached.handle);
    await settle();
    never.setUnattachedTimeout(Infinity);
    short.setUnattachedTimeout(20);
    attached.setUnattachedTimeout(20);
    await settle();
    net.clock.advance(1_000);
    await assert.rejects(short.next(), { code: "TIMEOUT" });
    assert.equal(await now(never.next()), "pending");
    assert.equal(await now(attached.next()), "pending");
    await sender.detach();
    await settle();
    net.clock.advance(30);
    assert.equal((await attached.closed as { code?: string }).code, "TIMEOUT");
  });

  test(`an instance that closes ends its anchors and senders, ${where}`, async () => {
    const { reader, writer } = nodes();
    const anchor = reader.streams.anchor();
    const sender = await writer.streams.attach(anchor.handle);
    const waiting = anchor.next();
    writer.close();
    await assert.rejects(sender.send(1), { code: "CLOSED" });
    assert.equal(sender.cancelled.aborted, true);
    await assert.rejects(waiting, { code: reader === writer ? "CLOSED" : "STREAM_DROPPED" });
    assert.throws(() => writer.streams.anchor(), { code: "CLOSED" });
    await assert.rejects(writer.streams.attach(anchor.handle), { code: "CLOSED" });
  });
}

test("a lost connection ends both sides, after what has arrived", async () => {
  const net = new StreamNet();
  const [reader, writer] = [net.node(), net.node()];
  const anchor = reader.streams.anchor();
  const sender = await writer.streams.attach(anchor.handle);
  await sender.send(1);
  reader.loseConnections();
  await assert.rejects(sender.send(2), { code: "PEER_DISCONNECTED", peer: reader.id });
  assert.deepEqual(await anchor.next(), { done: false, value: 1 });
  await assert.rejects(anchor.next(), { code: "PEER_DISCONNECTED", peer: writer.id });
});

test("the number of anchors is limited", () => {
  const reader = new StreamNet().node({ maxAnchors: 2 });
  const first = reader.streams.anchor();
  reader.streams.anchor();
  assert.throws(() => reader.streams.anchor(), { code: "LIMIT_REACHED" });
  first.cancel();
  reader.streams.anchor();
});

test("a handle of an unknown instance, and what is no handle, are refused", async () => {
  const net = new StreamNet();
  const node = net.node();
  await assert.rejects(node.streams.attach(String(5n << 64n | 1n)), { code: "PEER_UNKNOWN" });
  await assert.rejects(node.streams.attach("nonsense"), TypeError);
  await assert.rejects(node.streams.attach(String(node.worker << 64n | 1n)), { code: "STREAM_UNKNOWN" });
});

test("one instance cannot take all places of an anchor for many senders", async () => {
  const net = new StreamNet();
  const [reader, greedy, other] = [net.node(), net.node(), net.node()];
  const anchor = reader.streams.anchor({ senders: "many", maxSenders: 17 });
  for (let i = 0; i < 16; i++) await greedy.streams.attach(anchor.handle);
  await assert.rejects(greedy.streams.attach(anchor.handle), { code: "LIMIT_REACHED" });
  const last = await other.streams.attach(anchor.handle);
  await assert.rejects(other.streams.attach(anchor.handle), { code: "LIMIT_REACHED" });
  await last.detach();
  assert.equal(anchor.senders, 16);
  await reader.streams.attach(anchor.handle);
  assert.equal(anchor.senders, 17);
});

test("a stream within one instance is bounded in bytes, too", async () => {
  const node = new StreamNet().node();
  const anchor = node.streams.anchor();
  const sender = await node.streams.attach(anchor.handle);
  const large = new Uint8Array(600_000);
  await sender.send(large);
  await sender.send(large);
  const third = sender.send(large);
  assert.equal(await now(third), "pending");
  // What waits is bounded as well.
  await assert.rejects(sender.send(large), { code: "QUEUE_FULL" });
  await anchor.next();
  assert.equal(await now(third), undefined);
  assert.equal((await anchor.next()).value.length, 600_000);
});

test("sends keep their order where room appears unnoticed", async () => {
  const written: number[] = [];
  let room = true;
  const core = new SenderCore({
    turns: new TurnShare(new FakeClock()),
    what: "anchor 1",
    peer: null,
    window: { items: 4, bytes: 100 },
    deadlines: new Deadlines(new FakeClock()),
    removed() {},
    hold: () => ({ [Symbol.dispose]() {} }),
  });
  core.open({
    ended: null,
    maxFrameBytes: 10,
    write: ([first]) => room && written.push(first!) > 0,
    end() {},
  });
  const send = (first: number) => core.send(Uint8Array.of(first), {});
  await send(1);
  room = false;
  void send(2);
  room = true;
  void send(3);
  assert.deepEqual(written, [1]);
  core.credit();
  assert.deepEqual(written, [1, 2, 3]);
  assert.throws(() => core.send(new Uint8Array(11), {}), { code: "PAYLOAD_TOO_LARGE" });
});

test("frames that cannot be read are invalid items, by number", () => {
  const reader = new ItemReader(undefined, "anchor 1");
  const item = itemFrame(Uint8Array.of(7));
  assert.deepEqual(reader.read(item, 1, 1), { type: "item", sender: 1, item: 7 });
  assert.equal(reader.read(heartbeatFrame, 1, 1), undefined);
  for (const wrong of [itemFrame(Uint8Array.of(0xc1)), itemFrame(Uint8Array.of(7, 7)), Uint8Array.of(0xc1)]) {
    assert.throws(() => reader.read(wrong, 1, 5), {
      code: "PAYLOAD_INVALID",
      message: /^Item 5 of anchor 1/,
    });
  }
});

test("without an option an anchor for one sender waits two minutes for it, and one for many for ever", async () => {
  const net = new StreamNet();
  const reader = net.node();
  const [one, many] = [streamsOf(reader, "one"), streamsOf(reader, "many")];
  await settle();
  net.clock.advance(119_900);
  assert.equal(await now(one.closed), "pending");
  net.clock.advance(200);
  assert.equal((await one.closed as { code?: string }).code, "TIMEOUT");
  net.clock.advance(10_000_000);
  assert.equal(await now(many.closed), "pending");
});

function streamsOf(node: StreamNode, senders: "one" | "many") {
  return node.streams.anchor({ senders } as { senders: "many" });
}
