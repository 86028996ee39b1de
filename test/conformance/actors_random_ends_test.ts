/** Actors that fail, restart, stop and are paused at random, in trees and in a pool. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  actor,
  actorContract,
  type ActorSelf,
  ActorSystem,
  type RestartStrategy,
} from "../../src/actors/mod.ts";
import { systemClock } from "../../src/core/mod.ts";
import { prng } from "../support/prng.ts";
import { pause, within } from "../support/until.ts";

const Worker = actorContract("worker", {
  tell: { fail: z.undefined() },
  ask: {
    count: { input: z.undefined(), output: z.number() },
    slow: { input: z.number(), output: z.number() },
  },
});

test("whatever happens to actors, each ask is answered or fails, each watch is told once, and a close ends all", async () => {
  const random = prng("actors that end at random");
  const chance = () => random.fraction();
  const worker = actor(Worker, {
    supervision: { onFailure: "restart", maxRestarts: 3, withinMs: 200, backoff: { firstMs: 1, maxMs: 5 } },
    init: async (_args: unknown, ctx: ActorSelf) => {
      if (chance() < 0.1) throw new Error("no start");
      if (chance() < 0.5) await pause(1);
      ctx.every(5, () => {
        if (chance() < 0.02) throw new Error("a timer's turn failed");
      });
      return { count: 0 };
    },
    onStop: async () => {
      if (chance() < 0.2) await pause(2);
    },
    tell: { fail: () => Promise.reject(new Error("failed")) },
    ask: {
      count: (ctx) => ++ctx.state.count,
      slow: async (_ctx, ms) => {
        await pause(ms);
        return ms;
      },
    },
  });
  const strategies: readonly RestartStrategy[] = ["oneForOne", "oneForAll", "restForOne"];
  const parents = strategies.map((strategy) =>
    actor(actorContract("parent"), {
      supervision: {
        onFailure: "restart",
        maxRestarts: 5,
        withinMs: 300,
        strategy,
        backoff: { firstMs: 1, maxMs: 5 },
      },
      init: async (_args: unknown, ctx: ActorSelf) => {
        for (let count = 0; count < 4; count++) await ctx.spawn(worker).catch(() => {});
      },
      onChildEnd: async (ctx) => void await ctx.spawn(worker).catch(() => {}),
    })
  );
  const system = ActorSystem.local({ stopMs: 15, askTimeoutMs: 10_000 });
  const pool = await system.pool(parents[0]!, { size: 2, backoff: { firstMs: 1, maxMs: 5 } });
  const unexpected: unknown[] = [];
  const waits: Promise<unknown>[] = [];
  const expected = ["ACTOR_STOPPED", "ACTOR_NOT_FOUND", "HANDLER_FAILED"];
  const note = (wait: Promise<unknown>): void => {
    waits.push(wait.catch((error) => void (expected.includes(error.code) || unexpected.push(error))));
  };
  const told: number[] = [];
  const until = systemClock.now() + 1_000;
  while (systemClock.now() < until) {
    const all = system.list();
    const one = all[Math.floor(chance() * all.length)]!;
    const dice = chance();
    if (one.contract === "worker") {
      const ref = system.ref(Worker, one.id);
      if (dice < 0.3) note(ref.ask("count"));
      else if (dice < 0.4) note(ref.ask("slow", Math.floor(chance() * 30)));
      else if (dice < 0.6) note(ref.tell("fail"));
    }
    if (dice > 0.9 && dice < 0.92) {
      const number = told.push(0) - 1;
      system.watch(one.id, () => void told[number]!++);
    } else if (one.id !== pool.target) {
      if (dice > 0.98) note(system.stop(one.id));
      else if (dice > 0.97) system.terminate(one.id);
      else if (dice > 0.94) note(system.restart(one.id));
      else if (dice > 0.92) {
        system.pause(one.id);
        const { id } = one;
        note(pause(3).then(() => system.lookup(id)?.phase === "paused" && system.resume(id)));
      }
    }
    if (all.length < 15) note(system.spawn(parents[Math.floor(chance() * parents.length)]!));
    if (chance() < 0.3) await pause(0);
  }
  await within(system.close({ timeoutMs: 2_000 }), 4_000, "the close");
  await within(Promise.all(waits), 5_000, "the asks");
  await pause(0);
  assert.deepEqual(unexpected, []);
  assert.deepEqual(system.list(), []);
  assert.deepEqual(told.filter((count) => count !== 1), []);
  const { restarts, started, ended } = system.stats();
  assert.ok(restarts > 0 && told.length > 0, `${restarts} restarts, ${told.length} watches`);
  assert.ok(ended >= started, `${started} started, ${ended} ended`);
});
