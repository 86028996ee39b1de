/** Instances that dial themselves, and others that were given an id which is taken. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { type Status, unaryHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { portOf } from "../support/ports.ts";
import { startProxy } from "../support/proxy.ts";
import { pause, until } from "../support/until.ts";
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

test("an answer in one's own name from another place is IDENTITY_MISMATCH, whatever its sender", async () => {
  await using t = await leakCheck();
  const router = await RawRouter.open(t);
  const client = await t.messenger();
  const answer = async () => {
    const hello = await router.next();
    const negotiation = { features: ["same-connection"] as const, instanceId: client.instanceId };
    router.send(hello.from, response(requestIn(hello), encodeHelloReply({ handlers: [], negotiation })));
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

test("two processes with one id at one server: the second is IDENTITY_MISMATCH, and the server says so", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const changes: Status[] = [];
  const watching = (async () => {
    for await (const entry of server.status()) changes.push(entry);
  })();
  const first = await t.messenger({ listen: false });
  first.registerHandler(unaryHandler("who", () => bytes("first")));
  await first.connect(server.endpoint);
  for (const listen of [true, false]) {
    const other = await t.messenger({ listen, instanceId: first.instanceId });
    other.registerHandler(unaryHandler("who", () => bytes("other")));
    const began = performance.now();
    const error = await fails(other.connect(server.endpoint), { code: "IDENTITY_MISMATCH", ran: "no" });
    assert.ok(performance.now() - began < 2_000, `${performance.now() - began} ms`);
    assert.match(error.message, /id of its own/);
    assert.ok(error.message.includes(first.instanceId));
    await fails(other.unary("x", { to: server.instanceId }), { code: "PEER_UNKNOWN" });
    for (let i = 0; i < 5; i++) {
      assert.equal(text(await server.unary("who", { to: first.instanceId })), "first");
    }
  }
  await until(() => changes.filter(({ type }) => type === "peerDuplicated").length === 2);
  assert.ok(changes.every((entry) => entry.type !== "peerDuplicated" || entry.peer === first.instanceId));
  await server.close();
  await watching;
});

test("two services with one id: a client that is connected to one is refused the other", async () => {
  await using t = await leakCheck();
  const one = await t.messenger();
  const two = await t.messenger({ instanceId: one.instanceId });
  const client = await t.messenger();
  for (const each of [one, two]) each.registerHandler(unaryHandler("where", () => bytes(each.endpoint)));
  await client.connect(one.endpoint);
  const error = await fails(client.connect(two.endpoint), { code: "IDENTITY_MISMATCH", ran: "no" });
  assert.ok(error.message.includes(two.endpoint), error.message);
  assert.equal(text(await client.unary("where", { to: one.instanceId })), one.endpoint);
  // The same process under another address is no other one.
  assert.equal(await client.connect(one.endpoint.replace("127.0.0.1", "localhost")), one.instanceId);
  assert.equal(client.stats().transport.dialled, 1);
});

for (const side of ["the service", "the client"] as const) {
  test(`a process that was started again is let in once the loss of the former one is known (${side})`, async () => {
    await using t = await leakCheck();
    const [stays, former] = [await t.messenger({ ipc: false }), await t.messenger({ ipc: false })];
    const target = side === "the service" ? former : stays;
    const proxy = t.use(await startProxy({ targetPort: portOf(target.endpoint) }));
    await (side === "the service" ? stays : former).connect(proxy.endpoint);
    // The host of the former process is cut off: nothing comes, not even the end of the connection.
    proxy.pause();
    const again = await t.messenger({ ipc: false, instanceId: former.instanceId });
    again.registerHandler(unaryHandler("who", () => bytes("again")));
    let ended = false;
    const connecting =
      (side === "the service" ? stays.connect(again.endpoint) : again.connect(stays.endpoint)).finally(() =>
        ended = true
      );
    await pause(100);
    assert.equal(ended, false);
    proxy.refusing = true;
    proxy.cut();
    await connecting;
    assert.equal(text(await stays.unary("who", { to: again.instanceId })), "again");
  });
}

test("two processes with one id that answer in turns are told in status()", async () => {
  await using t = await leakCheck();
  const one = await t.messenger({ ipc: false });
  const two = await t.messenger({ ipc: false, instanceId: one.instanceId });
  const client = await t.messenger({ listen: false, redialForMs: 0 });
  const seen: string[] = [];
  const watching = (async () => {
    for await (const { type } of client.status()) seen.push(type);
  })();
  const proxies = [];
  for (const each of [one, two]) {
    each.registerHandler(unaryHandler("where", () => bytes(each.endpoint)));
    proxies.push(t.use(await startProxy({ targetPort: portOf(each.endpoint) })));
  }
  for (const [round, which] of [0, 1, 0].entries()) {
    assert.equal(seen.includes("peerDuplicated"), false, `round ${round}`);
    await client.connect(proxies[which]!.endpoint);
    proxies[which]!.cut();
    await until(() => client.peers()[0]?.up === false);
  }
  await until(() => seen.includes("peerDuplicated"));
  await client.close();
  await watching;
});
