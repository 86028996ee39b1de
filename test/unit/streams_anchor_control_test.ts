/** What other instances ask of anchors by messages, and what they are answered, in Velo's words. In virtual time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { handleText, localOfHandle, type StreamHandle } from "../../src/streams/wire/handle.ts";
import { anchorHandlers, StreamNet, type StreamNode } from "./streams_kit.ts";

const json = (handle: StreamHandle): string => `{"hi":${handle >> 64n},"lo":${localOfHandle(handle)}}`;
const about = (handle: StreamHandle): string => `{"handle":${json(handle)}}`;

function attachText(handle: StreamHandle, from: StreamNode, stream: number, transports?: string[]): string {
  const keys = transports === undefined ? "" : `,"supported_transport_keys":${JSON.stringify(transports)}`;
  return `{"handle":${
    json(handle)
  },"session_id":${stream},"stream_cancel_handle":{"hi":${from.worker},"lo":${stream}}${keys}}`;
}

const mux = ["messenger-mux-v2", "tcp-stream"];

/** A reader, and an instance that is none of this library's. */
function scene(): { net: StreamNet; reader: StreamNode; velo: StreamNode; other: StreamNode } {
  const net = new StreamNet();
  return { net, reader: net.node(), velo: net.node({ ours: false }), other: net.node({ ours: false }) };
}

function refusal(answer: string): string {
  return (JSON.parse(answer) as { Err: { reason: string } }).Err.reason;
}

test("a sender is attached with Velo's terms, or with wider ones if it is of this library", async () => {
  const { net, reader, velo } = scene();
  const anchor = reader.streams.anchor({ heartbeatMs: 700 });
  const answer = await reader.receive("_anchor_attach", attachText(anchor.handle, velo, 1, mux), velo);
  const session = /"routing_session_id":(\d+)/.exec(answer)![1]!;
  assert.equal(
    answer,
    `{"Ok":{"streaming_transport_key":"messenger-mux-v2","heartbeat_interval_ms":700,` +
      `"routing_session_id":${session},"initial_credit":32,"slot_byte_budget":1048576}}`,
  );
  const ours = net.node();
  const many = reader.streams.anchor({ senders: "many" });
  assert.match(
    await reader.receive("_mpsc_anchor_attach", attachText(many.handle, ours, 1, mux), ours),
    /^\{"Ok":\{"streaming_transport_key":"messenger-mux-v2","heartbeat_interval_ms":5000,"sender_id":1,"routing_session_id":\d+,"initial_credit":8,"slot_byte_budget":1048576\}\}$/,
  );
});

test("attachments are refused in Velo's words", async () => {
  const { reader, velo, other } = scene();
  const one = reader.streams.anchor();
  const many = reader.streams.anchor({ senders: "many", maxSenders: 1 });
  const attach = (name: string, handle: StreamHandle, transports?: string[], from = velo) =>
    reader.receive(name, attachText(handle, from, 9, transports), from).then(refusal);
  const unknown = ((reader.worker << 64n) | 77n) as StreamHandle;
  const unknownMany = (unknown | (1n << 63n)) as StreamHandle;
  assert.equal(await attach("_anchor_attach", unknown, mux), `anchor ${handleText(unknown)} not found`);
  assert.equal(
    await attach("_mpsc_anchor_attach", unknownMany, mux),
    `mpsc anchor ${handleText(unknownMany)} not found`,
  );
  assert.equal(
    await attach("_anchor_attach", many.handle, mux),
    `anchor ${handleText(many.handle)} is mpsc; use _mpsc_anchor_attach`,
  );
  assert.equal(
    await attach("_mpsc_anchor_attach", one.handle, mux),
    `anchor ${handleText(one.handle)} is spsc; use _anchor_attach`,
  );
  const noMux = "transport error: peer does not support the messenger mux required by this instance";
  for (const keys of [["tcp-stream"], ["messenger-mux-v1", "grpc-stream"], [], undefined]) {
    assert.equal(await attach("_anchor_attach", one.handle, keys), noMux);
    assert.equal(await attach("_mpsc_anchor_attach", many.handle, keys), noMux);
  }
  await reader.receive("_anchor_attach", attachText(one.handle, other, 1, mux), other);
  assert.equal(
    await attach("_anchor_attach", one.handle, mux),
    `anchor ${handleText(one.handle)} already attached`,
  );
  await reader.receive("_mpsc_anchor_attach", attachText(many.handle, other, 1, mux), other);
  assert.equal(
    await attach("_mpsc_anchor_attach", many.handle, mux),
    `mpsc anchor ${handleText(many.handle)} reached max_senders limit 1`,
  );
  assert.equal(reader.table.stats().attachRefusals, 14);
  // A handle of another instance that has the same number is not ours.
  const foreign = ((velo.worker << 64n) | localOfHandle(one.handle)) as StreamHandle;
  assert.equal(await attach("_anchor_attach", foreign, mux), `anchor ${handleText(foreign)} not found`);
});

