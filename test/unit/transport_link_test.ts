import { expect, test } from "bun:test";
import { SendOutcome } from "../../src/transport/link.ts";
import { MessageType } from "../../src/wire/mod.ts";
import { seededPrng } from "../support/prng.ts";
import { FakeLink, fakeShared } from "./transport_fakes.ts";

const { sent, queued, full, closed } = SendOutcome;
const values = (link: FakeLink) => link.messages.map(([, value]) => value);
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("with room a message leaves at once and counts as handed", () => {
  const link = new FakeLink(fakeShared());
  expect(link.put([1])).toBe(sent);
  expect(link.accepted).toBe(1);
  expect(link.handed(1)).toBeTrue();
  expect(link.handed(2)).toBeFalse();
  expect(link.flushed).toBeTrue();
  expect(link.parts.counters.sent).toBe(1);
});

test("without room messages wait in order, and those behind them too though there is room again", () => {
  const link = new FakeLink(fakeShared());
  link.free = 1;
  expect([link.put([1]), link.put([2]), link.put([3])]).toEqual([sent, queued, queued]);
  expect(link.blockings).toEqual([true]);
  link.free = 10;
  expect(link.put([4])).toBe(queued);
  expect([link.handed(1), link.handed(2), link.blocked, link.flushed]).toEqual([true, false, true, false]);
  expect(link.retry()).toBe(3);
  expect(values(link)).toEqual([1, 2, 3, 4]);
  expect([link.blocked, link.flushed, link.queuedMessages, link.queuedBytes]).toEqual([false, true, 0, 0]);
  expect(link.blockings).toEqual([true, false]);
});

test("a retry sends as far as there is room, and a limited number of messages at a time", () => {
  const link = new FakeLink(fakeShared({ maxQueuedMessages: 10_000 }));
  link.free = 0;
  for (let i = 0; i < 1_000; i++) link.put([i % 256]);
  link.free = 7;
  expect(link.retry()).toBe(7);
  link.free = Infinity;
  const portion = link.retry();
  expect(portion).toBeLessThan(500);
  expect(link.blocked).toBeTrue();
  while (!link.flushed) link.retry();
  expect(values(link)).toEqual(Array.from({ length: 1_000 }, (_, i) => i % 256));
});

test("the queue is bounded in messages", () => {
  const link = new FakeLink(fakeShared({ maxQueuedMessages: 3 }));
  link.free = 0;
  expect([1, 2, 3, 4].map((value) => link.put([value]))).toEqual([queued, queued, queued, full]);
  expect([link.accepted, link.queuedMessages]).toEqual([3, 3]);
  link.free = 1;
  link.retry();
  expect(link.put([5])).toBe(queued);
});

test("the queue is bounded in bytes, and a message above the bound goes alone", () => {
  const link = new FakeLink(fakeShared({ maxQueuedBytes: 100 }));
  link.free = 0;
  expect(link.put(new Uint8Array(500))).toBe(queued);
  expect(link.put([1])).toBe(full);
  link.free = 1;
  link.retry();
  link.free = 0;
  expect([link.put(new Uint8Array(49)), link.put(new Uint8Array(48)), link.put([])]).toEqual([
    queued,
    queued,
    queued,
  ]);
  expect(link.queuedBytes).toBe(100);
  expect(link.put([])).toBe(full);
});

test("a queued payload is a copy unless it is owned", () => {
  const link = new FakeLink(fakeShared());
  link.free = 0;
  const payload = Uint8Array.of(1);
  link.send(0, 1, payload, false);
  payload[0] = 2;
  link.send(0, 1, payload, true);
  payload[0] = 3;
  link.parts.header.bytes[0] = 200;
  link.free = 2;
  link.retry();
  expect(values(link)).toEqual([1, 3]);
  expect(link.messages[0]![0]).not.toBe(200);
});

test("a message can be taken back until it has left, once", () => {
  const link = new FakeLink(fakeShared());
  link.free = 1;
  for (let i = 1; i <= 5; i++) link.put([i]);
  expect(link.withdraw(1)).toBeFalse();
  expect(link.withdraw(3)).toBeTrue();
  expect(link.withdraw(5)).toBeTrue();
  expect(link.withdraw(6)).toBeFalse();
  link.free = 10;
  link.retry();
  expect(values(link)).toEqual([1, 2, 4]);
  expect(link.withdraw(4)).toBeFalse();
  expect(link.flushed).toBeTrue();
});

