/** Instances of a service that are stopped and started again one after the other, under load. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalDiscovery } from "../../src/discovery/mod.ts";
import { service } from "../../src/mod.ts";
import { startPeer, temporaryFolder } from "../support/discovery_peers.ts";
import { leakCheck } from "../support/fixture.ts";
import { allRuntimes, longRun } from "../support/runtime.ts";
import { until, within } from "../support/until.ts";

const rounds = longRun ? 10 : 1;

test("a rolling restart of three instances under load fails no call to their service", async () => {
  await using t = await leakCheck();
  const directory = temporaryFolder(t, "rolling");
  const start = (index: number) =>
    startPeer(t, `local:${directory}`, ["resize"], allRuntimes[index % allRuntimes.length]);
  const instances = await Promise.all([0, 1, 2].map(start));
  const caller = await t.messenger({ discovery: new LocalDiscovery({ directory, mesh: "test" }) });
  const to = service("resize");
  const answered = new Map<string, number>();
  let over = false;
  const load = Promise.all(Array.from({ length: 16 }, async () => {
    while (!over) {
      const id = new TextDecoder().decode(await caller.unary("whoami", { to, timeoutMs: 10_000 }));
      answered.set(id, (answered.get(id) ?? 0) + 1);
    }
  }));
  // A call that fails ends the test at once, and not after the restarts.
  const failed = load.then(() => new Promise<never>(() => {}));
  const restarts = async (): Promise<void> => {
    await until(() => instances.every(({ id }) => (answered.get(id) ?? 0) > 10));
    for (let restart = 0; restart < 3 * rounds; restart++) {
      const index = restart % 3;
      const old = instances[index]!;
      old.process.signal("SIGTERM");
      assert.deepEqual(await within(old.process.exit, 8_000, "the instance to end"), {
        code: 0,
        signal: null,
      });
      const next = instances[index] = await start(index + restart);
      await until(() => (answered.get(next.id) ?? 0) > 10, { message: "the new instance to be called" });
    }
  };
  await Promise.race([restarts(), failed]);
  over = true;
  await load;
  const calls = [...answered.values()].reduce((sum, count) => sum + count, 0);
  console.log(`# ${calls} calls, ${caller.stats().calls.repeated} given back and sent to another instance`);
  assert.equal(answered.size, 3 + 3 * rounds);
});
