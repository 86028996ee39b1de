import { expect, test } from "bun:test";
import { Batcher } from "../../src/transport/batcher.ts";
import { MessageType } from "../../src/wire/mod.ts";
import { seededPrng } from "../support/prng.ts";
import { FakeLink, fakeShared } from "./transport_fakes.ts";

function batching(limits: Parameters<typeof fakeShared>[0] = {}): FakeLink {
  const shared = fakeShared(limits);
  const link = new FakeLink(shared);
  link.startBatching(new Batcher(link, shared));
  return link;
}

/** Lets every microtask run. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Makes the link take the next turn for one with many messages. */
async function busyBefore(link: FakeLink): Promise<void> {
  link.put([0]);
  link.put([0]);
  await turn();
  link.written.length = 0;
}

test("a lone message leaves at once and as an ordinary message", async () => {
  const link = batching();
  for (let i = 0; i < 5; i++) {
    link.put([i]);
    expect(link.written.length).toBe(i + 1);
    await turn();
    expect(link.written.at(-1)).toMatchObject({ type: MessageType.message, payload: Uint8Array.of(i) });
  }
});

test("after a turn with many messages a lone one still leaves as an ordinary message, in its turn", async () => {
  const link = batching();
  await busyBefore(link);
  const order: string[] = [];
  setImmediate(() => order.push("next turn"));
  link.put([9]);
  for (let hop = 0; hop < 10; hop++) await Promise.resolve();
  order.push(`${link.written.length} written`);
  await turn();
  expect(order).toEqual(["1 written", "next turn"]);
  expect(link.written).toMatchObject([{ type: MessageType.message }]);
});

test("many messages of one turn leave as one, the first of a new burst alone", async () => {
  const link = batching();
  for (let i = 0; i < 100; i++) link.put([i]);
  await turn();
  expect(link.sizes).toEqual([1, 99]);
  for (let i = 100; i < 200; i++) link.put([i]);
  await turn();
  expect(link.sizes).toEqual([1, 99, 100]);
  expect(link.messages.map(([, value]) => value)).toEqual(Array.from({ length: 200 }, (_, i) => i));
});

test("messages that continuations of the same turn add leave with it", async () => {
  const link = batching();
  await busyBefore(link);
  link.put([0]);
  let chain = Promise.resolve();
  for (let i = 1; i < 8; i++) chain = chain.then(() => void link.put([i]));
  await turn();
  expect(link.sizes).toEqual([8]);
});

test("a chain of microtasks that always sends one more does not hold the first message back for ever", async () => {
  const link = batching();
  await busyBefore(link);
  let hop = 0;
  let leftAt = -1;
  const next = (): void => {
    if (leftAt < 0 && link.written.length > 0) leftAt = hop;
    if (hop++ < 200) {
      link.put([hop % 256]);
      queueMicrotask(next);
    }
  };
  next();
  await turn();
  expect(leftAt).toBeGreaterThan(10);
  expect(leftAt).toBeLessThan(20);
  expect(link.messages.length).toBe(200);
  expect(Math.max(...link.sizes)).toBeLessThan(20);
});

test("a batch that is full leaves before its turn ends, and is never above 24 KiB", async () => {
  const link = batching();
  await busyBefore(link);
  for (let i = 0; i < 60; i++) link.put(new Uint8Array(1_000).fill(i));
  expect(link.written.length).toBe(2);
  await turn();
  expect(link.sizes).toEqual([24, 24, 12]);
  for (const { payload } of link.written) expect(payload.length).toBeLessThanOrEqual(24 * 1024);
});

test("a payload up to 4 KiB is collected, a larger one leaves alone behind what was collected before it", async () => {
  const link = batching();
  await busyBefore(link);
  link.put([1]);
  link.put(new Uint8Array(4_096).fill(2));
  link.put([3]);
  link.put(new Uint8Array(4_097).fill(4));
  expect(link.written.map(({ type }) => type)).toEqual([MessageType.batch, MessageType.message]);
  link.put([5]);
  link.put([6]);
  await turn();
  expect(link.messages.map(([, value]) => value)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(link.sizes).toEqual([3, 1, 2]);
});

test("a header that leaves no room in a batch takes its message out alone, in its place", async () => {
  const link = batching();
  await busyBefore(link);
  link.put([1]);
  link.parts.header.bytes[0] = 2;
  link.send(MessageType.message, 17 * 1024, Uint8Array.of(2), true);
  link.put([3]);
  await turn();
  expect(link.messages.map(([, value]) => value)).toEqual([1, 2, 3]);
});

test("payload bytes may be changed right after the call", async () => {
  const link = batching();
  await busyBefore(link);
  const payload = Uint8Array.of(1);
  link.send(MessageType.message, 1, payload, false);
  payload[0] = 99;
  link.send(MessageType.message, 1, payload, false);
  await turn();
  expect(link.messages.map(([, value]) => value)).toEqual([1, 99]);
});

test("flush() sends what was collected now, and nothing twice", async () => {
  const link = batching();
  await busyBefore(link);
  link.put([1]);
  link.put([2]);
  expect(link.flushed).toBeFalse();
  link.flush();
  expect(link.flushed).toBeTrue();
  link.flush();
  await turn();
  expect(link.sizes).toEqual([2]);
});

test("at the high-water mark messages go on being collected, and leave in order when there is room", async () => {
  const link = batching();
  link.free = 0;
  let sent = 0;
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 10; i++) link.put([sent++]);
    await turn();
  }
  expect(link.queuedMessages).toBe(200);
  expect(link.written).toEqual([]);
  while (link.queuedMessages > 0) {
    link.free = 3;
    link.retry();
  }
  expect(link.messages.map(([, value]) => value)).toEqual(Array.from({ length: 200 }, (_, i) => i));
  expect(link.written.length).toBeLessThan(50);
});

test("a closed link forgets what was collected, and the turn's end sends nothing", async () => {
  const link = batching();
  await busyBefore(link);
  link.put([1]);
  link.put([2]);
  link.close(0);
  await turn();
  expect(link.written).toEqual([]);
  expect(link.put([3])).toBe(3);
});

test("messages of any size, with room that comes and goes, leave once and in order", async () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const random = seededPrng(seed);
    const link = batching({ maxQueuedMessages: 60, maxQueuedBytes: 40_000 });
    let next = 0;
    const tries: number[] = [];
    for (let step = 0; step < 400; step++) {
      link.free = random.below(4);
      const burst = random.below(12);
      for (let i = 0; i < burst; i++) {
        const size = random.pick([1, 1, 1, 50, 1_000, 4_096, 4_097, 9_000]);
        if (link.put(new Uint8Array(size).fill(next % 251)) <= 1) tries.push(next++ % 251);
      }
      if (random.below(3) > 0) await turn();
      link.retry();
      expect(link.queuedMessages).toBeLessThanOrEqual(60 + 200);
      expect(link.queuedBytes).toBeLessThanOrEqual(40_000 + 16 * 1024 + 9_001);
    }
    link.free = Infinity;
    await turn();
    while (!link.flushed) link.retry();
    expect(link.messages.map(([, value]) => value!)).toEqual(tries);
    expect([link.queuedMessages, link.queuedBytes]).toEqual([0, 0]);
  }
});
