import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { ProducerRegistration } from "../../src/broker/mod.ts";
import type { InstanceId } from "../../src/mod.ts";
import {
  client,
  consume,
  consuming,
  ownedRegistry,
  produce,
  producing,
  refusal,
} from "../support/broker_registry.ts";
import { test } from "../support/testing.ts";

const a = client("a");
const b = client("b");
const c = client("c");
const plain = { transport: "plain", endpoint: "tcp://127.0.0.1:1", key: null } as const;

function schema(text: string): ProducerRegistration["schema"] {
  return { hash: createHash("sha256").update(text).digest("hex"), text, version: "1" };
}

test("a channel is pending until its producer's first heartbeat, and only then found", () => {
  const { registry } = ownedRegistry();
  assert.equal(refusal(() => registry.discover(b, "x")).code, "CHANNEL_NOT_FOUND");
  const metadata = { place: "roof" };
  const registered = registry.registerProducer(a, producing("x", a, { metadata, sharedMemory: "/x" }));
  assert.deepEqual(registered, { presence: 1, epoch: 1, tookOver: false });
  assert.equal(refusal(() => registry.discover(b, "x")).code, "CHANNEL_NOT_READY");
  assert.equal(refusal(() => registry.registerConsumer(b, consuming("x"))).code, "CHANNEL_NOT_READY");
  registry.heartbeat(a, [registered.presence]);
  assert.deepEqual(registry.discover(b, "x"), {
    name: "x",
    pattern: "pipeline",
    transport: "stream",
    state: "ready",
    schema: { hash: null, version: "1" },
    metadata,
    sharedMemory: "/x",
    consumers: 0,
    producer: { pid: 7, host: "here", runtime: "bun", name: "a", identity: "a", instance: "a", epoch: 1 },
  });
});

test("a channel counts its consumers, and its producer is told of each that comes and leaves", () => {
  const owned = ownedRegistry();
  const { registry, told, leases } = owned;
  produce(owned, "x", a);
  const counts = () => registry.discover(c, "x").consumers;
  assert.equal(counts(), 0);
  const registered = registry.registerConsumer(b, consuming("x"));
  assert.deepEqual([registered.channel.consumers, registered.route], [1, producing("x", a).route]);
  const second = consume(owned, "x", b);
  assert.deepEqual([counts(), leases.size], [2, 3]);
  registry.deregisterConsumer(b, "x", registered.presence);
  registry.deregisterConsumer(b, "x", second);
  assert.deepEqual([counts(), leases.size], [0, 1]);
  const consumer = (presence: number) => ({ presence, identity: "b", instance: "b", name: "b", peer: null });
  assert.deepEqual(told(), [
    ["a", { type: "consumerJoined", channel: "x", consumer: consumer(2) }],
    ["a", { type: "consumerJoined", channel: "x", consumer: consumer(3) }],
    ["a", { type: "consumerLeft", channel: "x", consumer: consumer(2) }],
    ["a", { type: "consumerLeft", channel: "x", consumer: consumer(3) }],
  ]);
});

test("only who registered a consumer can take it back", () => {
  const owned = ownedRegistry();
  const { registry, told } = owned;
  produce(owned, "x", a);
  produce(owned, "y", a);
  const presence = consume(owned, "x", b);
  told();
  const tries = [
    () => registry.deregisterConsumer(c, "x", presence),
    () => registry.deregisterConsumer(a, "x", presence),
    () => registry.deregisterConsumer(b, "y", presence),
    () => registry.deregisterConsumer(b, "x", presence + 1),
    () => registry.deregisterConsumer(a, "x", 1),
  ];
  assert.deepEqual(tries.map((one) => refusal(one).code), Array(5).fill("NOT_REGISTERED"));
  assert.equal(refusal(() => registry.deregisterConsumer(b, "z", presence)).code, "CHANNEL_NOT_FOUND");
  assert.deepEqual([told(), registry.discover(c, "x").consumers], [[], 1]);
});

test("a channel ends at once when its producer is taken back and no consumer is there", () => {
  const owned = ownedRegistry();
  const { registry, told, graces, leases } = owned;
  const presence = produce(owned, "x", a);
  registry.deregisterProducer(a, "x", presence);
  const closing = { type: "channelClosing", channel: "x", epoch: 1, reason: "deregistered", graceMs: 5_000 };
  assert.deepEqual([told(), graces, leases.size], [[["a", closing]], [], 0]);
  assert.equal(refusal(() => registry.discover(b, "x")).code, "CHANNEL_NOT_FOUND");
  assert.equal(refusal(() => registry.deregisterProducer(a, "x", presence)).code, "CHANNEL_NOT_FOUND");
});

test("who takes back the channel of another changes nothing, and nobody is told", () => {
  const owned = ownedRegistry();
  const { registry, told, graces } = owned;
  const presence = produce(owned, "x", a);
  const consumer = consume(owned, "x", b);
  told();
  for (const [by, number] of [[b, presence], [c, presence], [b, consumer], [a, consumer], [a, 99]] as const) {
    const { code, details } = refusal(() => registry.deregisterProducer(by, "x", number));
    assert.deepEqual([code, details], ["NOT_REGISTERED", { channel: "x" }]);
    assert.equal(refusal(() => registry.closeChannel(b, "x")).code, "NOT_REGISTERED");
  }
  assert.deepEqual([told(), graces, registry.discover(c, "x").state], [[], [], "ready"]);
  assert.equal(registry.stats().refusals["NOT_REGISTERED"], 10);
});

