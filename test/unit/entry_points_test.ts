/** What the entry points export: that nothing of it shadows a global, and that the root has what its users need. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as root from "zeromesh";
import { repositoryRoot } from "../support/runtime.ts";

const { exports } = JSON.parse(readFileSync(`${repositoryRoot}/deno.json`, "utf8")) as {
  exports: Record<string, string>;
};

// Both runtimes' globals that a program may mean by a bare name.
const globals = new Set([...Object.getOwnPropertyNames(globalThis), "Event", "EventTarget"]);

test("the root has what programs call, and nothing of how it is made", () => {
  assert.deepEqual(Object.keys(root).sort(), [
    "EventManager",
    "Messenger",
    "ZeromeshError",
    "acknowledge",
    "amHandler",
    "cancelAfter",
    "contract",
    "curveKeyPair",
    "dropReasons",
    "eventHandle",
    "knownErrorCodes",
    "logOnly",
    "readKeyPair",
    "semaphore",
    "service",
    "stream",
    "tokenBucket",
    "typedUnaryHandler",
    "unaryHandler",
    "unlimited",
  ]);
});

for (const [entry, path] of Object.entries(exports)) {
  test(`nothing that ${entry} exports has the name of a global`, async () => {
    const names = Object.keys(await import(`${repositoryRoot}/${path}`));
    assert.ok(names.length > 0);
    // The names of the npm package, whose programs are to run unchanged.
    const kept = entry === "./zmq" ? ["Proxy", "Request"] : [];
    assert.deepEqual(names.filter((name) => globals.has(name) && !kept.includes(name)), []);
  });
}

test("README names every entry point", () => {
  const readme = readFileSync(`${repositoryRoot}/README.md`, "utf8");
  const left = Object.keys(exports).map((key) => key.replace(/^\./, "zeromesh"))
    .filter((name) => !readme.includes(`\`${name}\``));
  assert.deepEqual(left, []);
});
