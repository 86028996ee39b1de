/** A Rust node on the crate `velo` 0.21.0: both directions, what it does when it ends, and what never gets on. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { z } from "zod";
import {
  amHandler,
  contract,
  type Messenger,
  type MessengerOptions,
  unaryHandler,
  type ZeromeshError,
} from "../../src/mod.ts";
import { gate } from "../conformance/messenger_kit.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { counts, start } from "../support/transport_peers.ts";
import { until } from "../support/until.ts";
import { noVeloNode as skip, veloBytes, VeloNode } from "../support/velo_node.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const encode = (of: string): Uint8Array => new TextEncoder().encode(of);

const add = contract("add", {
  input: z.object({ a: z.number(), b: z.number() }),
  output: z.object({ sum: z.number() }),
});

/** An instance with a handler of every kind, and what its `note` took. */
async function serving(
  t: LeakCheck,
  options: MessengerOptions = {},
): Promise<{ ours: Messenger; notes: string[] }> {
  const ours = await t.messenger(options);
  const notes: string[] = [];
  ours.handle(add, ({ input }) => ({ sum: input.a + input.b }));
  ours.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  ours.registerHandler(unaryHandler("headers", ({ headers }) => encode(JSON.stringify(headers))));
  ours.registerHandler(unaryHandler("fail", () => {
    throw new Error("it broke, naïvely");
  }));
  ours.registerHandler(amHandler("note", ({ payload }) => {
    if (text(payload) === "bad") throw new Error("no thanks");
    notes.push(`${payload.length}`);
  }));
  return { ours, notes };
}

/** Nothing of ours was negotiated, and nothing was dropped. */
function assertPlain(ours: Messenger, node: VeloNode): void {
  assert.equal(ours.peers().find((peer) => peer.instanceId === node.instanceId)?.zeromesh, false);
  assert.deepEqual(ours.stats().transport.drops, {});
}

test("we call a Rust Velo node in every way, by its endpoint and by its peer info", { skip }, async () => {
  await using t = await leakCheck();
  const node = await VeloNode.open(t);
  const first = await t.messenger();
  const second = await t.messenger();
  for (
    const [ours, to] of [
      [first, await first.connect(node.endpoint)],
      [second, second.registerPeer(node.peerInfo)],
    ] as const
  ) {
    assert.equal(to, node.instanceId);
    assert.equal(text(await ours.unary("echo", { to, rawPayload: encode("hello") })), "hello");
    assert.equal((await ours.unary("echo", { to })).length, 0);
    assert.equal((await ours.unary("none", { to })).length, 0);
    const large = veloBytes(3_000_000);
    assert.deepEqual(await ours.unary("echo", { to, rawPayload: large }), large);
    assert.deepEqual(await ours.typedUnary(add, { to, payload: { a: 3, b: 4 } }), { sum: 7 });
    await ours.amSync("note", { to });
    await ours.amSend("note", { to });
    const headers = text(await ours.unary("headers", { to, headers: { tenant: "blue", näme: "wért" } }));
    assert.deepEqual(JSON.parse(headers), { tenant: "blue", näme: "wért" });
    await assert.rejects(ours.unary("fail", { to }), { code: "REMOTE_ERROR", message: "it broke, naïvely" });
    await assert.rejects(ours.amSync("note", { to, rawPayload: encode("bad") }), {
      code: "REMOTE_ERROR",
      message: "no thanks",
    });
    await assert.rejects(ours.unary("add", { to, rawPayload: encode('{"a":1}') }), {
      code: "PAYLOAD_INVALID",
      message: /^Failed to deserialize input: missing field `b`/,
    });
    const nobody = { code: "HANDLER_NOT_FOUND", message: "Handler 'nobody' not found" };
    await assert.rejects(ours.unary("nobody", { to }), { ...nobody, ran: "no" });
    // A handler that fails with this text is nacked in the same way.
    await assert.rejects(ours.amSync("nobody", { to }), { ...nobody, ran: "maybe" });
    await assert.rejects(ours.unary("note", { to }), {
      message: "Unary message incorrectly routed to AM handler 'note'",
    });
    // A handler that panics there is nacked, and the node lives on.
    for (const call of [() => ours.unary("panic", { to }), () => ours.amSync("panicAm", { to })]) {
      await assert.rejects(call, { code: "HANDLER_FAILED", message: "Handler failed: handler panicked" });
    }
    const names = await ours.availableHandlers(to);
    assert.ok(
      ["echo", "add", "note", "_hello", "_rv_acquire"].every((n) => names.includes(n)),
    );
    assertPlain(ours, node);
  }
  // Three from each: the sync one, the send, and the unary call, which ran.
  await node.untilCount("notes", 6);
});

