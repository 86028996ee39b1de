/** Anchors and senders over real connections, and within one instance. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, type Messenger } from "../../src/mod.ts";
import { type AnchorFrame, streamHandle, streams } from "../../src/streams/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { pair } from "./messenger_kit.ts";

/** Where the reader and the sender are. */
interface Places {
  readonly reader: Messenger;
  readonly writer: Messenger;
}

const places: readonly [where: string, open: (t: LeakCheck) => Promise<Places>][] = [
  ["in one instance", async (t) => {
    const reader = await t.messenger();
    return { reader, writer: reader };
  }],
  ["from a client to its server", async (t) => {
    const { server, client } = await pair(t);
    return { reader: server, writer: client };
  }],
  ["from a server to its client", async (t) => {
    const { server, client } = await pair(t);
    return { reader: client, writer: server };
  }],
];

/** Nothing is left of any stream. */
async function untilNothing(...messengers: readonly Messenger[]): Promise<void> {
  for (const messenger of messengers) {
    await until(() => {
      const { writers, readers, unreadBytes, anchors, senders } = messenger.stats().streams!;
      return writers + readers + unreadBytes + anchors + senders === 0;
    }, { message: "the end of all streams" });
  }
}

for (const [where, open] of places) {
  test(`thousands of items arrive in order at the reader's pace, ${where}`, async () => {
    await using t = await leakCheck();
    const { reader, writer } = await open(t);
    const schema = z.tuple([z.number(), z.string()]);
    const anchor = streams(reader).anchor({ schema });
    const sender = await streams(writer).attach(String(anchor.handle), { schema });
    const total = 5_000;
    const sending = (async () => {
      for (let i = 0; i < total; i++) await sender.send([i, `item ${i}`]);
      await sender.finalize();
    })();
    let next = 0;
    for await (const [number, text] of anchor) {
      assert.equal(number, next++);
      assert.equal(text, `item ${number}`);
    }
    assert.equal(next, total);
    await sending;
    assert.equal(await anchor.closed, "finalized");
    assert.equal(await sender.closed, "finalized");
    await untilNothing(reader, writer);
  });

  test(`a sender leaves and another one follows, five times, ${where}`, async () => {
    await using t = await leakCheck();
    const { reader, writer } = await open(t);
    const anchor = streams(reader).anchor();
    const frames = anchor.frames();
    const seen: unknown[] = [];
    for (let cycle = 1; cycle <= 5; cycle++) {
      const sender = await streams(writer).attach(anchor.handle);
      await assert.rejects(streams(writer).attach(anchor.handle), { code: "STREAM_TAKEN" });
      for (let i = 0; i < 20; i++) await sender.send([cycle, i]);
      await sender.detach();
      for (let i = 0; i < 20; i++) seen.push((await frames.next()).value);
      assert.deepEqual((await frames.next()).value, { type: "detached", sender: cycle });
    }
    assert.equal(seen.length, 100);
    assert.deepEqual(seen[99], { type: "item", sender: 5, item: [5, 19] });
    const last = await streams(writer).attach(anchor.handle);
    await last.finalize();
    assert.equal((await frames.next()).done, true);
    await assert.rejects(streams(writer).attach(anchor.handle), { code: "STREAM_UNKNOWN" });
    await untilNothing(reader, writer);
  });

  test(`a reader that leaves stops its sender, also one that waits for it, ${where}`, async () => {
    await using t = await leakCheck();
    const { reader, writer } = await open(t);
    const anchor = streams(reader).anchor();
    const sender = await streams(writer).attach(anchor.handle);
    const sending = (async () => {
      for (let i = 0;; i++) await sender.send(i);
    })();
    const failed = assert.rejects(sending, { code: "CANCELLED" });
    let count = 0;
    for await (const item of anchor) {
      assert.equal(item, count);
      if (++count === 3_000) break;
    }
    await failed;
    assert.equal(sender.cancelled.aborted, true);
    assert.equal(await anchor.closed, "cancelled");
    await untilNothing(reader, writer);
  });

  test(`the sender's errors, its loss and a request to finish reach the other side, ${where}`, async () => {
    await using t = await leakCheck();
    const { reader, writer } = await open(t);
    const anchor = streams(reader).anchor();
    const sender = await streams(writer).attach(anchor.handle);
    await sender.send(1);
    await sender.sendError("two is missing");
    await sender.send(3);
    assert.equal((await anchor.next()).value, 1);
    await assert.rejects(anchor.next(), { code: "STREAM_SENDER_ERROR", message: "two is missing" });
    assert.equal((await anchor.next()).value, 3);
    anchor.stop();
    await until(() => sender.stopping.aborted, { message: "the request to finish" });
    await sender.send(4);
    sender.close();
    assert.equal((await anchor.next()).value, 4);
    await assert.rejects(anchor.next(), { code: "STREAM_DROPPED" });
    assert.equal((await anchor.next()).done, true);
    await untilNothing(reader, writer);
  });

  test(`the end of a stream that was idle arrives at once, ${where}`, async () => {
    await using t = await leakCheck();
    const { reader, writer } = await open(t);
    for (const end of ["finalize", "close"] as const) {
      const anchor = streams(reader).anchor({ heartbeatMs: 60_000 });
      const sender = await streams(writer).attach(anchor.handle);
      await sender.send(1);
      assert.equal((await anchor.next()).value, 1);
      const last = anchor.next();
      // Whatever the item had to send has left.
      if (writer !== reader) await writer.availableHandlers(reader.instanceId);
      await sender[end]();
      if (end === "finalize") assert.equal((await within(last, 2_000)).done, true);
      else await assert.rejects(within(last, 2_000), { code: "STREAM_DROPPED" });
    }
  });

  test(`an instance that closes ends the streams of the other, ${where}`, async () => {
    await using t = await leakCheck();
    const { reader, writer } = await open(t);
    const [anchor, other] = [streams(reader).anchor(), streams(writer).anchor()];
    const sender = await streams(writer).attach(anchor.handle);
    const back = await streams(reader).attach(other.handle);
    await sender.send(1);
    assert.equal((await anchor.next()).value, 1);
    const ends = Promise.allSettled([anchor.next(), other.next()]);
    await writer.close();
    const [read, own] = await ends;
    assert.deepEqual(
      [read, own].map((end) => end.status === "rejected" ? (end.reason as { code: string }).code : end),
      [reader === writer ? "CLOSED" : "STREAM_DROPPED", "CLOSED"],
    );
    await until(() => back.cancelled.aborted, { message: "the end of the other direction" });
    await assert.rejects(sender.send(2), { code: "CLOSED" });
    await assert.rejects(back.send(2));
  });
}

