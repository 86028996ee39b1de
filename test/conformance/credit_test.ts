/** Credit: messages that nobody answers wait at their sender until the receiver's handlers have finished earlier ones. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { workerIdOf } from "../../src/core/mod.ts";
import { amHandler, type MessengerOptions, unaryHandler } from "../../src/mod.ts";
import { encodeCredit, encodeHelloReply, type Feature, ResponseKind } from "../../src/wire/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { fails, gate, pair } from "./messenger_kit.ts";
import { RawRouter, request, requestIn, response } from "./messenger_raw_peer.ts";

const small: MessengerOptions = { maxCreditMessages: 4 };
const all: readonly Feature[] = ["same-connection", "credit"];

/** A pair whose server takes four messages at a time and holds them until `hold` opens. */
async function held(t: LeakCheck, client: MessengerOptions = {}, server: MessengerOptions = small) {
  const both = await pair(t, { server, client });
  const hold = gate(t);
  const seen: string[] = [];
  both.server.registerHandler(amHandler("n", async (context) => {
    seen.push(String(context.json()));
    await hold.opened;
  }));
  both.server.registerHandler(unaryHandler("other", () => void seen.push("other")));
  const send = (payload: number, options: { signal?: AbortSignal; timeoutMs?: number } = {}) =>
    both.client.amSend("n", { to: both.peer, payload, ...options });
  return { ...both, hold, seen, send };
}

/** A raw peer that gives a window of two and has been greeted. */
async function rawPeer(t: LeakCheck, options: MessengerOptions = {}, credit: [number, number] = [2, 1_000]) {
  const raw = await RawRouter.open(t);
  const client = await t.messenger(options);
  const connected = client.connect(raw.endpoint);
  const hello = await raw.next();
  const negotiation = {
    features: all,
    instanceId: raw.instanceId,
    credit: { count: credit[0], bytes: credit[1] },
  };
  const reply = encodeHelloReply({ handlers: ["_hello", "_list_handlers"], negotiation });
  raw.send(hello.from, response(requestIn(hello), reply));
  const to = await connected;
  const tell = (payload: Uint8Array) => {
    const worker = workerIdOf(raw.instanceId);
    const id = { id0: Number(worker & 0xffffffffn), id1: Number(worker >> 32n), id2: 0xffff, id3: 0 };
    const frames = request("_credit", id, payload, ResponseKind.fire);
    raw.send(hello.from, frames);
  };
  return { raw, client, to, tell, from: hello.from };
}

test("sends beyond the window wait until handlers have finished, and arrive in order", async () => {
  await using t = await leakCheck();
  const { server, client, hold, seen, send } = await held(t);
  const sends = Array.from({ length: 100 }, (_, i) => send(i));
  await until(() => seen.length === 4);
  assert.equal(client.stats().credit.waiting, 96);
  hold.open();
  await Promise.all(sends);
  await until(() => seen.length === 100);
  assert.deepEqual(seen, Array.from({ length: 100 }, (_, i) => String(i)));
  assert.equal(client.stats().credit.waiting, 0);
  assert.equal(client.stats().credit.ignored, 0);
  assert.ok(server.stats().credit.told > 0);
  assert.deepEqual(server.stats().transport.drops, {});
});

test("a window in bytes holds messages back as well", async () => {
  await using t = await leakCheck();
  const { client, peer, hold, seen } = await held(t, {}, { maxCreditBytes: 1_000 });
  const send = () => client.amSend("n", { to: peer, payload: "x".repeat(598) });
  const sends = [send(), send(), send()];
  await until(() => seen.length === 2);
  assert.equal(client.stats().credit.waiting, 1);
  hold.open();
  await Promise.all(sends);
  await until(() => seen.length === 3);
});

test("with overflow fail a send beyond the window is QUEUE_FULL at once, and what was taken arrives", async () => {
  await using t = await leakCheck();
  const { client, hold, seen, send } = await held(t, { overflow: "fail" });
  for (let i = 0; i < 4; i++) await send(i);
  await fails(send(4), { code: "QUEUE_FULL", ran: "no" });
  assert.deepEqual([client.stats().credit.waiting, client.stats().credit.refused], [0, 1]);
  hold.open();
  await until(async () => {
    try {
      await send(5);
      return true;
    } catch {
      return false;
    }
  });
  await until(() => seen.length === 5);
  assert.deepEqual(seen, ["0", "1", "2", "3", "5"]);
});

