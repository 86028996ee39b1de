import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { amHandler, contract, type Messenger, unaryHandler, ZeromeshError } from "../../src/mod.ts";
import { decodeHeaders } from "../../src/wire/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { portOf } from "../support/ports.ts";
import { startProxy } from "../support/proxy.ts";
import { pause, until, within } from "../support/until.ts";
import { bytes, fails, gate, pair, text } from "./messenger_kit.ts";
import { RawRouter, requestIn, response } from "./messenger_raw_peer.ts";

/** The signals, and the reasons of their aborts, of a handler that waits for its signal. */
interface Waiter {
  readonly signals: AbortSignal[];
  readonly reasons: unknown[];
}

/** Registers a handler that ends when its signal aborts. */
function waiter(t: LeakCheck, server: Messenger, name: string): Waiter {
  const seen: Waiter = { signals: [], reasons: [] };
  const end = gate(t);
  server.registerHandler(unaryHandler(name, async ({ signal }) => {
    seen.signals.push(signal);
    const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    if (!signal.aborted) await Promise.race([aborted, end.opened]);
    if (signal.aborted) seen.reasons.push(signal.reason);
  }));
  return seen;
}

test("a call without an answer in time is TIMEOUT and may have run", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("slow", () => hold.opened));
  const started = performance.now();
  const error = await fails(client.unary("slow", { to: peer, timeoutMs: 60 }), {
    name: "ZeromeshError",
    code: "TIMEOUT",
    ran: "maybe",
    peer,
    handler: "slow",
    message: /"slow".*60 ms/,
  });
  const took = performance.now() - started;
  assert.ok(took >= 60, `${took} ms`);
  assert.ok(took < 1_000, `${took} ms`);
  assert.ok(error instanceof ZeromeshError);
  hold.open();
});

test("each pattern that waits for an answer has a deadline", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  const slow = contract("slow", { input: z.null(), output: z.null() });
  server.handle(slow, async () => {
    await hold.opened;
    return null;
  });
  const expected = { code: "TIMEOUT", ran: "maybe" };
  await Promise.all([
    fails(client.typedUnary(slow, { to: peer, payload: null, timeoutMs: 30 }), expected),
    fails(client.client({ slow }, { to: peer, timeoutMs: 30 }).slow(null), expected),
    fails(client.amSync(slow, { to: peer, payload: null, timeoutMs: 30 }), expected),
  ]);
  hold.open();
});

test("the messenger's own timeoutMs holds for calls that name none", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { client: { timeoutMs: 40 } });
  const hold = gate(t);
  server.registerHandler(unaryHandler("slow", () => hold.opened));
  await fails(client.unary("slow", { to: peer }), { code: "TIMEOUT", message: /40 ms/ });
  await fails(client.unary("slow", { to: peer, timeoutMs: 20 }), { code: "TIMEOUT", message: /20 ms/ });
  hold.open();
});

test("timeoutMs of zero or less has already passed: TIMEOUT, nothing is sent, nothing ran", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let runs = 0;
  server.registerHandler(unaryHandler("count", () => void runs++));
  const before = client.stats().transport.sentMessages;
  for (const timeoutMs of [0, -0, -1, -Infinity]) {
    for (const pattern of ["unary", "amSync", "amSend"] as const) {
      await fails(client[pattern]("count", { to: peer, timeoutMs }), { code: "TIMEOUT", ran: "no" });
    }
  }
  assert.equal(client.stats().transport.sentMessages, before);
  assert.equal(runs, 0);
});

test("timeoutMs Infinity waits, and the handler gets no deadline", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { client: { timeoutMs: 20 } });
  const hold = gate(t);
  let aborted: boolean | undefined;
  server.registerHandler(unaryHandler("slow", async ({ signal }) => {
    await hold.opened;
    aborted = signal.aborted;
  }));
  const call = client.unary("slow", { to: peer, timeoutMs: Infinity });
  await pause(60);
  hold.open();
  await call;
  assert.equal(aborted, false);
});

test("a timeoutMs far beyond any timer's range waits like any other", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  for (const timeoutMs of [2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER, 0.25 + 5_000]) {
    assert.equal(text(await client.unary("echo", { to: peer, timeoutMs, rawPayload: bytes("x") })), "x");
  }
});

