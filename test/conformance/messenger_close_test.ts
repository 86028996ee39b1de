import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { amHandler, contract, Messenger, unaryHandler, ZeromeshError } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { freePort, portOf } from "../support/ports.ts";
import { startProxy } from "../support/proxy.ts";
import { allBytes } from "../support/same_bytes.ts";
import { pause, until, within } from "../support/until.ts";
import { bytes, fails, gate, looksLike, pair, text, thrown } from "./messenger_kit.ts";
import { RawRouter } from "./messenger_raw_peer.ts";

test("close() is one promise however often it is called, and closed resolves with it", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger();
  let closed = false;
  const { closed: reason } = alone;
  void reason.then(() => {
    closed = true;
  });
  await pause(0);
  assert.equal(closed, false);
  const first = alone.close();
  assert.equal(alone.close(), first);
  assert.equal(alone.close({ timeoutMs: 1 }), first);
  assert.equal(await first, undefined);
  assert.equal(await reason, "closed");
  assert.equal(alone.close(), first);
  assert.equal(alone.closed, reason);
  await alone[Symbol.asyncDispose]();
});

test("await using closes an instance, also when its block is left early", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const hold = gate(t);
  server.registerHandler(unaryHandler("slow", () => hold.opened));
  let left: Messenger | undefined;
  let call: Promise<unknown> = Promise.resolve();
  const leave = async () => {
    await using client = await Messenger.create();
    left = client;
    const peer = await client.connect(server.endpoint);
    call = fails(client.unary("slow", { to: peer }), { code: "CLOSED", ran: "maybe", handler: "slow", peer });
    await until(() => server.stats().handlers.running === 1);
    throw new Error("leaving early");
  };
  await fails(leave(), { message: "leaving early" });
  await call;
  assert.equal(await left?.closed, "closed");
  hold.open();
});

test("calls of an instance that closes end with CLOSED, and ran is truthful", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const client = await t.messenger();
  const mute = await RawRouter.open(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("slow", () => hold.opened));
  const peer = await client.connect(server.endpoint);
  const unreached = client.registerPeer({
    instance_id: mute.instanceId,
    worker_address: [0x81, 0xa3, ...bytes("zmq"), 0xc4, mute.endpoint.length, ...bytes(mute.endpoint)],
  });
  const calls = [
    fails(client.unary("slow", { to: peer }), { code: "CLOSED", ran: "maybe", peer, handler: "slow" }),
    fails(client.amSync("slow", { to: peer }), { code: "CLOSED", ran: "maybe" }),
    fails(client.unary("x", { to: unreached }), { code: "CLOSED", ran: "no", peer: unreached, handler: "x" }),
    fails(client.amSend("x", { to: unreached }), { code: "CLOSED", ran: "no" }),
    fails(client.connect(mute.endpoint), { code: "CLOSED" }),
    fails(client.connect(`tcp://127.0.0.1:${await freePort()}`), { code: "CLOSED" }),
  ];
  await until(() => server.stats().handlers.running === 2);
  await within(client.close(), 2_000, "close()");
  await Promise.all(calls);
  assert.equal(client.stats().calls.pending, 0);
  hold.open();
});

test("everything that is asked of a closed instance is CLOSED", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  await client.close();
  const add = contract("add", { input: z.number(), output: z.number() });
  const expected = { name: "ZeromeshError", code: "CLOSED", ran: "no" };
  for (const to of [peer, client.instanceId, "0195b0f4-3c52-7abc-8def-0123456789ab" as typeof peer]) {
    for (const pattern of ["unary", "amSync", "amSend"] as const) {
      await fails(client[pattern]("x", { to }), expected);
    }
    await fails(client.typedUnary(add, { to, payload: 1 }), expected);
    await fails(client.availableHandlers(to), expected);
    await fails(client.waitForHandler(to, "x"), expected);
  }
  await fails(client.connect(server.endpoint), expected);
  looksLike(thrown(() => client.registerPeer(server.peerInfo())), expected);
  looksLike(thrown(() => client.registerHandler(unaryHandler("x", () => {}))), expected);
  looksLike(thrown(() => client.handle(add, ({ input }) => input)), expected);
  // Functions that only report still work.
  assert.equal(client.instanceId.length, 36);
  assert.equal(client.stats().calls.pending, 0);
  assert.ok(client.endpoint.startsWith("tcp://"));
  await client.flush();
});

test("calls to an instance that is closed or gone fail by its connection, not by their deadline", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { client: { connectTimeoutMs: 150, redialForMs: 0 } });
  await server.close();
  await until(() => client.peers()[0]?.up === false);
  const error = await fails(client.unary("x", { to: peer, timeoutMs: 20_000 }), { ran: "no" }, 2_000);
  assert.ok(["PEER_UNREACHABLE", "PEER_DISCONNECTED"].includes(error.code!), `code ${error.code}`);
});

