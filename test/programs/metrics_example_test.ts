import assert from "node:assert/strict";
import { test } from "node:test";
import { allRuntimes, productPermissions } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";
import { until, within } from "../support/until.ts";

for (const runtime of allRuntimes) {
  test(`examples/metrics on ${runtime} serves numbers that grow, and ends when it is told to`, async () => {
    const permissions = [...productPermissions, "--allow-net=127.0.0.1"];
    await using service = spawnScript("examples/metrics/service.ts", ["--port", "0"], {
      runtime,
      permissions,
    });
    const url = (await service.waitForLine("metrics at ")).slice("metrics at ".length);
    const name = 'zeromesh_handler_messages_total{role="example",handler="square",outcome="succeeded"}';
    const count = async (): Promise<number> => {
      const text = await (await fetch(url, { headers: { connection: "close" } })).text();
      const line = text.split("\n").find((one) => one.startsWith(`${name} `));
      return Number(line?.slice(name.length + 1) ?? 0);
    };
    const first = await until(async () => await count() || undefined);
    await until(async () => await count() > first);
    service.signal("SIGTERM");
    assert.deepEqual(await within(service.exit, 10_000, "its end"), { code: 0, signal: null });
    assert.equal(service.errorText, "");
    assert.match(service.outputText, /^closing$/m);
  });
}
