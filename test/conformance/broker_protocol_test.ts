/** The requests of the protocol, as any client sends them. */
import assert from "node:assert/strict";
import type { BrokerNotice } from "../../src/broker/mod.ts";
import { noticeSchema } from "../../src/broker/protocol/notices.ts";
import { streams } from "../../src/streams/mod.ts";
import type { LeakCheck } from "../support/fixture.ts";
import { leakCheck } from "../support/fixture.ts";
import { test } from "../support/testing.ts";
import { until } from "../support/until.ts";
import { type RawClient, rawClient, startedBroker } from "./broker_kit.ts";

const free = { hash: null, text: null, version: "1" } as const;
const [one, other] = ["1".repeat(64), "2".repeat(64)];

/** Introduces a client, and collects what it is told. */
async function listening(t: LeakCheck, client: RawClient): Promise<BrokerNotice[]> {
  const told: BrokerNotice[] = [];
  const anchor = t.use(streams(client.messenger).anchor());
  await client.hello(String(anchor.handle));
  void (async () => {
    for await (const notice of anchor) told.push(noticeSchema.parse(notice));
  })().catch(() => {});
  return told;
}

function consuming(channel: string, hash: string | null = null) {
  return { channel, pattern: null, transport: null, schema: { hash, version: "1" }, peer: null };
}

test("a client has to introduce itself, and with a version that the broker speaks", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t);
  const client = await rawClient(t, broker);
  await assert.rejects(client.ask("list", {}), { code: "CLIENT_UNKNOWN", ran: "yes" });
  const hello = { info: client.info, notices: null };
  for (const [lowest, highest] of [[2, 9], [-1, 0]] as const) {
    await assert.rejects(client.ask("hello", { ...hello, lowest, highest }), {
      code: "VERSION_UNSUPPORTED",
      details: { lowest: 1, highest: 1 },
      message: new RegExp(`speaks versions 1 to 1 .* the client ${lowest} to ${highest}`),
    });
  }
  const welcome = await client.ask("hello", { ...hello, lowest: 0, highest: 9 });
  assert.deepEqual([welcome.version, welcome.identity, welcome.heartbeatMs, welcome.graceMs], [
    1,
    client.instance,
    200,
    600,
  ]);
  assert.deepEqual((await client.ask("list", {})).channels, []);
  assert.equal(broker.stats().refused["VERSION_UNSUPPORTED"], 2);
});

test("a channel is not ready before its producer's first heartbeat", async () => {
  await using t = await leakCheck();
  const client = await rawClient(t, await startedBroker(t));
  await client.hello();
  const { presence } = await client.ask("register", { ...client.producing("lab/x"), ready: false });
  await assert.rejects(client.ask("discover", { channel: "lab/x" }), {
    code: "CHANNEL_NOT_READY",
    details: { channel: "lab/x" },
  });
  await assert.rejects(client.ask("registerConsumer", consuming("lab/x")), { code: "CHANNEL_NOT_READY" });
  assert.deepEqual(await client.ask("heartbeat", { presences: [presence, 99] }), { unknown: [99] });
  assert.equal((await client.ask("discover", { channel: "lab/x" })).state, "ready");
});

