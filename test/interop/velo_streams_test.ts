/** Streams between us and a Rust node on the crate `velo` 0.21.0, each side in every role. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { z } from "zod";
import { type AnchorFrame, type StreamHandle, streams } from "../../src/streams/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { pause, until } from "../support/until.ts";
import { noVeloNode as skip } from "../support/velo_node.ts";
import { acquainted, untilNothing } from "../support/velo_streams.ts";

/** A struct of Rust is an array. */
const row = z.tuple([z.number(), z.string()]);

async function take<T>(anchor: AsyncIterator<T>, count: number): Promise<T[]> {
  const items: T[] = [];
  while (items.length < count) items.push((await anchor.next()).value);
  return items;
}

test(
  "a Rust Velo node produces into our anchor: items, errors, the next sender, the end",
  { skip },
  async () => {
    await using t = await leakCheck();
    const { ours, node } = await acquainted(t);
    const anchor = streams(ours).anchor({ schema: row });
    const handle = String(anchor.handle);
    const first = await node.newSender(handle);
    await assert.rejects(node.newSender(handle), { message: /already attached/ });
    await node.stream("send", { ...first, items: [[7, "hi"], [2 ** 40, "naïve"]] });
    await node.stream("sendError", { ...first, text: "row 3 is broken" });
    await node.stream("send", { ...first, items: [[4, ""]] });
    assert.deepEqual(await take(anchor, 2), [[7, "hi"], [2 ** 40, "naïve"]]);
    await assert.rejects(anchor.next(), { code: "STREAM_SENDER_ERROR", message: "row 3 is broken" });
    assert.deepEqual(await take(anchor, 1), [[4, ""]]);
    await node.stream("detach", { ...first });
    await until(() => anchor.senders === 0, { message: "the departure" });
    const second = await node.newSender(handle);
    // Many windows, at our pace.
    const flood = node.stream("flood", { ...second, count: 1_000 });
    const frames = anchor.frames();
    assert.deepEqual((await frames.next()).value, { type: "detached", sender: 1 });
    for (let i = 0; i < 1_000; i++) {
      assert.deepEqual((await frames.next()).value, { type: "item", sender: 2, item: [i, "flood"] });
    }
    await flood;
    await node.stream("finalize", { ...second });
    assert.equal((await frames.next()).done, true);
    assert.equal(await anchor.closed, "finalized");
    await assert.rejects(node.newSender(handle), { message: /anchor StreamAnchorHandle\(.*\) not found/ });
    await untilNothing(ours);
  },
);

test(
  "we produce into a Rust Velo node's anchor: items, errors, the next sender, the end",
  { skip },
  async () => {
    await using t = await leakCheck();
    const { ours, node } = await acquainted(t);
    const handle = await node.newAnchor();
    const first = await streams(ours).attach(handle, { schema: row });
    assert.equal(first.number, null);
    await assert.rejects(streams(ours).attach(handle), { code: "STREAM_TAKEN", peer: node.instanceId });
    await first.send([7, "hi"]);
    await first.send([2 ** 40, "naïve"]);
    await first.sendError("row 3 is broken");
    assert.deepEqual(await node.readAnchor(handle, 3), [
      { item: [7, "hi"] },
      { item: [2 ** 40, "naïve"] },
      { error: "sender error: row 3 is broken" },
    ]);
    assert.equal(String(await first.detach()), handle);
    assert.deepEqual(await node.readAnchor(handle, 1), ["detached"]);
    const second = await streams(ours).attach(handle, { schema: row });
    const total = 1_000;
    const sending = (async () => {
      for (let i = 0; i < total; i++) await second.send([i, "flood"]);
      await second.finalize();
    })();
    const frames = await node.readAnchor(handle, total + 1);
    assert.deepEqual(
      frames.slice(0, total),
      Array.from({ length: total }, (_, i) => ({ item: [i, "flood"] })),
    );
    assert.equal(frames[total], "finalized");
    await sending;
    await assert.rejects(streams(ours).attach(handle), { code: "STREAM_UNKNOWN" });
    await untilNothing(ours);
  },
);

