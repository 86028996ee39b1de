/** The memory of actors that have nothing to do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { leakCheck } from "../support/fixture.ts";
import { currentRuntime } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";

const count = 100_000;

test(`${count} actors run in one process without libzmq, and an idle one takes less than 4 KiB`, async () => {
  await using t = await leakCheck();
  // On Deno only a flag lets a program collect what nobody needs.
  const permissions = ["--allow-read", "--allow-env", "--v8-flags=--expose-gc"];
  const child = t.use(
    spawnScript("test/process/actors_memory_program.ts", [String(count)], {
      runtime: currentRuntime,
      permissions,
    }),
  );
  const line = await child.waitForLine("{", 60_000);
  const { actors, idle, used, sum, zmq } = JSON.parse(line) as Record<string, number>;
  // On Deno it could not be loaded without --allow-ffi.
  assert.deepEqual([actors, sum, zmq], [count, count / 2, false]);
  assert.ok(idle! < 4_096 && used! < 4_096, line);
});