test("the errors of requests carry their facts", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t);
  const [a, b] = [await rawClient(t, broker), await rawClient(t, broker)];
  await Promise.all([a.hello(), b.hello()]);
  await a.ask("register", { ...a.producing("lab/x"), schema: { ...free, hash: one } });
  const wrong = { ...b.producing("lab/x"), schema: { ...free, hash: other } };
  const plain = { transport: "plain", endpoint: "tcp://127.0.0.1:1", key: null } as const;
  const channel = "lab/x";
  await assert.rejects(b.ask("register", wrong), {
    code: "SCHEMA_MISMATCH",
    ran: "yes",
    details: { channel, expected: one, given: other },
  });
  await assert.rejects(b.ask("register", { ...b.producing(channel), route: plain }), {
    code: "TRANSPORT_MISMATCH",
    details: { channel, expected: "stream", given: "plain" },
  });
  await assert.rejects(b.ask("register", { ...b.producing(channel), pattern: "pubsub" }), {
    code: "PATTERN_MISMATCH",
    details: { channel, expected: "pipeline", given: "pubsub" },
  });
  await assert.rejects(b.ask("register", b.producing(channel)), {
    code: "CHANNEL_OWNED",
    details: { channel, owner: a.instance },
  });
  await assert.rejects(b.ask("registerConsumer", consuming(channel, other)), { code: "SCHEMA_MISMATCH" });
  const none = { code: "CHANNEL_NOT_FOUND", details: { channel: "lab/none" } };
  for (
    const request of ["discover", "deregister", "registerConsumer", "deregisterConsumer", "close"] as const
  ) {
    await assert.rejects(b.ask(request, { ...consuming("lab/none"), presence: 1 } as never), none, request);
  }
  await assert.rejects(b.ask("deregister", { channel, presence: 1 }), { code: "NOT_REGISTERED" });
  await assert.rejects(b.ask("schema", { channel: "lab/none" }), { code: "SCHEMA_UNKNOWN" });
  await assert.rejects(b.ask("discover", { channel: "9lives" }), {
    code: "NAME_INVALID",
    message: /"9lives" at/,
  });
});

test("values that the protocol does not know are refused, and the broker goes on", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t);
  const client = await rawClient(t, broker);
  await client.hello();
  const good = client.producing("lab/x");
  const bad = [
    { ...good, pattern: "broadcast" },
    { ...good, route: { transport: "shm" } },
    { ...good, route: { transport: "plain", endpoint: 7, key: null } },
    { ...good, route: { transport: "plain", endpoint: "tcp://x:1", key: "short" } },
    { ...good, schema: { ...free, hash: "xyz" } },
    { ...good, schema: { ...free, text: "x".repeat(65_537) } },
    { ...good, channel: "x".repeat(256) },
    { ...good, metadata: 7 },
    { ...good, resumes: 0 },
    {},
    null,
    [],
    "lab/x",
  ];
  for (const input of bad) {
    await assert.rejects(
      client.ask("register", input as never),
      { code: "PAYLOAD_INVALID" },
      JSON.stringify(input),
    );
  }
  const beats = [{ presences: [0] }, { presences: [1.5] }, { presences: ["1"] }, {
    presences: [],
    metrics: { x: 1 },
  }];
  for (const input of beats) {
    await assert.rejects(client.ask("heartbeat", input as never), { code: "PAYLOAD_INVALID" });
  }
  await client.register("lab/x");
  assert.equal(broker.channels().length, 1);
});

test("events go to the producer, broadcasts to all, and the broker says who they are from", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t);
  const [a, b, c] = [await rawClient(t, broker), await rawClient(t, broker), await rawClient(t, broker)];
  const [toA, toB, toC] = [await listening(t, a), await listening(t, b), await listening(t, c)];
  await a.register("lab/x");
  await b.ask("registerConsumer", consuming("lab/x"));
  const data = { n: 1, list: [true, null] };
  const event = { type: "channelEvent", channel: "lab/x", from: c.instance, event: "checksum", data };
  const all = { type: "broadcast", channel: "lab/x", from: b.instance, message: "stop", data };
  assert.deepEqual(await c.ask("notify", { channel: "lab/x", event: "checksum", data }), { told: 1 });
  assert.deepEqual(await b.ask("broadcast", { channel: "lab/x", message: "stop", data }), { told: 2 });
  assert.deepEqual(await c.ask("notify", { channel: "lab/y", event: "e", data }), { told: 0 });
  assert.deepEqual(await c.ask("broadcast", { channel: "lab/y", message: "m", data }), { told: 0 });
  await until(() => toA.length === 3 && toB.length === 1, { message: "the notices" });
  assert.deepEqual([toA.slice(1), toB, toC], [[event, all], [all], []]);
});

