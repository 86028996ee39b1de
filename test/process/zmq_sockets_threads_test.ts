/** `zeromesh/zmq`: threads of one process. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as zmq from "zeromesh/zmq";
import { spawnScript } from "../support/spawn.ts";
import { within } from "../support/until.ts";

test("threads share the default context, and a terminated one keeps no other from its end", async () => {
  using pull = new zmq.Pull();
  await pull.bind("tcp://127.0.0.1:*");
  await using program = spawnScript("test/process/zmq_sockets_threads_program.ts", [pull.lastEndpoint!], {
    permissions: ["-A"],
  });
  const [last] = await within(pull.receive(), 20_000, "the last message");
  assert.equal(String(last), "last");
  assert.deepEqual(
    await within(program.exit, 20_000, "the program"),
    { code: 0, signal: null },
    program.errorText,
  );
  assert.equal(program.outputText, "3 I/O threads, yes\n3 I/O threads, yes, then ETERM\n");
});