test("calls under way when the other side closes: what is answered in time is answered", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("slow", async () => {
    await hold.opened;
    return bytes("finished");
  }));
  const calls = Array.from({ length: 100 }, () => client.unary("slow", { to: peer }));
  await until(() => server.stats().handlers.running === 100);
  const closing = server.close();
  await pause(10);
  hold.open();
  for (const call of calls) assert.equal(text(await call), "finished");
  await closing;
});

test("calls under way when the other side gives up on its handlers are PEER_DRAINING and may have run", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("stuck", () => hold.opened));
  const calls = Array.from({ length: 10 }, () => client.unary("stuck", { to: peer, timeoutMs: 20_000 }));
  await until(() => server.stats().handlers.running === 10);
  const expected = { name: "ZeromeshError", code: "PEER_DRAINING", ran: "maybe", handler: "stuck", peer };
  const settled = Promise.all(calls.map((call) => fails(call, expected)));
  await server.close({ timeoutMs: 50 });
  await settled;
  hold.open();
  await until(() => server.stats().handlers.running === 0);
});

test("close() never waits longer than its time for a handler that never settles", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("stuck", () => hold.opened));
  const call = client.unary("stuck", { to: peer });
  call.catch(() => {});
  await until(() => server.stats().handlers.running === 1);
  const started = performance.now();
  await within(server.close({ timeoutMs: 100 }), 2_000, "close()");
  const took = performance.now() - started;
  assert.ok(took >= 95 && took < 1_500, `${took} ms`);
  hold.open();
  await assert.rejects(call);
  await until(() => server.stats().handlers.running === 0);
});

test("close() with no time at all closes at once", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("stuck", () => hold.opened));
  for (const timeoutMs of [0, -1]) {
    const one = timeoutMs === 0 ? server : client;
    const call = client.unary("stuck", { to: peer });
    call.catch(() => {});
    await within(one.close({ timeoutMs }), 1_000, `close({ timeoutMs: ${timeoutMs} })`);
    await within(assert.rejects(call), 2_000);
  }
  hold.open();
  await until(() => server.stats().handlers.running === 0);
});

test("an instance that drains refuses new requests with PEER_DRAINING and finishes the old ones", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const late = await t.messenger();
  const hold = gate(t);
  let runs = 0;
  server.registerHandler(unaryHandler("slow", async () => {
    await hold.opened;
    return bytes("old");
  }));
  server.registerHandler(amHandler("count", () => void runs++));
  const old = client.unary("slow", { to: peer });
  await until(() => server.stats().handlers.running === 1);
  const closing = server.close();
  const refused = { code: "PEER_DRAINING", ran: "no" };
  await Promise.all([
    fails(client.unary("count", { to: peer }), { ...refused, peer, handler: "count" }, 1_000),
    fails(client.amSync("count", { to: peer }), refused, 1_000),
    fails(client.availableHandlers(peer), refused, 1_000),
    fails(late.connect(server.endpoint), { code: "PEER_DRAINING" }, 1_000),
  ]);
  hold.open();
  assert.equal(text(await old), "old");
  await closing;
  assert.equal(runs, 0);
});

test("a draining instance's handlers can still call others, and itself takes nothing new", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  client.registerHandler(unaryHandler("help", () => bytes("helped")));
  server.registerHandler(unaryHandler("work", async ({ messenger, senderInstanceId }) => {
    await hold.opened;
    await fails(messenger.unary("work", { to: messenger.instanceId }), { code: "PEER_DRAINING", ran: "no" });
    return await messenger.unary("help", { to: senderInstanceId! });
  }));
  const call = client.unary("work", { to: peer });
  await until(() => server.stats().handlers.running === 1);
  const closing = server.close();
  hold.open();
  assert.equal(text(await call), "helped");
  await closing;
});

test("a handler may close its own instance, and its answer still arrives", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let closing: Promise<void> | undefined;
  server.registerHandler(unaryHandler("stop", async () => {
    closing = server.close();
    await pause(0);
    return bytes("stopping");
  }));
  assert.equal(text(await client.unary("stop", { to: peer })), "stopping");
  await closing;
  assert.equal(await server.closed, "closed");
});

test("an answer given just before closing arrives, whatever its size", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("last", () => new Uint8Array(4_000_000).fill(7)));
  const calls = Array.from({ length: 5 }, () => client.unary("last", { to: peer }));
  await until(() => server.stats().handlers.started >= 6);
  await server.close();
  for (const call of calls) {
    const answer = await call;
    assert.ok(allBytes(answer, 7, 4_000_000));
  }
});

test("messages given to amSend just before closing arrive", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const seen: number[] = [];
  server.registerHandler(amHandler("n", (context) => seen.push(context.json() as number)));
  for (let i = 0; i < 2_000; i++) void client.amSend("n", { to: peer, payload: i });
  await client.close();
  await until(() => seen.length === 2_000);
  assert.deepEqual(seen, Array.from({ length: 2_000 }, (_, i) => i));
});

