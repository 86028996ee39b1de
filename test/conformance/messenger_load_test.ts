import assert from "node:assert/strict";
import { test } from "node:test";
import { amHandler, type Messenger, type MessengerOptions, unaryHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { prng } from "../support/prng.ts";
import { allBytes, sameBytes } from "../support/same_bytes.ts";
import { pause, until } from "../support/until.ts";
import { bytes, fails, gate, pair, text } from "./messenger_kit.ts";
import { RawRouter } from "./messenger_raw_peer.ts";

/** Registers a handler that notes the number in each message, four bytes each. */
function counter(messenger: Messenger): number[] {
  const seen: number[] = [];
  messenger.registerHandler(amHandler("n", ({ payload }) => {
    seen.push(new DataView(payload.buffer, payload.byteOffset).getUint32(0));
  }));
  return seen;
}

function numbered(i: number): Uint8Array {
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setUint32(0, i);
  return payload;
}

const inOrder = (count: number) => Array.from({ length: count }, (_, i) => i);

test("two thousand calls at once each get their own answer", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("sync", ({ payload }) => payload));
  server.registerHandler(unaryHandler("async", async ({ payload }) => {
    await Promise.resolve();
    return payload;
  }));
  for (const name of ["sync", "async"]) {
    const answers = await Promise.all(
      Array.from(
        { length: 2_000 },
        (_, i) => client.unary(name, { to: peer, rawPayload: bytes(`${name} ${i}`) }),
      ),
    );
    assert.deepEqual(answers.map(text), Array.from({ length: 2_000 }, (_, i) => `${name} ${i}`));
  }
  assert.equal(client.stats().calls.pending, 0);
  assert.equal(server.stats().handlers.running, 0);
});

test("two thousand calls that end in any order each get their own answer", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const random = prng("the order of answers");
  const waiting: (() => void)[] = [];
  server.registerHandler(unaryHandler("any", async ({ payload }) => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    return payload;
  }));
  const calls = Array.from(
    { length: 2_000 },
    (_, i) => client.unary("any", { to: peer, rawPayload: bytes(String(i)) }),
  );
  await until(() => waiting.length === 2_000);
  while (waiting.length > 0) waiting.splice(random.below(waiting.length), 1)[0]!();
  assert.deepEqual((await Promise.all(calls)).map(text), inOrder(2_000).map(String));
});

const orders: readonly (readonly [title: string, count: number, options: MessengerOptions])[] = [
  ["ten thousand amSend()", 10_000, {}],
  ["ten thousand amSend() without batches", 10_000, { features: { batch: false } }],
  ["ten thousand amSend() over a connection that holds ten messages", 10_000, { highWaterMark: 10 }],
  ["two thousand amSend() through a queue of sixteen", 2_000, { highWaterMark: 1, maxQueuedMessages: 16 }],
  ["two thousand amSend() through a queue of sixteen without batches", 2_000, {
    highWaterMark: 1,
    maxQueuedMessages: 16,
    features: { batch: false },
  }],
];

for (const [title, count, options] of orders) {
  test(`${title} of one sender arrive complete and in order`, async () => {
    await using t = await leakCheck();
    const { server, client, peer } = await pair(t, { client: options, server: options });
    const seen = counter(server);
    const sends: Promise<void>[] = [];
    for (let i = 0; i < count; i++) {
      sends.push(client.amSend("n", { to: peer, rawPayload: numbered(i) }));
      if (i % 500 === 499) await pause(0);
    }
    await Promise.all(sends);
    await until(() => seen.length === count, { message: () => `${seen.length} of ${count} messages` });
    assert.deepEqual(seen, inOrder(count));
  });
}

test("messages of all patterns and sizes of one sender start in the order in which they were sent", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { client: { highWaterMark: 5, maxQueuedMessages: 20 } });
  const seen = counter(server);
  const random = prng("patterns and sizes");
  const all: Promise<unknown>[] = [];
  for (let i = 0; i < 3_000; i++) {
    const rawPayload = new Uint8Array(random.pick([4, 4, 4, 50, 2_000, 20_000]));
    rawPayload.set(numbered(i));
    const pattern = random.pick(["amSend", "amSend", "amSync"] as const);
    all.push(client[pattern]("n", { to: peer, rawPayload }));
    if (random.below(50) === 0) await pause(0);
  }
  await Promise.all(all);
  await until(() => seen.length === 3_000, { message: () => `${seen.length} messages` });
  assert.deepEqual(seen, inOrder(3_000));
});