test("the deadline of a send that waits ends it, and it never runs", async () => {
  await using t = await leakCheck();
  const { client, hold, seen, send } = await held(t);
  for (let i = 0; i < 4; i++) await send(i);
  await fails(send(4, { timeoutMs: 30 }), { code: "TIMEOUT", ran: "no" });
  assert.equal(client.stats().credit.waiting, 0);
  hold.open();
  await send(5);
  await until(() => seen.length === 5);
  assert.ok(!seen.includes("4"));
});

test("the signal of a send that waits ends it at once, and others keep their places", async () => {
  await using t = await leakCheck();
  const { client, hold, seen, send } = await held(t);
  for (let i = 0; i < 4; i++) await send(i);
  const controller = new AbortController();
  const taken = send(4, { signal: controller.signal });
  const next = send(5);
  controller.abort("not needed");
  assert.equal(client.stats().credit.waiting, 1);
  await assert.rejects(taken, (error) => error === "not needed");
  hold.open();
  await next;
  await until(() => seen.length === 5);
  assert.deepEqual(seen, ["0", "1", "2", "3", "5"]);
});

test("a call does not overtake messages that wait for its handler; others go on", async () => {
  await using t = await leakCheck();
  const { client, peer, hold, seen, send } = await held(t);
  const sends = Array.from({ length: 6 }, (_, i) => send(i));
  const last = client.amSync("n", { to: peer, payload: 6 });
  await client.unary("other", { to: peer });
  assert.deepEqual(seen, ["0", "1", "2", "3", "other"]);
  assert.equal(client.stats().credit.waiting, 3);
  hold.open();
  await Promise.all([...sends, last]);
  assert.deepEqual(seen, ["0", "1", "2", "3", "other", "4", "5", "6"]);
});

test("messages that are refused, or without a handler, give their credit back", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: small });
  server.registerHandler(amHandler("bad", () => {
    throw new Error("no");
  }));
  for (let i = 0; i < 50; i++) {
    await client.amSend("nobody", { to: peer });
    await client.amSend("bad", { to: peer });
  }
  await until(() => server.stats().handlers.refused === 50);
});

test("too many waiting sends are QUEUE_FULL, by number and by bytes", async () => {
  await using t = await leakCheck();
  for (const limit of [{ maxWaitingSends: 2 }, { maxWaitingBytes: 2 }]) {
    const { client, hold, seen, send } = await held(t, limit);
    for (let i = 0; i < 4; i++) await send(i);
    const waiting = [send(4), send(5)];
    await fails(send(6), { code: "QUEUE_FULL", ran: "no" });
    assert.equal(client.stats().credit.refused, 1);
    hold.open();
    await Promise.all(waiting);
    await until(() => seen.length === 6);
  }
});

for (const side of ["client", "server"] as const) {
  test(`without the feature at the ${side} nothing waits for credit`, async () => {
    await using t = await leakCheck();
    const off: MessengerOptions = { features: { credit: false } };
    const { client, seen, send } = await held(
      t,
      side === "client" ? off : {},
      side === "server" ? { ...small, ...off } : small,
    );
    for (let i = 0; i < 50; i++) await send(i);
    await until(() => seen.length === 50);
    assert.equal(client.stats().credit.waited, 0);
  });
}

test("credit flows both ways over one connection, and to oneself", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: small, client: small });
  const seen = { server: 0, client: 0 };
  server.registerHandler(amHandler("n", async () => {
    await Promise.resolve();
    seen.server++;
  }));
  client.registerHandler(amHandler("n", () => void seen.client++));
  for (let i = 0; i < 200; i++) {
    await client.amSend("n", { to: peer });
    await server.amSend("n", { to: client.instanceId });
    await client.amSend("n", { to: client.instanceId });
  }
  await until(() => seen.server === 200 && seen.client === 400);
});

