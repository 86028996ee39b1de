/** Watching actors of a process that dies or stops. */
import assert from "node:assert/strict";
import process from "node:process";
import { type ActorEnd, ActorSystem } from "../../src/actors/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { longRun, peerRuntimes, type RuntimeName } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";
import { test } from "../support/testing.ts";
import { until } from "../support/until.ts";

const count = 100;

/** A process with a hundred actors, each of which is watched from here by a messenger that only dials. */
async function watched(t: LeakCheck, runtime: RuntimeName): Promise<{ pid: number; ends: ActorEnd[] }> {
  const child = t.use(spawnScript("test/support/peers/actors_watched_peer.ts", [`${count}`], { runtime }));
  const [, endpoint, peer] = (await child.waitForLine("ready", 20_000)).split(" ");
  const messenger = await t.messenger({ listen: false });
  await messenger.connect(endpoint!);
  const system = t.use(await ActorSystem.create(messenger));
  const ends: ActorEnd[] = [];
  for (let number = 0; number < count; number++) {
    system.watch(`idle-${number}@${peer}`, (end) => ends.push(end));
  }
  const unknown: ActorEnd[] = [];
  // It is answered behind the others, so all of them are in place.
  system.watch(`nobody@${peer}`, (end) => unknown.push(end));
  await until(() => unknown[0]?.reason === "notFound");
  assert.deepEqual(ends, []);
  return { pid: child.pid, ends };
}

for (const runtime of peerRuntimes) {
  test(`whoever watches actors of a ${runtime} process knows within a second that it was killed`, async () => {
    await using t = await leakCheck();
    const { pid, ends } = await watched(t, runtime);
    const killed = performance.now();
    process.kill(pid, "SIGKILL");
    await until(() => ends.length === count);
    assert.ok(performance.now() - killed < 1_000, `after ${performance.now() - killed} ms`);
    assert.deepEqual(new Set(ends.map(({ reason }) => reason)), new Set(["peerLost"]));
  });
}

test(
  "whoever watches actors of a process that stays stopped is told within the heartbeat bound",
  { skip: longRun ? false : "it takes four seconds: --long runs it" },
  async () => {
    await using t = await leakCheck();
    const { pid, ends } = await watched(t, "bun");
    const stopped = performance.now();
    process.kill(pid, "SIGSTOP");
    await until(() => ends.length === count, { timeoutMs: 10_000 });
    assert.ok(performance.now() - stopped < 5_500, `after ${performance.now() - stopped} ms`);
    assert.deepEqual(new Set(ends.map(({ reason }) => reason)), new Set(["peerLost"]));
    process.kill(pid, "SIGKILL");
  },
);
