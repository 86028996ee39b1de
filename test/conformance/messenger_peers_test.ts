import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { StaticDiscovery } from "../../src/discovery/mod.ts";
import { amHandler, contract, type InstanceId, type PeerInfoJson, unaryHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { freePort, portOf } from "../support/ports.ts";
import { startProxy } from "../support/proxy.ts";
import { pause, until, within } from "../support/until.ts";
import { bytes, fails, gate, looksLike, pair, text, thrown } from "./messenger_kit.ts";
import { RawRouter } from "./messenger_raw_peer.ts";

const add = contract("add", {
  input: z.object({ a: z.number(), b: z.number() }),
  output: z.object({ sum: z.number() }),
});

test("an instance reports its id and address", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger();
  assert.match(alone.instanceId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.equal(typeof alone.workerId, "bigint");
  assert.match(alone.endpoint, /^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/);
  assert.equal(alone.endpoints[0], alone.endpoint);
  const info = alone.peerInfo();
  assert.equal(info.instance_id, alone.instanceId);
  assert.ok(info.worker_address.length > 0);
  assert.deepEqual(alone.peers(), []);
  assert.match(alone.library.version, /^4\.\d+\.\d+$/);
});

test("the instance id can be given, and is the same in lower case", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger({ instanceId: "0195B0F4-3C52-7ABC-8DEF-0123456789AB" });
  assert.equal(alone.instanceId, "0195b0f4-3c52-7abc-8def-0123456789ab");
});

test("connect() learns the peer's id, and both sides list each other as up", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  assert.equal(peer, server.instanceId);
  assert.deepEqual(client.peers(), [{
    instanceId: server.instanceId,
    workerId: server.workerId,
    up: true,
    zeromesh: true,
    name: null,
    endpoints: [server.endpoint],
  }]);
  assert.deepEqual(server.peers(), [{
    instanceId: client.instanceId,
    workerId: client.workerId,
    up: true,
    zeromesh: true,
    name: null,
    endpoints: client.endpoints,
  }]);
  assert.equal(client.stats().peers, 1);
});

test("connect() to the same endpoint again uses the connection there is", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  assert.equal(await client.connect(server.endpoint), peer);
  assert.equal(await client.connect(server.endpoint), peer);
  assert.equal(client.stats().transport.dialled, 1);
  assert.equal(server.stats().transport.accepted, 1);
});

test("connect() to a peer that is up asks it again, and its signal counts", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t);
  const reason = new Error("no more");
  await assert.rejects(
    client.connect(server.endpoint, { signal: AbortSignal.abort(reason) }),
    (error) => error === reason,
  );
  await assert.rejects(client.connect("tcp://127.0.0.1:1", { signal: AbortSignal.abort(reason) }), /no more/);
  const router = await RawRouter.open(t);
  const [peer] = await Promise.all([client.connect(router.endpoint), router.hello(["same-connection"])]);
  // It says nothing to the second greeting.
  await fails(client.connect(router.endpoint, { timeoutMs: 100 }), {
    code: "PEER_UNREACHABLE",
    message: /is connected but did not answer _hello within 100 ms/,
  });
  await router.next();
  const [again] = await Promise.all([client.connect(router.endpoint), router.hello(["same-connection"])]);
  assert.equal(again, peer);
});

for (const way of ["the same address", "another address"] as const) {
  test(`connect() makes itself known again to a node that has forgotten it (${way})`, async () => {
    await using t = await leakCheck();
    const { server, client, peer } = await pair(t, { client: { listen: false } });
    client.registerHandler(unaryHandler("who", () => bytes("client")));
    server.disconnect(client.instanceId);
    assert.deepEqual(server.peers(), []);
    const endpoint = way === "the same address"
      ? server.endpoint
      : server.endpoint.replace("127.0.0.1", "localhost");
    assert.equal(await client.connect(endpoint), peer);
    assert.equal(text(await server.unary("who", { to: client.instanceId })), "client");
    assert.equal(client.stats().transport.dialled, 1);
  });
}

