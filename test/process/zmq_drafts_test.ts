/** Programs with draft sockets of `zeromesh/zmq/draft`: their ends, forgotten sockets, and scarce descriptors. */
import assert from "node:assert/strict";
import process from "node:process";
import { noDrafts } from "../support/draft_library.ts";
import { repositoryRoot, scriptCommand } from "../support/runtime.ts";
import { currentRuntime } from "../support/runtime.ts";
import { spawnCommand } from "../support/spawn.ts";
import { test } from "../support/testing.ts";
import { within } from "../support/until.ts";

/** What a program prints that ends by itself and well. */
async function outputOf(task: string, before: readonly string[] = []): Promise<string> {
  const script = `${repositoryRoot}/test/process/zmq_drafts_program.ts`;
  const command = scriptCommand(currentRuntime, script, {
    args: [task],
    permissions: ["-A", "--v8-flags=--expose-gc"],
  });
  await using program = spawnCommand([...before, ...command]);
  assert.deepEqual(
    await within(program.exit, 20_000, task),
    { code: 0, signal: null },
    program.errorText + program.outputText,
  );
  return program.outputText.trim();
}

const skip = noDrafts || (process.platform !== "linux" && "it counts the descriptors of Linux");

test("a program ends though its draft sockets are open", { skip }, async () => {
  assert.equal(await outputOf("ends"), "x");
});

test("a program exits while draft sockets wait", { skip }, async () => {
  assert.equal(await outputOf("exits"), "exits");
});

test(
  "forgotten draft sockets are closed with their pollers, and one that waits is kept",
  { skip },
  async () => {
    assert.equal(await outputOf("collects"), "one that waits is kept\n1 warning");
  },
);

test("without descriptors draft sockets are refused, and others can be closed", { skip }, async () => {
  assert.equal(
    await outputOf("exhausts", ["sh", "-c", 'ulimit -n 200; exec "$0" "$@"']),
    "EMFILE EMFILE done",
  );
});

test("terminated Workers leave nothing of their draft sockets", { skip }, async () => {
  assert.equal(await outputOf("workers"), "ended false");
});
