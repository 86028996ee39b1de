/** Instances that a watch learns of from messages which any client can send: their number is bounded. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { newInstanceId } from "../../src/core/mod.ts";
import { LiveInstances } from "../../src/discovery/live_instances.ts";
import { ServiceWatch } from "../../src/discovery/service_watch.ts";
import { FakeClock } from "../unit/core_fake_clock.ts";

test("a watch keeps 16 384 instances, takes no more, and has a place again when one is silent or has left", async () => {
  const clock = new FakeClock();
  const watch = new ServiceWatch(null, () => {});
  using instances = new LiveInstances(clock, watch);
  instances.resume();
  const [short, left, ...ids] = Array.from({ length: 16_384 }, newInstanceId);
  instances.announced(short!, 900);
  for (const id of [left!, ...ids]) instances.announced(id, 60_000);
  const present = new Set<string>();
  const read = () => {
    for (let event = watch.take(); event !== undefined; event = watch.take()) {
      if (event.type === "added") present.add(event.instance);
      else if (event.type === "removed") present.delete(event.instance);
      else for (const instance of event.instances) present.add(instance);
    }
  };
  read();
  assert.equal(present.size, 16_384);
  const [late, later] = [newInstanceId(), newInstanceId()];
  instances.announced(late, 60_000);
  read();
  assert.equal(present.has(late), false);
  // One that has a place keeps it.
  instances.announced(ids[0]!, 60_000);
  // Deadlines begin with the turn.
  await null;
  clock.advance(950);
  await null;
  instances.announced(late, 60_000);
  instances.announced(left!, 0);
  instances.announced(later, 60_000);
  read();
  assert.equal(present.size, 16_384);
  assert.deepEqual([short, left, late, later].map((id) => present.has(id!)), [false, false, true, true]);
});
