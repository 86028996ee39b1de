/** A process that has few descriptors left refuses what needs them, and lives. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { leakCheck } from "../support/fixture.ts";
import { currentRuntime, scriptCommand } from "../support/runtime.ts";
import { spawnCommand } from "../support/spawn.ts";
import { within } from "../support/until.ts";

async function outcomes(what: "create" | "dial"): Promise<Map<string, string>> {
  await using t = await leakCheck();
  const command = scriptCommand(currentRuntime, "test/process/descriptors_program.ts", { args: [what] });
  const child = t.use(spawnCommand(["sh", "-c", 'ulimit -n 200; exec "$@"', "sh", ...command]));
  assert.deepEqual(
    await within(child.exit, 30_000, "the program"),
    { code: 0, signal: null },
    child.errorText,
  );
  const lines = child.outputText.trim().split("\n").map((line) => line.split(": "));
  return new Map(lines.map(([attempt, outcome]) => [attempt!, outcome!]));
}

const skip = process.platform === "win32";
const refused = "LIMIT_REACHED no EMFILE";

test("an instance that is made with few descriptors left works or is LIMIT_REACHED, and the process lives", {
  skip,
}, async () => {
  const found = await outcomes("create");
  for (const free of [2, 4, 5, 6, 8, 10]) assert.equal(found.get(`create ${free}`), refused, `${free} free`);
  for (const free of [12, 14, 16]) {
    assert.match(found.get(`create ${free}`)!, /^(made|LIMIT_REACHED no EMFILE)$/);
  }
  assert.equal(found.get("create 60"), "made");
});

test("a call that needs a connection without descriptors for it is LIMIT_REACHED, and works once there are", {
  skip,
}, async () => {
  const found = await outcomes("dial");
  for (const free of [0, 1, 2]) assert.equal(found.get(`dial ${free}`), refused, `${free} free`);
  assert.equal(found.get("dial after"), "answer 7");
});
