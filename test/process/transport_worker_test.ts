/** An instance inside a Worker, with other processes at the other end. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { leakCheck } from "../support/fixture.ts";
import { spawnScript } from "../support/spawn.ts";
import { program, start } from "../support/transport_peers.ts";
import { within } from "../support/until.ts";

for (const end of ["close", "terminate"]) {
  test(`an instance in a Worker outlives the death of its peer's process, and ends by ${end}`, async () => {
    await using t = await leakCheck();
    const [first, second] = [await start(t), await start(t)];
    const child = t.use(spawnScript(program, ["worker", first.endpoint, second.endpoint, end]));
    await child.waitForLine("echoes 500");
    await child.waitForLine("holding");
    const killed = performance.now();
    process.kill(first.child.pid, "SIGKILL");
    assert.equal(await child.waitForLine("outcomes"), 'outcomes ["PEER_DISCONNECTED maybe"]');
    assert.ok(performance.now() - killed < 1_500, `after ${performance.now() - killed} ms`);
    await child.waitForLine("again 500");
    await child.waitForLine(end === "close" ? "closed" : "gone");
    assert.deepEqual(
      await within(child.exit, 10_000, "the end of the program"),
      { code: 0, signal: null },
      child.errorText,
    );
    // The instance that served the Worker serves the next one as well.
    const client = await t.messenger();
    const peer = await client.connect(second.endpoint);
    assert.equal(new TextDecoder().decode(await client.unary("who", { to: peer })), peer);
  });
}
