/** Who a client is to the broker: its key, whatever its messages say. */
import assert from "node:assert/strict";
import { brokerContracts } from "../../src/broker/protocol/contracts.ts";
import { curveKeyPair } from "../../src/mod.ts";
import { streams } from "../../src/streams/mod.ts";
import { noCurve } from "../support/curve.ts";
import { leakCheck } from "../support/fixture.ts";
import { test } from "../support/testing.ts";
import { until } from "../support/until.ts";
import { clientOf, keyedBroker, numbers, rawClient, startedBroker } from "./broker_kit.ts";

const free = { hash: null, text: null, version: "1" } as const;

test("the identity of a client with keys is its public key, and else its instance id", {
  skip: noCurve,
}, async () => {
  await using t = await leakCheck();
  const keys = await curveKeyPair();
  const keyed = await keyedBroker(t);
  const { client } = await clientOf(t, keyed, { curve: keys });
  assert.equal(client.identity, keys.publicKey);
  const open = await startedBroker(t);
  const { client: other, messenger } = await clientOf(t, open);
  assert.equal(other.identity, messenger.instanceId);
});

test("a client with key A that claims to be B is refused in every message type, and changes nothing", {
  skip: noCurve,
}, async () => {
  await using t = await leakCheck();
  const broker = await keyedBroker(t);
  const [a, b] = [
    await rawClient(t, broker, await curveKeyPair()),
    await rawClient(t, broker, await curveKeyPair()),
  ];
  await b.hello();
  await b.register("lab/x");
  const { presence: consumer } = await b.ask("registerConsumer", consuming("lab/x"));
  const identity = b.identity;
  // As its first message, and once it is known under its own name.
  for (let round = 0; round < 2; round++) {
    const hello = { lowest: 1, highest: 1, info: a.info, notices: null, identity };
    const claims: Record<Exclude<keyof typeof brokerContracts, WithoutClaim>, object> = {
      hello,
      register: { ...a.producing("lab/y"), identity },
      discover: { channel: "lab/x", identity },
      deregister: { channel: "lab/x", presence: b.presence, identity },
      registerConsumer: { ...consuming("lab/x"), identity },
      registerAll: {
        producers: [a.producing("lab/y"), { ...a.producing("lab/z"), identity }],
        consumers: [],
      },
      deregisterConsumer: { channel: "lab/x", presence: consumer, identity },
      admits: { channel: "lab/x", presence: b.presence, consumer, instance: b.instance, identity },
      notify: { channel: "lab/x", event: "e", data: 1, identity },
      broadcast: { channel: "lab/x", message: "m", data: 1, identity },
      close: { channel: "lab/x", identity },
    };
    for (const [request, input] of Object.entries(claims)) {
      const code = round === 0 && request !== "hello" ? "CLIENT_UNKNOWN" : "IDENTITY_MISMATCH";
      await assert.rejects(a.ask(request as "hello", input as typeof hello), { code }, request);
    }
    if (round === 0) await a.hello();
  }
  // Without a claim the key counts, and what belongs to B stays B's.
  const takes: (readonly [keyof typeof brokerContracts, object, string])[] = [
    ["register", a.producing("lab/x"), "CHANNEL_OWNED"],
    ["deregister", { channel: "lab/x", presence: b.presence }, "NOT_REGISTERED"],
    ["deregisterConsumer", { channel: "lab/x", presence: consumer }, "NOT_REGISTERED"],
    ["admits", { channel: "lab/x", presence: b.presence, consumer, instance: b.instance }, "NOT_REGISTERED"],
    ["close", { channel: "lab/x" }, "NOT_REGISTERED"],
    ["register", { ...a.producing("lab/y"), route: b.producing("lab/y").route }, "IDENTITY_MISMATCH"],
    ["registerConsumer", { ...consuming("lab/x"), peer: peerOf(b.instance) }, "IDENTITY_MISMATCH"],
    ["registerAll", { producers: [], consumers: [{ ...consuming("lab/x"), identity }] }, "IDENTITY_MISMATCH"],
  ];
  for (const [request, input, code] of takes) {
    await assert.rejects(
      a.ask(request as "close", input as { channel: string }),
      { code },
      `${request} ${code}`,
    );
  }
  assert.deepEqual((await a.ask("heartbeat", { presences: [b.presence, consumer] })).unknown, [
    b.presence,
    consumer,
  ]);
  const { producer, consumers } = await b.ask("discover", { channel: "lab/x" });
  assert.deepEqual([producer.identity, consumers, broker.channels().length], [identity, 1, 1]);
});

