import assert from "node:assert/strict";
import { client, consume, ownedRegistry, produce, producing, refusal } from "../support/broker_registry.ts";
import { test } from "../support/testing.ts";

const a = client("a");
const b = client("b");
const c = client("c");

test("a channel that closes tells all who are there, each client once, and is gone when the last has left", () => {
  const owned = ownedRegistry({ closeGraceMs: 70 });
  const { registry, told, graces, leases } = owned;
  const producer = produce(owned, "x", a);
  const consumers = [consume(owned, "x", b), consume(owned, "x", b)] as const;
  const own = consume(owned, "x", a);
  told();
  registry.deregisterProducer(a, "x", producer);
  const closing = {
    type: "channelClosing",
    channel: "x",
    epoch: 1,
    reason: "deregistered",
    graceMs: 70,
  } as const;
  assert.deepEqual([told(), graces], [[["a", closing], ["b", closing]], [["x", 1]]]);
  assert.deepEqual(registry.list().channels.map(({ name, state }) => [name, state]), [["x", "closing"]]);
  for (const refused of [() => registry.discover(c, "x"), () => consume(owned, "x", c)]) {
    assert.equal(refusal(refused).code, "CHANNEL_CLOSED");
  }
  assert.equal(refusal(() => registry.deregisterProducer(a, "x", producer)).code, "CHANNEL_CLOSED");
  assert.equal(refusal(() => registry.closeChannel(a, "x")).code, "CHANNEL_CLOSED");
  assert.deepEqual(registry.heartbeat(b, consumers), []);
  for (const presence of consumers) registry.deregisterConsumer(b, "x", presence);
  assert.equal(registry.find("x")?.state, "closing");
  registry.deregisterConsumer(a, "x", own);
  assert.deepEqual([registry.find("x"), leases.size, told()], [undefined, 0, []]);
  registry.graceOver("x", 1);
  assert.deepEqual([told(), registry.stats().forced], [[], 0]);
});

test("who is still there after the grace period is told to end, and the channel is gone", () => {
  const owned = ownedRegistry();
  const { registry, told, leases } = owned;
  const producer = produce(owned, "x", a);
  const consumer = consume(owned, "x", b);
  consume(owned, "x", c);
  registry.deregisterProducer(a, "x", producer);
  registry.deregisterConsumer(b, "x", consumer);
  told();
  registry.graceOver("x", 2);
  registry.graceOver("y", 1);
  assert.deepEqual([told(), leases.size], [[], 1]);
  registry.graceOver("x", 1);
  const forced = { type: "forcedShutdown", channel: "x", epoch: 1 };
  assert.deepEqual([told(), leases.size, registry.find("x")], [[["c", forced]], 0, undefined]);
  assert.deepEqual([registry.stats().forced, registry.list().channels], [1, []]);
});

test("the grace period of an earlier closing does not end a channel that was made anew", () => {
  const owned = ownedRegistry();
  const { registry, told } = owned;
  const first = produce(owned, "x", a);
  consume(owned, "x", c);
  registry.deregisterProducer(a, "x", first);
  told();
  // By another identity, and with another pattern.
  const again = registry.registerProducer(b, producing("x", b, { pattern: "pubsub" }));
  assert.deepEqual(again, { presence: 3, epoch: 2, tookOver: false });
  assert.deepEqual(told(), [["c", { type: "forcedShutdown", channel: "x", epoch: 1 }]]);
  registry.heartbeat(b, [3]);
  registry.graceOver("x", 1);
  assert.deepEqual([registry.discover(c, "x").consumers, told()], [0, []]);
  assert.equal(refusal(() => registry.deregisterProducer(a, "x", first)).code, "NOT_REGISTERED");
});

test("a channel whose producer gives no sign of life closes, and the producer is told as well", () => {
  const owned = ownedRegistry();
  const { registry, told, leases } = owned;
  const producer = produce(owned, "x", a);
  const consumer = consume(owned, "x", b);
  told();
  registry.expire(producer);
  registry.expire(producer);
  const closing = { type: "channelClosing", channel: "x", epoch: 1, reason: "timeout", graceMs: 5_000 };
  assert.deepEqual(told(), [["a", closing], ["b", closing]]);
  assert.deepEqual([registry.heartbeat(a, [producer]), [...leases]], [[producer], [consumer]]);
  registry.expire(consumer);
  assert.deepEqual([registry.find("x"), leases.size, told()], [undefined, 0, []]);
  assert.equal(registry.stats().expiries, 2);
});

test("a producer that never gives a heartbeat goes as others do", () => {
  const owned = ownedRegistry();
  const { presence } = owned.registry.registerProducer(a, producing("x", a));
  assert.deepEqual([...owned.leases], [presence]);
  owned.registry.expire(presence);
  assert.deepEqual([owned.registry.find("x"), owned.leases.size], [undefined, 0]);
});

test("the producer is told of a consumer that gives no sign of life", () => {
  const owned = ownedRegistry();
  const { registry, told } = owned;
  produce(owned, "x", a);
  const presence = consume(owned, "x", b);
  told();
  registry.expire(presence);
  const consumer = { presence, identity: "b", instance: "b", name: "b", peer: null };
  assert.deepEqual(told(), [["a", { type: "consumerDied", channel: "x", consumer }]]);
  assert.deepEqual([registry.discover(c, "x").consumers, registry.heartbeat(b, [presence])], [0, [presence]]);
});