test("a flush resolves also when the last message leaves in a batch", async () => {
  const link = new FakeLink(fakeShared());
  link.free = 0;
  link.put([1]);
  link.accepted += 2;
  const first = link.room();
  link.free = 10;
  link.retry();
  await first;
  expect(link.flushed).toBeFalse();
  const second = link.room();
  link.sendBatch(0, Uint8Array.of(1), Uint8Array.of(2), 2);
  expect(await Promise.race([second.then(() => "told"), turn()])).toBe("told");
  expect(link.flushed).toBeTrue();
});

test("messages are found for taking back whatever left before and stands together", () => {
  const random = seededPrng(5);
  const link = new FakeLink(fakeShared({ maxQueuedMessages: 10_000 }));
  link.free = 0;
  let accepted = 0;
  const alone: number[] = [];
  for (let i = 0; i < 500; i++) {
    if (random.below(3) > 0) {
      link.put([1]);
      alone.push(++accepted);
    } else {
      const count = 2 + random.below(5);
      link.accepted += count;
      accepted += count;
      link.sendBatch(0, Uint8Array.of(1), Uint8Array.of(2), count);
    }
  }
  link.free = 100;
  link.retry();
  link.free = 0;
  const taken = new Set<number>();
  for (let number = 1; number <= accepted; number++) {
    const can = !link.handed(number) && alone.includes(number);
    expect(link.withdraw(number)).toBe(can);
    if (can) taken.add(number);
  }
  const before = link.written.length;
  link.free = Infinity;
  while (!link.flushed) link.retry();
  expect(link.written.slice(before).every(({ payload }) => payload[0] === 2)).toBeTrue();
  expect(taken.size).toBeGreaterThan(100);
});

test("taking back each of fifty thousand waiting messages is a matter of moments", () => {
  const link = new FakeLink(fakeShared({ maxQueuedMessages: 100_000, maxQueuedBytes: 1e9 }));
  link.free = 0;
  for (let i = 0; i < 50_000; i++) link.put([1]);
  const start = performance.now();
  for (let number = 50_000; number > 0; number--) expect(link.withdraw(number)).toBeTrue();
  expect(performance.now() - start).toBeLessThan(1_000);
});

test("nothing overtakes what waits for room, however small it is", () => {
  const link = new FakeLink(fakeShared({ maxQueuedBytes: 100 }));
  link.free = 0;
  expect(link.put(new Uint8Array(90).fill(1))).toBe(queued);
  expect(link.put(new Uint8Array(90).fill(2))).toBe(full);
  link.queueUp(() => link.put(new Uint8Array(90).fill(2)) !== full);
  expect(link.put([3])).toBe(full);
  link.queueUp(() => link.put([3]) !== full);
  expect(link.put([])).toBe(full);
  link.free = 1;
  link.retry();
  link.free = 10;
  while (!link.flushed) link.retry();
  expect(values(link)).toEqual([1, 2, 3]);
});

test("a waiter for room that needs it no more does not stop those behind it", () => {
  const link = new FakeLink(fakeShared({ maxQueuedMessages: 1 }));
  link.free = 0;
  link.put([1]);
  let asked = 0;
  for (let i = 0; i < 3; i++) link.queueUp(() => ++asked > 0);
  link.queueUp(() => link.put([5]) !== full);
  link.free = 2;
  link.retry();
  expect(asked).toBe(3);
  while (!link.flushed) link.retry();
  expect(values(link)).toEqual([1, 5]);
});

test("a hundred thousand sends that wait for room are let through in order, each asked about once", () => {
  const link = new FakeLink(fakeShared({ maxQueuedMessages: 50 }));
  link.free = 0;
  while (link.put([0]) !== full);
  let [tries, next] = [0, 0];
  for (let i = 0; i < 100_000; i++) {
    link.queueUp(() => {
      tries++;
      if (link.put([i % 251]) === full) return false;
      if (i !== next++) throw new Error(`${i} before its turn`);
      return true;
    });
  }
  for (let passes = 0; next < 100_000; passes++) {
    if (passes > 100_000) throw new Error(`stuck at ${next}`);
    link.free = 40;
    link.retry();
  }
  // Each retry asks once in vain, and not once for each waiting send.
  expect(tries).toBeLessThan(110_000);
});

test("sends that wait for room go on when the queue emptied in the middle of their turn", () => {
  const link = new FakeLink(fakeShared({ maxQueuedMessages: 10 }));
  link.free = 0;
  while (link.put([0]) !== full);
  let done = 0;
  for (let i = 0; i < 5_000; i++) link.queueUp(() => link.put([1]) !== full && ++done > 0);
  link.free = Infinity;
  // The pump calls again as long as the link is blocked, and only then.
  for (let i = 0; link.blocked; i++) {
    if (i > 100) throw new Error("never done");
    link.retry();
  }
  expect(done).toBe(5_000);
  expect(link.flushed).toBeTrue();
});

