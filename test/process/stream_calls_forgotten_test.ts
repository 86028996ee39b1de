/** Calls with a stream whose objects nobody refers to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { leakCheck } from "../support/fixture.ts";
import { currentRuntime, productPermissions } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";

test("calls that their callers have dropped unread are ended by the collector, and those of which a part is kept are not", async () => {
  await using t = await leakCheck();
  // On Deno only a flag lets a program collect what nobody needs.
  const permissions = [...productPermissions, "--v8-flags=--expose-gc"];
  const child = t.use(
    spawnScript("test/process/stream_calls_forgotten_program.ts", [], {
      runtime: currentRuntime,
      permissions,
    }),
  );
  const line = await child.waitForLine("{", 30_000);
  assert.deepEqual(JSON.parse(line), { uploaded: 5, kept: 1, closed: "closed", codes: ["CANCELLED"] });
});
