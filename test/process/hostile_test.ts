/** What strangers send must not hurt: the process lives, good peers are answered, memory stays bounded. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { leakCheck } from "../support/fixture.ts";
import { prng } from "../support/prng.ts";
import { longRun } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";
import { until } from "../support/until.ts";
import {
  assertGrownAtMost,
  assertSoon,
  hostileProgram,
  latencies,
  statsOf,
  victim,
} from "../support/victim.ts";
import { hasVitals, vitals } from "../support/vitals.ts";

const frames = longRun ? 10_000_000 : 100_000;
const netPermissions = ["--allow-ffi", "--allow-read", "--allow-env", "--allow-net=127.0.0.1,localhost"];

test(
  `${frames} frames from hostile connections: good peers are answered, drops are counted, memory is bounded`,
  async () => {
    await using t = await leakCheck();
    const one = await victim(t);
    const seed = prng("the hostile process").seed;
    const warm = t.use(spawnScript(hostileProgram, ["frames", one.endpoint, "20000", String(seed + 1)]));
    await latencies(one, () => warm.ended !== undefined);
    const before = hasVitals ? await vitals(one.child.pid) : null;
    const attacker = t.use(
      spawnScript(hostileProgram, ["frames", one.endpoint, String(frames), String(seed)]),
    );
    const took = await latencies(one, () => attacker.ended !== undefined);
    assert.match(attacker.outputText, /^done \d+$/m, attacker.errorText);
    assertSoon(`${frames} hostile frames`, took);
    const { transport } = await statsOf(one);
    const dropped = Object.values(transport.drops).reduce((sum, count) => sum + count, 0);
    console.log(`# dropped ${dropped}: ${JSON.stringify(transport.drops)}`);
    assert.ok(dropped > frames / 4, `only ${dropped} drops of ${frames} frames are counted`);
    // A stranger's unknown handlers are answered, and the answers have nowhere to go: neither may pile up.
    if (before !== null) {
      const after = await assertGrownAtMost(one, before, 128);
      assert.ok(
        after.descriptors <= before.descriptors + 8,
        `${before.descriptors} → ${after.descriptors} descriptors`,
      );
    }
  },
);

test("TCP connections that speak broken ZMTP, HTTP or TLS are thrown out, and good peers are answered", async () => {
  await using t = await leakCheck();
  const one = await victim(t);
  const seed = prng("the broken handshakes").seed;
  const rounds = longRun ? 100 : 3;
  const attacker = t.use(
    spawnScript(hostileProgram, ["zmtp", one.endpoint, String(rounds), String(seed)], {
      permissions: netPermissions,
    }),
  );
  const took = await latencies(one, () => attacker.ended !== undefined);
  const [, opened] = /^done (\d+)$/m.exec(attacker.outputText) ?? assert.fail(attacker.errorText);
  assert.ok(Number(opened) > 200 * rounds, `only ${opened} connections came about`);
  assertSoon(`${opened} broken handshakes`, took);
});

test("1000 connections that never speak cost good peers nothing, and are forgotten when they go", async () => {
  await using t = await leakCheck();
  const one = await victim(t);
  const before = hasVitals ? await vitals(one.child.pid) : null;
  const silent = t.use(
    spawnScript(hostileProgram, ["silent", one.endpoint, "1000"], { permissions: netPermissions }),
  );
  await silent.waitForLine("open 1000", 30_000);
  const start = performance.now();
  const took = await latencies(one, () => performance.now() - start > 1_000);
  assertSoon("1000 silent connections", took);
  if (before !== null) await assertGrownAtMost(one, before, 64);
  await silent.kill();
  if (before === null) return;
  await until(async () => (await vitals(one.child.pid)).descriptors <= before.descriptors + 8, {
    timeoutMs: 10_000,
    intervalMs: 200,
    message: "the descriptors of the silent connections to go",
  });
});