test("either side gives a stream up, and the other one notices", { skip }, async () => {
  await using t = await leakCheck();
  const { ours, node } = await acquainted(t);
  // The node's sender goes without a word.
  const dropped = streams(ours).anchor();
  const theirs = await node.newSender(String(dropped.handle));
  await node.stream("send", { ...theirs, items: [[1, "a"]] });
  await node.stream("drop", { ...theirs });
  assert.deepEqual(await take(dropped, 1), [[1, "a"]]);
  await assert.rejects(dropped.next(), { code: "STREAM_DROPPED", peer: node.instanceId });
  // So does ours.
  const handle = await node.newAnchor();
  const sender = await streams(ours).attach(handle);
  await sender.send([1, "a"]);
  sender.close();
  assert.deepEqual(await node.readAnchor(handle, 3), [
    { item: [1, "a"] },
    { error: "sender dropped without explicit detach/finalize" },
    "end",
  ]);
  // Something that is no row ends the node's anchor, and our sender.
  const strict = await node.newAnchor();
  const careless = await streams(ours).attach(strict);
  await careless.send("no row");
  const [refused] = await node.readAnchor(strict, 1);
  assert.match((refused as { error: string }).error, /^deserialization error/);
  await until(() => careless.cancelled.aborted, { message: "the end of the sender" });
  // And the other way round.
  const picky = streams(ours).anchor({ schema: z.string() });
  const wrong = await node.newSender(String(picky.handle));
  await node.stream("send", { ...wrong, items: [[1, "a"]] });
  await assert.rejects(picky.next(), { code: "PAYLOAD_INVALID" });
  await until(async () => (await node.stream("state", { ...wrong }) as { cancelled: boolean }).cancelled);
  await untilNothing(ours);
});

test("cancel and stop reach the sender from either side, also while it waits", { skip }, async () => {
  await using t = await leakCheck();
  const { ours, node } = await acquainted(t);
  const anchor = streams(ours).anchor();
  const theirs = await node.newSender(String(anchor.handle));
  const state = async () =>
    await node.stream("state", { ...theirs }) as { cancelled: boolean; stopping: boolean };
  const flood = assert.rejects(node.stream("flood", { ...theirs, count: 100_000 }), {
    message: "channel closed",
  });
  await take(anchor, 100);
  assert.deepEqual(await state(), { cancelled: false, stopping: false });
  anchor.stop();
  await until(async () => (await state()).stopping, { message: "the request to finish" });
  anchor.cancel();
  await until(async () => (await state()).cancelled, { message: "the cancel" });
  await flood;
  const handle = await node.newAnchor();
  const sender = await streams(ours).attach(handle);
  const sending = assert.rejects(async () => {
    for (let i = 0;; i++) await sender.send([i, "x"]);
  }, { code: "CANCELLED" });
  await node.readAnchor(handle, 10);
  await node.stream("stop", { handle });
  await until(() => sender.stopping.aborted, { message: "the request to finish" });
  assert.equal(sender.cancelled.aborted, false);
  await node.stream("cancel", { handle });
  await sending;
  assert.equal(sender.cancelled.aborted, true);
  await untilNothing(ours);
});