test("post() has a message wait for room and leave in its turn, as it was", () => {
  const link = new FakeLink(fakeShared({ maxQueuedMessages: 1 }));
  link.free = 0;
  link.put([1]);
  const payload = Uint8Array.of(7);
  link.parts.header.bytes.set([8, 9]);
  link.post(MessageType.message, 2, payload, false);
  link.put([3], 3);
  link.queueUp(() => link.put([3], 3) !== full);
  payload[0] = 0;
  expect(link.waitingSends).toBe(2);
  link.free = 10;
  while (!link.flushed) link.retry();
  expect(values(link)).toEqual([1, 7, 3]);
  expect([...link.written[1]!.header]).toEqual([8, 9]);
});

test("answers that wait for room count as held, and too many of them end the connection", async () => {
  const shared = fakeShared({ maxQueuedMessages: 1, maxPeerBytes: 5_000 });
  const link = new FakeLink(shared);
  let held = 0;
  link.outbound = {
    admits: () => true,
    block() {},
    close() {},
    wait: (bytes: number) => held += bytes,
  } as never;
  link.free = 0;
  link.put([1]);
  const answer = () => link.post(MessageType.response, 1, new Uint8Array(100), true);
  for (let i = 0; i < 9; i++) answer();
  expect(held).toBe(9 * (1 + 100 + 512));
  // Requests are not answers, so they do not count as held.
  link.post(MessageType.message, 1, new Uint8Array(100), true);
  expect([held, link.state]).toEqual([9 * 613, "open"]);
  answer();
  expect(link.state).toBe("closed");
  await turn();
  expect(held).toBe(0);
  expect(shared.drops.snapshot()).toEqual({ linkLost: 1, slowPeer: 1, senderGone: 10 });
  answer();
  expect(shared.drops.snapshot().senderGone).toBe(11);
});

test("room() resolves when something has left, and when the link is closed", async () => {
  const link = new FakeLink(fakeShared());
  link.free = 0;
  link.put([1]);
  let woken = 0;
  void link.room().then(() => woken++);
  link.retry();
  await turn();
  expect(woken).toBe(0);
  link.free = 1;
  link.retry();
  await turn();
  expect(woken).toBe(1);
  void link.room().then(() => woken++);
  link.close(0);
  await turn();
  expect(woken).toBe(2);
});

test("before it is open only the handshake leaves, and then what waited, in order", () => {
  const link = new FakeLink(fakeShared(), "connecting");
  expect(link.put([1])).toBe(queued);
  link.parts.header.bytes[0] = 9;
  expect(link.sendFirst(0, 1, Uint8Array.of(9))).toBe(sent);
  expect(link.retry()).toBe(0);
  expect(values(link)).toEqual([9]);
  link.open();
  link.open();
  expect(values(link)).toEqual([9, 1]);
  expect(link.put([2])).toBe(sent);
});

test("a closed link takes nothing, keeps nothing, and counts what it could not send", async () => {
  const link = new FakeLink(fakeShared({ maxQueuedMessages: 2 }));
  link.free = 0;
  for (let i = 0; i < 2; i++) link.put([i]);
  const outcomes: number[] = [];
  for (let i = 0; i < 3; i++) link.queueUp(() => outcomes.push(link.put([7])) > 0);
  link.close(0);
  link.close(0);
  expect([link.queuedMessages, link.queuedBytes, link.state]).toEqual([0, 0, "closed"]);
  expect(link.parts.drops.snapshot()).toEqual({ linkLost: 2 });
  expect(link.put([1])).toBe(closed);
  expect(link.sendFirst(0, 1, Uint8Array.of(1))).toBe(closed);
  await turn();
  expect(outcomes).toEqual([closed, closed, closed]);
  link.free = 10;
  expect(link.retry()).toBe(0);
  expect(link.written).toEqual([]);
  expect(link.blockings).toEqual([true, false]);
});

test("a connection that libzmq says is lost takes nothing more, and what was on its way is not handed", () => {
  const link = new FakeLink(fakeShared());
  link.free = 0;
  link.put([1]);
  link.lost = true;
  expect(link.retry()).toBe(0);
  expect(link.handed(1)).toBeFalse();
  const other = new FakeLink(fakeShared());
  other.lost = true;
  expect(other.put([1])).toBe(closed);
  expect(other.accepted).toBe(0);
});
