import { expect, test } from "bun:test";
import { hold, onAbort, pause } from "../../src/core/mod.ts";
import { FakeClock } from "./core_fake_clock.ts";

test("a pause ends with its time or with the first signal, and leaves neither timer nor listener", async () => {
  const clock = new FakeClock();
  const calm = new AbortController();
  const hasty = new AbortController();
  const timely = pause(clock, 100, undefined, calm.signal);
  clock.advance(100);
  await timely;
  const short = pause(clock, 100, calm.signal, hasty.signal);
  hasty.abort();
  await short;
  await pause(clock, 100, hasty.signal);
  expect(clock.timers).toEqual([]);
});

test("a held promise comes to what it comes to, to the signal's reason, or to an error of being late", async () => {
  const clock = new FakeClock();
  const giveUp = new AbortController();
  const options = { clock, timeoutMs: 100, signal: giveUp.signal, late: () => new Error("late") };
  expect(await hold(Promise.resolve(1), options)).toBe(1);
  expect(clock.timers).toEqual([]);
  await expect(hold(Promise.reject(new Error("failed")), options)).rejects.toThrow("failed");
  const never = new Promise(() => {});
  const late = hold(never, options);
  clock.advance(100);
  await expect(late).rejects.toThrow("late");
  const given = hold(never, { ...options, timeoutMs: Infinity });
  giveUp.abort(new Error("given up"));
  await expect(given).rejects.toThrow("given up");
  await expect(hold(never, options)).rejects.toThrow("given up");
  expect(clock.timers).toEqual([]);
});

test("a listener of a signal is called once: at its abort, or at once when it has aborted", () => {
  const calls: string[] = [];
  const controller = new AbortController();
  onAbort(controller.signal, () => calls.push("gone"))[Symbol.dispose]();
  onAbort(controller.signal, () => calls.push("later"));
  onAbort(null, () => calls.push("never"));
  expect(calls).toEqual([]);
  controller.abort();
  onAbort(controller.signal, () => calls.push("at once"));
  expect(calls).toEqual(["later", "at once"]);
});