test("a Rust Velo node calls us in every way, and gets Velo's answers and texts", { skip }, async () => {
  await using t = await leakCheck();
  const node = await VeloNode.open(t);
  const { ours, notes } = await serving(t);
  const to = ours.instanceId;
  await node.run("register", { peer: ours.peerInfo() });
  assert.equal((await node.unary("echo", to, { text: "hello" })).text, "hello");
  assert.equal((await node.unary("echo", to)).size, 0);
  assert.deepEqual(await node.call({ pattern: "typed", handler: "add", to, text: '{"a":3,"b":4}' }), {
    sum: 7,
  });
  await node.call({ pattern: "sync", handler: "note", to, text: "x" });
  await node.call({ pattern: "send", handler: "note", to, text: "xy" });
  await until(() => notes.length === 2);
  assert.deepEqual(notes, ["1", "2"]);
  const headers = { tenant: "blue", näme: "wért" };
  assert.deepEqual(JSON.parse((await node.unary("headers", to, { headers })).text!), headers);
  await assert.rejects(node.unary("fail", to), { message: "it broke, naïvely" });
  await assert.rejects(node.call({ pattern: "sync", handler: "note", to, text: "bad" }), {
    message: "no thanks",
  });
  await assert.rejects(node.call({ pattern: "typed", handler: "add", to, text: '{"a":1}' }), {
    message: /^Failed to deserialize input/,
  });
  await assert.rejects(node.unary("note", to), {
    message: "Unary message incorrectly routed to AM handler 'note'",
  });
  await assert.rejects(node.unary("nobody", to), { message: /Handler 'nobody' not found/ });
  const gone = ours.registerHandler(unaryHandler("gone", () => encode("still here")));
  const names = await node.run("handlers", { to }) as string[];
  assert.ok(["_hello", "_list_handlers", "echo", "gone"].every((name) => names.includes(name)));
  assert.equal((await node.unary("gone", to)).text, "still here");
  gone[Symbol.dispose]();
  // The node has the name in its list still, so this one is our nack.
  await assert.rejects(node.unary("gone", to), { message: "Handler 'gone' not found" });
  assertPlain(ours, node);
});

test("large payloads that a Rust Velo node stages are fetched, and freed there", { skip }, async () => {
  await using t = await leakCheck();
  const node = await VeloNode.open(t);
  const { ours, notes } = await serving(t, { maxPayloadBytes: 8 * 1024 * 1024 });
  const to = ours.instanceId;
  await node.run("register", { peer: ours.peerInfo() });
  // One byte below staging, the first that is staged, one piece, a piece and a byte, several.
  for (const size of [262_144, 262_145, 524_288, 524_289, 3_000_001]) {
    assert.deepEqual(await node.unary("echo", to, { size }), { size, same: true, text: null }, String(size));
  }
  assert.equal(ours.stats().staged.fetched, 4);
  await node.call({ pattern: "sync", handler: "note", to, size: 300_000 });
  await node.call({ pattern: "send", handler: "note", to, size: 300_001 });
  await until(() => notes.length === 2);
  assert.deepEqual(notes, ["300000", "300001"]);
  assert.deepEqual(await node.counts([1, 2, 3, 4, 5, 6]).then((counts) => counts.staged), 0);
  // Larger than what we take, and for nobody.
  await assert.rejects(node.unary("echo", to, { size: 9_000_000 }), {
    message: /^Failed to resolve large payload: it has 9000000 bytes, more than maxPayloadBytes/,
  });
  assert.equal((await node.unary("echo", to, { text: "still here" })).text, "still here");
  const { staged } = ours.stats();
  assert.deepEqual(staged, { fetching: 0, bytes: 0, fetched: 6, failed: 1 });
  assertPlain(ours, node);
});