test("awaited amSend() keeps the order as well", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { client: { highWaterMark: 2, maxQueuedMessages: 3 } });
  const seen = counter(server);
  for (let i = 0; i < 2_000; i++) await client.amSend("n", { to: peer, rawPayload: numbered(i) });
  await until(() => seen.length === 2_000);
  assert.deepEqual(seen, inOrder(2_000));
});

test("ten senders to one receiver each keep their order", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const seen = new Map<string, number[]>();
  server.registerHandler(amHandler("n", (context) => {
    const of = seen.get(context.senderInstanceId!) ?? [];
    seen.set(context.senderInstanceId!, of);
    of.push(context.json() as number);
  }));
  const clients = await Promise.all(Array.from({ length: 10 }, () => t.messenger()));
  await Promise.all(clients.map(async (client) => {
    const peer = await client.connect(server.endpoint);
    for (let i = 0; i < 500; i++) {
      void client.amSend("n", { to: peer, payload: i });
      if (i % 50 === 0) await pause(0);
    }
  }));
  const counts = () => [...seen.values()].reduce((sum, of) => sum + of.length, 0);
  await until(() => counts() === 5_000);
  for (const client of clients) assert.deepEqual(seen.get(client.instanceId), inOrder(500));
});

test("payloads from nothing to 5 MiB are the same on both sides, both ways", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const random = prng("payload sizes");
  const mebibyte = 1_048_576;
  const source = random.bytes(5 * mebibyte);
  for (const side of [server, client]) {
    side.registerHandler(unaryHandler("echo", ({ payload }) => payload));
    side.registerHandler(unaryHandler("late echo", async ({ payload }) => {
      await Promise.resolve();
      return payload;
    }));
  }
  const edges = [
    0,
    1,
    2,
    31,
    32,
    255,
    256,
    1_023,
    1_024,
    8_191,
    8_192,
    32_767,
    65_535,
    65_536,
    65_537,
    131_072,
  ];
  const sizes = [
    ...edges,
    mebibyte,
    5 * mebibyte,
    ...Array.from({ length: 60 }, () => random.below(100_000)),
  ];
  await Promise.all(
    [[client, peer], [server, client.instanceId]].flatMap(([from, to]) =>
      sizes.map(async (size, i) => {
        const rawPayload = source.slice(random.below(source.length - size + 1)).subarray(0, size);
        const name = i % 2 === 0 ? "echo" : "late echo";
        const answer = await (from as Messenger).unary(name, {
          to: to as Messenger["instanceId"],
          rawPayload,
        });
        assert.ok(sameBytes(answer, rawPayload), `${size} bytes`);
      })
    ),
  );
});

test("sixty-four calls of 1 MiB at once", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const calls = Array.from({ length: 64 }, async (_, i) => {
    const rawPayload = new Uint8Array(1_048_576).fill(i);
    const answer = await client.unary("echo", { to: peer, rawPayload });
    assert.ok(allBytes(answer, i, 1_048_576));
  });
  await Promise.all(calls);
});

test("a full queue with overflow fail is QUEUE_FULL at once, and nothing of it is lost or doubled", async () => {
  await using t = await leakCheck();
  const deaf = await RawRouter.open(t, { small: true });
  const client = await t.messenger({ overflow: "fail", highWaterMark: 1, maxQueuedMessages: 5 });
  const [peer] = await Promise.all([client.connect(deaf.endpoint), deaf.hello(["same-connection"])]);
  const big = new Uint8Array(500_000);
  const outcomes = await until(async () => {
    const sends = Array.from({ length: 20 }, () => client.amSend("n", { to: peer, rawPayload: big }));
    const settled = await Promise.allSettled(sends);
    return settled.some(({ status }) => status === "rejected") ? settled : undefined;
  });
  const refused = outcomes.find(({ status }) => status === "rejected") as PromiseRejectedResult;
  await fails(Promise.reject(refused.reason as Error), {
    code: "QUEUE_FULL",
    ran: "no",
    peer,
    message: /is full/,
  });
  await fails(client.unary("n", { to: peer }), { code: "QUEUE_FULL", ran: "no" });
  assert.equal(client.stats().transport.queuedMessages, 5);
  await client.close({ timeoutMs: 10 });
});