test("both sides may close at the same time", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("stuck", () => hold.opened));
  const call = client.unary("stuck", { to: peer });
  call.catch(() => {});
  await until(() => server.stats().handlers.running === 1);
  await within(Promise.all([server.close({ timeoutMs: 50 }), client.close({ timeoutMs: 50 })]), 3_000);
  await assert.rejects(call, (error) => error instanceof ZeromeshError);
  hold.open();
  await until(() => server.stats().handlers.running === 0);
});

test("an instance closes while its peer's network is gone", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const proxy = t.use(await startProxy({ targetPort: portOf(server.endpoint) }));
  const client = await t.messenger();
  const peer = await client.connect(proxy.endpoint);
  proxy.pause();
  const call = fails(client.unary("x", { to: peer }), { ran: "maybe" });
  await pause(5);
  await within(client.close({ timeoutMs: 200 }), 2_000, "close()");
  await call;
});

test("an instance closes while messages wait for a peer that reads nothing", async () => {
  await using t = await leakCheck();
  const deaf = await RawRouter.open(t, { small: true });
  const client = await t.messenger({ highWaterMark: 1 });
  const [peer] = await Promise.all([client.connect(deaf.endpoint), deaf.hello(["same-connection"])]);
  const big = new Uint8Array(1_000_000);
  await until(() => {
    void client.amSend("n", { to: peer, rawPayload: big });
    // So many that the last ones do not find room after all.
    return client.stats().transport.queuedMessages > 4;
  });
  const queued = fails(client.unary("n", { to: peer, rawPayload: big }), { code: "CLOSED", ran: "no" });
  await within(client.close({ timeoutMs: 100 }), 3_000, "close()");
  await queued;
});

test("closing one of several instances of a process leaves the others as they are", async () => {
  await using t = await leakCheck();
  const [one, two, three] = [await t.messenger(), await t.messenger(), await t.messenger()];
  for (const side of [one, two, three]) side.registerHandler(unaryHandler("ping", () => bytes("pong")));
  await one.connect(two.endpoint);
  await two.connect(three.endpoint);
  await one.close();
  assert.equal(text(await two.unary("ping", { to: three.instanceId })), "pong");
  assert.equal(text(await three.unary("ping", { to: two.instanceId })), "pong");
  await two.close();
  assert.equal(text(await three.unary("ping", { to: three.instanceId })), "pong");
});

test("a context used after its instance has closed fails and does not hang", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  const outcomes: unknown[] = [];
  server.registerHandler(unaryHandler("late", async ({ messenger, senderInstanceId, payload, signal }) => {
    await hold.opened;
    outcomes.push(signal.aborted, text(payload));
    outcomes.push(
      await messenger.unary("x", { to: senderInstanceId! }).catch((error) => (error as ZeromeshError).code),
    );
    return payload;
  }));
  const call = client.unary("late", { to: peer, rawPayload: bytes("kept") });
  call.catch(() => {});
  await until(() => server.stats().handlers.running === 1);
  await server.close({ timeoutMs: 20 });
  hold.open();
  await until(() => server.stats().handlers.running === 0);
  assert.deepEqual(outcomes, [true, "kept", "CLOSED"]);
  await assert.rejects(call);
});

test("create and close in a row leave nothing behind, many times over", async () => {
  await using t = await leakCheck();
  void t;
  for (let i = 0; i < 30; i++) {
    await using server = await Messenger.create();
    await using client = await Messenger.create({ listen: false });
    server.registerHandler(unaryHandler("i", () => bytes(String(i))));
    const peer = await client.connect(server.endpoint);
    assert.equal(text(await client.unary("i", { to: peer })), String(i));
  }
});

test("instances made and closed at the same time share what they share safely", async () => {
  await using t = await leakCheck();
  void t;
  const round = async (i: number) => {
    await using server = await Messenger.create();
    await using client = await Messenger.create();
    server.registerHandler(unaryHandler("i", () => bytes(String(i))));
    const peer = await client.connect(server.endpoint);
    assert.equal(text(await client.unary("i", { to: peer })), String(i));
  };
  await Promise.all(Array.from({ length: 20 }, (_, i) => round(i)));
});

test("the signal of create() closes the instance; one that has aborted before makes none", async () => {
  await using t = await leakCheck();
  const stop = new AbortController();
  const messenger = await t.messenger({ signal: stop.signal });
  const other = await t.messenger();
  const peer = await other.connect(messenger.endpoint);
  stop.abort();
  await within(messenger.closed, 5_000, "the instance to be closed");
  await fails(messenger.connect(other.endpoint), { code: "CLOSED" });
  await until(() => !other.peers().find(({ instanceId }) => instanceId === peer)?.up);
  const aborted = AbortSignal.abort("no more");
  assert.equal(await t.messenger({ signal: aborted }).catch((reason) => reason), "no more");
  await assert.rejects(t.messenger({ signal: {} as never }), /signal must be an AbortSignal/);
});
