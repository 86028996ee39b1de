import assert from "node:assert/strict";
import { test } from "node:test";
import { CompletedEvents } from "../../src/events/completed_events.ts";
import type { Outcome } from "../../src/events/outcome.ts";
import { prng } from "../support/prng.ts";

const outcome = (value: number): Outcome => ({ reason: null, value, json: String(value) });

test("the completed events remembered are those used last, whatever they are called", () => {
  const random = prng("completed events");
  for (const max of [1, 2, 63, 64, 65, 500]) {
    const events = new CompletedEvents(max);
    // What it has to be like: the oldest first.
    const model = new Map<string, { words: [number, number, number, number]; outcome: Outcome }>();
    const use = (name: string): void => {
      const entry = model.get(name)!;
      model.delete(name);
      model.set(name, entry);
    };
    for (let step = 0; step < 20_000; step++) {
      const words: [number, number, number, number] = [
        random.below(40),
        random.pick([0, 1, 2, 0x8000_0000, 0xffff_ffff]),
        random.below(3),
        random.pick([0, 0xffff_ffff]),
      ];
      const name = words.join();
      if (random.below(2) === 0) {
        assert.equal(events.get(...words), model.get(name)?.outcome);
        if (model.has(name)) use(name);
      } else {
        const one = outcome(step);
        events.set(...words, one);
        model.delete(name);
        if (model.size === max) model.delete(model.keys().next().value!);
        model.set(name, { words, outcome: one });
      }
      assert.equal(events.size, model.size);
    }
    for (const { words, outcome } of model.values()) assert.equal(events.get(...words), outcome);
    events.clear();
    assert.equal(events.size, 0);
    for (const { words } of model.values()) assert.equal(events.get(...words), undefined);
    events.set(1, 2, 3, 4, outcome(5));
    assert.deepEqual(events.get(1, 2, 3, 4), outcome(5));
  }
});

test("memory for completed events grows with them, up to the limit", () => {
  const events = new CompletedEvents(16_384);
  for (let generation = 1; generation <= 100_000; generation++) events.set(generation, 7, 1, 2, outcome(0));
  assert.equal(events.size, 16_384);
  assert.equal(events.get(100_000 - 16_384, 7, 1, 2), undefined);
  assert.notEqual(events.get(100_001 - 16_384, 7, 1, 2), undefined);
});