test("connecting at the same time or under another name leaves one connection that works both ways", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const client = await t.messenger({ listen: false });
  client.registerHandler(unaryHandler("who", () => bytes("client")));
  server.registerHandler(unaryHandler("who", () => bytes("server")));
  const other = server.endpoint.replace("127.0.0.1", "localhost");
  const ids = await Promise.all([
    client.connect(server.endpoint),
    client.connect(server.endpoint),
    client.connect(other),
  ]);
  assert.deepEqual(ids, [server.instanceId, server.instanceId, server.instanceId]);
  assert.equal(await client.connect(other), server.instanceId);
  await until(() => client.stats().transport.dialled === 1 && server.stats().transport.accepted === 1, {
    message: () => JSON.stringify([client.stats().transport, server.stats().transport]),
  });
  assert.equal(text(await server.unary("who", { to: client.instanceId })), "client");
  assert.equal(text(await client.unary("who", { to: server.instanceId })), "server");
  assert.equal(server.peers()[0]?.up, true);
});

test("two instances that dial each other both reach each other", async () => {
  await using t = await leakCheck();
  const one = await t.messenger();
  const two = await t.messenger();
  const [toTwo, toOne] = await Promise.all([one.connect(two.endpoint), two.connect(one.endpoint)]);
  assert.deepEqual([toTwo, toOne], [two.instanceId, one.instanceId]);
  for (const side of [one, two]) side.handle(add, ({ input }) => ({ sum: input.a + input.b }));
  const answers = await Promise.all(
    Array.from(
      { length: 20 },
      (_, i) =>
        i % 2 === 0
          ? one.typedUnary(add, { to: toTwo, payload: { a: i, b: 1 } })
          : two.typedUnary(add, { to: toOne, payload: { a: i, b: 1 } }),
    ),
  );
  assert.deepEqual(answers.map(({ sum }) => sum), Array.from({ length: 20 }, (_, i) => i + 1));
  one.disconnect(toTwo);
  // What the other one dialled is gone from this side's table; it says so when it is asked again.
  assert.deepEqual(one.peers(), []);
});

test("registerPeer() makes a peer known that the first call dials", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const client = await t.messenger();
  server.handle(add, ({ input }) => ({ sum: input.a + input.b }));
  const info = JSON.parse(JSON.stringify(server.peerInfo())) as PeerInfoJson;
  const peer = client.registerPeer(info);
  assert.equal(peer, server.instanceId);
  assert.deepEqual(client.peers().map(({ instanceId, up, endpoints }) => ({ instanceId, up, endpoints })), [
    { instanceId: peer, up: false, endpoints: server.endpoints },
  ]);
  assert.equal(client.stats().transport.dialled, 0);
  assert.deepEqual(await client.typedUnary(add, { to: peer, payload: { a: 1, b: 2 } }), { sum: 3 });
  assert.equal(client.peers()[0]?.up, true);
});

test("many first calls to a registered peer share one connection, in their order", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const client = await t.messenger();
  const seen: number[] = [];
  server.registerHandler(amHandler("n", (context) => seen.push(context.json() as number)));
  const peer = client.registerPeer(server.peerInfo());
  await Promise.all(
    Array.from(
      { length: 100 },
      (_, i) => client[i % 3 === 0 ? "amSync" : "amSend"]("n", { to: peer, payload: i }),
    ),
  );
  await until(() => seen.length === 100);
  assert.deepEqual(seen, Array.from({ length: 100 }, (_, i) => i));
  assert.equal(client.stats().transport.dialled, 1);
});

test("messages sent on peerUp do not overtake those that waited for the connection", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const client = await t.messenger();
  const seen: number[] = [];
  server.registerHandler(amHandler("n", (context) => seen.push(context.json() as number)));
  const peer = client.registerPeer(server.peerInfo());
  const changes = client.status();
  const first = client.amSend("n", { to: peer, payload: 1 });
  assert.equal((await changes.next()).value?.type, "peerUp");
  await client.amSend("n", { to: peer, payload: 2 });
  await first;
  await until(() => seen.length === 2);
  assert.deepEqual(seen, [1, 2]);
  await changes.return?.();
});

test("registerPeer() of an instance's own info is the instance itself", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger();
  alone.registerHandler(unaryHandler("who", () => bytes("me")));
  assert.equal(alone.registerPeer(alone.peerInfo()), alone.instanceId);
  assert.equal(text(await alone.unary("who", { to: alone.instanceId })), "me");
  assert.deepEqual(alone.peers(), []);
});

