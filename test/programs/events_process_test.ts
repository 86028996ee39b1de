/** Events between processes: owners and subscribers that die, links that are cut, many who wait at once. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { freePort } from "../support/ports.ts";
import { startProxy } from "../support/proxy.ts";
import { allRuntimes, longRun, type RuntimeName } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { pause, within } from "../support/until.ts";

const program = "test/support/peers/events_peer.ts";
/** The time in which a vanished process is noticed. */
const heartbeatBoundMs = 4_000;

interface Owner {
  readonly child: SpawnedProcess;
  readonly endpoint: string;
}

async function owner(t: LeakCheck, runtime: RuntimeName, endpoint?: string): Promise<Owner> {
  const child = t.use(
    spawnScript(program, ["owner", ...(endpoint === undefined ? [] : [endpoint])], { runtime }),
  );
  const [, at] = (await child.waitForLine("ready")).split(" ");
  return { child, endpoint: at! };
}

async function make(of: Owner, count: number): Promise<string[]> {
  of.child.write(`make ${count}\n`);
  return (await of.child.waitForLine(/^handles /)).split(" ").slice(1);
}

async function waiter(t: LeakCheck, endpoint: string, runtime: RuntimeName): Promise<SpawnedProcess> {
  const child = t.use(spawnScript(program, ["waiter", endpoint], { runtime }));
  await child.waitForLine("ready");
  return child;
}

const [here, there] = allRuntimes as [RuntimeName, RuntimeName];

for (const [ownerRuntime, waiterRuntime] of [[here, there], [there, here]] as const) {
  test(`an event of ${ownerRuntime} wakes ${waiterRuntime} with its value, a poisoned one with its reason`, async () => {
    await using t = await leakCheck();
    const own = await owner(t, ownerRuntime);
    const [a, b] = await make(own, 2);
    const waits = await waiter(t, own.endpoint, waiterRuntime);
    waits.write(`await ${a} ${b}\n`);
    await own.child.waitForLine("subscribers 2");
    own.child.write(`trigger 0 {"port":80}\npoison 1 no disk\n`);
    assert.equal(await waits.waitForLine("woke"), `woke ${a} {"port":80}`);
    assert.match(await waits.waitForLine("failed"), new RegExp(`^failed ${b} EVENT_POISONED .*no disk$`));
  });

  test(`an owner on ${ownerRuntime} that is killed ends its awaiters within the heartbeat bound`, async () => {
    await using t = await leakCheck();
    const own = await owner(t, ownerRuntime);
    const handles = await make(own, 100);
    const waiters = [
      await waiter(t, own.endpoint, waiterRuntime),
      await waiter(t, own.endpoint, ownerRuntime),
    ];
    for (const child of waiters) child.write(`await ${handles.join(" ")}\n`);
    await own.child.waitForLine("subscribers 200");
    const killed = performance.now();
    process.kill(own.child.pid, "SIGKILL");
    for (const child of waiters) {
      await child.waitForLine(
        new RegExp(`^failed ${handles[99]} EVENT_OWNER_LOST`),
        heartbeatBoundMs + 1_000,
      );
      assert.ok(performance.now() - killed < heartbeatBoundMs, `after ${performance.now() - killed} ms`);
      assert.equal(child.outputText.match(/^failed \d+ EVENT_OWNER_LOST/gm)?.length, 100);
    }
  });

  test(`a subscriber on ${waiterRuntime} that is killed is forgotten by the owner, and others are woken`, async () => {
    await using t = await leakCheck();
    const own = await owner(t, ownerRuntime);
    const [handle] = await make(own, 1);
    const victim = await waiter(t, own.endpoint, waiterRuntime);
    const survivor = await waiter(t, own.endpoint, waiterRuntime);
    for (const child of [victim, survivor]) child.write(`await ${handle}\n`);
    await own.child.waitForLine("subscribers 2");
    const killed = performance.now();
    process.kill(victim.pid, "SIGKILL");
    await own.child.waitForLine(/^subscribers 1$/, heartbeatBoundMs);
    assert.ok(performance.now() - killed < heartbeatBoundMs);
    own.child.write("trigger 0 1\n");
    await survivor.waitForLine(`woke ${handle} 1`);
  });
}