test("the deadline reaches the remote handler's signal", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { client: { features: { cancel: false } } });
  const hold = gate(t);
  let seen: { reason: unknown; after: number } | undefined;
  server.registerHandler(unaryHandler("wait", async ({ signal }) => {
    const arrived = performance.now();
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    seen = { reason: signal.reason, after: performance.now() - arrived };
    await hold.opened;
  }));
  await fails(client.unary("wait", { to: peer, timeoutMs: 80 }), { code: "TIMEOUT", ran: "maybe" });
  const { reason, after } = await until(() => seen);
  hold.open();
  assert.ok(after >= 79 && after < 1_000, `${after} ms`);
  assert.ok(reason instanceof ZeromeshError);
  assert.equal(reason.code, "TIMEOUT");
});

test("the handler's deadline counts from the message's arrival, whenever signal is first looked at", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { client: { features: { cancel: false } } });
  const hold = gate(t);
  const aborted: boolean[] = [];
  server.registerHandler(unaryHandler("late", async (context) => {
    await hold.opened;
    aborted.push(context.signal.aborted);
    await pause(0);
    aborted.push(context.signal.aborted);
  }));
  await fails(client.unary("late", { to: peer, timeoutMs: 50 }), { code: "TIMEOUT" });
  // The message has arrived a moment after it was sent, so its deadline is a moment later there.
  await pause(10);
  hold.open();
  await until(() => aborted.length === 2);
  assert.deepEqual(aborted, [true, true]);
});

test("a deadline that is not over leaves the handler's signal alone", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let seen: AbortSignal | undefined;
  server.registerHandler(unaryHandler("quick", async ({ signal }) => {
    seen = signal;
    await pause(5);
  }));
  await client.unary("quick", { to: peer, timeoutMs: 60 });
  await pause(100);
  assert.equal(seen?.aborted, false);
});

test("the time a call spends on dialling is taken off what the handler gets", async () => {
  await using t = await leakCheck();
  const raw = await RawRouter.open(t);
  const client = await t.messenger();
  const peer = client.registerPeer({ instance_id: raw.instanceId, worker_address: addressOf(raw.endpoint) });
  const call = client.unary("x", { to: peer, timeoutMs: 5_000 });
  await pause(60);
  await raw.hello(["same-connection", "deadline"]);
  const message = await raw.next();
  const header = requestIn(message);
  const headers = decodeHeaders(message.header, header.headersStart, header.headersEnd);
  assert.ok(typeof headers === "object");
  const ttl = Number(headers["_ttl"]);
  assert.ok(ttl > 3_000 && ttl <= 4_941, `${ttl} ms`);
  raw.send(message.from, response(header, new Uint8Array()));
  await call;
});

test("a call that waits for its connection longer than it may is TIMEOUT and did not run", async () => {
  await using t = await leakCheck();
  const silent = await RawRouter.open(t);
  const client = await t.messenger();
  const peer = client.registerPeer({
    instance_id: silent.instanceId,
    worker_address: addressOf(silent.endpoint),
  });
  await Promise.all([
    fails(client.unary("x", { to: peer, timeoutMs: 50 }), { code: "TIMEOUT", ran: "no", peer, handler: "x" }),
    fails(client.amSend("x", { to: peer, timeoutMs: 50 }), { code: "TIMEOUT", ran: "no" }),
  ]);
  await client.close();
});

/** A worker address of one endpoint: a MessagePack map of `zmq` to its text. */
function addressOf(endpoint: string): number[] {
  const value = bytes(endpoint);
  return [0x81, 0xa3, ...bytes("zmq"), 0xc4, value.length, ...value];
}

test("deadlines of many calls pass in their order", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("slow", () => hold.opened));
  const order: number[] = [];
  const times = [120, 20, 90, 50, 150, 20, 70];
  await Promise.all(
    times.map((timeoutMs) =>
      fails(client.unary("slow", { to: peer, timeoutMs }), { code: "TIMEOUT" }).then(() =>
        order.push(timeoutMs)
      )
    ),
  );
  assert.deepEqual(order, [...times].sort((a, b) => a - b));
  hold.open();
});

test("an answer that comes after the deadline is dropped and counted", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("slow", async () => {
    await hold.opened;
    return bytes("late");
  }));
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  await fails(client.unary("slow", { to: peer, timeoutMs: 20 }), { code: "TIMEOUT" });
  hold.open();
  await until(() => server.stats().handlers.running === 0);
  // The slot of the dead call serves the next one, which must not get the old answer.
  assert.equal(text(await client.unary("echo", { to: peer, rawPayload: bytes("mine") })), "mine");
});