test("registerPeer() refuses what is no peer info", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger();
  const id = "0195b0f4-3c52-7abc-8def-0123456789ab";
  for (
    const wrong of [null, undefined, 5, "text", {}, { instance_id: id }, {
      instance_id: "x",
      worker_address: [1],
    }, {
      instance_id: id,
      worker_address: [256],
    }, { instance_id: id, worker_address: "128" }]
  ) {
    assert.throws(
      () => alone.registerPeer(wrong as unknown as PeerInfoJson),
      TypeError,
      JSON.stringify(wrong),
    );
  }
  assert.deepEqual(alone.peers(), []);
});

test("a peer can be registered by its id and endpoint, written by hand", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  server.registerHandler(unaryHandler("who", () => bytes("server")));
  for (
    const where of [
      { endpoint: server.endpoint },
      { endpoints: ["tcp://127.0.0.1:1", server.endpoint] },
    ]
  ) {
    const client = await t.messenger();
    const peer = client.registerPeer({ instanceId: server.instanceId.toUpperCase(), ...where });
    assert.equal(peer, server.instanceId);
    assert.deepEqual(client.peers()[0]?.endpoints, where.endpoints ?? [where.endpoint]);
    assert.equal(text(await client.unary("who", { to: peer })), "server");
    const other = await t.messenger({
      discovery: new StaticDiscovery({ peers: [{ instanceId: server.instanceId, ...where }] }),
    });
    assert.equal(text(await other.unary("who", { to: server.instanceId })), "server");
  }
});

test("another id at an address written by hand is IDENTITY_MISMATCH, and gets nothing", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  let calls = 0;
  server.registerHandler(unaryHandler("who", () => void calls++));
  const instanceId = "0195b0f4-3c52-7abc-8def-0123456789ab";
  const entry = { instanceId, endpoint: server.endpoint };
  const client = await t.messenger();
  const found = await t.messenger({ discovery: new StaticDiscovery({ peers: [entry] }) });
  client.registerPeer(entry);
  for (const each of [client, found]) {
    for (let i = 0; i < 2; i++) {
      const error = await fails(each.unary("who", { to: instanceId as InstanceId }), {
        code: "IDENTITY_MISMATCH",
        ran: "no",
        peer: instanceId,
      });
      assert.ok(error.message.includes(server.instanceId) && error.message.includes(server.endpoint));
    }
  }
  assert.equal(calls, 0);
});

test("a peer that was registered by hand, met and replaced is PEER_REPLACED", async () => {
  await using t = await leakCheck();
  const endpoint = `tcp://127.0.0.1:${await freePort()}`;
  const first = await t.messenger({ endpoint });
  first.registerHandler(unaryHandler("who", () => bytes("first")));
  const client = await t.messenger();
  const peer = client.registerPeer({ instanceId: first.instanceId, endpoint });
  assert.equal(text(await client.unary("who", { to: peer })), "first");
  await first.close();
  await until(() => client.peers()[0]?.up === false);
  const second = await t.messenger({ endpoint });
  await fails(client.unary("who", { to: peer }), { code: "PEER_REPLACED", ran: "no" });
  assert.notEqual(second.instanceId, peer);
});

test("an entry written by hand with something wrong in it is refused where it is given", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger();
  const instanceId = "0195b0f4-3c52-7abc-8def-0123456789ab";
  const endpoint = "tcp://127.0.0.1:5555";
  const wrong: [entry: object, expected: Record<string, unknown>][] = [
    [{ instanceId }, { name: "TypeError", message: /endpoint or endpoints/ }],
    [{ instanceId, endpoint, endpoints: [endpoint] }, {
      name: "TypeError",
      message: /endpoint or endpoints/,
    }],
    [{ instanceId, endpoints: [] }, { name: "TypeError" }],
    [{ instanceId, endpoints: endpoint }, { name: "TypeError" }],
    [{ instanceId, endpoint: 5 }, { name: "TypeError" }],
    [{ instanceId, endpoint, serverKey: "short" }, { name: "TypeError", message: /Z85/ }],
    [{ instanceId, endpoint, key: "x" }, { name: "TypeError", message: /no "key"/ }],
    [{ instanceId: "x", endpoint }, { name: "TypeError" }],
    [{ instanceId, endpoint: "http://host" }, { code: "ENDPOINT_INVALID" }],
    [{ instanceId, endpoint: "tcp://*:5" }, { code: "ENDPOINT_INVALID" }],
    [{ instanceId, endpoints: Array(17).fill(endpoint) }, { name: "RangeError" }],
  ];
  for (const [entry, expected] of wrong) {
    looksLike(thrown(() => alone.registerPeer(entry as PeerInfoJson)), expected);
    looksLike(thrown(() => new StaticDiscovery({ peers: [entry as PeerInfoJson] })), expected);
  }
  assert.deepEqual(alone.peers(), []);
});

