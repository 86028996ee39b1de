/** Events whose owner nobody has told about: its instance is found through discovery, by the worker id in the handle. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Discovery, FileDiscovery, LocalDiscovery } from "../../src/discovery/mod.ts";
import { type EventHandle, eventHandle, type InstanceId, type Messenger } from "../../src/mod.ts";
import { startPeer, temporaryFolder } from "../support/discovery_peers.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { peerRuntimes } from "../support/runtime.ts";
import { within } from "../support/until.ts";

const backEnds: readonly { kind: string; open(where: string): Discovery }[] = [
  { kind: "local", open: (where) => new LocalDiscovery({ directory: where, mesh: "test" }) },
  { kind: "file", open: (where) => new FileDiscovery({ path: where }) },
];

/** A new event of another process. */
async function eventOf(owner: InstanceId, caller: Messenger): Promise<EventHandle> {
  return eventHandle(new TextDecoder().decode(await caller.unary("event", { to: owner })));
}

function stranger(t: LeakCheck, discovery: Discovery): Promise<Messenger> {
  return t.messenger({ discovery });
}

for (const { kind, open } of backEnds) {
  for (const runtime of peerRuntimes) {
    test(`${kind}: whoever has a handle awaits and triggers an event of a process on ${runtime} it never met`, async () => {
      await using t = await leakCheck();
      const folder = temporaryFolder(t, "events");
      const where = kind === "file" ? `${folder}/peers.json` : folder;
      const owner = await startPeer(t, `${kind}:${where}`, [], runtime);
      const maker = await stranger(t, open(where));
      const [waiter, trigger, asker] = [
        await stranger(t, open(where)),
        await stranger(t, open(where)),
        await stranger(t, open(where)),
      ];
      const handle = await eventOf(owner.id, maker);
      const waiting = waiter.events.awaiter(handle, { timeoutMs: 5_000 });
      assert.deepEqual(await within(asker.events.poll(handle), 5_000), { status: "pending" });
      await trigger.events.trigger(handle, kind);
      assert.equal(await waiting, kind);
      for (const messenger of [waiter, trigger, asker]) {
        assert.deepEqual(messenger.peers().map(({ instanceId }) => instanceId), [owner.id]);
      }
      const doomed = await eventOf(owner.id, maker);
      const told = assert.rejects(waiter.events.awaiter(doomed), {
        code: "EVENT_POISONED",
        message: /no more/,
      });
      await trigger.events.poison(doomed, "no more");
      await told;
    });
  }
}

test("the owner of an event that is gone is not found, and that is said at once", async () => {
  await using t = await leakCheck();
  const folder = temporaryFolder(t, "events");
  const owner = await startPeer(t, `local:${folder}`, []);
  const maker = await stranger(t, backEnds[0]!.open(folder));
  const handle = await eventOf(owner.id, maker);
  owner.process.signal("SIGTERM");
  await owner.process.exit;
  const late = await stranger(t, backEnds[0]!.open(folder));
  for (const ask of [() => late.events.awaiter(handle), () => late.events.trigger(handle)]) {
    await assert.rejects(within(ask(), 2_000), { code: "PEER_UNKNOWN" });
  }
});
