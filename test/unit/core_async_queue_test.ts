import { expect, test } from "bun:test";
import { AsyncQueue, type Overflow } from "../../src/core/mod.ts";

const queueOf = (overflow: Overflow, limit = 2) => new AsyncQueue<number>({ limit, overflow });

/** Whether promises have settled by now. */
async function settled(...promises: readonly Promise<unknown>[]): Promise<boolean[]> {
  const done = promises.map(() => false);
  promises.forEach((promise, at) => promise.then(() => done[at] = true, () => done[at] = true));
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  return done;
}

test("at the limit a queue waits, fails, or drops the oldest or the newest item, as its overflow says", async () => {
  const waits = queueOf("wait");
  const puts = [1, 2, 3, 4].map((item) => waits.put(item));
  expect(await settled(...puts)).toEqual([true, true, false, false]);
  expect(waits.push(5)).toBeFalse();
  expect(waits.take()).toBe(1);
  expect(await settled(...puts)).toEqual([true, true, true, false]);
  expect([waits.take(), waits.take(), waits.take(), waits.take()]).toEqual([2, 3, 4, undefined]);

  const fails = queueOf("fail");
  await fails.put(1);
  await fails.put(2);
  await expect(fails.put(3)).rejects.toMatchObject({ code: "QUEUE_FULL", ran: "no" });
  expect([fails.take(), fails.take(), fails.take()]).toEqual([1, 2, undefined]);

  const oldest = queueOf("dropOldest");
  for (const item of [1, 2, 3]) await oldest.put(item);
  expect([oldest.dropped, oldest.take(), oldest.take(), oldest.take()]).toEqual([1, 2, 3, undefined]);

  const newest = queueOf("dropNewest");
  for (const item of [1, 2, 3]) await newest.put(item);
  expect([newest.dropped, newest.take(), newest.take(), newest.take()]).toEqual([1, 1, 2, undefined]);
});

test("an item goes to the reader that has waited longest, and makes room for a writer that waits", async () => {
  const queue = queueOf("wait", 1);
  const reads = [queue.next(), queue.next()];
  await queue.put(1);
  await queue.put(2);
  expect(await Promise.all(reads)).toEqual([{ done: false, value: 1 }, { done: false, value: 2 }]);
  await queue.put(3);
  const writing = queue.put(4);
  expect(await settled(writing)).toEqual([false]);
  expect(await queue.next()).toEqual({ done: false, value: 3 });
  await writing;
  expect(queue.size).toBe(1);
});

test("a writer that gives up leaves the line, and its signal keeps no listener", async () => {
  const queue = queueOf("wait", 1);
  await queue.put(1);
  const hasty = new AbortController();
  const given = queue.put(2, hasty.signal);
  const patient = queue.put(3, new AbortController().signal);
  hasty.abort(new Error("given up"));
  await expect(given).rejects.toThrow("given up");
  await expect(queue.put(4, hasty.signal)).rejects.toThrow("given up");
  expect(queue.take()).toBe(1);
  await patient;
  expect([queue.take(), queue.take()]).toEqual([3, undefined]);
});

test("senders get a share of the places each, and wait for more in turns", async () => {
  const queue = new AsyncQueue<string>({
    limit: 34,
    overflow: "wait",
    senderOf: (item) => item[0]!,
  });
  const puts = Array.from({ length: 34 }, () => queue.put("a"));
  expect((await settled(...puts)).filter((done) => done)).toHaveLength(32);
  await queue.put("b");
  for (let taken = 0; taken < 34; taken++) queue.take();
  await Promise.all(puts);

  const narrow = new AsyncQueue<string>({ limit: 1, overflow: "wait", senderOf: (item) => item[0]! });
  const all = ["a1", "a2", "a3", "b1", "b2", "c1"].map((item) => narrow.put(item));
  const order = Array.from({ length: 6 }, () => narrow.take());
  expect(order).toEqual(["a1", "a2", "b1", "c1", "a3", "b2"]);
  await Promise.all(all);
});

test("after the end what is in can be read, and nothing more gets in", async () => {
  const queue = new AsyncQueue<number>({
    limit: 1,
    overflow: "wait",
    refusal: (item, why) => new Error(`${item} ${why}`),
  });
  await queue.put(1);
  const waiting = queue.put(2);
  queue.end();
  await expect(waiting).rejects.toThrow("2 ended");
  await expect(queue.put(3)).rejects.toThrow("3 ended");
  expect(await Array.fromAsync(queue)).toEqual([1]);
});

test("a failure reaches one reader, after the items before it, and then the queue has ended", async () => {
  const queue = queueOf("wait");
  await queue.put(1);
  queue.fail(new Error("broken"));
  queue.fail(new Error("again"));
  expect(await queue.next()).toEqual({ done: false, value: 1 });
  await expect(queue.next()).rejects.toThrow("broken");
  expect(await queue.next()).toEqual({ done: true, value: undefined });

  const empty = queueOf("wait");
  const reads = [empty.next(), empty.next()];
  empty.fail(new Error("broken"));
  await expect(reads[0]!).rejects.toThrow("broken");
  expect(await reads[1]!).toEqual({ done: true, value: undefined });
});

test("a loop that is left, and a signal, end the queue once", async () => {
  let ends = 0;
  const onEnd = (): void => void ends++;
  const left = new AsyncQueue<number>({ limit: 2, overflow: "wait", onEnd });
  await left.put(1);
  await left.put(2);
  const outside = left.put(3);
  outside.catch(() => {});
  for await (const _item of left) break;
  expect([ends, left.size, left.ended]).toEqual([1, 0, true]);
  await expect(left.put(4)).rejects.toMatchObject({ code: "CLOSED" });

  const controller = new AbortController();
  const stopped = new AsyncQueue<number>({
    limit: 2,
    overflow: "wait",
    onEnd,
    signal: controller.signal,
  });
  const reading = stopped.next();
  controller.abort();
  expect((await reading).done).toBeTrue();
  await stopped.return();
  expect(ends).toBe(2);
  const aborted = new AsyncQueue<number>({ limit: 2, overflow: "wait", onEnd, signal: controller.signal });
  expect(aborted.ended).toBeFalse();
  await Promise.resolve();
  expect([aborted.ended, ends]).toEqual([true, 3]);
});