test("a registered peer without a usable address fails its calls at once", async () => {
  await using t = await leakCheck();
  const outside = await t.messenger({ listen: false });
  const client = await t.messenger();
  const peer = client.registerPeer(outside.peerInfo());
  await fails(client.unary("x", { to: peer }), {
    code: "PEER_DISCONNECTED",
    ran: "no",
    peer,
    message: /no address/,
  });
});

test("an instance that does not listen has no endpoint, and is answered and called over its own connection", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { client: { listen: false } });
  assert.deepEqual(client.endpoints, []);
  looksLike(thrown(() => client.endpoint), { code: "ENDPOINT_INVALID", message: /does not listen/ });
  server.handle(add, ({ input }) => ({ sum: input.a + input.b }));
  client.registerHandler(unaryHandler("where", () => bytes("inside")));
  assert.deepEqual(await client.typedUnary(add, { to: peer, payload: { a: 2, b: 2 } }), { sum: 4 });
  assert.equal(text(await server.unary("where", { to: client.instanceId })), "inside");
  assert.deepEqual(server.peers()[0]?.endpoints, []);
});

test("an instance that does not listen and is gone cannot be called until it connects again", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t, { client: { listen: false } });
  const id = client.instanceId;
  await client.close();
  await until(() => server.peers()[0]?.up === false);
  await fails(server.unary("x", { to: id }), {
    code: "PEER_DISCONNECTED",
    ran: "no",
    message: /has to connect again/,
  });
  const again = await t.messenger({ listen: false, instanceId: id });
  again.registerHandler(unaryHandler("x", () => bytes("back")));
  await again.connect(server.endpoint);
  assert.equal(text(await server.unary("x", { to: id })), "back");
});

test("disconnect() ends the connection for both sides and forgets the peer", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  client.disconnect(peer);
  assert.deepEqual(client.peers(), []);
  await fails(client.unary("x", { to: peer }), { code: "PEER_UNKNOWN", ran: "no", peer });
  looksLike(thrown(() => client.disconnect(peer)), { code: "PEER_UNKNOWN" });
  await until(() => server.peers()[0]?.up === false);
  assert.equal(await client.connect(server.endpoint), peer);
  assert.equal(client.peers()[0]?.up, true);
});

test("disconnect() ends open calls with CLOSED, telling that they may have run", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  let began = false;
  server.registerHandler(unaryHandler("slow", async () => {
    began = true;
    await hold.opened;
  }));
  const call = client.unary("slow", { to: peer });
  await until(() => began);
  client.disconnect(peer);
  await fails(call, { code: "CLOSED", ran: "maybe", peer, handler: "slow" });
  hold.open();
});

test("a peer that disconnect() forgot on the accepting side can still call, or is told", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("ping", () => bytes("pong")));
  server.disconnect(client.instanceId);
  assert.deepEqual(server.peers(), []);
  // Whatever the answer is, it comes at once and not when the call's time is up.
  await within(client.unary("ping", { to: peer, timeoutMs: 20_000 }).then(() => {}, () => {}), 3_000);
});

test("a call after the connection was lost uses a new one", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const proxy = t.use(await startProxy({ targetPort: portOf(server.endpoint) }));
  const client = await t.messenger();
  server.registerHandler(unaryHandler("ping", () => bytes("pong")));
  const peer = await client.connect(proxy.endpoint);
  const changes = client.status();
  proxy.cut();
  assert.equal((await changes.next()).value?.type, "peerDown");
  assert.equal(text(await client.unary("ping", { to: peer })), "pong");
  assert.equal(proxy.accepted, 2);
  assert.equal((await changes.next()).value?.type, "peerUp");
});

