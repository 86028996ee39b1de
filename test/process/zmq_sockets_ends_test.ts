/** `zeromesh/zmq`: what a program that exits still sends, and what happens to forgotten sockets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as zmq from "zeromesh/zmq";
import { currentRuntime, productPermissions } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { within } from "../support/until.ts";

function start(...words: string[]): SpawnedProcess {
  const permissions = [...productPermissions, "--v8-flags=--expose-gc"];
  return spawnScript("test/process/zmq_sockets_ends_program.ts", words, { permissions });
}

async function endOf(program: SpawnedProcess): Promise<string> {
  assert.deepEqual(
    await within(program.exit, 20_000, "the program"),
    { code: 0, signal: null },
    program.errorText,
  );
  return program.outputText.trim();
}

test("what was sent arrives though the program exits at once", async () => {
  using pull = new zmq.Pull();
  await pull.bind("tcp://127.0.0.1:*");
  await using program = start("sends", pull.lastEndpoint!);
  for (let i = 0; i < 1_000; i++) {
    const [part] = await within(pull.receive(), 20_000, `message ${i}`);
    assert.equal(String(part), String(i));
  }
  await endOf(program);
});

test("a forgotten socket is closed and warned about once, and one that waits is kept", async () => {
  await using program = start("collects");
  assert.equal(await endOf(program), "a socket with a waiting receive is kept\n1 warning");
});

test("a program whose end waits for messages tells so on Bun, and ends with their linger", async () => {
  await using program = start("lingers");
  await endOf(program);
  const text =
    /^\(node:\d+\) WARNING: Waiting for queued ZeroMQ messages to be delivered\. Set 'context\.blocky = false' to change this behaviour\.\n$/;
  // Deno has no way to look at the time meanwhile.
  assert.match(program.errorText, currentRuntime === "bun" ? text : /^$/);
});
