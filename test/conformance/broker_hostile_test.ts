/** Clients of a broker that do what no good client does. */
import assert from "node:assert/strict";
import { streams } from "../../src/streams/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { prng } from "../support/prng.ts";
import { test } from "../support/testing.ts";
import { until, within } from "../support/until.ts";
import { clientOf, rawClient, startedBroker } from "./broker_kit.ts";

const free = { hash: null, text: null, version: "1" } as const;

test("a client that floods the broker keeps others from nothing, and gets an answer to everything", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t, { maxPresences: 50, heartbeatMs: 60_000 });
  const flood = await rawClient(t, broker);
  await flood.hello();
  const asked = Array.from(
    { length: 3_000 },
    (_, n) =>
      (n % 3 === 0 ? flood.register(`flood/c${n}`) : flood.ask("list", { match: "**a**b**c**" }))
        .then(() => "done", ({ code }) => code as string),
  );
  const { client } = await clientOf(t, broker);
  assert.equal(await within(client.registerProducer("calm"), 5_000), true);
  assert.equal((await within(client.discoverProducer("calm"), 5_000))?.state, "ready");
  const answers = new Map<string, number>();
  for (const answer of await within(Promise.all(asked), 20_000)) {
    answers.set(answer, (answers.get(answer) ?? 0) + 1);
  }
  assert.deepEqual([...answers].sort(), [["LIMIT_REACHED", 950], ["done", 2_050]]);
  assert.equal(broker.channels().length, 51);
});

test("a client that never reads its notices loses the oldest, is told how many, and costs the broker no more", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t, { maxNotices: 100, heartbeatMs: 60_000 });
  const [lazy, busy] = [await rawClient(t, broker), await rawClient(t, broker)];
  const anchor = t.use(streams(lazy.messenger).anchor());
  await lazy.hello(String(anchor.handle));
  await busy.hello();
  await lazy.register("lab/x");
  const count = 2_000;
  const told = await within(
    Promise.all(
      Array.from(
        { length: count },
        (_, n) => busy.ask("notify", { channel: "lab/x", event: "e", data: { n, fill: "x".repeat(2_000) } }),
      ),
    ),
    20_000,
  );
  assert.equal(told.every((one) => one.told === 1), true);
  const { waiting, dropped } = broker.stats().notices;
  assert.ok(waiting <= 100 && dropped > 0, `${waiting} wait, ${dropped} were dropped`);
  // As soon as it reads, it gets what is left in order, and the number of those that are not.
  let missing = 0;
  let last = -1;
  for await (const notice of anchor) {
    const { type, count: gone, data } = notice as { type: string; count: number; data: { n: number } };
    if (type === "dropped") missing += gone;
    else {
      assert.ok(data.n > last);
      last = data.n;
      if (last === count - 1) break;
    }
  }
  assert.equal(missing, dropped);
});

test("a client that introduces itself over and over is one client", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t);
  const client = await rawClient(t, broker);
  await client.hello();
  await client.register("lab/x");
  const anchors = Array.from({ length: 20 }, () => t.use(streams(client.messenger).anchor()));
  await Promise.all(anchors.map((one) => client.hello(String(one.handle))));
  assert.deepEqual([broker.stats().clients, broker.channels().length], [1, 1]);
  // The last anchor gets the notices.
  await client.ask("broadcast", { channel: "lab/x", message: "m", data: 1 });
  const { value } = await within(anchors.at(-1)![Symbol.asyncIterator]().next(), 5_000);
  assert.equal((value as { type: string }).type, "broadcast");
});

test("more clients than the limit are refused, and one that leaves makes room", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t, { maxClients: 2, heartbeatMs: 50 });
  const [one, two, three] = [
    await rawClient(t, broker),
    await rawClient(t, broker),
    await rawClient(t, broker),
  ];
  await one.hello();
  await two.hello();
  await assert.rejects(three.hello(), { code: "LIMIT_REACHED" });
  await one.hello();
  await two.messenger.close();
  await until(() => three.hello().then(() => true, () => false), { message: "a place" });
});

test("whatever a client registers, heartbeats and takes back, the broker answers and goes on", async () => {
  await using t = await leakCheck();
  const broker = await startedBroker(t);
  const random = prng("hostile requests");
  const clients = await Promise.all([0, 1, 2].map(async () => {
    const client = await rawClient(t, broker);
    await client.hello();
    return client;
  }));
  const text = (): string =>
    random.pick(["lab/x", "x", "", "x".repeat(300), "lab//x", "__proto__", "constructor", "ä"]);
  const number = (): number => random.pick([1, 2, 3, 0, -1, 1.5, 2 ** 53, NaN]);
  const anything = (): unknown =>
    random.pick<unknown>([null, undefined, 7, "x", [], {}, [[]], { __proto__: null }, text(), number()]);
  const requests = [
    "register",
    "discover",
    "deregister",
    "heartbeat",
    "registerConsumer",
    "deregisterConsumer",
    "admits",
    "list",
    "schema",
    "metrics",
    "presence",
    "notify",
    "broadcast",
    "close",
  ] as const;
  const codes = new Set<string>();
  const asked = Array.from({ length: 2_000 }, () => {
    const client = random.pick(clients);
    const good: Record<string, unknown> = {
      ...client.producing(random.pick(["lab/x", "lab/y"])),
      transport: null,
      peer: null,
      presence: 1 + random.below(20),
      presences: [1 + random.below(20)],
      consumer: 1,
      instance: client.instance,
      identity: client.identity,
      event: "e",
      message: "m",
      data: anything(),
    };
    for (const key of Object.keys(good)) if (random.below(12) === 0) good[key] = anything();
    const more = random.below(8) === 0 ? [[text(), anything()]] : [];
    const input = Object.fromEntries([...Object.entries(good), ...more]);
    return client.ask(random.pick(requests), input as never).catch(({ code }) => void codes.add(code));
  });
  await within(Promise.all(asked), 20_000);
  const known = [
    "CHANNEL_CLOSED",
    "CHANNEL_NOT_FOUND",
    "CHANNEL_NOT_READY",
    "CHANNEL_OWNED",
    // Here, before it is sent.
    "ENCODING_FAILED",
    "IDENTITY_MISMATCH",
    "NAME_INVALID",
    "NOT_REGISTERED",
    "PATTERN_MISMATCH",
    "PAYLOAD_INVALID",
    "SCHEMA_MISMATCH",
    "SCHEMA_UNKNOWN",
    "STALE_INSTANCE",
    "TRANSPORT_MISMATCH",
  ];
  assert.deepEqual([...codes].filter((code) => !known.includes(code)), []);
  const { client } = await clientOf(t, broker);
  assert.equal(await client.registerProducer("good"), true);
});

test("forged metrics, and names that every object has, do nothing to others", async () => {
  await using t = await leakCheck();
  const client = await rawClient(t, await startedBroker(t));
  await client.hello();
  for (const name of ["constructor", "toString", "hasOwnProperty"]) {
    await assert.rejects(client.ask("discover", { channel: name }), { code: "CHANNEL_NOT_FOUND" });
    await client.register(name);
    await client.ask("heartbeat", { presences: [client.presence], metrics: { [name]: { n: 1 } } });
  }
  const { presence } = await client.ask("registerConsumer", {
    channel: "constructor",
    pattern: null,
    transport: null,
    schema: free,
    peer: null,
  });
  await client.ask("heartbeat", { presences: [presence], metrics: { other: { n: 1 } } });
  assert.deepEqual((await client.ask("metrics", { channel: "constructor" })).channels.length, 1);
});
