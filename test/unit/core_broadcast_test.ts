import { expect, test } from "bun:test";
import { Broadcast } from "../../src/core/mod.ts";

type Entry = { readonly type: "entry"; readonly n: number };
const entry = (n: number): Entry => ({ type: "entry", n });

test("every subscriber gets every entry from its subscription on, in order", async () => {
  const broadcast = new Broadcast<Entry>();
  broadcast.publish(entry(0));
  const one = broadcast.subscribe();
  broadcast.publish(entry(1));
  const two = broadcast.subscribe();
  broadcast.publish(entry(2));
  broadcast.close();
  expect(await Array.fromAsync(one)).toEqual([entry(1), entry(2)]);
  expect(await Array.fromAsync(two)).toEqual([entry(2)]);
});

test("an entry goes to the reader that has waited longest", async () => {
  const broadcast = new Broadcast<Entry>();
  const reader = broadcast.subscribe();
  const waiting = [reader.next(), reader.next()];
  broadcast.publish(entry(1));
  broadcast.publish(entry(2));
  expect(await Promise.all(waiting)).toEqual([
    { done: false, value: entry(1) },
    { done: false, value: entry(2) },
  ]);
});

test("a slow reader loses the oldest entries and is told how many, each time anew", async () => {
  const broadcast = new Broadcast<Entry>();
  const reader = broadcast.subscribe({ maxBuffered: 2 });
  for (let n = 0; n < 5; n++) broadcast.publish(entry(n));
  expect((await reader.next()).value).toEqual({ type: "dropped", count: 3 });
  expect((await reader.next()).value).toEqual(entry(3));
  for (let n = 5; n < 7; n++) broadcast.publish(entry(n));
  expect((await reader.next()).value).toEqual({ type: "dropped", count: 1 });
  expect((await reader.next()).value).toEqual(entry(5));
  expect((await reader.next()).value).toEqual(entry(6));
});

test("close() lets buffers be read to their end and ends waiting readers", async () => {
  const broadcast = new Broadcast<Entry>();
  const full = broadcast.subscribe();
  const empty = broadcast.subscribe();
  const waiting = empty.next();
  expect(await Promise.race([waiting, Promise.resolve("still waiting")])).toBe("still waiting");
  broadcast.publish(entry(1));
  expect(await waiting).toEqual({ done: false, value: entry(1) });
  const last = empty.next();
  broadcast.close();
  expect((await last).done).toBeTrue();
  expect(await full.next()).toEqual({ done: false, value: entry(1) });
  expect((await full.next()).done).toBeTrue();
  expect((await full.next()).done).toBeTrue();
  expect(broadcast.subscribers).toBe(0);
  expect((await broadcast.subscribe().next()).done).toBeTrue();
  broadcast.publish(entry(2));
  broadcast.close();
});

test("break, return() and await using unsubscribe", async () => {
  const broadcast = new Broadcast<Entry>();
  const seen: unknown[] = [];
  const first = broadcast.subscribe();
  broadcast.publish(entry(1));
  broadcast.publish(entry(2));
  for await (const one of first) {
    seen.push(one);
    break;
  }
  expect(seen).toEqual([entry(1)]);
  expect(broadcast.subscribers).toBe(0);
  expect((await first.next()).done).toBeTrue();
  const second = broadcast.subscribe();
  const waiting = second.next();
  await second.return?.();
  expect((await waiting).done).toBeTrue();
  {
    await using _third = broadcast.subscribe() as AsyncIterableIterator<unknown> & AsyncDisposable;
    expect(broadcast.subscribers).toBe(1);
  }
  expect(broadcast.subscribers).toBe(0);
});

test("a signal ends the iteration and leaves no listener behind", async () => {
  const broadcast = new Broadcast<Entry>();
  const controller = new AbortController();
  let listeners = 0;
  const { signal } = controller;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = ((...args: Parameters<typeof addEventListener>) => {
    listeners++;
    addEventListener.apply(signal, args);
  }) as typeof addEventListener;
  signal.removeEventListener = ((...args: Parameters<typeof removeEventListener>) => {
    listeners--;
    removeEventListener.apply(signal, args);
  }) as typeof removeEventListener;
  const left = broadcast.subscribe({ signal });
  await left.return?.();
  expect(listeners).toBe(0);
  const reader = broadcast.subscribe({ signal });
  broadcast.publish(entry(1));
  controller.abort();
  expect(broadcast.subscribers).toBe(0);
  broadcast.publish(entry(2));
  expect(await Array.fromAsync(reader)).toEqual([entry(1)]);
  expect((await broadcast.subscribe({ signal }).next()).done).toBeTrue();
  expect(broadcast.subscribers).toBe(0);
});

test("a reader that subscribes or leaves while an entry is handed out disturbs no other", async () => {
  const broadcast = new Broadcast<Entry>();
  const readers = Array.from({ length: 3 }, () => broadcast.subscribe());
  void readers[1]!.next().then(() => readers[1]!.return?.());
  broadcast.publish(entry(1));
  await Promise.resolve();
  broadcast.publish(entry(2));
  broadcast.close();
  expect(await Array.fromAsync(readers[0]!)).toEqual([entry(1), entry(2)]);
  expect(await Array.fromAsync(readers[2]!)).toEqual([entry(1), entry(2)]);
});

test("a buffer of no whole positive size is refused", () => {
  const broadcast = new Broadcast<Entry>();
  for (const maxBuffered of [0, -1]) {
    expect(() => broadcast.subscribe({ maxBuffered })).toThrow(RangeError);
  }
  for (const maxBuffered of [0.5, Number.NaN, Infinity]) {
    expect(() => broadcast.subscribe({ maxBuffered })).toThrow(TypeError);
  }
  expect(broadcast.subscribers).toBe(0);
});