test("an instance that comes back with its id on its port is reached again", async () => {
  await using t = await leakCheck();
  const port = await freePort();
  const endpoint = `tcp://127.0.0.1:${port}`;
  const first = await t.messenger({ endpoint });
  const client = await t.messenger();
  const peer = await client.connect(endpoint);
  await first.close();
  await until(() => client.peers()[0]?.up === false);
  const second = await t.messenger({ endpoint, instanceId: peer });
  second.registerHandler(unaryHandler("who", () => bytes("second")));
  assert.equal(text(await client.unary("who", { to: peer })), "second");
});

test("another instance where a peer used to be is PEER_REPLACED, and gets nothing", async () => {
  await using t = await leakCheck();
  const port = await freePort();
  const endpoint = `tcp://127.0.0.1:${port}`;
  const first = await t.messenger({ endpoint });
  const client = await t.messenger();
  const peer = await client.connect(endpoint);
  await first.close();
  await until(() => client.peers()[0]?.up === false);
  const second = await t.messenger({ endpoint });
  let calls = 0;
  second.registerHandler(unaryHandler("who", () => void calls++));
  const error = await fails(client.unary("who", { to: peer }), { code: "PEER_REPLACED", ran: "no", peer });
  assert.deepEqual(error.details, { successor: second.instanceId });
  assert.equal(calls, 0);
  assert.equal(await client.connect(endpoint), second.instanceId);
});

test("availableHandlers() lists a peer's handlers as they are now, the system's included", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const before = await client.availableHandlers(peer);
  for (const name of ["_hello", "_list_handlers"]) assert.ok(before.includes(name), name);
  const registered = server.handle(add, ({ input }) => ({ sum: input.a + input.b }));
  assert.ok((await client.availableHandlers(peer)).includes("add"));
  registered[Symbol.dispose]();
  assert.ok(!(await client.availableHandlers(peer)).includes("add"));
  assert.deepEqual(await server.availableHandlers(server.instanceId), before);
});

test("waitForHandler() resolves at once for a handler that exists", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("here", () => {}));
  await client.waitForHandler(peer, "here", { timeoutMs: 1_000 });
  await client.waitForHandler(client.instanceId, "_hello", { timeoutMs: 1_000 });
});

test("waitForHandler() waits for a handler that appears later", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let appeared = false;
  const wait = client.waitForHandler(peer, "late", { timeoutMs: 5_000 }).then(() => appeared);
  await until(() => server.stats().handlers.started >= 2);
  appeared = true;
  server.registerHandler(unaryHandler("late", () => {}));
  assert.equal(await wait, true);
});

test("waitForHandler() rejects with HANDLER_NOT_FOUND when the handler never appears", async () => {
  await using t = await leakCheck();
  const { client, peer } = await pair(t);
  const wait = async (timeoutMs: number, attempts: number): Promise<void> => {
    const error = await fails(client.waitForHandler(peer, "never", { timeoutMs }), { name: "ZeromeshError" });
    // The peer answers 50 ms before the deadline: a machine that stands still for longer ends the wait first.
    if (error.code === "TIMEOUT" && attempts > 1) return await wait(timeoutMs, attempts - 1);
    const { code, ran, peer: asked, handler } = error;
    assert.deepEqual({ code, ran, asked, handler }, {
      code: "HANDLER_NOT_FOUND",
      ran: "no",
      asked: peer,
      handler: "never",
    });
  };
  await Promise.all(Array.from({ length: 20 }, (_, i) => wait(500 + i * 7, 3)));
});

test("waitForHandler() stops when its signal aborts or its instance closes", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const controller = new AbortController();
  const wait = client.waitForHandler(peer, "never", { signal: controller.signal });
  await until(() => server.stats().handlers.started >= 2);
  const reason = new Error("enough");
  controller.abort(reason);
  await assert.rejects(wait, (error) => error === reason);
  await assert.rejects(
    client.waitForHandler(peer, "never", { signal: AbortSignal.abort(reason) }),
    (error) => error === reason,
  );
  const closing = client.waitForHandler(peer, "never");
  await Promise.all([fails(closing, { code: "CLOSED" }), client.close()]);
});

