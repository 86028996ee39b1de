import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { client, consume, ownedRegistry, produce, producing, refusal } from "../support/broker_registry.ts";
import { test } from "../support/testing.ts";

const a = client("a");
const b = client("b");
const c = client("c");

function schema(text: string) {
  return { hash: createHash("sha256").update(text).digest("hex"), text, version: "2" };
}

test("channels are listed in the order of their names, by glob, in pages, and only those that may be seen", () => {
  const owned = ownedRegistry();
  const { registry } = owned;
  const names = (request?: Parameters<typeof registry.list>[0]) => {
    const { channels, more } = registry.list(request);
    return [...channels.map(({ name }) => name), ...(more ? ["…"] : [])];
  };
  assert.deepEqual(names(), []);
  for (const name of ["lab/b", "lab/a", "zoo", "lab/a/deep", "lab.c", "Lab/a"]) produce(owned, name, a);
  const all = ["Lab/a", "lab.c", "lab/a", "lab/a/deep", "lab/b", "zoo"];
  assert.deepEqual(names(), all);
  assert.deepEqual(names({ match: "lab/*" }), ["lab/a", "lab/b"]);
  assert.deepEqual(names({ match: "lab/**" }), ["lab/a", "lab/a/deep", "lab/b"]);
  assert.deepEqual(names({ match: "lab?c" }), []);
  assert.deepEqual(names({ match: "*oo" }), ["zoo"]);
  assert.deepEqual(names({ match: "zoo" }), ["zoo"]);
  assert.deepEqual(names({ limit: 2 }), ["Lab/a", "lab.c", "…"]);
  assert.deepEqual(names({ limit: 3, after: "lab.c" }), ["lab/a", "lab/a/deep", "lab/b", "…"]);
  assert.deepEqual(names({ limit: 3, after: "lab/a" }), ["lab/a/deep", "lab/b", "zoo"]);
  assert.deepEqual(names({ match: "lab/*", after: "a" }), ["lab/a", "lab/b"]);
  assert.deepEqual(names({ match: "lab/*", after: "lab/a", limit: 1 }), ["lab/b"]);
  assert.deepEqual(names({ limit: 1, visible: (name) => name !== "Lab/a" && name < "lab/a" }), ["lab.c"]);
  registry.closeChannel(a, "lab/a");
  produce(owned, "alpha", a);
  registry.closeChannel(a, "zoo");
  produce(owned, "zoo", a);
  assert.deepEqual(names(), ["Lab/a", "alpha", "lab.c", "lab/a/deep", "lab/b", "zoo"]);
});

test("a schema is found by its channel and its hash, also when the channel is gone", () => {
  const owned = ownedRegistry();
  const { registry } = owned;
  const one = schema('{"a":1}');
  assert.deepEqual(refusal(() => registry.schema({ channel: "x" })).details, { channel: "x", hash: null });
  produce(owned, "x", a, { schema: one, pattern: "pubsub" });
  const stored = { ...one, channel: "x", pattern: "pubsub" } as const;
  assert.deepEqual(registry.schema({ channel: "x" }), stored);
  registry.closeChannel(a, "x");
  assert.deepEqual(registry.schema({ channel: "x" }), stored);
  assert.deepEqual(registry.schema({ hash: one.hash }), stored);
  assert.equal(refusal(() => registry.schema({ hash: "0".repeat(64) })).code, "SCHEMA_UNKNOWN");
  assert.equal(refusal(() => registry.schema({})).code, "SCHEMA_UNKNOWN");
  produce(owned, "y", a);
  assert.deepEqual([registry.schema({ channel: "y" }).hash, registry.schema({ channel: "y" }).text], [
    null,
    null,
  ]);
});

test("a schema whose text has another hash is refused, and does not get into the store", () => {
  const owned = ownedRegistry();
  const { registry, told } = owned;
  const good = schema("{}");
  produce(owned, "x", a, { schema: good });
  for (const by of [a, b]) {
    const forged = producing("y", by, { schema: { ...good, text: "[]" } });
    const { code, details } = refusal(() => registry.registerProducer(by, forged));
    const facts = { channel: "y", expected: schema("[]").hash, given: good.hash };
    assert.deepEqual([code, details], ["SCHEMA_MISMATCH", facts]);
  }
  assert.deepEqual([registry.schema({ hash: good.hash }).text, told()], ["{}", []]);
});

test("the store of schemas is bounded by number and by characters", () => {
  const owned = ownedRegistry({ maxSchemas: 2, maxSchemaCharacters: 100 });
  const { registry } = owned;
  const texts = ["[1]", "[2]", "[3]"].map(schema);
  texts.forEach((one, index) => produce(owned, `c${index}`, a, { schema: one }));
  assert.equal(registry.stats().schemas, 2);
  assert.equal(refusal(() => registry.schema({ hash: texts[0]!.hash })).code, "SCHEMA_UNKNOWN");
  const long = schema(`"${"x".repeat(97)}"`);
  produce(owned, "long", a, { schema: long });
  assert.equal(registry.schema({ hash: long.hash }).text, long.text);
  assert.equal(registry.stats().schemas, 1);
  // A channel whose schema's text has gone still compares its hash.
  const wrong = producing("c0", a, { schema: texts[1]! });
  assert.equal(refusal(() => registry.registerProducer(a, wrong)).code, "SCHEMA_MISMATCH");
});

