/** The examples of cohorts and of the executor, as people start them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { allRuntimes, type RuntimeName } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { within } from "../support/until.ts";

function start(name: string, args: readonly string[] = [], runtime?: RuntimeName): SpawnedProcess {
  return spawnScript(`examples/${name}.ts`, args, { runtime });
}

async function ends(child: SpawnedProcess): Promise<void> {
  const exit = await within(child.exit, 40_000, "the example to end");
  assert.deepEqual(
    { ...exit, errors: child.errorText },
    { code: 0, signal: null, errors: "" },
    child.outputText,
  );
}

test("a leader on bun counts primes with three workers on deno, of which one is killed on the way", async () => {
  await using leader = start("cohort/leader", ["--below", "2000000", "--parts", "120"], "bun");
  const endpoint = (await leader.waitForLine("listening on ")).slice("listening on ".length);
  await using workers = new AsyncDisposableStack();
  const hire = () => workers.use(start("cohort/worker", ["--leader", endpoint], "deno"));
  const hired = [hire(), hire(), hire()];
  await leader.waitForLine(/^3 of 120 parts are done$/);
  const victim = hired[1]!;
  // Frozen it keeps the part that it has, while the others go on.
  victim.signal("SIGSTOP");
  await leader.waitForLine(/^9 of 120 parts are done$/);
  await victim.kill();
  await ends(leader);
  assert.match(leader.outputText, /^part \d+ was sent 2 times$/m);
  assert.match(leader.outputText, /^120 of 120 parts are done$/m);
  assert.match(leader.outputText, /^148933 primes below 2000000$/m);
  for (const worker of [hired[0]!, hired[2]!]) {
    await ends(worker);
    assert.match(worker.outputText, /^the end: the leader ends the cohort$/m);
  }
});

for (const [index, args] of [["--workers", "none"], []].entries()) {
  const name = index === 0 ? "leader" : "worker";
  const runtime = allRuntimes[index]!;
  test(`cohort/${name} ${args.join(" ")} says what is wrong and exits with 1 (${runtime})`, async () => {
    await using child = start(`cohort/${name}`, args, runtime);
    assert.equal((await within(child.exit, 20_000)).code, 1);
    assert.match(
      child.errorText,
      name === "leader" ? /--workers is a whole number/ : /--leader ENDPOINT is missing/,
    );
  });
}

for (const [index, name] of ["worker", "leader"].entries()) {
  const runtime = allRuntimes[index]!;
  test(`cohort/${name} --help tells its options (${runtime})`, async () => {
    await using child = start(`cohort/${name}`, ["--help"], runtime);
    await ends(child);
    assert.match(child.outputText, /--help /);
  });
}

for (const runtime of allRuntimes) {
  test(`the executor's example tells how each request ended, by its prefix (${runtime})`, async () => {
    await using child = start("executor/main", [], runtime);
    await ends(child);
    const lines = child.outputText.trimEnd().split("\n");
    assert.deepEqual(lines.slice(0, -1).sort(), [
      "FAILED req:2:err(11 bytes are too many)",
      "FAILED req:3:err(an entry must not be empty)",
      "FAILED req:4:err(No handler for message type: burn)",
      "done req:1:ok",
    ]);
    assert.equal(lines.at(-1), "the ledger has rent, food");
  });

  test(`the example of a served executor tells its client the same (${runtime})`, async () => {
    await using child = start("executor/served", [], runtime);
    await ends(child);
    assert.equal(child.outputText, "image_1 is resized\nimage_2 is not: there is no image\n");
  });
}
