/** Programs with sockets of `zeromesh/zmq`: what keeps them alive, and what they cost. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { spawnScript } from "../support/spawn.ts";
import { pause, within } from "../support/until.ts";
import * as zmq from "zeromesh/zmq";

const start = (...args: string[]) => spawnScript("test/process/zmq_sockets_program.ts", args);

for (const what of ["idle", "none"]) {
  test(`a program with only idle sockets ends (${what})`, async () => {
    await using program = start(what);
    const exit = await within(program.exit, 10_000, "the program to end");
    assert.deepEqual([exit, program.outputText, program.errorText], [
      { code: 0, signal: null },
      "done\n",
      "",
    ]);
  });
}

for (const what of ["receive", "send", "events"]) {
  test(`what waits keeps the program alive: ${what}`, async () => {
    await using program = start(what);
    await program.waitForLine("waiting");
    await pause(300);
    assert.equal(program.ended, undefined, program.errorText);
  });
}

test("what a program has sent arrives although it ends without closing its socket", async () => {
  const pull = new zmq.Pull({ receiveTimeout: 10_000 });
  await pull.bind("tcp://127.0.0.1:*");
  await using program = start("last", pull.lastEndpoint!);
  for (let i = 0; i < 100; i++) assert.equal(String(await pull.receive()), String(i));
  assert.equal((await within(program.exit, 10_000, "the program to end")).code, 0);
  pull.close();
});

test("sockets that nobody reads, and a paused proxy, cost no processor time, however much has arrived", async () => {
  await using program = start("unread");
  const used = Number((await program.waitForLine("used ", 20_000)).split(" ")[1]);
  // An idle second of a process that waits; one that turns would use a thousand.
  assert.ok(used < 50, `a second without work took ${used} ms of processor time`);
});