test("a signal that is aborted already: its reason, untouched, and nothing is sent", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let runs = 0;
  server.registerHandler(unaryHandler("count", () => void runs++));
  const before = client.stats().transport.sentMessages;
  for (const reason of [new Error("mine"), "a text", 5, null, { any: "thing" }]) {
    const signal = AbortSignal.abort(reason);
    for (const pattern of ["unary", "amSync", "amSend"] as const) {
      await rejectsWith(client[pattern]("count", { to: peer, signal }), reason);
    }
  }
  const plain = AbortSignal.abort();
  await rejectsWith(client.unary("count", { to: peer, signal: plain }), plain.reason);
  assert.equal(client.stats().transport.sentMessages, before);
  assert.equal(runs, 0);
});

/** That a promise rejects with this very value. */
async function rejectsWith(promise: Promise<unknown>, reason: unknown): Promise<void> {
  const settled = await within(promise.then((value) => ({ value }), (error: unknown) => ({ error })), 5_000);
  assert.ok("error" in settled, "it did not reject");
  assert.equal(settled.error, reason);
}

test("aborting a call rejects it with the signal's reason and aborts the remote handler's signal", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { signals, reasons } = waiter(t, server, "wait");
  const controller = new AbortController();
  const reason = { just: "an object" };
  const call = client.unary("wait", { to: peer, signal: controller.signal });
  await until(() => signals.length === 1);
  controller.abort(reason);
  await rejectsWith(call, reason);
  await until(() => reasons.length === 1);
  assert.ok(reasons[0] instanceof ZeromeshError);
  assert.equal(reasons[0].code, "CANCELLED");
  assert.equal(client.stats().calls.pending, 0);
});

test("AbortSignal.timeout() as signal rejects with its own TimeoutError", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { reasons } = waiter(t, server, "wait");
  const signal = AbortSignal.timeout(30);
  await rejectsWith(
    client.unary("wait", { to: peer, signal }).catch((error) => {
      assert.equal((error as Error).name, "TimeoutError");
      throw error;
    }),
    await new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason))),
  );
  await until(() => reasons.length === 1);
});

test("a timeout at the caller also cancels the remote handler, before its own deadline does", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: { features: { deadline: false } } });
  const { reasons } = waiter(t, server, "wait");
  await fails(client.unary("wait", { to: peer, timeoutMs: 30 }), { code: "TIMEOUT", ran: "maybe" });
  await until(() => reasons.length === 1);
  assert.equal((reasons[0] as ZeromeshError).code, "CANCELLED");
});

test("aborting after the answer changes nothing, and leaves no listener on the signal", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const controller = new AbortController();
  let listeners = 0;
  const { signal } = controller;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners--;
    removeEventListener.apply(signal, args);
  };
  const answers = await Promise.all(
    Array.from(
      { length: 20 },
      (_, i) => client.unary("echo", { to: peer, rawPayload: bytes(`${i}`), signal }),
    ),
  );
  assert.equal(listeners, 0);
  const before = client.stats().transport.sentMessages;
  controller.abort();
  assert.equal(answers.length, 20);
  assert.equal(client.stats().transport.sentMessages, before);
});

test("aborting a call in the same turn it was made takes it back or cancels it", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { reasons, signals } = waiter(t, server, "wait");
  const controller = new AbortController();
  const reason = new Error("at once");
  const calls = Array.from(
    { length: 10 },
    () => client.unary("wait", { to: peer, signal: controller.signal }),
  );
  controller.abort(reason);
  for (const call of calls) await rejectsWith(call, reason);
  await client.availableHandlers(peer);
  await until(() => server.stats().handlers.running === 0);
  assert.equal(reasons.length, signals.length);
});

test("aborting a call while its peer is being dialled ends it, and the next call still gets through", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const client = await t.messenger();
  let runs = 0;
  server.registerHandler(unaryHandler("count", () => void runs++));
  const peer = client.registerPeer(server.peerInfo());
  const controller = new AbortController();
  const reason = new Error("changed my mind");
  const first = client.unary("count", { to: peer, signal: controller.signal });
  const second = client.unary("count", { to: peer });
  controller.abort(reason);
  await rejectsWith(first, reason);
  await second;
  assert.equal(runs, 1);
});