test("many senders of both sides share an anchor, of either side", { skip }, async () => {
  await using t = await leakCheck();
  const { ours, node } = await acquainted(t);
  const anchor = streams(ours).anchor({ senders: "many", schema: row, maxSenders: 3 });
  const handle = String(anchor.handle);
  const [one, two] = [await node.newSender(handle), await node.newSender(handle)];
  const three = await streams(ours).attach(handle);
  assert.deepEqual([one.number, two.number, three.number], [1, 2, 3]);
  await assert.rejects(node.newSender(handle), { message: /reached max_senders limit 3/ });
  await Promise.all([
    node.stream("flood", { ...one, count: 200 }).then(() => node.stream("detach", { ...one })),
    node.stream("flood", { ...two, count: 200 }).then(() => node.stream("drop", { ...two })),
    (async () => {
      for (let i = 0; i < 200; i++) await three.send([i, "flood"]);
      await three.sendError("enough");
    })(),
    (async () => {
      const next = [0, 0, 0, 0];
      const others: AnchorFrame<unknown>[] = [];
      while (others.length < 3) {
        const frame = (await anchor.next()).value as AnchorFrame<[number, string]>;
        if (frame.type === "item") assert.equal(frame.item[0], next[frame.sender]!++);
        else others.push(frame);
      }
      assert.deepEqual(next, [0, 200, 200, 200]);
      assert.deepEqual(others.map(({ sender, type }) => [sender, type]).sort(), [
        [1, "detached"],
        [2, "dropped"],
        [3, "error"],
      ]);
    })(),
  ]);
  const last = await node.newSender(handle);
  anchor.cancel();
  await until(async () => (await node.stream("state", { ...last }) as { cancelled: boolean }).cancelled);
  assert.equal(three.cancelled.aborted, true);

  const theirs = await node.newAnchor({ many: true, maxSenders: 2 });
  const [first, second] = [await streams(ours).attach(theirs), await streams(ours).attach(theirs)];
  assert.deepEqual([first.number, second.number], [1, 2]);
  await assert.rejects(streams(ours).attach(theirs), { code: "LIMIT_REACHED" });
  await first.send([1, "a"]);
  await first.sendError("enough");
  await first.finalize();
  assert.deepEqual(await node.readAnchor(theirs, 3), [
    { sender: 1, item: [1, "a"] },
    { sender: 1, error: "enough" },
    { sender: 1, end: "detached" },
  ]);
  await second.send([2, "b"]);
  second.close();
  assert.deepEqual(await node.readAnchor(theirs, 2), [
    { sender: 2, item: [2, "b"] },
    { sender: 2, end: "dropped" },
  ]);
  const third = await streams(ours).attach(theirs);
  await node.stream("cancel", { handle: theirs });
  await until(() => third.cancelled.aborted, { message: "the cancel" });
  await untilNothing(ours);
});

test(
  "a Rust Velo node that is killed in the middle ends our streams of both directions",
  { skip },
  async () => {
    await using t = await leakCheck();
    const { ours, node } = await acquainted(t);
    const anchor = streams(ours).anchor({ heartbeatMs: 200 });
    const many = streams(ours).anchor({ senders: "many", heartbeatMs: 200 });
    const [theirs, oneOfMany] = [
      await node.newSender(String(anchor.handle)),
      await node.newSender(String(many.handle)),
    ];
    const sender = await streams(ours).attach(await node.newAnchor());
    await node.stream("send", { ...theirs, items: [[1, "a"]] });
    await node.stream("send", { ...oneOfMany, items: [[2, "b"]] });
    await sender.send([3, "c"]);
    await until(() => ours.stats().streams?.itemsReceived === 2, { message: "the items" });
    await node.kill();
    // What has arrived is read first.
    assert.deepEqual(await take(anchor, 1), [[1, "a"]]);
    await assert.rejects(
      anchor.next(),
      (error: { code?: string }) => error.code === "PEER_DISCONNECTED" || error.code === "STREAM_DROPPED",
    );
    const frames = (await take(many, 2)) as AnchorFrame<unknown>[];
    assert.deepEqual(frames.map(({ type }) => type), ["item", "dropped"]);
    await until(() => sender.cancelled.aborted, { message: "the end of our sender", timeoutMs: 10_000 });
    await assert.rejects(sender.send([4, "d"]), { code: "PEER_DISCONNECTED" });
    await untilNothing(ours);
  },
);

