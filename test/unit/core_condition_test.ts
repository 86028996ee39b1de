import { expect, test } from "bun:test";
import { Condition } from "../../src/core/mod.ts";
import { FakeClock } from "./core_fake_clock.ts";

test("each waiter for a condition checks it at every change, until it holds or never will", async () => {
  const clock = new FakeClock();
  const condition = new Condition(clock);
  let number = 0;
  const wait = { timeoutMs: 100, late: () => new Error("late") };
  await condition.until(() => true, wait);
  const atOne = condition.until(() => number >= 1, wait);
  const atTwo = condition.until(() => number >= 2, wait);
  const never = condition.until(() => {
    if (number > 1) throw new Error("over");
    return false;
  }, wait);
  number = 1;
  condition.changed();
  await atOne;
  number = 2;
  condition.changed();
  await atTwo;
  await expect(never).rejects.toThrow("over");
  expect(clock.timers).toEqual([]);
});

test("a wait for a condition ends with its time or its signal, and looks no more after that", async () => {
  const clock = new FakeClock();
  const condition = new Condition(clock);
  let looks = 0;
  const wait = { timeoutMs: 100, late: () => new Error("late") };
  const look = (): boolean => ++looks < 0;
  const late = condition.until(look, wait);
  clock.advance(100);
  await expect(late).rejects.toThrow("late");
  const controller = new AbortController();
  const given = condition.until(look, { ...wait, signal: controller.signal });
  controller.abort(new Error("given up"));
  await expect(given).rejects.toThrow("given up");
  await expect(condition.until(look, { ...wait, signal: controller.signal })).rejects.toThrow("given up");
  expect(looks).toBe(2);
  condition.changed();
  expect([looks, clock.timers]).toEqual([2, []]);
});

test("a wait for the next change ends with the change, the time or the signal, and never rejects", async () => {
  const clock = new FakeClock();
  const condition = new Condition(clock);
  const controller = new AbortController();
  const { signal } = controller;
  condition.changed();
  let over = false;
  const change = condition.change(100, signal).then(() => over = true);
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  expect(over).toBeFalse();
  condition.changed();
  await change;
  const timely = condition.change(100, signal);
  clock.advance(100);
  await timely;
  const aborted = condition.change(100, signal);
  controller.abort();
  await aborted;
  await condition.change(100, signal);
  expect(clock.timers).toEqual([]);
});
