/** Handlers of another process are waited for, ACKs come from there, and its death ends both at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LeaderWorkerCohort } from "../../src/cohort/mod.ts";
import type { InstanceId, Messenger } from "../../src/mod.ts";
import { fails } from "../conformance/messenger_kit.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { allRuntimes, peerRuntimes, type RuntimeName } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { until, within } from "../support/until.ts";

const promptly = 2_000;

async function start(
  t: LeakCheck,
  runtime: RuntimeName,
  ...args: string[]
): Promise<{ child: SpawnedProcess; endpoint: string }> {
  const child = t.use(spawnScript("test/support/peers/availability_peer.ts", args, { runtime }));
  const [, endpoint = ""] = (await child.waitForLine("ready ")).split(" ");
  return { child, endpoint };
}

async function met(t: LeakCheck, runtime: RuntimeName) {
  const { child, endpoint } = await start(t, runtime);
  const messenger: Messenger = await t.messenger();
  const peer: InstanceId = await messenger.connect(endpoint);
  return { child, messenger, peer };
}

for (const runtime of peerRuntimes) {
  test(`a handler that a process on ${runtime} registers ends the wait for it`, async () => {
    await using t = await leakCheck();
    const { child, messenger, peer } = await met(t, runtime);
    let there = false;
    const waiting = messenger.waitForHandler(peer, "late", { timeoutMs: 30_000 }).then(() => there = true);
    child.write("register early\n");
    await child.waitForLine("registered early");
    await messenger.waitForHandler(peer, "early", { timeoutMs: promptly });
    assert.equal(there, false);
    child.write("register late\nreplace late\n");
    await within(waiting, promptly + 3_000);
    assert.deepEqual(
      (await messenger.listHandlers(peer)).filter(({ name }) => !name.startsWith("_")).map(({ name }) =>
        name
      ),
      ["silent", "job", "early", "late"],
    );
    assert.equal((await messenger.healthCheck(peer)).status, "ok");
    await messenger.sendWithAck("job", { to: peer, timeoutMs: 5_000 });
  });

  test(`killing a process on ${runtime} ends at once what waits for its handlers and its ACKs`, async () => {
    await using t = await leakCheck();
    const { child, messenger, peer } = await met(t, runtime);
    const bound = messenger.registerAck({ from: peer });
    const open = messenger.registerAck();
    const sending = messenger.sendWithAck("silent", { to: peer });
    const waiting = messenger.waitForHandler(peer, "never");
    const ends = [
      fails(waiting, { code: "PEER_DISCONNECTED", peer }, promptly),
      fails(sending, { code: "PEER_DISCONNECTED", peer, ran: "maybe" }, promptly),
      fails(bound.received, { code: "PEER_DISCONNECTED", peer }, promptly),
    ];
    // The handler is done, and what is left is the three waits for ACKs and the one for the handler.
    await until(() => messenger.stats().calls.pending === 4);
    child.signal("SIGKILL");
    await Promise.all(ends);
    assert.equal(messenger.stats().acks.waiting, 1, "anybody may still send the one");
    open[Symbol.dispose]();
  });

  test(`a process on ${runtime} that closes ends at once the wait for its handler`, async () => {
    await using t = await leakCheck();
    const { child, messenger, peer } = await met(t, runtime);
    const ended = fails(messenger.waitForHandler(peer, "never"), { code: "PEER_DRAINING", peer }, promptly);
    child.write("close\n");
    await ended;
    assert.equal((await within(child.exit, 10_000)).code, 0);
  });
}

test("processes that only register become the cohort's workers, and a killed one is lost", async () => {
  await using t = await leakCheck();
  const leader = await t.messenger();
  const cohort = LeaderWorkerCohort.create(leader, {
    size: 2,
    heartbeatMs: 100,
    lostAfterMs: 1_000,
    failurePolicy: "continue",
  });
  t.defer(() => void cohort.close({ timeoutMs: 1 }));
  const children = await Promise.all(allRuntimes.map((runtime) => start(t, runtime, leader.endpoint)));
  await cohort.whenComplete({ timeoutMs: 5_000 });
  await until(() => cohort.stats().heartbeats >= 10);
  assert.equal((await cohort.sync("silent")).ok, true);
  children[0]!.child.signal("SIGKILL");
  await until(() => cohort.workers().length === 1, { timeoutMs: 5_000 });
});
