import assert from "node:assert/strict";
import { test } from "node:test";
import {
  durationBounds,
  DurationBuckets,
  LabelLimit,
  MetricSum,
  type Observe,
  TurnClock,
} from "../../src/core/mod.ts";
import { FakeClock } from "./core_fake_clock.ts";

test("DurationBuckets puts a duration into the first bucket whose bound it does not exceed", () => {
  for (const [i, bound] of durationBounds.entries()) {
    const buckets = new DurationBuckets();
    buckets.record(bound);
    buckets.record(bound * 1.001);
    const counts = buckets.counts;
    assert.equal(counts[i], 1, `${bound} s`);
    assert.equal(counts[i + 1], 1, `just above ${bound} s`);
  }
  const odd = new DurationBuckets();
  for (const seconds of [0, -1, 1e9, Infinity]) odd.record(seconds);
  assert.deepEqual([odd.counts[0], odd.counts.at(-1)], [2, 2]);
});

test("a counter of MetricSum never goes back, whatever its sources do", () => {
  const sum = new MetricSum("counter");
  let [first, second] = [5, 10];
  const one = sum.add((observe) => observe(first, "a"));
  using _two = sum.add((observe) => {
    observe(second, "a");
    observe(1, "b");
    observe(1, "b");
  });
  const values = () => Object.fromEntries(sum.samples().map(({ labels, value }) => [labels.join(), value]));
  assert.deepEqual(values(), { a: 15, b: 2 });
  first = 2;
  assert.deepEqual(values(), { a: 17, b: 2 }, "counted anew from 0");
  first = 6;
  one[Symbol.dispose]();
  one[Symbol.dispose]();
  second = 11;
  assert.deepEqual(values(), { a: 22, b: 2 });
});

test("a gauge of MetricSum is what its sources say now", () => {
  const sum = new MetricSum("gauge");
  let read = (observe: Observe): void => observe(3, "a");
  const source = sum.add((observe) => read(observe));
  using _other = sum.add((observe) => observe(4, "a"));
  assert.deepEqual(sum.samples(), [{ labels: ["a"], value: 7 }]);
  read = (observe) => observe(1, "b");
  assert.deepEqual(sum.samples(), [{ labels: ["b"], value: 1 }, { labels: ["a"], value: 4 }]);
  source[Symbol.dispose]();
  assert.deepEqual(sum.samples(), [{ labels: ["a"], value: 4 }]);
});

test("LabelLimit keeps the first values and gives places of unused ones to others", () => {
  const limit = new LabelLimit(2);
  assert.deepEqual(["a", "b", "c", "a", "d"].map((value) => limit.of(value)), [
    "a",
    "b",
    "other",
    "a",
    "other",
  ]);
  assert.deepEqual([limit.size, limit.folded], [2, 2]);
  limit.retain(new Set(["b", "c"]));
  assert.deepEqual([limit.of("c"), limit.of("a")], ["c", "other"]);
});

test("TurnClock asks once a turn, unless it is told to", async () => {
  const clock = new FakeClock();
  const turn = new TurnClock(clock);
  const start = turn.now();
  clock.advance(5);
  assert.equal(turn.now(), start);
  assert.equal(turn.read(), start + 5);
  assert.equal(turn.now(), start + 5);
  clock.advance(5);
  await Promise.resolve();
  assert.equal(turn.now(), start + 10);
});