test("a channel that another closes waits for its producer, too", () => {
  const owned = ownedRegistry();
  const { registry, told } = owned;
  const [x, y] = [produce(owned, "x", a), produce(owned, "y", a)];
  assert.equal(refusal(() => registry.closeChannel(b, "z", { ofOthers: true })).code, "CHANNEL_NOT_FOUND");
  registry.closeChannel(b, "x", { ofOthers: true });
  assert.deepEqual(registry.heartbeat(a, [x]), []);
  assert.equal(registry.find("x")?.state, "closing");
  registry.deregisterProducer(a, "x", x);
  assert.deepEqual([registry.find("x"), told().map(([to, { type }]) => [to, type])], [undefined, [
    ["a", "channelClosing"],
  ]]);
  registry.closeChannel(b, "y", { ofOthers: true });
  registry.graceOver("y", 2);
  assert.deepEqual(told().map(([to, { type }]) => [to, type]), [["a", "channelClosing"], [
    "a",
    "forcedShutdown",
  ]]);
  assert.deepEqual(registry.heartbeat(a, [y]), [y]);
});

test("the producer that closes its channel has left with that", () => {
  const owned = ownedRegistry();
  const { registry, told } = owned;
  const presence = produce(owned, "x", a);
  registry.closeChannel(a, "x");
  assert.deepEqual([registry.find("x"), registry.heartbeat(a, [presence])], [undefined, [presence]]);
  const [to, notice] = told()[0]!;
  assert.deepEqual([to, notice.type === "channelClosing" && notice.reason], ["a", "closed"]);
});

test("a client renews only presences of its own instance", () => {
  const owned = ownedRegistry();
  const { registry } = owned;
  const presence = produce(owned, "x", client("k:1"));
  assert.deepEqual(registry.heartbeat(b, [presence, 9]), [presence, 9]);
  assert.deepEqual(registry.heartbeat(client("k:2"), [presence]), [presence]);
  const registered = registry.registerProducer(b, producing("y", b)).presence;
  registry.heartbeat(a, [registered]);
  assert.equal(registry.find("y")?.state, "pending");
});

test("an instance that comes back by another connection and registers again goes on as what it was", () => {
  const owned = ownedRegistry();
  const { registry, told, leases } = owned;
  const producer = produce(owned, "x", a);
  const consumers = [consume(owned, "x", b), consume(owned, "x", b)];
  told();
  const [a2, b2] = [client("a"), client("b")];
  const again = [1, 2, 3].map(() => consume(owned, "x", b2));
  assert.deepEqual([...again].sort(), [...consumers, 4]);
  assert.deepEqual(told().map(([to, { type }]) => [to, type]), [["a", "consumerJoined"]]);
  const registered = registry.registerProducer(a2, producing("x", a2, { metadata: { n: 2 } }));
  assert.deepEqual(registered, { presence: producer, epoch: 1, tookOver: false });
  assert.deepEqual([told(), leases.size], [[], 4]);
  // It gives no heartbeat first: its channel was ready before.
  assert.deepEqual([registry.discover(c, "x").metadata, registry.discover(c, "x").consumers], [{ n: 2 }, 3]);
  // A second registration by this connection is another one.
  assert.deepEqual(registry.registerProducer(a2, producing("x", a2)), {
    presence: 5,
    epoch: 2,
    tookOver: true,
  });
  registry.heartbeat(a2, [5]);
  assert.equal(consume(owned, "x", b2), 6);
  assert.deepEqual(told().map(([to, { type }]) => [to, type]), [["b", "producerChanged"], [
    "a",
    "consumerJoined",
  ]]);
});

test("a presence that another connection of its instance has renewed is not registered again", () => {
  const owned = ownedRegistry();
  const { registry } = owned;
  const presence = produce(owned, "x", a);
  const consumer = consume(owned, "x", b);
  const [a2, b2] = [client("a"), client("b")];
  assert.deepEqual([registry.heartbeat(a2, [presence]), registry.heartbeat(b2, [consumer])], [[], []]);
  assert.equal(consume(owned, "x", b2), 3);
  const b3 = client("b");
  assert.equal([2, 3].includes(consume(owned, "x", b3)), true);
  assert.deepEqual(registry.heartbeat(b3, [2, 3]), []);
  assert.equal(consume(owned, "x", b3), 4);
  assert.equal(registry.registerProducer(a2, producing("x", a2)).tookOver, true);
});

test("a producer whose data comes from elsewhere after its connection was lost tells its consumers", () => {
  const owned = ownedRegistry();
  const { registry, told } = owned;
  const route = (port: number) =>
    ({ transport: "plain", endpoint: `tcp://127.0.0.1:${port}`, key: null }) as const;
  produce(owned, "x", a, { route: route(1) });
  consume(owned, "x", b);
  told();
  const a2 = client("a");
  assert.equal(registry.registerProducer(a2, producing("x", a2, { route: route(2) })).tookOver, true);
  assert.deepEqual(told(), [["b", { type: "producerChanged", channel: "x", epoch: 2, route: route(2) }]]);
});