test("flush() resolves when everything queued for one peer, or all, was handed on", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let seen = 0;
  server.registerHandler(amHandler("n", () => seen++));
  for (let i = 0; i < 500; i++) void client.amSend("n", { to: peer, payload: i });
  await client.flush(peer);
  assert.equal(client.stats().transport.queuedMessages, 0);
  for (let i = 0; i < 500; i++) void client.amSend("n", { to: peer, payload: i });
  await client.flush();
  assert.equal(client.stats().transport.queuedMessages, 0);
  await until(() => seen === 1_000);
});

test("flush() knows itself and peers not dialled yet, and refuses strangers", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const client = await t.messenger();
  await client.flush();
  await client.flush(client.instanceId);
  await client.flush(client.registerPeer(server.peerInfo()));
  const stranger = (await t.messenger()).instanceId;
  await fails(client.flush(stranger), { code: "PEER_UNKNOWN", peer: stranger });
});

test("flush() rejects with TIMEOUT while a peer takes nothing, and with the reason of its signal", async () => {
  await using t = await leakCheck();
  const deaf = await RawRouter.open(t, { small: true });
  const client = await t.messenger({ highWaterMark: 1 });
  const [peer] = await Promise.all([client.connect(deaf.endpoint), deaf.hello(["same-connection"])]);
  const big = new Uint8Array(1_000_000);
  await until(() => {
    void client.amSend("n", { to: peer, rawPayload: big });
    return client.stats().transport.queuedMessages > 2;
  });
  await fails(client.flush(peer, { timeoutMs: 30 }), { code: "TIMEOUT", peer });
  await fails(client.flush(undefined, { timeoutMs: 30 }), { code: "TIMEOUT", peer });
  const controller = new AbortController();
  const reason = new Error("no more");
  const flushing = client.flush(peer, { signal: controller.signal });
  flushing.catch(() => {});
  controller.abort(reason);
  await within(assert.rejects(flushing, (error) => error === reason), 1_000, "flush() to notice its signal");
  const last = client.flush(peer);
  client.disconnect(peer);
  await within(last, 1_000, "flush() to notice that the connection is gone");
});

test("stats() adds up: every message sent is received, started, failed or refused", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("ok", ({ payload }) => payload));
  server.registerHandler(unaryHandler("bad", () => {
    throw new Error("on purpose");
  }));
  const before = { server: server.stats(), client: client.stats() };
  const calls = [
    ...Array.from({ length: 10 }, () => client.unary("ok", { to: peer })),
    ...Array.from({ length: 5 }, () => client.unary("bad", { to: peer })),
    ...Array.from({ length: 3 }, () => client.unary("none", { to: peer })),
  ];
  const sends = Array.from({ length: 7 }, () => client.amSend("ok", { to: peer }));
  const settled = await Promise.allSettled(calls);
  await Promise.all(sends);
  await until(() => server.stats().handlers.started - before.server.handlers.started === 22);
  const [us, them] = [client.stats(), server.stats()];
  assert.equal(settled.filter(({ status }) => status === "fulfilled").length, 10);
  assert.equal(us.calls.started - before.client.calls.started, 18);
  assert.equal(us.calls.pending, 0);
  assert.equal(us.transport.sentMessages - before.client.transport.sentMessages, 25);
  assert.equal(us.transport.receivedMessages - before.client.transport.receivedMessages, 18);
  assert.equal(them.transport.receivedMessages - before.server.transport.receivedMessages, 25);
  assert.equal(them.transport.sentMessages - before.server.transport.sentMessages, 18);
  assert.equal(them.handlers.failed - before.server.handlers.failed, 5);
  assert.equal(them.handlers.refused - before.server.handlers.refused, 3);
  assert.equal(them.handlers.running, 0);
  assert.deepEqual([us.transport.drops, them.transport.drops], [{}, {}]);
});

test("an unused connection carries no messages", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t);
  const before = [client.stats().transport.sentMessages, server.stats().transport.sentMessages];
  await pause(50);
  assert.deepEqual([client.stats().transport.sentMessages, server.stats().transport.sentMessages], before);
});
