import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs";
import { test } from "node:test";
import { LocalDiscovery, StaticDiscovery } from "../../src/discovery/mod.ts";
import { service } from "../../src/mod.ts";
import { answerers, startPeer, temporaryFolder, whoAnswers } from "../support/discovery_peers.ts";
import { leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";

const resize = service("resize");

test("local: processes of both runtimes are found by their service and take turns", async () => {
  await using t = await leakCheck();
  const directory = temporaryFolder(t, "local");
  const peers = [
    await startPeer(t, `local:${directory}`, ["resize"], "bun"),
    await startPeer(t, `local:${directory}`, ["resize"], "deno"),
  ];
  const caller = await t.messenger({ discovery: new LocalDiscovery({ directory, mesh: "test" }) });
  const counts = await answerers(caller, resize, 20);
  assert.deepEqual([...counts].sort(), peers.map(({ id }): [string, number] => [id, 10]).sort());
});

test("local: an instance is found by its id alone", async () => {
  await using t = await leakCheck();
  const directory = temporaryFolder(t, "local");
  const peer = await startPeer(t, `local:${directory}`, []);
  const caller = await t.messenger({ discovery: new LocalDiscovery({ directory, mesh: "test" }) });
  assert.equal(await whoAnswers(caller, peer.id), peer.id);
});

test("local: what a killed process leaves is swept, and calls go to the others", async () => {
  await using t = await leakCheck();
  const directory = temporaryFolder(t, "local");
  const [killed, left] = [
    await startPeer(t, `local:${directory}`, ["resize"]),
    await startPeer(t, `local:${directory}`, ["resize"]),
  ];
  const discovery = new LocalDiscovery({ directory, mesh: "test", sweepMs: 100 });
  const caller = await t.messenger({ discovery });
  assert.equal((await answerers(caller, resize, 4)).size, 2);
  await killed.process.kill();
  await until(() => !caller.peers().find(({ instanceId }) => instanceId === killed.id)?.up, {
    message: "the loss to be seen",
  });
  assert.deepEqual([...(await answerers(caller, resize, 10)).keys()], [left.id]);
  await until(() => !existsSync(`${directory}/test/services/resize/${killed.id}`), {
    message: "the dead entry to be swept",
  });
  assert.equal(await discovery.discoverByInstanceId(killed.id), null);
  assert.ok(!existsSync(`${directory}/test/peers/${killed.id}`), "the dead peer's address is still there");
});

for (const signal of ["SIGSTOP", "SIGKILL"] as const) {
  test(`local: a new caller gets past an instance that got ${signal} before it was taken off the list`, async () => {
    await using t = await leakCheck();
    const directory = temporaryFolder(t, "local");
    const start = () => startPeer(t, `local:${directory}`, ["resize"]);
    const peers = await Promise.all([start(), start(), start()]);
    const [gone, ...others] = peers.toSorted((a, b) => a.id < b.id ? -1 : 1);
    const local = new LocalDiscovery({ directory, mesh: "test" });
    // The list as it was: a back end that leases entries keeps one for half a minute.
    const services = { resize: await local.getInstances("resize") };
    const discovery = new StaticDiscovery({ peers: await local.listPeers(), services });
    gone!.process.signal(signal);
    if (signal === "SIGKILL") await gone!.process.exit;
    const caller = await t.messenger({ discovery });
    let longestMs = 0;
    const answered = new Set<string>();
    for (let call = 0; call < 12; call++) {
      const startedAt = performance.now();
      answered.add(await whoAnswers(caller, resize));
      longestMs = Math.max(longestMs, performance.now() - startedAt);
    }
    assert.deepEqual([...answered].sort(), others.map(({ id }) => id));
    assert.ok(longestMs < 2_000, `a call took ${longestMs} ms`);
    // Its attempts end with it.
    await caller.close();
    if (signal === "SIGSTOP") gone!.process.signal("SIGCONT");
  });
}

test("local: a process that ends in order takes its entries with it", async () => {
  await using t = await leakCheck();
  const directory = temporaryFolder(t, "local");
  const peer = await startPeer(t, `local:${directory}`, ["resize"]);
  peer.process.signal("SIGTERM");
  await peer.process.exit;
  assert.ok(!existsSync(`${directory}/test/services/resize/${peer.id}`));
  assert.ok(!existsSync(`${directory}/test/peers/${peer.id}`));
});

test("local: the folder is its owner's alone, and one that is not is refused", async () => {
  await using t = await leakCheck();
  const directory = temporaryFolder(t, "local");
  await (await t.messenger({ discovery: new LocalDiscovery({ directory, mesh: "test" }) })).close();
  assert.equal(statSync(`${directory}/test`).mode & 0o777, 0o700);
  mkdirSync(`${directory}/open`);
  chmodSync(`${directory}/open`, 0o755);
  await assert.rejects(new LocalDiscovery({ directory, mesh: "open" }).listServices(), { code: "FORBIDDEN" });
});
