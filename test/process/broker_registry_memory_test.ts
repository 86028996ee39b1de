/** The memory of a registry's presences, and its speed with many. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { leakCheck } from "../support/fixture.ts";
import { currentRuntime } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";

const count = 10_000;

test(`a registry takes less than 4 KiB for each of ${2 * count} presences, each of an identity of its own`, async () => {
  await using t = await leakCheck();
  // On Deno only a flag lets a program collect what nobody needs.
  const permissions = ["--allow-read", "--allow-env", "--v8-flags=--expose-gc"];
  const child = t.use(
    spawnScript("test/process/broker_registry_memory_program.ts", [String(count)], {
      runtime: currentRuntime,
      permissions,
    }),
  );
  const line = await child.waitForLine("{", 60_000);
  const { presences, each, listed, registeredMs, listedMs } = JSON.parse(line) as Record<string, number>;
  assert.deepEqual([presences, listed], [2 * count + 1, count + 1]);
  assert.ok(each! < 4_096, line);
  // Far above what it takes, and far below what it would take if one registration or one page visited all.
  assert.ok(registeredMs! < 10_000 && listedMs! < 5_000, line);
});
