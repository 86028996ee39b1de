/** Tests of the memory that events take at their owner and at their awaiters. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { leakCheck } from "../support/fixture.ts";
import { allRuntimes, currentRuntime, longRun, productPermissions } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";

const program = "test/support/peers/events_peer.ts";
// On Deno only a flag lets a program collect what nobody needs.
const permissions = [...productPermissions, "--v8-flags=--expose-gc"];

// What an instance keeps of complete events is full after the first; then four bytes an event show in a hundred thousand.
const [firstCount, allCount] = longRun ? [100_000, 10_000_000] : [50_000, 150_000];

// Both runtimes keep the same objects: daily one of them is enough.
for (const runtime of longRun ? allRuntimes : [currentRuntime]) {
  test(`memory after ${allCount} events is that after ${firstCount}, on owner and subscriber (${runtime})`, async () => {
    await using t = await leakCheck();
    const owner = t.use(spawnScript(program, ["owner"], { runtime, permissions }));
    const [, endpoint] = (await owner.waitForLine("ready")).split(" ");
    const args = ["cycles", endpoint!, String(firstCount), String(allCount)];
    const child = t.use(spawnScript(program, args, { runtime, permissions }));
    const read = async (count: number) => {
      const line = await child.waitForLine(`memory ${count}`, 20 * allCount / 1_000 + 30_000);
      return JSON.parse(line.split(" ").slice(2).join(" ")) as Record<
        "owner" | "subscriber",
        { heap: number; rss: number }
      >;
    };
    const first = await read(firstCount);
    const last = await read(allCount);
    for (const who of ["owner", "subscriber"] as const) {
      // What is in use: how much room a runtime keeps beyond that is its own affair.
      const grown = last[who].heap / first[who].heap;
      assert.ok(grown < 1.05, `${who}: ${JSON.stringify([first[who], last[who]])}`);
    }
  });
}
