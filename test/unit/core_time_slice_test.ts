import { expect, test } from "bun:test";
import { TimeSlice } from "../../src/core/mod.ts";
import { FakeClock } from "./core_fake_clock.ts";

/** A clock that counts how often it was read. */
class CountedClock extends FakeClock {
  reads = 0;

  override now(): number {
    this.reads++;
    return super.now();
  }
}

/** Does things that take so long until the time is over; returns how many that were. */
function fill(slice: TimeSlice, clock: FakeClock, ms: number, most = Infinity): number {
  slice.begin();
  for (let count = 1;; count++) {
    clock.advance(ms);
    if (slice.spend() || count >= most) return count;
  }
}

/** Ends a slice, after which so much time passes in microtasks. */
async function end(slice: TimeSlice, clock: FakeClock, ms: number): Promise<void> {
  slice.end(clock.now());
  queueMicrotask(() => clock.advance(ms));
  await new Promise((resolve) => setImmediate(resolve));
}

/** Lets a slice know that what it begins leaves nothing behind. */
async function warm(slice: TimeSlice, clock: FakeClock): Promise<void> {
  for (let i = 0; i < 10; i++) {
    fill(slice, clock, 0.0001);
    await end(slice, clock, 0);
  }
}

test("a slice of long things is over after each, and one of short things after its time", async () => {
  const clock = new FakeClock();
  const slice = new TimeSlice(clock, 1);
  expect(fill(slice, clock, 5)).toBe(1);
  expect(slice.over).toBe(true);
  await warm(slice, clock);
  expect(fill(slice, clock, 0.001)).toBeWithin(900, 1_100);
  // The first long ones after short ones are found at the next look.
  expect(fill(slice, clock, 5)).toBeLessThanOrEqual(32);
  for (let i = 0; i < 5; i++) expect(fill(slice, clock, 5)).toBe(1);
  expect(fill(slice, clock, 0.4)).toBe(3);
});

test("the clock is read for one in thirty of short things, and for each long one", async () => {
  const clock = new CountedClock();
  const slice = new TimeSlice(clock, 1);
  await warm(slice, clock);
  clock.reads = 0;
  const count = fill(slice, clock, 0.0002);
  expect(count).toBeGreaterThan(4_000);
  expect(clock.reads).toBeLessThan(count / 30);
  fill(slice, clock, 5);
  clock.reads = 0;
  fill(slice, clock, 5);
  expect(clock.reads).toBe(2);
});

test("many things at once count as many", async () => {
  const clock = new CountedClock();
  const slice = new TimeSlice(clock, 1);
  await warm(slice, clock);
  slice.begin();
  clock.reads = 0;
  for (let i = 0; i < 8; i++) slice.spend(8);
  expect(clock.reads).toBe(2);
});

test("so much is begun as its microtasks have time for, and more again when they are short", async () => {
  const clock = new FakeClock();
  const slice = new TimeSlice(clock, 1);
  expect(fill(slice, clock, 0)).toBe(64);
  await warm(slice, clock);
  expect(fill(slice, clock, 0, 500)).toBe(500);
  await end(slice, clock, 500 * 0.05);
  expect(fill(slice, clock, 0)).toBe(20);
  await end(slice, clock, 20 * 5);
  expect(fill(slice, clock, 0)).toBe(1);
  const limits: number[] = [];
  for (let i = 0; i < 4; i++) {
    await end(slice, clock, 0);
    limits.push(fill(slice, clock, 0));
  }
  expect(limits).toEqual([2, 4, 8, 16]);
  // Fewer than may be begun prove nothing.
  fill(slice, clock, 0, 3);
  await end(slice, clock, 0);
  expect(fill(slice, clock, 0)).toBe(16);
});

test("one stop of the system among short things ends no slice, the next one does", async () => {
  const clock = new FakeClock();
  const slice = new TimeSlice(clock, 1);
  await warm(slice, clock);
  slice.begin();
  const stop = (ms: number): boolean => {
    for (let left = slice.left; left > 1; left--) slice.spend();
    clock.advance(ms);
    return slice.spend();
  };
  expect(stop(4)).toBe(false);
  expect(stop(4)).toBe(true);
  // What takes longer than any stop is never passed over.
  await warm(slice, clock);
  slice.begin();
  expect(stop(30)).toBe(true);
});

test("one stop of the system in microtasks makes no slice smaller, the next one does", async () => {
  const clock = new FakeClock();
  const slice = new TimeSlice(clock, 1);
  await warm(slice, clock);
  for (let i = 0; i < 3; i++) {
    fill(slice, clock, 0, 64);
    await end(slice, clock, 4);
    expect(fill(slice, clock, 0, 500)).toBe(500);
    await end(slice, clock, 0.1);
  }
  fill(slice, clock, 0, 64);
  await end(slice, clock, 4);
  fill(slice, clock, 0, 64);
  await end(slice, clock, 4);
  expect(fill(slice, clock, 0, 500)).toBeWithin(15, 17);
});

test("a slice of few things is not looked after", async () => {
  const clock = new CountedClock();
  const slice = new TimeSlice(clock, 1);
  for (const warmed of [false, true]) {
    if (warmed) await warm(slice, clock);
    fill(slice, clock, 0, 3);
    const now = clock.now();
    clock.reads = 0;
    slice.end(now);
    await new Promise((resolve) => setImmediate(resolve));
    expect(clock.reads).toBe(0);
  }
});

test("as many short things may follow the end of a slice as fit into a quarter of it, and no long ones", async () => {
  const clock = new FakeClock();
  const slice = new TimeSlice(clock, 1);
  await warm(slice, clock);
  fill(slice, clock, 0.001);
  expect(slice.grace).toBeWithin(200, 260);
  fill(slice, clock, 5);
  expect(slice.grace).toBeLessThan(2);
  for (let i = 0; i < 3; i++) fill(slice, clock, 5);
  expect(slice.grace).toBe(0);
  // What short things leave behind ends the pass as well: nothing follows it.
  for (let i = 0; i < 3; i++) {
    fill(slice, clock, 0.001, 60);
    await end(slice, clock, 50);
  }
  fill(slice, clock, 0.001);
  expect(slice.grace).toBe(0);
});
