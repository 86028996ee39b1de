/** A Rust node on the crate `velo` 0.21.0: both directions, what it does when it ends, and what never gets on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { amHandler, contract, type Messenger, type MessengerOptions, unaryHandler } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
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
    for (const call of [() => ours.unary("nobody", { to }), () => ours.amSync("nobody", { to })]) {
      await assert.rejects(call, {
        code: "HANDLER_NOT_FOUND",
        message: "Handler 'nobody' not found",
        ran: "no",
      });
    }
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

test("10 000 calls are under way both ways at once, and each gets its own answer", { skip }, async () => {
  await using t = await leakCheck();
  const node = await VeloNode.open(t);
  const { ours } = await serving(t);
  const to = await ours.connect(node.endpoint);
  await node.run("register", { peer: ours.peerInfo() });
  const count = 10_000;
  const theirs = node.run("many", { handler: "echo", to: ours.instanceId, count, timeoutMs: 60_000 }, 60_000);
  const answers = await Promise.all(
    Array.from({ length: count }, (_, i) => ours.unary("echo", { to, rawPayload: encode(String(i)) })),
  );
  for (let i = 0; i < count; i++) assert.equal(text(answers[i]!), String(i));
  assert.deepEqual(await theirs, { same: count });
  assertPlain(ours, node);
});
