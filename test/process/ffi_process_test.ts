import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import process from "node:process";
import { longRun } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";
import { pause, within } from "../support/until.ts";

const program = "test/process/ffi_program.ts";
const rounds = longRun ? 30 : 4;

async function run(name: string, env: Record<string, string> = {}, permissions?: string[]) {
  await using child = spawnScript(
    program,
    [name],
    permissions === undefined ? { env } : { env, permissions },
  );
  const exit = await within(child.exit, 30_000, `'${name}' to end`);
  return { exit, output: child.outputText, errors: child.errorText };
}

for (const kind of ["auto", "worker"]) {
  const env = { WAITER_KIND: kind };

  test(`a parked program stays (${kind})`, async () => {
    await using child = spawnScript(program, ["parked"], { env });
    await child.waitForLine("parked");
    await pause(300);
    assert.equal(child.ended, undefined, child.errorText);
  });

  for (const name of ["unref", "unrefBefore", "idle"]) {
    test(`a program ends by itself after ${name} (${kind})`, async () => {
      const { exit, errors } = await run(name, env);
      assert.deepEqual(exit, { code: 0, signal: null }, errors);
    });
  }

  test(`an unreferenced wait still wakes (${kind})`, async () => {
    const { exit, output, errors } = await run("unrefWake", env);
    assert.deepEqual(exit, { code: 0, signal: null }, errors);
    assert.match(output, /woken/);
  });
}

test("an uncaught error with traffic ends with 1 and never by a signal", async () => {
  for (let round = 0; round < rounds; round++) {
    const { exit, errors } = await run("uncaught");
    assert.deepEqual(exit, { code: 1, signal: null }, errors);
    assert.match(errors, /on purpose/);
  }
});

test("Workers that own live sockets can be terminated", async () => {
  for (let round = 0; round < rounds; round++) {
    const { exit, output, errors } = await run("terminate");
    assert.deepEqual(exit, { code: 0, signal: null }, errors);
    assert.match(output, /survived/);
  }
});

test("a child process inherits none of our descriptors", {
  skip: process.platform === "linux" ? false : "descriptors are listed in /proc",
}, async () => {
  const { exit, output, errors } = await run("inherit", {}, ["--allow-ffi", "--allow-env", "--allow-run"]);
  assert.deepEqual(exit, { code: 0, signal: null }, errors);
  assert.match(output, /\/proc\/\d+\/fd/);
  assert.doesNotMatch(output, /eventpoll|eventfd/);
});