test("only the call whose signal aborts is cancelled", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { signals, reasons } = waiter(t, server, "wait");
  const controllers = Array.from({ length: 5 }, () => new AbortController());
  const calls = controllers.map(({ signal }) => client.unary("wait", { to: peer, signal }));
  await until(() => signals.length === 5);
  controllers[2]!.abort("two");
  await rejectsWith(calls[2]!, "two");
  await until(() => reasons.length === 1);
  assert.deepEqual(signals.map(({ aborted }) => aborted), [false, false, true, false, false]);
  for (const controller of controllers) controller.abort("rest");
  await Promise.allSettled(calls);
});

test("one caller cannot cancel another's call", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const [one, two] = [await t.messenger(), await t.messenger()];
  const { signals } = waiter(t, server, "wait");
  await Promise.all([one.connect(server.endpoint), two.connect(server.endpoint)]);
  const [stays, goes] = [new AbortController(), new AbortController()];
  const first = one.unary("wait", { to: server.instanceId, signal: stays.signal });
  const second = two.unary("wait", { to: server.instanceId, signal: goes.signal });
  await until(() => signals.length === 2);
  goes.abort("gone");
  await rejectsWith(second, "gone");
  await until(() => signals.some(({ aborted }) => aborted));
  await two.availableHandlers(server.instanceId);
  assert.equal(signals.filter(({ aborted }) => aborted).length, 1);
  stays.abort("too");
  await rejectsWith(first, "too");
});

test("a cancelled call to oneself aborts the handler's signal as well", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger();
  const { signals, reasons } = waiter(t, alone, "wait");
  const controller = new AbortController();
  const call = alone.unary("wait", { to: alone.instanceId, signal: controller.signal });
  await until(() => signals.length === 1);
  controller.abort("me");
  await rejectsWith(call, "me");
  await until(() => reasons.length === 1);
});

test("the loss of the caller's connection aborts the handler's signal", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const proxy = t.use(await startProxy({ targetPort: portOf(server.endpoint) }));
  const client = await t.messenger();
  const { signals, reasons } = waiter(t, server, "wait");
  const peer = await client.connect(proxy.endpoint);
  const call = fails(client.unary("wait", { to: peer }), {
    code: "PEER_DISCONNECTED",
    ran: "maybe",
    peer,
    handler: "wait",
  });
  await until(() => signals.length === 1);
  proxy.cut();
  await call;
  await until(() => reasons.length === 1);
  assert.equal((reasons[0] as ZeromeshError).code, "PEER_DISCONNECTED");
});

test("a signal aborts when the time of close() is over, also one first looked at then", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { signals, reasons } = waiter(t, server, "wait");
  const hold = gate(t);
  let late: AbortSignal | undefined;
  server.registerHandler(unaryHandler("late", async (context) => {
    await hold.opened;
    late = context.signal;
  }));
  const calls = [client.unary("wait", { to: peer }), client.unary("late", { to: peer })];
  await until(() => signals.length === 1 && server.stats().handlers.running === 2);
  const ended = Promise.allSettled(calls);
  await server.close({ timeoutMs: 20 });
  assert.equal((reasons[0] as ZeromeshError).code, "CLOSED");
  hold.open();
  await until(() => late);
  assert.equal(late?.aborted, true);
  await ended;
});

test("a message without an answer has a signal too, which aborts when the time of close() is over", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const seen: AbortSignal[] = [];
  server.registerHandler(amHandler("wait", async ({ signal }) => {
    seen.push(signal);
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  }));
  await client.amSend("wait", { to: peer });
  await client.amSend("wait", { to: peer, timeoutMs: 1 });
  await until(() => seen.length === 2);
  await pause(20);
  assert.deepEqual(seen.map(({ aborted }) => aborted), [false, false]);
  await server.close({ timeoutMs: 20 });
  assert.deepEqual(seen.map(({ aborted }) => aborted), [true, true]);
});

test("a handler that ends normally after its caller has cancelled disturbs no other call", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("deaf", async ({ signal }) => {
    void signal;
    await hold.opened;
    return bytes("nobody wants this");
  }));
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const controller = new AbortController();
  const call = client.unary("deaf", { to: peer, signal: controller.signal });
  await until(() => server.stats().handlers.running === 1);
  controller.abort("enough");
  await rejectsWith(call, "enough");
  hold.open();
  await until(() => server.stats().handlers.running === 0);
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, i) => client.unary("echo", { to: peer, rawPayload: bytes(`${i}`) })),
  );
  assert.deepEqual(answers.map(text), Array.from({ length: 10 }, (_, i) => `${i}`));
});