test("an item larger than a batch arrives whole, between items that are small", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t);
  const anchor = streams(server).anchor();
  const sender = await streams(client).attach(anchor.handle);
  const large = new Uint8Array(300_000).map((_, i) => i * 31 % 251);
  const items = [1, large, "two", large, 3, new Date(5), new Map([[1, 2n ** 70n]])];
  for (const item of items) await sender.send(item);
  await sender.finalize();
  assert.deepEqual(await Array.fromAsync(anchor), items);
});

test("an item that is too large for the reader is refused, and its sender goes on", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t, { server: { maxPayloadBytes: 100_000 } });
  const anchor = streams(server).anchor();
  const sender = await streams(client).attach(anchor.handle);
  await assert.rejects(sender.send(new Uint8Array(100_001)), {
    code: "PAYLOAD_TOO_LARGE",
    peer: server.instanceId,
  });
  await sender.send(new Uint8Array(99_000));
  await sender.finalize();
  assert.deepEqual(await Array.fromAsync(anchor), [new Uint8Array(99_000)]);
});

test("many senders of several instances reach one anchor, each in its order", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const third = await t.messenger();
  await third.connect(server.endpoints[0]!);
  assert.equal(peer, server.instanceId);
  const anchor = streams(server).anchor({ senders: "many", schema: z.number() });
  const writers = [server, client, third, client];
  const total = 600;
  const sending = writers.map(async (writer) => {
    await using sender = await streams(writer).attach(anchor.handle);
    for (let i = 0; i < total; i++) await sender.send(i);
    if (sender.number! % 2 === 0) await sender.detach();
  });
  const next = new Map<number, number>();
  const ends: AnchorFrame<number>[] = [];
  for await (const frame of anchor) {
    if (frame.type === "item") {
      assert.equal(frame.item, next.get(frame.sender) ?? 0);
      next.set(frame.sender, frame.item + 1);
    } else ends.push(frame);
    if (ends.length === writers.length) break;
  }
  await Promise.all(sending);
  assert.deepEqual([...next.values()], writers.map(() => total));
  assert.deepEqual(ends.map(({ sender, type }) => [sender, type]).sort(), [
    [1, "dropped"],
    [2, "detached"],
    [3, "dropped"],
    [4, "detached"],
  ]);
  await untilNothing(server, client, third);
});

