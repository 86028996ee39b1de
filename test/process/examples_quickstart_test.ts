import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { productPermissions } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { until, within } from "../support/until.ts";

function quickstart(env: Record<string, string> = {}): SpawnedProcess {
  const permissions = [...productPermissions, "--allow-run"];
  return spawnScript("examples/quickstart/main.ts", [], { env, permissions });
}

function servicePid(line: string): number {
  const pid = Number(/process (\d+)/.exec(line)?.[1]);
  assert.ok(pid > 1, line);
  return pid;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("quickstart shows two processes that call each other, and ends", async () => {
  await using main = quickstart();
  assert.deepEqual(await within(main.exit, 30_000, "the quick start to end"), { code: 0, signal: null });
  assert.equal(main.errorText, "");
  const lines = main.outputText.trimEnd().split("\n");
  const expected = [
    /^Two processes on (?:Bun|Deno) \d+\.\d+\.\d+, with libzmq \d+\.\d+\.\d+ \(.+\)$/,
    /^Service \(process \d+\) listens on tcp:\/\/127\.0\.0\.1:\d+$/,
    /^Client \(process \d+\) is connected to it$/,
    /^Client called add\(\{ a: 3, b: 4 \}\), and the service answered 7$/,
    /^Client called bill; the service called back for apple, pear, plum and answered 12$/,
    /^A wrong payload was not sent: PAYLOAD_INVALID: .*\bb: /,
    /^Both processes are closed$/,
    /^A call took \d+(?:\.\d)? (?:µs|ms) \(p50 of 2000 calls, p99 \d+(?:\.\d)? (?:µs|ms)\)$/,
  ];
  for (const [index, pattern] of expected.entries()) assert.match(lines[index] ?? "", pattern);
  assert.equal(lines.length, expected.length);
  assert.equal(isAlive(servicePid(lines[1] ?? "")), false);
});

test("quickstart that is killed leaves no process behind", async () => {
  await using main = quickstart();
  const service = servicePid(await main.waitForLine(/^Service/));
  await main.kill();
  await until(() => !isAlive(service), { timeoutMs: 10_000, message: "the service to end" });
});

test("quickstart without a libzmq says what was tried and exits with 1", async () => {
  await using main = quickstart({ ZEROMESH_LIBZMQ: "/no/libzmq/here.so" });
  assert.deepEqual(await within(main.exit, 30_000, "the quick start to end"), { code: 1, signal: null });
  assert.match(main.errorText, /^The quick start failed: .*libzmq[^]*\/no\/libzmq\/here\.so/);
  assert.equal(main.outputText, "");
});
