import { expect, test } from "bun:test";
import { Admission } from "../../src/messenger/handlers/admission.ts";
import { MemoryReturn } from "../../src/libzmq/memory_return.ts";
import type { Backend } from "../../src/libzmq/mod.ts";
import { FakeClock } from "./core_fake_clock.ts";

const mebibyte = 2 ** 20;

function make(result: () => Promise<void> | null = () => Promise.resolve()) {
  const clock = new FakeClock();
  const at: number[] = [];
  const backend = { returnMemory: () => (at.push(clock.now()), result()) } as unknown as Backend;
  return { clock, at, memory: new MemoryReturn(backend, clock) };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test("memory goes back once much has passed and little passes any more, and once more for what is freed late", async () => {
  const { clock, at, memory } = make();
  for (let i = 0; i < 100; i++) {
    memory.passed(10 * mebibyte);
    clock.advance(100);
  }
  expect(at).toEqual([]);
  clock.advance(2_000);
  expect(at.length).toBe(1);
  await settled();
  clock.advance(60_000);
  await settled();
  clock.advance(60_000);
  expect([at.length, clock.timers.length]).toEqual([2, 0]);
  expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(5_000);
});

test("little traffic returns no memory, and plans no return", () => {
  const { clock, at, memory } = make();
  for (let i = 0; i < 60; i++) memory.passed(mebibyte);
  memory.freed(mebibyte);
  expect(clock.timers.length).toBe(0);
  clock.advance(60_000);
  expect(at).toEqual([]);
});

test("memory that is freed at once is returned at once, and not again for some seconds", async () => {
  const { clock, at, memory } = make();
  for (let i = 0; i < 100; i++) {
    memory.freed(32 * mebibyte);
    clock.advance(100);
    await settled();
  }
  clock.advance(10_000);
  expect(at.length).toBeWithin(2, 4);
  for (const [i, time] of at.entries()) if (i > 0) expect(time - at[i - 1]!).toBeGreaterThanOrEqual(5_000);
});

test("a C library without the call is asked once", () => {
  const { clock, at, memory } = make(() => null);
  for (let i = 0; i < 10; i++) {
    memory.freed(64 * mebibyte);
    clock.advance(10_000);
  }
  expect([at.length, clock.timers.length]).toEqual([1, 0]);
});

test("closing waits for what runs on another thread, and plans nothing more", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { clock, memory } = make(() => promise);
  memory.freed(64 * mebibyte);
  clock.advance(1_000);
  let closed = false;
  const closing = memory.close().then(() => closed = true);
  await settled();
  expect(closed).toBeFalse();
  resolve();
  await closing;
  memory.freed(64 * mebibyte);
  expect(clock.timers.length).toBe(0);
});

test("a room that was full tells what is free when it has emptied", () => {
  const freed: number[] = [];
  const room = new Admission(1_000, 2 ** 30, Infinity, { bytes: 0 }, (bytes) => void freed.push(bytes));
  const [handler, sender] = [{ messages: 0, bytes: 0 }, { messages: 0, bytes: 0 }];
  for (let i = 0; i < 80; i++) room.hold(handler, sender, mebibyte);
  for (let i = 0; i < 69; i++) room.release(handler, sender, mebibyte);
  expect(freed).toEqual([]);
  for (let i = 0; i < 2; i++) room.release(handler, sender, mebibyte);
  expect(freed).toEqual([80 * mebibyte]);
});
