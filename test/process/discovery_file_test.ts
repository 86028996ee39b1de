import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { instanceId, workerIdOf } from "../../src/core/mod.ts";
import { FileDiscovery } from "../../src/discovery/mod.ts";
import { peerInfoOf } from "../../src/messenger/mod.ts";
import { type InstanceId, service } from "../../src/mod.ts";
import { discoveryPermissions, startPeer, temporaryFolder, whoAnswers } from "../support/discovery_peers.ts";
import { leakCheck } from "../support/fixture.ts";
import { allRuntimes, watchesDaily } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";
import { until } from "../support/until.ts";

if (watchesDaily) {
  test("file: 16 processes that register at once are all found, and all gone when they have ended", async () => {
    await using t = await leakCheck();
    const path = `${temporaryFolder(t, "file")}/peers.json`;
    const processes = Array.from(
      { length: 16 },
      (_, index) =>
        t.use(spawnScript("test/support/peers/discovery_peer.ts", [`file:${path}`, "resize"], {
          runtime: allRuntimes[index % allRuntimes.length],
          permissions: discoveryPermissions,
        })),
    );
    const lines = await Promise.all(processes.map((one) => one.waitForLine(/^READY /, 60_000)));
    const ids = lines.map((line) => line.slice("READY ".length) as InstanceId).sort();
    const discovery = new FileDiscovery({ path });
    assert.deepEqual((await discovery.listPeers()).map(({ instanceId }) => instanceId).sort(), ids);
    assert.deepEqual((await discovery.getInstances("resize")).sort(), ids);
    for (const one of processes) one.signal("SIGTERM");
    await Promise.all(processes.map((one) => one.exit));
    assert.deepEqual(await discovery.listPeers(), []);
    assert.deepEqual(await discovery.listServices(), []);
  });
}

test("file: an entry that a plain writer overwrites comes back at once", async () => {
  await using t = await leakCheck();
  const path = `${temporaryFolder(t, "file")}/peers.json`;
  const discovery = new FileDiscovery({ path, pollMs: 60_000 });
  const messenger = await t.messenger({ discovery, services: ["resize"] });
  await messenger.announce();
  // What a process does that read the file before the entry was there.
  writeFileSync(path, '{"peers":[]}');
  writeFileSync(path.replace(".json", ".services.json"), '{"services":{}}');
  await until(async () => await discovery.discoverByInstanceId(messenger.instanceId) !== null, {
    message: "the entry to come back",
  });
  await until(async () => (await discovery.getInstances("resize")).length === 1, {
    message: "the service to come back",
  });
});

test("file: entries of others are kept unchanged, with unknown fields", async () => {
  await using t = await leakCheck();
  const path = `${temporaryFolder(t, "file")}/peers.json`;
  const other = '{"instance_id":"a0112233-4455-4677-8899-aabbccddeeff","worker_id":7328158447628002822,' +
    '"worker_address":[128],"address_checksum":18446744073709551615,"more":{"x":1}}';
  writeFileSync(path, `{"peers":[${other}]}`);
  const messenger = await t.messenger({ discovery: new FileDiscovery({ path }) });
  assert.ok(readFileSync(path, "utf8").includes(other));
  assert.ok(readFileSync(path, "utf8").includes(messenger.instanceId));
  await messenger.close();
  assert.equal(readFileSync(path, "utf8").replaceAll("\n", ""), `{"peers":[${other}]}`);
});

test("file: an id whose worker id belongs to another entry is refused, and the other entry stays", async () => {
  await using t = await leakCheck();
  const path = `${temporaryFolder(t, "file")}/peers.json`;
  const discovery = new FileDiscovery({ path });
  // Made so that the hash of both is the same.
  const taken = instanceId("b93942ea-7b73-8267-d59f-3d805cf975ae");
  const wanted = instanceId("b81a078d-f2d8-4f88-3a52-96093bbc56af");
  assert.equal(workerIdOf(taken), workerIdOf(wanted));
  const entry = await discovery.registerPeer(peerInfoOf(taken, ["tcp://127.0.0.1:1"]));
  const before = readFileSync(path, "utf8");
  const twin = peerInfoOf(wanted, ["tcp://127.0.0.1:2"]);
  await assert.rejects(new FileDiscovery({ path }).registerPeer(twin), {
    code: "IDENTITY_MISMATCH",
    peer: wanted,
    message: new RegExp(taken),
  });
  assert.equal(readFileSync(path, "utf8"), before);
  await entry.unregister();
  const freed = await discovery.registerPeer(twin);
  assert.equal((await discovery.discoverByWorkerId(workerIdOf(taken)))?.instanceId, wanted);
  await freed.unregister();
});

test("file: a dead process's entry is removed after the heartbeat bound without an answer", async () => {
  await using t = await leakCheck();
  const path = `${temporaryFolder(t, "file")}/peers.json`;
  const peer = await startPeer(t, `file:${path}`, ["resize"]);
  const discovery = new FileDiscovery({ path });
  const caller = await t.messenger({ discovery, connectTimeoutMs: 4_500 });
  await peer.process.kill();
  await assert.rejects(whoAnswers(caller, peer.id), { code: "PEER_UNREACHABLE", ran: "no" });
  await until(async () => await discovery.discoverByInstanceId(peer.id) === null, {
    message: "the dead entry to be removed",
  });
  assert.deepEqual(await discovery.listServices(), []);
  await assert.rejects(whoAnswers(caller, peer.id), { code: "PEER_UNKNOWN" });
});

test("file: a service begins to answer as soon as its process is registered", async () => {
  await using t = await leakCheck();
  const path = `${temporaryFolder(t, "file")}/peers.json`;
  const caller = await t.messenger({ discovery: new FileDiscovery({ path, pollMs: 60_000 }) });
  const answer = whoAnswers(caller, service("resize"));
  const peer = await startPeer(t, `file:${path}`, ["resize"]);
  assert.equal(await answer, peer.id);
});

test("file: a call to a service names the file that is torn, also when it was read before", async () => {
  await using t = await leakCheck();
  const folder = temporaryFolder(t, "discovery");
  const path = `${folder}/peers.json`;
  const caller = await t.messenger({
    discovery: new FileDiscovery({ path, pollMs: 50 }),
    listen: false,
    connectTimeoutMs: 200,
  });
  const call = () => caller.unary("whoami", { to: service("whoami") });
  await assert.rejects(call(), { code: "PEER_UNREACHABLE", message: /no instance offers it$/ });
  writeFileSync(`${folder}/peers.services.json`, '{"services":{"whoami":["');
  const named = { code: "PEER_UNREACHABLE", message: /peers\.services\.json is not a discovery file/ };
  await until(() => call().catch((error) => named.message.test(error.message)));
  await assert.rejects(call(), named);
  writeFileSync(`${folder}/peers.services.json`, '{"services":{}}');
  await until(() => call().catch((error) => /no instance offers it$/.test(error.message)));
});