test("a draining Rust Velo node finishes what it has, gives back the rest, and serves its staged payloads", {
  skip,
}, async () => {
  await using t = await leakCheck();
  const node = await VeloNode.open(t);
  const { ours } = await serving(t);
  const to = await ours.connect(node.endpoint);
  const slow = ours.unary("slow", { to, rawPayload: encode("accepted") });
  await node.untilCount("waiting", 1);
  await node.run("drain");
  const drained = { code: "PEER_DRAINING", ran: "no" };
  await assert.rejects(ours.unary("echo", { to }), drained);
  await assert.rejects(ours.amSync("note", { to }), drained);
  await assert.rejects(ours.availableHandlers(to), drained);
  // It may still call, and its staged payload is served while it drains.
  await node.run("register", { peer: ours.peerInfo() });
  const size = 600_000;
  assert.deepEqual(await node.unary("echo", ours.instanceId, { size }), { size, same: true, text: null });
  await node.run("permit", { count: 1 });
  assert.equal(text(await slow), "accepted");
  await node.run("shutdown", { timeoutMs: 2_000 });
});

test("while we drain a Rust Velo node gets what we accepted, and the rest back", { skip }, async () => {
  await using t = await leakCheck();
  const node = await VeloNode.open(t);
  const ours = await t.messenger();
  const to = ours.instanceId;
  let go = (_: Uint8Array): void => {};
  let running = false;
  ours.registerHandler(unaryHandler("slow", () => {
    running = true;
    return new Promise<Uint8Array>((resolve) => go = resolve);
  }));
  await node.run("register", { peer: ours.peerInfo() });
  const accepted = node.unary("slow", to);
  await until(() => running);
  const closing = ours.close();
  for (const size of [1, 300_000]) {
    await assert.rejects(node.unary("slow", to, { size }), {
      message: "request rejected: peer is shutting down",
    });
  }
  go(encode("accepted"));
  assert.equal((await accepted).text, "accepted");
  await closing;
});

test("a Rust Velo node that restarts at its endpoint is another peer; ours too", { skip }, async () => {
  await using t = await leakCheck();
  const first = await VeloNode.open(t);
  const { ours } = await serving(t);
  const old = await ours.connect(first.endpoint);
  await ours.amSync("note", { to: old });
  await first.kill();
  const second = await VeloNode.open(t, first.endpoint);
  assert.notEqual(second.instanceId, old);
  const to = await ours.connect(second.endpoint);
  assert.equal(to, second.instanceId);
  assert.equal(text(await ours.unary("echo", { to, rawPayload: encode("again") })), "again");
  await assert.rejects(ours.unary("echo", { to: old, timeoutMs: 3_000 }));
  await second.run("register", { peer: ours.peerInfo() });
  assert.equal((await second.unary("echo", ours.instanceId, { text: "a" })).text, "a");
  await ours.close();
  const { ours: next } = await serving(t, { endpoint: ours.endpoint });
  await second.run("register", { peer: next.peerInfo() });
  assert.equal((await second.unary("echo", next.instanceId, { text: "b" })).text, "b");
});

test("10 000 calls wait both ways at once, and each gets its own answer", { skip }, async () => {
  await using t = await leakCheck();
  const node = await VeloNode.open(t);
  const { ours } = await serving(t);
  const opened = gate(t);
  ours.registerHandler(unaryHandler("slow", async ({ payload }) => {
    await opened.opened;
    return payload;
  }));
  const to = await ours.connect(node.endpoint);
  await node.run("register", { peer: ours.peerInfo() });
  const count = 10_000;
  const theirs = node.run("many", { handler: "slow", to: ours.instanceId, count, timeoutMs: 60_000 }, 60_000);
  const answers = Promise.all(
    Array.from({ length: count }, (_, i) => ours.unary("slow", { to, rawPayload: encode(String(i)) })),
  );
  // Held at both ends: nothing is answered before everything is under way.
  await until(async () =>
    ours.stats().calls.pending === count && ours.stats().handlers.running === count &&
    (await node.counts()).waiting === count, { timeoutMs: 20_000, intervalMs: 20 });
  opened.open();
  await node.run("permit", { count });
  for (const [i, answer] of (await answers).entries()) assert.equal(text(answer), String(i));
  assert.deepEqual(await theirs, { same: count });
  assertPlain(ours, node);
});