test("handles that a Rust Velo node does not have, and those of nobody, are refused", { skip }, async () => {
  await using t = await leakCheck();
  const { ours, node } = await acquainted(t);
  const unknown = BigInt(await node.newAnchor()) + 77n;
  await assert.rejects(streams(ours).attach(String(unknown)), { code: "STREAM_UNKNOWN" });
  await assert.rejects(streams(ours).attach(String(unknown | (1n << 63n))), { code: "STREAM_UNKNOWN" });
  const anchor = streams(ours).anchor();
  const other = (anchor.handle + 77n) as StreamHandle;
  await assert.rejects(node.newSender(String(other)), { message: /not found/ });
});

test(
  "streams over TCP connections of their own, which a node without the mux has, are refused",
  { skip },
  async () => {
    await using t = await leakCheck();
    const { ours, node } = await acquainted(t, { VELO_MESSENGER_MUX_DISABLE: "1" });
    const words = /transport error: peer does not support the messenger mux required by this instance/;
    const anchor = streams(ours).anchor();
    await assert.rejects(node.newSender(String(anchor.handle)), { message: words });
    const many = streams(ours).anchor({ senders: "many" });
    await assert.rejects(node.newSender(String(many.handle)), { message: words });
    assert.deepEqual([anchor.senders, many.senders], [0, 0]);
    assert.equal(ours.stats().streams?.attachRefusals, 2);
    for (const options of [{}, { many: true }]) {
      const handle = await node.newAnchor(options);
      await assert.rejects(streams(ours).attach(handle), {
        code: "PEER_LACKS_FEATURE",
        message: /no common streaming transport/,
      });
    }
  },
);

test(
  "idle senders of both sides show that they live, as often as their anchors ask for",
  { skip },
  async () => {
    await using t = await leakCheck();
    const { ours, node } = await acquainted(t);
    const anchor = streams(ours).anchor({ heartbeatMs: 200 });
    const theirs = await node.newSender(String(anchor.handle));
    const handle = await node.newAnchor({ heartbeatMs: 200 });
    const sender = await streams(ours).attach(handle);
    await node.stream("send", { ...theirs, items: [[1, "a"]] });
    await sender.send([1, "a"]);
    // Twice the time after which they would count as dropped.
    await pause(1_300);
    await node.stream("send", { ...theirs, items: [[2, "b"]] });
    await sender.send([2, "b"]);
    await node.stream("finalize", { ...theirs });
    await sender.finalize();
    assert.deepEqual(await Array.fromAsync(anchor), [[1, "a"], [2, "b"]]);
    assert.deepEqual(await node.readAnchor(handle, 4), [
      { item: [1, "a"] },
      { item: [2, "b"] },
      "finalized",
      "end",
    ]);
    await untilNothing(ours);
  },
);

test("items of every size arrive whole and in order, in both directions, also those that Velo stages", {
  skip,
}, async () => {
  await using t = await leakCheck();
  const { ours, node } = await acquainted(t);
  // Below and above a batch, what Velo sends inline, and its limit for one stream.
  const rows = [10, 70_000, 10, 250_000, 270_000, 10, 900_000, 10, 3_000_000, 10]
    .map((length, i): [number, string] => [i, String(i).repeat(length)]);
  const anchor = streams(ours).anchor({ schema: row });
  const theirs = await node.newSender(String(anchor.handle));
  const sending = node.stream("send", { ...theirs, items: rows }).then(() =>
    node.stream("finalize", { ...theirs })
  );
  assert.deepEqual(await Array.fromAsync(anchor), rows);
  await sending;
  const handle = await node.newAnchor();
  const sender = await streams(ours).attach(handle, { schema: row });
  const sent = (async () => {
    for (const one of rows) await sender.send(one);
    await sender.finalize();
  })();
  assert.deepEqual(await node.readAnchor(handle, rows.length + 1), [
    ...rows.map((item) => ({ item })),
    "finalized",
  ]);
  await sent;
  await untilNothing(ours);
});
