/** The example of a supervised pool, as processes on both runtimes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { productPermissions, type RuntimeName } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { until, within } from "../support/until.ts";

function start(name: string, runtime: RuntimeName, ...args: string[]): SpawnedProcess {
  return spawnScript(`examples/actors/supervised_pool/${name}.ts`, args, {
    runtime,
    permissions: productPermissions,
  });
}

for (const [serving, asking] of [["bun", "deno"], ["deno", "bun"]] as const) {
  test(`workers on ${serving} crash and come back, and a client on ${asking} loses no page`, async () => {
    await using server = start("server", serving);
    const endpoint = (await server.waitForLine("renderers serve at ", 20_000)).split(" ").at(-1)!;
    await using client = start("client", asking, endpoint);
    const exit = await within(client.exit, 30_000, "the client");
    assert.deepEqual({ ...exit, errors: client.errorText }, { code: 0, signal: null, errors: "" });
    assert.match(client.outputText, /^page 3 again: ink is out at page 3$/m);
    assert.match(client.outputText, /^24 pages are drawn, 8 of them at a later attempt$/m);
    const lines = (pattern: RegExp) => server.outputText.match(pattern)?.length ?? 0;
    // With eight crashes of two workers, at least one has used up its two restarts.
    await until(() => lines(/^a worker crashed: ink is out/gm) === 8);
    await until(() => lines(/^a worker came back, restart [12]$/gm) >= 4);
    await until(() => lines(/^a worker crashed too often and ended: failed$/gm) >= 1);
    await until(() => lines(/^another worker takes its place; the pool has 2$/gm) >= 1);
    assert.equal(server.errorText, "");
  });
}
