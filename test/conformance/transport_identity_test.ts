/** Instances that dial themselves, and others that were given an id which is taken. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { unaryHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { portOf } from "../support/ports.ts";
import { startProxy } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { bytes, fails, text } from "./messenger_kit.ts";
import { RawDealer, RawRouter, request, requestIn, response } from "./messenger_raw_peer.ts";
import { encodeHello, encodeHelloReply, peerInfoOf } from "../../src/wire/mod.ts";

for (const way of ["directly", "through a proxy"] as const) {
  test(`connect() to one's own endpoint is oneself, and calls stay here (${way})`, async () => {
    await using t = await leakCheck();
    const own = await t.messenger({ ipc: false });
    own.registerHandler(unaryHandler("who", () => bytes("myself")));
    const proxy = t.use(await startProxy({ targetPort: portOf(own.endpoint) }));
    const peer = await own.connect(way === "directly" ? own.endpoint : proxy.endpoint);
    assert.equal(peer, own.instanceId);
    assert.equal(text(await own.unary("who", { to: peer })), "myself");
    assert.deepEqual(own.peers(), []);
    await until(() => own.stats().transport.dialled + own.stats().transport.accepted === 0);
  });
}

test("connect() to another instance with one's own id is IDENTITY_MISMATCH at once, for both", async () => {
  await using t = await leakCheck();
  const one = await t.messenger();
  const two = await t.messenger({ instanceId: one.instanceId });
  for (const [from, to] of [[one, two], [two, one]] as const) {
    const began = performance.now();
    const error = await fails(from.connect(to.endpoint), { code: "IDENTITY_MISMATCH" });
    assert.ok(performance.now() - began < 2_000, `${performance.now() - began} ms`);
    assert.match(error.message, /id of its own/);
    assert.ok(error.message.includes(one.instanceId));
    assert.deepEqual(from.peers(), []);
  }
  // Neither takes harm: each still finds itself, and others find each.
  const third = await t.messenger({ listen: false });
  for (const each of [one, two]) assert.equal(await each.connect(each.endpoint), each.instanceId);
  assert.equal(await third.connect(two.endpoint), one.instanceId);
});

test("an answer in one's own name from somewhere else is IDENTITY_MISMATCH, whoever gives it", async () => {
  await using t = await leakCheck();
  const router = await RawRouter.open(t);
  const client = await t.messenger();
  const answer = async () => {
    const hello = await router.next();
    const zeromesh = { features: ["same-connection"] as const, instanceId: client.instanceId };
    router.send(hello.from, response(requestIn(hello), encodeHelloReply({ handlers: [], zeromesh })));
  };
  await Promise.all([
    fails(client.connect(router.endpoint), { code: "IDENTITY_MISMATCH" }),
    answer(),
  ]);
  assert.deepEqual(client.peers(), []);
});

test("a connection that claims the listener's own id gets no answers and no name", async () => {
  await using t = await leakCheck();
  const server = await t.messenger({ ipc: false });
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  for (const zeromesh of [true, false]) {
    const thief = await RawDealer.open(t, server.endpoint, undefined, server.instanceId);
    const hello = encodeHello({
      peerInfo: peerInfoOf(server.instanceId, ["tcp://127.0.0.1:1"]),
      ...(zeromesh
        ? { zeromesh: { features: ["same-connection"] as const, instanceId: server.instanceId } }
        : {}),
    });
    const before = server.stats().handlers.failed;
    thief.send(request("_hello", thief.id(0), hello));
    await until(() => server.stats().handlers.failed > before);
    assert.deepEqual(server.peers(), []);
  }
  assert.equal(await server.connect(server.endpoint), server.instanceId);
});