test("with traffic both ways what there is to tell rides in frames that go anyway, and goes alone without", async () => {
  await using t = await leakCheck();
  const window: MessengerOptions = { maxCreditMessages: 64 };
  const { server, client, peer } = await pair(t, { server: window, client: window });
  const seen = { server: 0, client: 0 };
  server.registerHandler(amHandler("n", () => void seen.server++));
  client.registerHandler(amHandler("n", () => void seen.client++));
  const there = () => client.amSend("n", { to: peer });
  const back = () => server.amSend("n", { to: client.instanceId });
  const [rounds, each] = [100, 10];
  for (let round = 1; round <= rounds; round++) {
    // More than an eighth of a window, so that it is worth its bytes, and less than the quarter that is told at once.
    await Promise.all(Array.from({ length: each }, () => [there(), back()]).flat());
    await until(() => seen.server === round * each && seen.client === round * each, { intervalMs: 0 });
  }
  for (const [from, to] of [[server, client], [client, server]] as const) {
    const { told, rode } = from.stats().credit;
    assert.ok(rode >= rounds - 2, `${rode} rode`);
    assert.equal(told, rode);
    await until(() => to.stats().credit.heard === told);
    assert.deepEqual([to.stats().credit.ignored, to.stats().credit.waited], [0, 0]);
  }
  const { told, rode } = server.stats().credit;
  // One at a time, so that one report never rides with another.
  for (let i = 1; i <= 64; i++) {
    await there();
    await until(() => seen.server === rounds * each + i, { intervalMs: 0 });
  }
  assert.ok(server.stats().credit.told > told);
  assert.equal(server.stats().credit.rode, rode);
});

test("a peer that dies releases waiting senders, whose messages did not run", async () => {
  await using t = await leakCheck();
  const { server, client, send } = await held(t, { redialForMs: 0 });
  for (let i = 0; i < 4; i++) await send(i);
  const waiting = Array.from({ length: 20 }, (_, i) => fails(send(i), { ran: "no" }));
  await server.close({ timeoutMs: 0 });
  await Promise.all(waiting);
  assert.equal(client.stats().credit.waiting, 0);
});

test("close() waits for waiting senders within its time, and then ends them", async () => {
  await using t = await leakCheck();
  const { client, send } = await held(t);
  for (let i = 0; i < 4; i++) await send(i);
  const waiting = fails(send(4), { code: "CLOSED", ran: "no" });
  await client.close({ timeoutMs: 50 });
  await waiting;
});

test("credit messages that lie are counted and change nothing", async () => {
  await using t = await leakCheck();
  const { client, to, tell } = await rawPeer(t);
  for (let i = 0; i < 2; i++) await client.amSend("n", { to });
  const third = client.amSend("n", { to });
  const max = Number.MAX_SAFE_INTEGER;
  const lies = [[1, 1_000], [2, 999], [0, 0], [max, max], [2 ** 21, 1_000], [2, 2 ** 33]] as const;
  for (const [count, bytes] of lies) tell(encodeCredit({ count, bytes }));
  await until(() => client.stats().credit.ignored === lies.length);
  for (const payload of [0, 1, 15, 17, 64].map((length) => new Uint8Array(length))) tell(payload);
  tell(new Uint8Array(16).fill(0xff));
  await until(() => client.stats().transport.drops["creditInvalid"] === 6);
  assert.equal(client.stats().credit.waiting, 1);
  tell(encodeCredit({ count: 3, bytes: 1_000 }));
  await third;
});

test("a first window that makes no sense is none: the peer is sent to without credit", async () => {
  await using t = await leakCheck();
  for (const credit of [[0, 0], [-1, 5], [1.5, 5], [5, 2 ** 60]] as const) {
    const { client, to } = await rawPeer(t, {}, [credit[0], credit[1]]);
    for (let i = 0; i < 20; i++) await client.amSend("n", { to });
    assert.equal(client.stats().credit.waited, 0);
  }
});

test("a peer that never tells keeps a sender waiting until its deadline, and no longer", async () => {
  await using t = await leakCheck();
  const { client, to } = await rawPeer(t, { timeoutMs: 40 });
  for (let i = 0; i < 2; i++) await client.amSend("n", { to });
  await fails(client.amSend("n", { to }), { code: "TIMEOUT", ran: "no" });
});
