import assert from "node:assert/strict";
import { test } from "node:test";
import { allRuntimes, type RuntimeName } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { pause, within } from "../support/until.ts";

function start(name: string, args: readonly string[], runtime?: RuntimeName): SpawnedProcess {
  return spawnScript(`examples/events/${name}.ts`, args, { runtime });
}

/** Waits for the end of an example, which must be a good one. */
async function ends(child: SpawnedProcess, output: RegExp): Promise<void> {
  const exit = await within(child.exit, 30_000, "the example to end");
  assert.deepEqual(
    { ...exit, errors: child.errorText },
    { code: 0, signal: null, errors: "" },
    child.outputText,
  );
  assert.match(child.outputText, output);
}

for (const [waiting, triggering] of [["deno", "bun"], ["bun", "deno"]] as const) {
  test(`an event awaited on ${waiting} is triggered by a process on ${triggering}`, async () => {
    await using waiter = start("await", [], waiting);
    const args = (await waiter.waitForLine("trigger with: ")).split(" ").slice(3);
    await using trigger = start("trigger", [...args, "--value", "go"], triggering);
    await ends(trigger, /^triggered$/m);
    await ends(waiter, /^triggered with "go"$/m);
  });
}

for (const runtime of allRuntimes) {
  test(`an event that is poisoned ends its awaiter with the reason and exit code 1 (${runtime})`, async () => {
    await using waiter = start("await", [], runtime);
    const args = (await waiter.waitForLine("trigger with: ")).split(" ").slice(3);
    await using trigger = start("trigger", [...args, "--poison", "no disk"], runtime);
    await ends(trigger, /^poisoned$/m);
    assert.equal((await within(waiter.exit, 30_000)).code, 1);
    assert.match(waiter.errorText, /was poisoned: no disk$/m);
  });
}

test("five processes on both runtimes meet at a barrier", async () => {
  await using first = start("barrier", []);
  const args = (await first.waitForLine("others: ")).split(" ").slice(2);
  await using others = new AsyncDisposableStack();
  const join = (i: number) => others.use(start("barrier", args, allRuntimes[(i + 1) % 2]));
  const early = [join(0), join(1), join(2)];
  for (const child of [first, ...early]) await child.waitForLine("arrived");
  await pause(50);
  for (const child of [first, ...early]) assert.equal(child.outputText.includes("all 5"), false);
  for (const child of [...early, join(3), first]) await ends(child, /^all 5 have arrived$/m);
});

for (const [index, args] of [[], ["--endpoint", "nowhere", "--handle", "1"]].entries()) {
  const runtime = allRuntimes[index]!;
  test(`trigger ${args.join(" ")} says what is wrong and exits with 1 (${runtime})`, async () => {
    await using child = start("trigger", args, runtime);
    assert.equal((await within(child.exit, 30_000)).code, 1);
    assert.notEqual(child.errorText, "");
  });
}

for (const [index, name] of ["await", "trigger", "barrier"].entries()) {
  const runtime = allRuntimes[index % allRuntimes.length]!;
  test(`${name} --help tells its options (${runtime})`, async () => {
    await using child = start(name, ["--help"], runtime);
    await ends(child, /--help /);
  });
}