test("a client gets no notices into the anchor of another instance", { skip: noCurve }, async () => {
  await using t = await leakCheck();
  const broker = await keyedBroker(t);
  const [a, b] = [
    await rawClient(t, broker, await curveKeyPair()),
    await rawClient(t, broker, await curveKeyPair()),
  ];
  const anchor = t.use(streams(b.messenger).anchor());
  const hello = { lowest: 1, highest: 1, info: a.info };
  for (const notices of [String(anchor.handle), "no handle", "-1"]) {
    await assert.rejects(a.ask("hello", { ...hello, notices }), { code: "IDENTITY_MISMATCH" });
  }
});

test("two instances with one key are one identity, of which the later producer takes over", {
  skip: noCurve,
}, async () => {
  await using t = await leakCheck();
  const broker = await keyedBroker(t);
  const keys = await curveKeyPair();
  const { client: first } = await clientOf(t, broker, { curve: keys });
  const { client: second, messenger } = await clientOf(t, broker, { curve: keys });
  const { client: watcher } = await clientOf(t, broker, { curve: await curveKeyPair(), listen: false });
  const notices = watcher.notices();
  const fenced = first.notices();
  await first.registerProducer(numbers);
  await watcher.registerConsumer(numbers);
  await second.registerProducer(numbers);
  const changed = (await notices.next()).value;
  assert.equal(changed.type, "producerChanged");
  assert.equal(changed.route.instance, messenger.instanceId);
  const told = [(await fenced.next()).value, (await fenced.next()).value];
  assert.deepEqual(told.map(({ type }) => type), ["consumerJoined", "fenced"]);
  // The first one takes nothing back, by its heartbeats neither.
  await until(() => broker.stats().requests["heartbeat"]! > 6, { message: "heartbeats of both" });
  assert.equal(broker.channels()[0]!.producer.instance, messenger.instanceId);
  assert.equal(broker.stats().registry.takeOvers, 1);
  assert.equal(first.stats().registrations.remembered, 0);
});

test(
  "a key that is no longer allowed is refused at once, and its registrations end",
  { skip: noCurve },
  async () => {
    await using t = await leakCheck();
    const broker = await keyedBroker(t, { heartbeatMs: 100 });
    const [good, bad] = [await curveKeyPair(), await curveKeyPair()];
    const { client: one } = await clientOf(t, broker, { curve: good });
    const { client: two } = await clientOf(t, broker, { curve: bad });
    await two.registerProducer(numbers);
    await one.registerConsumer(numbers);
    const notices = one.notices();
    broker.allow([good.publicKey]);
    await assert.rejects(two.discoverProducer(numbers), { code: "FORBIDDEN" });
    const closing = (await notices.next()).value;
    assert.deepEqual([closing.type, closing.reason], ["channelClosing", "timeout"]);
    await until(() => broker.channels().length === 0, { message: "the channel to end" });
    const { client: again } = await clientOf(t, broker, { curve: good });
    assert.equal(again.connected, true);
    broker.allow("any");
    const { client: back } = await clientOf(t, broker, { curve: bad });
    assert.equal(await back.registerProducer(numbers), true);
  },
);

test("a consumer whose key the producer refuses is told so, and does not wait for ever", {
  skip: noCurve,
}, async () => {
  await using t = await leakCheck();
  const broker = await keyedBroker(t);
  // It admits nobody.
  const { client: producer } = await clientOf(t, broker, { curve: await curveKeyPair() });
  const { client: consumer } = await clientOf(t, broker, { curve: await curveKeyPair(), listen: false });
  await producer.createChannel(numbers);
  await assert.rejects(consumer.connectChannel(numbers, { timeoutMs: 1_000 }), {
    code: "PEER_UNREACHABLE",
    message: /Cannot open channel "lab\/numbers": its producer cannot be reached/,
  });
  assert.equal((await producer.discoverProducer(numbers))?.consumers, 0);
});

test("a broker with keys refuses a client without keys, and one that expects another broker", {
  skip: noCurve,
}, async () => {
  await using t = await leakCheck();
  const broker = await keyedBroker(t);
  const plain = { endpoint: broker.endpoint, publicKey: null };
  await assert.rejects(clientOf(t, plain, {}, 400), { code: "PEER_UNREACHABLE" });
  const wrong = { endpoint: broker.endpoint, publicKey: (await curveKeyPair()).publicKey };
  await assert.rejects(clientOf(t, wrong, { curve: await curveKeyPair() }, 400), {
    code: "PEER_UNREACHABLE",
  });
  assert.equal(broker.stats().clients, 0);
});

type WithoutClaim = "heartbeat" | "list" | "schema" | "metrics" | "presence";

function consuming(channel: string) {
  return { channel, pattern: null, transport: null, schema: free, peer: null };
}

function peerOf(instance: string) {
  return { instance_id: instance as never, worker_address: [1, 2, 3] };
}