test("a handle travels in a payload as text, and the sender's side answers with a stream", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t);
  const count = contract("count", {
    input: z.object({ to: z.number(), into: z.string() }),
    output: z.null(),
  });
  server.handle(count, async ({ input }) => {
    const sender = await streams(server).attach(streamHandle(input.into));
    for (let i = 1; i <= input.to; i++) await sender.send(i);
    await sender.finalize();
    return null;
  });
  const anchor = streams(client).anchor({ schema: z.number() });
  const call = client.client({ count }, { to: server.instanceId }).count({
    to: 5,
    into: String(anchor.handle),
  });
  assert.deepEqual(await Array.fromAsync(anchor), [1, 2, 3, 4, 5]);
  assert.equal(await call, null);
});

test("anchors that are opened and ended in every way leave nothing behind", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t);
  const ways: ((i: number) => Promise<void>)[] = [
    async () => {
      const anchor = streams(server).anchor();
      const sender = await streams(client).attach(anchor.handle);
      await sender.send(1);
      await sender.finalize();
      assert.deepEqual(await Array.fromAsync(anchor), [1]);
    },
    async () => {
      const anchor = streams(server).anchor();
      const sender = await streams(client).attach(anchor.handle);
      await sender.send(1);
      anchor.cancel();
      await sender.closed;
    },
    async () => {
      const anchor = streams(server).anchor();
      (await streams(client).attach(anchor.handle)).close();
      await assert.rejects(anchor.next(), { code: "STREAM_DROPPED" });
    },
    async () => {
      const anchor = streams(server).anchor({ unattachedTimeoutMs: 1 });
      await assert.rejects(anchor.next(), { code: "TIMEOUT" });
    },
    async () => {
      const anchor = streams(server).anchor({ senders: "many" });
      const sender = await streams(client).attach(anchor.handle);
      await sender.detach();
      assert.equal((await anchor.next()).value?.type, "detached");
      anchor.cancel();
    },
    () => Promise.resolve(streams(server).anchor().cancel()),
  ];
  for (let round = 0; round < 20; round++) {
    await Promise.all(Array.from({ length: 60 }, (_, i) => ways[i % ways.length]!(i)));
  }
  await untilNothing(server, client);
});

test("a hundred streams at once are independent: some are slow, some are cancelled, all end", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t);
  await Promise.all(Array.from({ length: 100 }, async (_, stream) => {
    const anchor = streams(server).anchor();
    const sender = await streams(client).attach(anchor.handle);
    const sending = (async () => {
      for (let i = 0; i < 200; i++) await sender.send([stream, i]);
      await sender.finalize();
    })();
    const stopAt = stream % 10 === 3 ? 50 : 200;
    let next = 0;
    for await (const item of anchor) {
      assert.deepEqual(item, [stream, next++]);
      if (next === stopAt && stopAt < 200) break;
      if (stream % 10 === 7) await Promise.resolve();
    }
    assert.equal(next, stopAt);
    await (stopAt < 200 ? sending.catch(() => {}) : sending);
  }));
  await untilNothing(server, client);
});

test("authorize decides who attaches to an anchor, and ends it", async () => {
  await using t = await leakCheck();
  const asked: unknown[] = [];
  const { server, client } = await pair(t, {
    server: {
      authorize: ({ subject, handlerName, senderInstanceId }) => {
        asked.push([handlerName, subject, senderInstanceId]);
        return subject?.["anchor"] !== String(secret.handle);
      },
    },
  });
  const [secret, open] = [streams(server).anchor(), streams(server).anchor()];
  await assert.rejects(streams(client).attach(secret.handle), { code: "FORBIDDEN", ran: "no" });
  assert.equal(secret.senders, 0);
  const sender = await streams(client).attach(open.handle);
  await sender.finalize();
  assert.deepEqual(await Array.fromAsync(open), []);
  assert.deepEqual(
    asked,
    [secret, open].map(({ handle }) => [
      "_anchor_attach",
      { anchor: String(handle), verb: "attach" },
      client.instanceId,
    ]),
  );
  secret.cancel();
});

test("a closed instance makes no anchors and attaches to none, whether it has had some or not", async () => {
  await using t = await leakCheck();
  for (const used of [true, false]) {
    const messenger = await t.messenger();
    const anchor = used ? streams(messenger).anchor() : null;
    await messenger.close();
    if (anchor !== null) assert.equal((await anchor.closed as { code?: string }).code, "CLOSED");
    assert.throws(() => streams(messenger).anchor(), { code: "CLOSED" });
    await assert.rejects(streams(messenger).attach("5"), { code: "CLOSED" });
  }
});