test("the same identity takes over at once: consumers stay and are told, and the old instance is fenced", () => {
  const owned = ownedRegistry();
  const { registry, told, leases } = owned;
  const [first, second] = [client("k:1"), client("k:2")];
  const old = produce(owned, "x", first);
  consume(owned, "x", b);
  consume(owned, "x", b);
  told();
  const registered = registry.registerProducer(second, producing("x", second, { metadata: { n: 2 } }));
  assert.deepEqual(registered, { presence: 4, epoch: 2, tookOver: true });
  const { route } = producing("x", second);
  assert.deepEqual(told(), [
    ["k:1", { type: "fenced", channel: "x", presence: old, epoch: 2 }],
    ["b", { type: "producerChanged", channel: "x", epoch: 2, route }],
  ]);
  assert.deepEqual([...leases], [2, 3, 4]);
  assert.deepEqual(registry.heartbeat(first, [old]), [old]);
  assert.equal(refusal(() => registry.discover(c, "x")).code, "CHANNEL_NOT_READY");
  assert.deepEqual(refusal(() => registry.deregisterProducer(first, "x", old)), {
    code: "STALE_INSTANCE",
    message:
      'Cannot deregister the producer of channel "x": another instance of this identity has taken over, ' +
      "with epoch 2",
    details: { channel: "x", epoch: 2 },
  });
  assert.deepEqual(told(), []);
  registry.heartbeat(second, [4]);
  const { metadata, consumers, producer } = registry.discover(c, "x");
  assert.deepEqual([metadata, consumers, producer.instance], [{ n: 2 }, 2, "k:2"]);
});

test("a fenced instance that repeats its registration does not take over in turn", () => {
  const owned = ownedRegistry();
  const { registry } = owned;
  const [first, second] = [client("k:1"), client("k:2")];
  const old = produce(owned, "x", first);
  const held = produce(owned, "x", second);
  const repeated = () => registry.registerProducer(first, producing("x", first, { resumes: old }));
  assert.equal(refusal(repeated).code, "STALE_INSTANCE");
  assert.deepEqual(registry.heartbeat(second, [held]), []);
});

test("another identity cannot register a channel whose producer lives", () => {
  const owned = ownedRegistry();
  const { registry, told, leases } = owned;
  const presence = produce(owned, "x", a);
  const { code, details } = refusal(() => registry.registerProducer(b, producing("x", b)));
  assert.deepEqual([code, details], ["CHANNEL_OWNED", { channel: "x", owner: "a" }]);
  assert.deepEqual([told(), [...leases]], [[], [presence]]);
  registry.expire(presence);
  assert.equal(registry.registerProducer(b, producing("x", b)).epoch, 2);
});

test("the schema is checked before the owner, whoever registers, and the owner is told", () => {
  const owned = ownedRegistry();
  const { registry, told } = owned;
  const [one, other] = [schema("{}"), schema("[]")];
  const presence = produce(owned, "x", a, { schema: one });
  for (const by of [a, b]) {
    const { code, details } = refusal(() =>
      registry.registerProducer(by, producing("x", by, { schema: other }))
    );
    const facts = { channel: "x", expected: one.hash, given: other.hash };
    assert.deepEqual([code, details], ["SCHEMA_MISMATCH", facts]);
    const event = "schema_mismatch_attempt";
    assert.deepEqual(told(), [["a", { type: "channelError", event, identity: by.identity, ...facts }]]);
  }
  const consumer = consuming("x", { schema: other });
  assert.equal(refusal(() => registry.registerConsumer(b, consumer)).code, "SCHEMA_MISMATCH");
  consume(owned, "x", b, { schema: one });
  consume(owned, "x", b);
  assert.deepEqual(registry.heartbeat(a, [presence]), []);
});

test("a producer that has no schema to compare makes no room for another schema", () => {
  const owned = ownedRegistry();
  const [one, other] = [schema("{}"), schema("[]")];
  produce(owned, "x", a, { schema: one });
  produce(owned, "x", a);
  const given = producing("x", a, { schema: other });
  assert.equal(refusal(() => owned.registry.registerProducer(a, given)).code, "SCHEMA_MISMATCH");
  produce(owned, "y", a);
  produce(owned, "y", a, { schema: one });
  assert.equal(owned.registry.schema({ channel: "y" }).hash, one.hash);
});

