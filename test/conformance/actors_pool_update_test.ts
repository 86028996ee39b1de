/** Updates of pools: some members first, then the others, or none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { actor, actorContract, type ActorPool, ActorSystem } from "../../src/actors/mod.ts";
import { until, within } from "../support/until.ts";

const Worker = actorContract("worker", {
  tell: { fail: z.undefined() },
  ask: { version: { input: z.undefined(), output: z.string() } },
});

function worker(version: number, { breaks = false, migrates = true } = {}) {
  return actor(Worker, {
    version,
    init: () => ({ from: version }),
    migrate: (state: { from: number }) => {
      if (!migrates) throw new Error("cannot migrate");
      return state;
    },
    tell: { fail: () => Promise.reject(new Error("crash")) },
    ask: {
      version: (ctx) => {
        if (breaks) throw new Error("bad version");
        return `${ctx.state.from}/${version}`;
      },
    },
  });
}

const versions = (pool: ActorPool<typeof Worker>): Promise<string[]> =>
  Promise.all(pool.members().map((member) => member.ask("version")));

test("an update of a pool takes place on all members, whose states stay, and on later ones; rollback undoes it", async () => {
  await using system = ActorSystem.local();
  const pool = await system.pool(worker(1), { size: 3, backoff: { firstMs: 0, maxMs: 0 } });
  assert.deepEqual(await system.update(pool, worker(2)), { fromVersion: 1, toVersion: 2 });
  assert.deepEqual(await versions(pool), ["1/2", "1/2", "1/2"]);
  assert.equal(system.lookup(pool)!.version, 2);
  system.terminate(pool.members()[0]!);
  await until(() => system.lookup(pool)!.pool!.replaced === 1);
  assert.deepEqual((await versions(pool)).sort(), ["1/2", "1/2", "2/2"]);
  const { toVersion } = await system.rollback(pool);
  assert.equal(toVersion, 1);
  // The member that was started with the new version is replaced.
  await until(() => system.lookup(pool)!.pool!.replaced === 2);
  assert.deepEqual((await versions(pool)).sort(), ["1/1", "1/1", "1/1"]);
  await assert.rejects(system.rollback(pool), { code: "ACTOR_UPDATE_FAILED" });
});

test("a bad update of a pool stops at the first members, which have the old version again", async () => {
  await using system = ActorSystem.local();
  const pool = await system.pool(worker(1), { size: 4 });
  const update = system.update(pool, worker(2, { breaks: true }), {
    canary: 1,
    probation: { failures: 1, withinMs: 60_000 },
  });
  update.catch(() => {});
  const shown = () => pool.members().map(({ target }) => system.lookup(target)!.version);
  await until(() => shown().includes(2));
  assert.deepEqual(shown().sort(), [1, 1, 1, 2]);
  const failures: string[] = [];
  for (let count = 0; count < 4; count++) {
    await pool.ask("version").catch((error) => failures.push(error.message));
  }
  assert.deepEqual(failures, ["bad version"]);
  await assert.rejects(within(update, 5_000), { code: "ACTOR_UPDATE_FAILED" });
  assert.deepEqual(shown(), [1, 1, 1, 1]);
  assert.deepEqual(await versions(pool), ["1/1", "1/1", "1/1", "1/1"]);
  await assert.rejects(system.update(pool, worker(3, { migrates: false })), { code: "ACTOR_UPDATE_FAILED" });
  assert.deepEqual(shown(), [1, 1, 1, 1]);
});