test("messages that cannot be read are refused", async () => {
  const { reader, velo } = scene();
  for (const name of anchorHandlers) {
    for (const text of ["", "{}", "[1]", '{"handle":1}']) {
      await assert.rejects(
        () => reader.receive(name, text, velo),
        { code: "PAYLOAD_INVALID" },
        `${name} ${text}`,
      );
    }
  }
});

test("detach and finalize by message end a sender, after what it sent; others cannot", async () => {
  const { net, reader, velo } = scene();
  const stranger = net.node();
  for (const name of ["_anchor_detach", "_anchor_finalize"]) {
    const anchor = reader.streams.anchor();
    const sender = await velo.streams.attach(anchor.handle);
    await sender.send(1);
    assert.equal(await reader.receive(name, about(anchor.handle), stranger), "null");
    assert.equal(anchor.senders, 1);
    assert.equal(await reader.receive(name, about(anchor.handle), velo), "null");
    assert.equal(anchor.senders, 0);
    const frames = anchor.frames();
    assert.deepEqual((await frames.next()).value, { type: "item", sender: 1, item: 1 });
    if (name === "_anchor_detach") {
      assert.deepEqual((await frames.next()).value, { type: "detached", sender: 1 });
      await (await velo.streams.attach(anchor.handle)).finalize();
      assert.deepEqual((await frames.next()).done, true);
    } else {
      assert.deepEqual((await frames.next()).done, true);
      assert.equal(await anchor.closed, "finalized");
    }
    // Nobody is left: it is confirmed all the same.
    assert.equal(await reader.receive(name, about(anchor.handle), velo), "null");
  }
});

test("cancel by message removes an anchor, for its senders and while it has none", async () => {
  const { net, reader, velo } = scene();
  const stranger = net.node();
  for (const senders of ["one", "many"] as const) {
    const name = senders === "one" ? "_anchor_cancel" : "_mpsc_anchor_cancel";
    const wrong = senders === "one" ? "_mpsc_anchor_cancel" : "_anchor_cancel";
    const unattached = reader.streams.anchor({ senders } as { senders: "many" });
    await reader.receive(wrong, about(unattached.handle), stranger);
    assert.notEqual(reader.table.get(unattached.handle), undefined);
    assert.equal(await reader.receive(name, about(unattached.handle), stranger), "null");
    assert.equal(await unattached.closed, "cancelled");
    const anchor = reader.streams.anchor({ senders } as { senders: "many" });
    const sender = await velo.streams.attach(anchor.handle);
    await reader.receive(name, about(anchor.handle), stranger);
    assert.equal(sender.cancelled.aborted, false);
    await reader.receive(name, about(anchor.handle), velo);
    assert.equal(sender.cancelled.aborted, true);
    assert.equal(await reader.receive(name, about(anchor.handle), velo), "null");
  }
});