test("who closes a channel without owning it is refused, and nobody is told", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t);
  const [a, b] = [await rawClient(t, broker), await rawClient(t, broker)];
  const [toA, toB] = [await listening(t, a), await listening(t, b)];
  await a.register("lab/x");
  await b.ask("registerConsumer", consuming("lab/x"));
  await assert.rejects(b.ask("deregister", { channel: "lab/x", presence: a.presence }), {
    code: "NOT_REGISTERED",
  });
  await assert.rejects(b.ask("close", { channel: "lab/x" }), { code: "NOT_REGISTERED" });
  assert.equal((await b.ask("discover", { channel: "lab/x" })).consumers, 1);
  await a.ask("deregister", { channel: "lab/x", presence: a.presence });
  await until(() => toA.length === 2 && toB.length === 1, { message: "the closing notices" });
  const closing = {
    type: "channelClosing",
    channel: "lab/x",
    epoch: 1,
    reason: "deregistered",
    graceMs: 5_000,
  };
  assert.deepEqual([toA[1], toB], [closing, [closing]]);
});

test("a channel whose consumers do not leave in time ends all the same", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t, { closeGraceMs: 150, heartbeatMs: 60_000 });
  const [a, b] = [await rawClient(t, broker), await rawClient(t, broker)];
  const [, toB] = [await listening(t, a), await listening(t, b)];
  await a.register("lab/x");
  await b.ask("registerConsumer", consuming("lab/x"));
  await a.ask("deregister", { channel: "lab/x", presence: a.presence });
  assert.equal(broker.channels()[0]?.state, "closing");
  await assert.rejects(a.ask("discover", { channel: "lab/x" }), { code: "CHANNEL_CLOSED" });
  await until(() => toB.length === 2, { message: "the end" });
  assert.deepEqual(toB.map(({ type }) => type), ["channelClosing", "forcedShutdown"]);
  assert.deepEqual(broker.channels(), []);
});

test("metrics of heartbeats are shown for a channel, and for all", async () => {
  await using t = await leakCheck();
  const [a, b] = await (async () => {
    const broker = await startedBroker(t);
    return [await rawClient(t, broker), await rawClient(t, broker)] as const;
  })();
  await Promise.all([a.hello(), b.hello()]);
  await a.register("lab/x");
  const { presence } = await b.ask("registerConsumer", consuming("lab/x"));
  assert.deepEqual((await a.ask("metrics", {})).channels, []);
  await a.ask("heartbeat", { presences: [a.presence], metrics: { "lab/x": { sent: 4 } } });
  await b.ask("heartbeat", { presences: [presence], metrics: { "lab/x": { got: 3 } } });
  await b.ask("heartbeat", { presences: [presence] });
  const expected = [
    { channel: "lab/x", role: "producer", identity: a.instance, presence: a.presence, metrics: { sent: 4 } },
    { channel: "lab/x", role: "consumer", identity: b.instance, presence, metrics: { got: 3 } },
  ];
  assert.deepEqual((await a.ask("metrics", {})).channels, expected);
  assert.deepEqual((await a.ask("metrics", { channel: "lab/x" })).channels, expected);
  assert.deepEqual((await a.ask("metrics", { channel: "lab/y" })).channels, []);
});

test("an identity is found with its roles", async () => {
  await using t = await leakCheck();
  const client = await rawClient(t, await startedBroker(t));
  await client.hello();
  const { instance: identity } = client;
  assert.deepEqual(await client.ask("presence", { identity }), { present: false, roles: [] });
  await client.register("lab/x");
  await client.ask("registerConsumer", consuming("lab/x"));
  assert.deepEqual(await client.ask("presence", { identity }), {
    present: true,
    roles: [{ channel: "lab/x", role: "producer" }, { channel: "lab/x", role: "consumer" }],
  });
});

test("channels are listed in pages", async () => {
  await using t = await leakCheck();
  const client = await rawClient(t, await startedBroker(t));
  await client.hello();
  for (const name of ["c", "a", "lab/b", "lab/a"]) await client.register(name);
  const first = await client.ask("list", { limit: 3 });
  assert.deepEqual([first.channels.map(({ name }) => name), first.next], [["a", "c", "lab/a"], "lab/a"]);
  const second = await client.ask("list", { limit: 3, after: first.next! });
  assert.deepEqual([second.channels.map(({ name }) => name), second.next], [["lab/b"], null]);
  const matching = await client.ask("list", { match: "lab/*" });
  assert.deepEqual(matching.channels.map(({ name }) => name), ["lab/a", "lab/b"]);
});