test("a full queue with overflow wait holds a send until its deadline or its signal, and it did not run", async () => {
  await using t = await leakCheck();
  const deaf = await RawRouter.open(t, { small: true });
  const client = await t.messenger({ highWaterMark: 1, maxQueuedMessages: 3 });
  const [peer] = await Promise.all([client.connect(deaf.endpoint), deaf.hello(["same-connection"])]);
  const big = new Uint8Array(500_000);
  for (;;) {
    const send = client.amSend("n", { to: peer, rawPayload: big, timeoutMs: 200 });
    const outcome = await send.then(() => "sent", (error) => (error as { code: string; ran: string }).code);
    if (outcome === "sent") continue;
    assert.equal(outcome, "TIMEOUT");
    break;
  }
  const timeout = { code: "TIMEOUT", ran: "no" };
  await Promise.all([
    fails(client.amSend("n", { to: peer, timeoutMs: 50 }), timeout),
    fails(client.unary("n", { to: peer, timeoutMs: 50 }), timeout),
  ]);
  const controller = new AbortController();
  const reason = new Error("waited enough");
  const send = client.amSend("n", { to: peer, signal: controller.signal });
  send.catch(() => {});
  controller.abort(reason);
  await assert.rejects(send, (error) => error === reason);
  const lost = [
    fails(client.amSend("n", { to: peer }), { code: "CLOSED", ran: "no" }),
    fails(client.unary("n", { to: peer }), { code: "CLOSED", ran: "no" }),
  ];
  client.disconnect(peer);
  await Promise.all(lost);
});

test("one peer that reads nothing delays no other", async () => {
  await using t = await leakCheck();
  const deaf = await RawRouter.open(t, { small: true });
  const { server, client, peer } = await pair(t, { client: { highWaterMark: 2, maxQueuedMessages: 10 } });
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const [stuck] = await Promise.all([
    client.connect(deaf.endpoint),
    deaf.hello(["same-connection", "batch"]),
  ]);
  const big = new Uint8Array(500_000);
  await until(() => {
    void client.amSend("n", { to: stuck, rawPayload: big }).catch(() => {});
    return client.stats().transport.queuedMessages >= 10;
  });
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) => client.unary("echo", { to: peer, rawPayload: bytes(String(i)) })),
  );
  assert.deepEqual(answers.map(text), inOrder(200).map(String));
  client.disconnect(stuck);
});

test("a call cancelled while it waits in the queue is taken back and never arrives", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, {
    client: { highWaterMark: 1, features: { batch: false } },
  });
  const hold = gate(t);
  const names: string[] = [];
  server.registerHandler(unaryHandler("big", async () => {
    names.push("big");
    await hold.opened;
  }));
  server.registerHandler(unaryHandler("small", () => void names.push("small")));
  const big = new Uint8Array(1_500_000);
  const first = Array.from({ length: 20 }, () => client.unary("big", { to: peer, rawPayload: big }));
  const controller = new AbortController();
  const taken = client.unary("small", { to: peer, signal: controller.signal });
  taken.catch(() => {});
  const queued = client.stats().transport.queuedMessages;
  controller.abort("not needed");
  await assert.rejects(taken, (error) => error === "not needed");
  await until(() => names.length >= 20, { timeoutMs: 10_000 });
  hold.open();
  await Promise.all(first);
  if (queued > 0) assert.ok(!names.includes("small"), "it had not left yet");
  assert.equal(client.stats().transport.queuedMessages, 0);
});

test("answers that find the caller's queue full wait for room, and none is lost", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: { highWaterMark: 5, maxQueuedMessages: 10 } });
  server.registerHandler(unaryHandler("big", ({ payload }) => new Uint8Array(100_000).fill(payload[0]!)));
  server.registerHandler(unaryHandler("late", async ({ payload }) => {
    await Promise.resolve();
    return new Uint8Array(100_000).fill(payload[0]!);
  }));
  const calls = Array.from({ length: 200 }, async (_, i) => {
    const answer = await client.unary(i % 2 === 0 ? "big" : "late", {
      to: peer,
      rawPayload: Uint8Array.of(i),
    });
    assert.ok(allBytes(answer, i, 100_000));
  });
  await Promise.all(calls);
  assert.deepEqual(server.stats().transport.drops, {});
});