test("one of many senders leaves by message, exactly once", async () => {
  const { reader, velo, other } = scene();
  const anchor = reader.streams.anchor({ senders: "many" });
  const sender = await velo.streams.attach(anchor.handle);
  await sender.send(1);
  const leave = (id: number, from: StreamNode) =>
    reader.receive("_mpsc_anchor_detach", `{"handle":${json(anchor.handle)},"sender_id":${id}}`, from);
  assert.equal(await leave(1, other), "null");
  assert.equal(await leave(2, velo), "null");
  assert.equal(anchor.senders, 1);
  for (let i = 0; i < 2; i++) assert.equal(await leave(1, velo), "null");
  assert.equal(anchor.senders, 0);
  await (await other.streams.attach(anchor.handle)).detach();
  const seen = [];
  for (let i = 0; i < 3; i++) seen.push((await anchor.next()).value);
  assert.deepEqual(seen.filter(({ sender }) => sender === 1), [
    { type: "item", sender: 1, item: 1 },
    { type: "detached", sender: 1 },
  ]);
});

test("an attachment is undone for the sender that it names alone, and nobody hears of it", async () => {
  const { reader, velo, other } = scene();
  const anchor = reader.streams.anchor();
  await reader.receive("_anchor_attach", attachText(anchor.handle, velo, 5, mux), velo);
  const abort = (stream: number, from: StreamNode) =>
    reader.receive(
      "_anchor_abort_attach",
      `{"handle":${json(anchor.handle)},"stream_cancel_handle":{"hi":${velo.worker},"lo":${stream}}}`,
      from,
    );
  await abort(6, velo);
  await abort(5, other);
  assert.equal(anchor.senders, 1);
  assert.equal(await abort(5, velo), "null");
  assert.equal(anchor.senders, 0);
  const sender = await velo.streams.attach(anchor.handle);
  await sender.finalize();
  assert.deepEqual(await Array.fromAsync(anchor.frames()), []);
});

test("anchors without a sender are kept alive by message", async () => {
  const { net, reader, velo } = scene();
  const kept = reader.streams.anchor({ unattachedTimeoutMs: 1_000 });
  const left = reader.streams.anchor({ unattachedTimeoutMs: 1_000 });
  for (let i = 0; i < 4; i++) {
    await Promise.resolve();
    net.clock.advance(600);
    const text = `[{"handle":${json(kept.handle)},"session":null}]`;
    assert.equal(await reader.receive("_anchor_renew", text, velo), "null");
  }
  assert.equal(await reader.receive("_anchor_renew", "[]", velo), "null");
  assert.equal(reader.table.get(left.handle), undefined);
  assert.notEqual(reader.table.get(kept.handle), undefined);
  await Promise.resolve();
  net.clock.advance(1_100);
  assert.equal(reader.table.get(kept.handle), undefined);
});

test("a sender's reader alone can cancel or stop it by message", async () => {
  const { reader, velo, other } = scene();
  const anchor = reader.streams.anchor();
  const sender = await velo.streams.attach(anchor.handle);
  const stream = /"session_id":(\d+)/.exec(velo.sent[0]!.text)![1]!;
  const tell = (name: string, from: StreamNode | null) =>
    velo.receive(name, `{"sender_stream_id":${stream}}`, from);
  for (const from of [other, null]) {
    for (const name of ["_stream_cancel", "_stream_stop"]) await tell(name, from);
  }
  assert.deepEqual([sender.stopping.aborted, sender.cancelled.aborted], [false, false]);
  await tell("_stream_stop", reader);
  assert.deepEqual([sender.stopping.aborted, sender.cancelled.aborted], [true, false]);
  await tell("_stream_cancel", reader);
  await tell("_stream_cancel", reader);
  assert.equal(sender.cancelled.aborted, true);
  await assert.rejects(sender.send(1), { code: "CANCELLED" });
});

