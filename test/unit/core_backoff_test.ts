import { expect, test } from "bun:test";
import { Backoff } from "../../src/core/mod.ts";

/** The delays of a backoff. */
const delays = (backoff: Backoff, count: number) => Array.from({ length: count }, () => backoff.next());

test("delays double up to the limit and stay there", () => {
  const backoff = new Backoff({ firstMs: 100, maxMs: 1_000, random: () => 0.999_999_999 });
  expect(delays(backoff, 7).map(Math.round)).toEqual([100, 200, 400, 800, 1_000, 1_000, 1_000]);
  expect(backoff.attempts).toBe(7);
});

test("each delay is drawn from the upper half of its step", () => {
  const low = new Backoff({ firstMs: 100, maxMs: 800, random: () => 0 });
  expect(delays(low, 5)).toEqual([50, 100, 200, 400, 400]);
  const any = new Backoff({ firstMs: 100, maxMs: 800 });
  for (let round = 0; round < 200; round++) {
    any.reset();
    for (const step of [100, 200, 400, 800, 800]) {
      const delay = any.next();
      expect(delay).toBeGreaterThanOrEqual(step / 2);
      expect(delay).toBeLessThan(step);
    }
  }
});

test("two backoffs do not go in step", () => {
  const [one, two] = [new Backoff({ maxMs: 2 ** 30 }), new Backoff({ maxMs: 2 ** 30 })];
  expect(delays(one, 10)).not.toEqual(delays(two, 10));
});

test("reset() starts again at the first delay", () => {
  const backoff = new Backoff({ firstMs: 10, maxMs: 1_000, random: () => 0 });
  delays(backoff, 6);
  backoff.reset();
  expect(backoff.attempts).toBe(0);
  expect(backoff.next()).toBe(5);
});

test("thousands of attempts neither overflow nor stop", () => {
  const backoff = new Backoff({ firstMs: 50, maxMs: 5_000, random: () => 0.5 });
  for (const delay of delays(backoff, 5_000).slice(10)) expect(delay).toBe(3_750);
  const unlimited = new Backoff({ firstMs: 1, maxMs: Infinity, random: () => 0 });
  for (const delay of delays(unlimited, 2_000)) expect(Number.isFinite(delay)).toBeTrue();
});

test("explicit undefined keeps the defaults", () => {
  const backoff = new Backoff({ firstMs: undefined, maxMs: undefined, random: undefined });
  const first = backoff.next();
  expect(first).toBeGreaterThanOrEqual(25);
  expect(first).toBeLessThan(50);
  for (const delay of delays(backoff, 50)) expect(delay).toBeLessThan(5_000);
});