for (const [one, other] of [[here, there], [there, here]] as const) {
  test(`an owner on ${one} that is restarted on the same endpoint ends its awaiters, and the new one is another`, async () => {
    await using t = await leakCheck();
    const endpoint = `tcp://127.0.0.1:${await freePort()}`;
    const first = await owner(t, one, endpoint);
    const [handle] = await make(first, 1);
    const waits = await waiter(t, endpoint, one);
    waits.write(`await ${handle}\n`);
    await first.child.waitForLine("subscribers 1");
    const killed = performance.now();
    await first.child.kill();
    const second = await owner(t, other, endpoint);
    await waits.waitForLine(new RegExp(`^failed ${handle} EVENT_OWNER_LOST`), heartbeatBoundMs);
    assert.ok(performance.now() - killed < heartbeatBoundMs);
    const [later] = await make(second, 1);
    assert.notEqual(later, handle);
    second.child.write("trigger 0 2\n");
    const fresh = await waiter(t, endpoint, one);
    fresh.write(`await ${later}\n`);
    await fresh.waitForLine(`woke ${later} 2`);
  });

  test(`an owner on ${other} that closes ends its awaiters at once`, async () => {
    await using t = await leakCheck();
    const own = await owner(t, other);
    const [handle] = await make(own, 1);
    const waits = await waiter(t, own.endpoint, one);
    waits.write(`await ${handle}\n`);
    await own.child.waitForLine("subscribers 1");
    own.child.write("close\n");
    await waits.waitForLine(new RegExp(`^failed ${handle} EVENT_OWNER_LOST`), 2_000);
  });

  test(`an owner on ${other} that stays stopped ends its awaiters soon after the heartbeats have waited for it`, async () => {
    await using t = await leakCheck();
    const own = await owner(t, other);
    const [handle] = await make(own, 1);
    const waits = await waiter(t, own.endpoint, one);
    waits.write(`await ${handle}\n`);
    await own.child.waitForLine("subscribers 1");
    const stopped = performance.now();
    process.kill(own.child.pid, "SIGSTOP");
    await waits.waitForLine(
      new RegExp(`^failed ${handle} EVENT_OWNER_LOST .*frozen`),
      heartbeatBoundMs + 4_000,
    );
    const after = performance.now() - stopped;
    assert.ok(after < heartbeatBoundMs + 1_500, `after ${after} ms`);
  });

  test(`an owner on ${other} that is stopped for a moment loses no awaiter`, async () => {
    await using t = await leakCheck();
    const own = await owner(t, other);
    const [handle] = await make(own, 1);
    const waits = await waiter(t, own.endpoint, one);
    waits.write(`await ${handle}\n`);
    await own.child.waitForLine("subscribers 1");
    process.kill(own.child.pid, "SIGSTOP");
    await pause(1_200);
    own.child.write("trigger 0 3\n");
    process.kill(own.child.pid, "SIGCONT");
    await waits.waitForLine(`woke ${handle} 3`);
  });

  // Daily each kind of cut on one of the runtimes, since the other ends of all links are on both.
  for (const reset of longRun ? [false, true] : [one === there]) {
    test(`a link of ${one} that is cut and heals, five times, loses no completion (${reset ? "reset" : "closed"})`, async () => {
      await using t = await leakCheck();
      const own = await owner(t, other);
      const handles = await make(own, 15);
      const proxy = t.use(await startProxy({ targetPort: Number(own.endpoint.split(":").at(-1)) }));
      const waits = await waiter(t, proxy.endpoint, one);
      waits.write(`await ${handles.join(" ")}\n`);
      await own.child.waitForLine("subscribers 15");
      for (let round = 0; round < 5; round++) {
        // One just before the cut, one while the link is down, one when it is up again.
        own.child.write(`trigger ${3 * round} ${3 * round}\n`);
        proxy.refusing = true;
        proxy.cut({ reset });
        own.child.write(`trigger ${3 * round + 1} ${3 * round + 1}\n`);
        await pause(100 + 100 * round);
        proxy.refusing = false;
        own.child.write(`trigger ${3 * round + 2} ${3 * round + 2}\n`);
        for (const i of [0, 1, 2]) await waits.waitForLine(`woke ${handles[3 * round + i]} ${3 * round + i}`);
      }
      assert.equal(waits.outputText.match(/^woke/gm)?.length, 15);
      assert.equal(waits.outputText.includes("failed"), false);
    });
  }
}

const many = longRun ? 10_000 : 4_000;
test(`${many} events are awaited by four processes each`, async () => {
  await using t = await leakCheck();
  const own = await owner(t, here);
  const handles = await make(own, many);
  const waiters = await Promise.all(
    [here, there, here, there].map((runtime) => waiter(t, own.endpoint, runtime)),
  );
  for (const child of waiters) child.write(`awaitAll ${handles.join(" ")}\n`);
  await own.child.waitForLine(`subscribers ${4 * many}`, 30_000);
  own.child.write("triggerAll\n");
  for (const child of waiters) assert.equal(await child.waitForLine("all", 30_000), `all ${many} true`);
  await own.child.waitForLine(/^subscribers 0$/);
});

test("seven processes meet at a barrier of an eighth, three times", async () => {
  await using t = await leakCheck();
  const own = await owner(t, here);
  const start = (i: number) =>
    t.use(spawnScript(program, ["barrier", own.endpoint, "7", "3"], { runtime: i % 3 === 0 ? there : here }));
  const early = Array.from({ length: 6 }, (_, i) => start(i));
  for (const child of early) await child.waitForLine("arrived 0");
  await pause(50);
  assert.equal(early.some((child) => child.outputText.includes("through")), false);
  const all = [...early, start(6)];
  for (const child of all) {
    await child.waitForLine("through 2", 20_000);
    assert.deepEqual(await within(child.exit, 10_000), { code: 0, signal: null }, child.errorText);
  }
});