test("calls under way when a Rust Velo node is killed have perhaps run, and its old id is gone for good", {
  skip,
}, async () => {
  await using t = await leakCheck();
  const first = await VeloNode.open(t);
  const { ours } = await serving(t);
  const old = await ours.connect(first.endpoint);
  const count = 50;
  const calls = Promise.allSettled(Array.from({ length: count }, () => ours.unary("slow", { to: old })));
  await first.untilCount("waiting", count);
  await first.kill();
  for (const call of await calls) {
    assert.ok(call.status === "rejected");
    const { code, ran, peer } = call.reason as ZeromeshError;
    assert.deepEqual({ code, ran, peer }, { code: "PEER_DISCONNECTED", ran: "maybe", peer: old });
  }
  const second = await VeloNode.open(t, first.endpoint);
  await assert.rejects(ours.unary("echo", { to: old, timeoutMs: 5_000 }), {
    code: "PEER_REPLACED",
    ran: "no",
    details: { successor: second.instanceId },
  });
  assert.equal((await ours.unary("echo", { to: await ours.connect(second.endpoint) })).length, 0);
});

test(
  "we are killed while a Rust Velo node calls us, and its new call goes to who came after us",
  { skip },
  async () => {
    await using t = await leakCheck();
    const node = await VeloNode.open(t);
    const first = await start(t);
    await node.run("register", { peer: first.info });
    const to = first.info.instance_id;
    assert.equal((await node.unary("echo", to, { text: "a" })).text, "a");
    const lost = assert.rejects(node.unary("hold", to, { timeoutMs: 1_500 }));
    const probe = await t.messenger();
    const peer = await probe.connect(first.endpoint);
    await until(async () => (await counts(probe, peer)).held === 1);
    await first.child.kill();
    // At an address of its own: Velo takes its time to dial one again that it has lost.
    const next = await start(t);
    await node.run("register", { peer: next.info });
    assert.equal((await node.unary("echo", next.info.instance_id, { text: "b" })).text, "b");
    // Velo does not end calls with their connection: they wait for their time.
    await lost;
  },
);

test(
  "while a Rust Velo node drains its events go on, and a stranger's _hello is given back",
  { skip },
  async () => {
    await using t = await leakCheck();
    const node = await VeloNode.open(t);
    const { ours } = await serving(t);
    const to = await ours.connect(node.endpoint);
    await node.run("register", { peer: ours.peerInfo() });
    await node.run("handlers", { to: ours.instanceId });
    const [awaited, triggered] = [await node.newEvent(), await node.newEvent()];
    const slow = ours.unary("slow", { to, rawPayload: encode("accepted") });
    await node.untilCount("waiting", 1);
    await node.run("drain");
    const completion = ours.events.awaiter(awaited, { timeoutMs: 10_000 });
    await until(() => node.event("hasSubscriber", awaited, { subscriber: ours.instanceId }));
    await node.event("trigger", awaited);
    await completion;
    await ours.events.trigger(triggered);
    await ours.events.awaiter(triggered, { timeoutMs: 10_000 });
    const stranger = await t.messenger({ redialForMs: 0 });
    await assert.rejects(stranger.connect(node.endpoint, { timeoutMs: 1_000 }), { code: "PEER_DRAINING" });
    await node.run("permit", { count: 1 });
    assert.equal(text(await slow), "accepted");
  },
);

test(
  "while we drain a Rust Velo node's subscriptions and triggers are heard, and a new node's _hello is given back",
  { skip },
  async () => {
    await using t = await leakCheck();
    const node = await VeloNode.open(t);
    const other = await VeloNode.open(t);
    const ours = await t.messenger();
    const opened = gate(t);
    let running = false;
    ours.registerHandler(unaryHandler("slow", async () => {
      running = true;
      await opened.opened;
      return encode("accepted");
    }));
    const to = ours.instanceId;
    for (const one of [node, other]) await one.run("register", { peer: ours.peerInfo() });
    const accepted = node.unary("slow", to);
    await until(() => running);
    const event = ours.events.newEvent();
    const asked = ours.events.newEvent();
    const closing = ours.close();
    const heard = node.event("await", event.handle);
    await until(() => (ours.events.stats().subscribers?.subscribers ?? 0) > 0);
    event.trigger();
    await heard;
    await node.event("trigger", asked.handle);
    await assert.rejects(other.unary("slow", to, { timeoutMs: 2_000 }), {
      message: /^Handshake failed: .*request rejected: peer is shutting down$/,
    });
    opened.open();
    assert.equal((await accepted).text, "accepted");
    await closing;
  },
);
