/** Events that are completed at the very moment at which others ask for them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventHandle } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { prng } from "../support/prng.ts";
import { until, within } from "../support/until.ts";
import { pair } from "./messenger_kit.ts";

const count = 2_400;

test(`${count} events completed at any turn of those who await or poll them have one outcome for all`, async () => {
  await using t = await leakCheck();
  const { server: owner, client: other } = await pair(t);
  const random = prng("the turns of the events");
  const turns = async (most: number): Promise<void> => {
    for (let left = random.below(most); left > 0; left--) {
      await (random.below(2) === 0 ? null : new Promise((resolve) => setImmediate(resolve)));
    }
  };
  const outcomeOf = (handle: EventHandle): Promise<string> =>
    other.events.awaiter<number>(handle).then(
      (value) => `ready ${value}`,
      (error: { code?: string; details?: { reason?: string } }) => `${error.code} ${error.details?.reason}`,
    );
  const polled = { pending: 0, done: 0 };
  const one = async (number: number): Promise<void> => {
    const event = owner.events.newEvent();
    const { handle } = event;
    const poisoned = number % 3 === 0;
    const expected = poisoned ? `EVENT_POISONED reason ${number}` : `ready ${number}`;
    const complete = async (): Promise<void> => {
      await turns(6);
      if (poisoned) event.poison(`reason ${number}`);
      else event.trigger(number);
    };
    const wait = async (): Promise<void> => {
      await turns(6);
      assert.equal(await outcomeOf(handle), expected);
    };
    const poll = async (): Promise<void> => {
      await turns(6);
      const state = await other.events.poll(handle);
      if (state.status === "pending") polled.pending++;
      else polled.done++;
      if (state.status === "ready") assert.equal(`ready ${state.value}`, expected);
      if (state.status === "poisoned") assert.equal(`EVENT_POISONED ${state.reason}`, expected);
    };
    const all = Promise.all([complete(), wait(), wait(), poll()]);
    await within(all, 20_000, `event ${number}, which becomes "${expected}"`);
  };
  for (let begun = 0; begun < count; begun += 200) {
    await Promise.all(Array.from({ length: 200 }, (_, i) => one(begun + i)));
  }
  // Both sides of the race were met.
  assert.ok(polled.pending > 0 && polled.done > 0, JSON.stringify(polled));
  await until(() => owner.events.stats().subscribers?.subscribers === 0, {
    message: "no subscription to be left",
  });
  assert.equal(other.events.stats().remote?.subscriptions, 0);
});