test("metrics of heartbeats are kept for each producer and consumer, and replaced by later ones", () => {
  const owned = ownedRegistry();
  const { registry } = owned;
  const metrics = (channel?: string) =>
    registry.metrics({ channel }).map((
      one,
    ) => [one.channel, one.role, one.identity, one.presence, one.metrics]);
  const [x, y] = [produce(owned, "x", a), produce(owned, "y", a)];
  const consumers = [consume(owned, "x", b), consume(owned, "x", c)] as const;
  assert.deepEqual(metrics(), []);
  registry.heartbeat(a, [x, y], { x: { sent: 1 }, y: { sent: 5 }, z: { sent: 9 } });
  registry.heartbeat(b, [consumers[0]], { x: { got: 1 } });
  registry.heartbeat(c, [consumers[1]], { x: { got: 2, lost: 3 } });
  registry.heartbeat(c, [x], { x: { stolen: 1 } });
  registry.heartbeat(b, [consumers[0]]);
  registry.heartbeat(a, [x], { x: { sent: 2 } });
  const ofX = [
    ["x", "producer", "a", x, { sent: 2 }],
    ["x", "consumer", "b", consumers[0], { got: 1 }],
    ["x", "consumer", "c", consumers[1], { got: 2, lost: 3 }],
  ];
  assert.deepEqual(metrics("x"), ofX);
  assert.deepEqual([metrics("z"), metrics().length], [[], 4]);
  assert.deepEqual(registry.metrics({ limit: 2, visible: (name) => name === "x" }).length, 2);
  registry.deregisterConsumer(b, "x", consumers[0]);
  registry.closeChannel(a, "y");
  assert.deepEqual(metrics(), [ofX[0], ofX[2]]);
});

test("metrics are bounded in number, and only finite numbers under names that are not too long are kept", () => {
  const owned = ownedRegistry({ maxMetrics: 2 });
  const { registry } = owned;
  const presence = produce(owned, "x", a);
  const given = JSON.parse(`{ "${"n".repeat(129)}": 1, "__proto__": 4, "b": 2, "c": 3 }`);
  registry.heartbeat(a, [presence], { x: { nan: NaN, ...given } });
  assert.deepEqual(
    Object.entries(registry.metrics()[0]!.metrics),
    Object.entries(JSON.parse('{"__proto__":4,"b":2}')),
  );
  assert.equal(registry.stats().metricsLeftOut, 3);
  registry.heartbeat(a, [presence], JSON.parse('{ "__proto__": { "x": 1 } }'));
  assert.equal(registry.metrics()[0]!.metrics["b"], 2);
});

test("an event goes to the producer and a broadcast to all, each client once, with the sender's identity", () => {
  const owned = ownedRegistry();
  const { registry, told } = owned;
  produce(owned, "x", a);
  for (const by of [b, b, c]) consume(owned, "x", by);
  told();
  assert.equal(registry.notify(client("k:1"), "x", "ping", { n: 1 }), 1);
  const event = { type: "channelEvent", channel: "x", from: "k", event: "ping", data: { n: 1 } };
  assert.deepEqual(told(), [["a", event]]);
  assert.equal(registry.broadcast(b, "x", "hello", null), 3);
  const broadcast = { type: "broadcast", channel: "x", from: "b", message: "hello", data: null };
  assert.deepEqual(told(), [["a", broadcast], ["b", broadcast], ["c", broadcast]]);
  assert.deepEqual([registry.notify(b, "y", "ping", 1), registry.broadcast(b, "y", "hello", 1), told()], [
    0,
    0,
    [],
  ]);
});

test("an identity is found with all that it is, over its instances", () => {
  const owned = ownedRegistry();
  const { registry } = owned;
  const [one, two] = [client("k:1"), client("k:2")];
  produce(owned, "x", one);
  const presence = consume(owned, "x", two);
  const roles = () =>
    registry.presenceOf("k").map(({ channel, role, client }) => [channel, role, client.instance]);
  assert.deepEqual(roles(), [["x", "producer", "k:1"], ["x", "consumer", "k:2"]]);
  assert.deepEqual(registry.findPresence(presence)?.client, two);
  registry.deregisterConsumer(two, "x", presence);
  assert.deepEqual([roles(), registry.findPresence(presence)], [[["x", "producer", "k:1"]], undefined]);
  assert.deepEqual(registry.presenceOf("nobody"), []);
});

test("a registry counts what it does and what it refuses", () => {
  const owned = ownedRegistry();
  const { registry } = owned;
  produce(owned, "x", a);
  produce(owned, "x", a);
  registry.registerProducer(a, producing("y", a));
  consume(owned, "x", b);
  refusal(() => consume(owned, "z", b));
  refusal(() => consume(owned, "z", b));
  assert.deepEqual(registry.stats(), {
    channels: { pending: 1, ready: 1, closing: 0 },
    producers: 2,
    consumers: 1,
    schemas: 0,
    registrations: 4,
    takeOvers: 1,
    refusals: { CHANNEL_NOT_FOUND: 2 },
    expiries: 0,
    forced: 0,
    notices: 1,
    metricsLeftOut: 0,
  });
});