test("pattern and transport have to agree, and a take-over changes them only without consumers", () => {
  const owned = ownedRegistry();
  const { registry } = owned;
  produce(owned, "x", a);
  const changed = [{ pattern: "pubsub" }, { route: plain }] as const;
  const codes = ["PATTERN_MISMATCH", "TRANSPORT_MISMATCH"];
  const register = (more: Partial<ProducerRegistration>) => () =>
    registry.registerProducer(a, producing("x", a, more));
  assert.deepEqual(
    changed.map((more) => refusal(() => registry.registerProducer(b, producing("x", b, more))).code),
    codes,
  );
  const asked = [{ pattern: "pubsub" }, { transport: "plain" }] as const;
  const found = asked.map((more) => refusal(() => registry.registerConsumer(b, consuming("x", more))));
  assert.deepEqual(found.map(({ code }) => code), codes);
  assert.deepEqual(found[0]!.details, { channel: "x", expected: "pipeline", given: "pubsub" });
  const consumer = consume(owned, "x", b, { pattern: "pipeline", transport: "stream" });
  assert.deepEqual(changed.map((more) => refusal(register(more)).code), codes);
  registry.deregisterConsumer(b, "x", consumer);
  produce(owned, "x", a, { pattern: "pubsub", route: plain });
  const { pattern, transport } = registry.discover(b, "x");
  assert.deepEqual([pattern, transport], ["pubsub", "plain"]);
});

test("a client cannot register the data or the peer info of another instance", () => {
  const owned = ownedRegistry();
  const { registry } = owned;
  const peer = (instance: string) => ({ instance_id: instance as InstanceId, worker_address: [1, 2] });
  const [own, other] = [peer("a"), peer("b")];
  const routes = [producing("x", b).route, { ...producing("x", a).route, peer: other }] as const;
  for (const route of routes) {
    const given = () => registry.registerProducer(a, producing("x", a, { route }));
    assert.equal(refusal(given).code, "IDENTITY_MISMATCH");
  }
  produce(owned, "x", a, { route: { transport: "stream", instance: "a" as InstanceId, peer: own } });
  const stolen = consuming("x", { peer: own });
  assert.equal(refusal(() => registry.registerConsumer(b, stolen)).code, "IDENTITY_MISMATCH");
  const presence = consume(owned, "x", b, { peer: other });
  assert.deepEqual(registry.find("x")?.consumer(presence)?.peer, other);
});

test("a name that is no name is refused, and the error shows where", () => {
  const { registry } = ownedRegistry();
  const bad = ["", "1x", "a//b", "a.b.", "ä", "a b", "x".repeat(65), `${"abc/".repeat(64)}a`, "a/\n"];
  for (const name of bad) {
    const tries = [
      () => registry.registerProducer(a, producing(name, a)),
      () => registry.registerConsumer(a, consuming(name)),
      () => registry.discover(a, name),
    ];
    assert.deepEqual(tries.map((one) => refusal(one).code), Array(3).fill("NAME_INVALID"), name);
  }
  assert.match(refusal(() => registry.discover(a, "lab/9/x")).message, /the part "9" at character 5/);
  assert.equal(registry.stats().refusals["NAME_INVALID"], bad.length * 3 + 1);
  registry.registerProducer(a, producing(`${"x".repeat(64)}.a-b_C9/y`, a));
});

test("only a producer can ask whether somebody is a consumer of its channel", () => {
  const owned = ownedRegistry();
  const { registry } = owned;
  const [x, y] = [produce(owned, "x", a), produce(owned, "y", a)];
  const consumer = consume(owned, "x", b);
  assert.equal(registry.admits(a, "x", x, consumer, "b"), true);
  assert.equal(registry.admits(a, "x", x, consumer, "c"), false);
  assert.equal(registry.admits(a, "x", x, consumer + 1, "b"), false);
  assert.equal(registry.admits(a, "y", y, consumer, "b"), false);
  assert.equal(refusal(() => registry.admits(b, "x", x, consumer, "b")).code, "NOT_REGISTERED");
  assert.equal(refusal(() => registry.admits(a, "x", y, consumer, "b")).code, "NOT_REGISTERED");
  assert.equal(refusal(() => registry.deregisterProducer(a, "y", x)).code, "NOT_REGISTERED");
  assert.equal(refusal(() => registry.admits(a, "z", x, consumer, "b")).code, "CHANNEL_NOT_FOUND");
});

test("limits hold for channels, consumers, presences of an identity and metadata", () => {
  const owned = ownedRegistry({
    maxChannels: 2,
    maxConsumers: 2,
    maxPresences: 3,
    maxMetadataCharacters: 20,
  });
  const { registry } = owned;
  const register = (by: typeof a, name: string, metadata: Record<string, unknown> | null = null) => () =>
    registry.registerProducer(by, producing(name, by, { metadata }));
  assert.match(refusal(register(a, "x", { long: "x".repeat(10) })).message, /metadata has 21 characters/);
  produce(owned, "x", a, { metadata: { long: "x".repeat(9) } });
  produce(owned, "y", a);
  assert.match(refusal(register(b, "z")).message, /the broker has maxChannels \(2\) already/);
  consume(owned, "x", a);
  assert.match(refusal(() => consume(owned, "x", a)).message, /a has maxPresences \(3\) already/);
  consume(owned, "x", b);
  assert.match(refusal(() => consume(owned, "x", b)).message, /the channel has maxConsumers \(2\) already/);
  // A take-over needs no place.
  produce(owned, "x", a);
  assert.equal(registry.stats().refusals["LIMIT_REACHED"], 4);
});
