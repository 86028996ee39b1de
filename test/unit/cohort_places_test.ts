import { expect, test } from "bun:test";
import { Places } from "../../src/cohort/places.ts";
import { resolveCohortOptions } from "../../src/cohort/options.ts";
import { newInstanceId, silentLogger } from "../../src/core/mod.ts";
import { FakeClock } from "./core_fake_clock.ts";

function places(failurePolicy: "endAll" | "continue" | { readonly replaceWithinMs: number }) {
  const clock = new FakeClock();
  const ends: string[] = [];
  const made = new Places({
    options: resolveCohortOptions({ heartbeatMs: 100, lostAfterMs: 1_000, failurePolicy }),
    clock,
    logger: silentLogger,
    nameOf: () => null,
    alive: () => true,
    changed: () => {},
    heard: () => {},
    end: (reason) => ends.push(reason),
  });
  const advance = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 50) {
      await Promise.resolve();
      clock.advance(Math.min(left, 50));
    }
    await Promise.resolve();
  };
  return { clock, ends, places: made, advance };
}

test("a worker that is heard of keeps its place, and one that is silent for lostAfterMs and a heartbeat loses it", async () => {
  const { places: of, advance } = places("continue");
  const [loud, silent] = [of.admit(newInstanceId(), null), of.admit(newInstanceId(), null)];
  await advance(950);
  of.heard(loud);
  await advance(200);
  expect([loud.state, silent.state, of.members.count]).toEqual(["up", "lost", 1]);
  await advance(1_100);
  expect([loud.state, of.members.count]).toEqual(["lost", 0]);
});

test("a worker that was given by its id is waited for until it is heard of, and can be lost from then on", async () => {
  const { places: of, advance } = places("continue");
  const given = of.admit(newInstanceId(), null, true);
  await advance(60_000);
  expect(given.state).toBe("up");
  expect(of.registered(given.instanceId)).toBeTrue();
  await advance(1_200);
  expect(given.state).toBe("lost");
});

test("a worker that has left, or whose cohort has ended, is lost no more", async () => {
  const { clock, ends, places: of, advance } = places("endAll");
  const [left, stays] = [of.admit(newInstanceId(), null), of.admit(newInstanceId(), null)];
  expect(of.leave(left.instanceId)).toBeTrue();
  await advance(900);
  of.heard(stays);
  await advance(900);
  expect([left.state, ends]).toEqual(["up", []]);
  of.end(new Error("over"));
  await advance(5_000);
  expect([left.state, stays.state, ends, clock.timers]).toEqual(["up", "up", [], []]);
});

test("a late answer of a worker that was lost, or has left, begins no second loss", async () => {
  const { ends, places: of, advance } = places({ replaceWithinMs: 5_000 });
  const [lost, left] = [of.admit(newInstanceId(), null), of.admit(newInstanceId(), null)];
  of.leave(left.instanceId);
  of.heard(left);
  await advance(1_200);
  of.heard(lost);
  await advance(1_200);
  expect([lost.state, left.state]).toEqual(["lost", "up"]);
  of.admit(lost.instanceId, null);
  for (let ms = 0; ms < 6_000; ms += 500) {
    await advance(500);
    of.heard(lost);
  }
  expect([lost.state, ends]).toEqual(["up", []]);
});
