import { expect, test } from "bun:test";
import { Backoff, retry, supervise } from "../../src/core/mod.ts";
import { FakeClock } from "./core_fake_clock.ts";

// Pauses of 100, 200 and 400 ms.
const backoff = (): Backoff => new Backoff({ firstMs: 100, maxMs: 400, random: () => 1 });

/** Lets promises go on, then time, and so on. */
async function pass(clock: FakeClock, ms: number): Promise<void> {
  for (const end = clock.now() + ms; clock.now() < end;) {
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    clock.advance(50);
  }
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

test("retry() tries until an attempt succeeds, with longer and longer pauses, and tells of each failure", async () => {
  const clock = new FakeClock(0);
  const at: number[] = [];
  const failures: unknown[] = [];
  const done = retry(() => {
    at.push(clock.now());
    if (at.length < 5) throw at.length;
    return "done";
  }, { clock, backoff: backoff(), failed: (error) => failures.push(error) });
  await pass(clock, 1_200);
  expect(await done).toBe("done");
  expect(at).toEqual([0, 100, 300, 700, 1_100]);
  expect(failures).toEqual([1, 2, 3, 4]);
  expect(clock.timers).toEqual([]);
});

test("retry() rejects with the last error when another attempt is not worth it, or would begin too late", async () => {
  const clock = new FakeClock(0);
  let attempts = 0;
  const fails = (): never => {
    throw new Error(`attempt ${++attempts}`);
  };
  const hopeless = retry(fails, { clock, backoff: backoff(), again: () => attempts < 2 });
  const first = hopeless.catch(String);
  await pass(clock, 400);
  expect(await first).toBe("Error: attempt 2");
  attempts = 0;
  const late = retry(fails, { clock, backoff: backoff(), timeoutMs: 500 });
  const second = late.catch(String);
  await pass(clock, 400);
  expect(await second).toBe("Error: attempt 3");
  await expect(retry(fails, { clock, backoff: backoff(), timeoutMs: 0 })).rejects.toThrow("attempt 4");
  expect(clock.timers).toEqual([]);
});

test("a signal ends the pause of retry(), which rejects with its reason", async () => {
  const clock = new FakeClock(0);
  const controller = new AbortController();
  const { signal } = controller;
  const given = retry(() => Promise.reject(new Error("failed")), { clock, backoff: backoff(), signal });
  const rejected = given.catch(String);
  await pass(clock, 50);
  controller.abort(new Error("given up"));
  expect(await rejected).toBe("Error: given up");
  expect(clock.timers).toEqual([]);
});

test("supervise() goes on after failures and ends, pauses less once something works, and stops with its signal", async () => {
  const clock = new FakeClock(0);
  const controller = new AbortController();
  const { signal } = controller;
  const at: number[] = [];
  const failures: unknown[] = [];
  const done = supervise((healthy) => {
    at.push(clock.now());
    if (at.length === 4) healthy();
    return at.length % 2 === 0 ? Promise.resolve() : Promise.reject(at.length);
  }, { clock, backoff: backoff(), signal, failed: (error) => failures.push(error) });
  await pass(clock, 1_000);
  expect(at).toEqual([0, 100, 300, 700, 800, 1_000]);
  expect(failures).toEqual([1, 3, 5]);
  controller.abort();
  await done;
  await supervise(() => Promise.reject(new Error("never run")), { clock, backoff: backoff(), signal });
  expect(clock.timers).toEqual([]);
});