test("senders of plain Velo are told by message that their anchor was cancelled or stopped, once", async () => {
  const { net, reader, velo } = scene();
  const anchor = reader.streams.anchor();
  const sender = await velo.streams.attach(anchor.handle);
  const stream = /"session_id":(\d+)/.exec(velo.sent[0]!.text)![1]!;
  anchor.stop();
  anchor.stop();
  anchor.cancel();
  anchor.cancel();
  const text = `{"sender_stream_id":${stream}}`;
  assert.deepEqual(reader.sent, [{ name: "_stream_stop", text }, { name: "_stream_cancel", text }]);
  assert.equal(sender.cancelled.aborted, true);
  const ours = net.node();
  const other = reader.streams.anchor();
  await ours.streams.attach(other.handle);
  other.cancel();
  assert.equal(reader.sent.length, 2);
});

test("a reader without this transport, or without credit, is left again", async () => {
  const { reader, velo } = scene();
  const anchor = velo.streams.anchor();
  const terms = (key: string, credit: number) =>
    `{"Ok":{"streaming_transport_key":"${key}","routing_session_id":7,"initial_credit":${credit}}}`;
  for (const answer of [terms("tcp-stream", 0), terms("messenger-mux-v2", 0)]) {
    velo.answers.set("_anchor_attach", answer);
    reader.sent.length = 0;
    await assert.rejects(reader.streams.attach(anchor.handle), { code: "PEER_LACKS_FEATURE", peer: velo.id });
    assert.deepEqual(reader.sent.map(({ name }) => name), ["_anchor_attach", "_anchor_abort_attach"]);
  }
  velo.answers.set("_anchor_attach", "nonsense");
  await assert.rejects(reader.streams.attach(anchor.handle), { code: "RESULT_INVALID" });
  const many = velo.streams.anchor({ senders: "many" });
  velo.answers.set(
    "_mpsc_anchor_attach",
    terms("tcp-stream", 0).replace('{"stream', '{"sender_id":4,"stream'),
  );
  reader.sent.length = 0;
  await assert.rejects(reader.streams.attach(many.handle), { code: "PEER_LACKS_FEATURE" });
  assert.match(reader.sent[1]!.text, /"sender_id":4}$/);
});

test("refusals of a reader, which are texts, have codes", async () => {
  const { reader, velo } = scene();
  const anchor = velo.streams.anchor();
  const codes: Record<string, string> = {
    "anchor X not found": "STREAM_UNKNOWN",
    "anchor X removed during bind": "STREAM_UNKNOWN",
    "mpsc anchor X not found": "STREAM_UNKNOWN",
    "anchor X already attached": "STREAM_TAKEN",
    "mpsc anchor X reached max_senders limit 3": "LIMIT_REACHED",
    "transport error: no common streaming transport: peer does not support tcp-stream": "PEER_LACKS_FEATURE",
    "transport error: peer does not support the messenger mux required by this instance":
      "PEER_LACKS_FEATURE",
    "transport error: the disk is full": "STREAM_FAILED",
    "anchor manager shut down": "STREAM_FAILED",
  };
  for (const [reason, code] of Object.entries(codes)) {
    velo.answers.set("_anchor_attach", JSON.stringify({ Err: { reason } }));
    await assert.rejects(reader.streams.attach(anchor.handle), { code, peer: velo.id }, reason);
  }
});

test("an attachment that its caller gave up is undone at the reader", async () => {
  const { reader, velo } = scene();
  const anchor = velo.streams.anchor();
  const abort = new AbortController();
  const attaching = reader.streams.attach(anchor.handle, { signal: abort.signal });
  await Promise.resolve();
  abort.abort("enough");
  await assert.rejects(attaching, (error) => error === "enough");
  for (let i = 0; i < 20; i++) await Promise.resolve();
  assert.deepEqual(reader.sent.map(({ name }) => name), ["_anchor_attach", "_anchor_abort_attach"]);
  assert.equal(anchor.senders, 0);
  assert.equal(reader.table.stats().senders, 0);
  // Another sender finds the anchor as it was.
  await (await reader.streams.attach(anchor.handle)).finalize();
  assert.deepEqual(await Array.fromAsync(anchor.frames()), []);
});
