/** Events and discovery files between us and a Rust node on the crate `velo` 0.21.0, each side in every role. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "../support/testing.ts";
import { FileDiscovery } from "../../src/discovery/mod.ts";
import { type EventHandle, type Messenger, service, unaryHandler } from "../../src/mod.ts";
import { newInstanceId } from "../../src/core/mod.ts";
import { peerInfoOf } from "../../src/messenger/mod.ts";
import { startPeer, temporaryFolder } from "../support/discovery_peers.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { allRuntimes, longRun } from "../support/runtime.ts";
import { pause, until, within } from "../support/until.ts";
import { noVeloNode as skip, VeloNode } from "../support/velo_node.ts";

const encode = (of: string): Uint8Array => new TextEncoder().encode(of);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A node does not say hello before it asks about events, and who has not said hello cannot be answered. */
async function introduce(node: VeloNode, ours: Messenger): Promise<void> {
  await node.run("register", { peer: ours.peerInfo() });
  await node.run("handlers", { to: ours.instanceId });
}

/** We know a node, and it knows us. */
async function acquainted(t: LeakCheck): Promise<{ ours: Messenger; node: VeloNode }> {
  const node = await VeloNode.open(t);
  const ours = await t.messenger();
  await ours.connect(node.endpoint);
  await introduce(node, ours);
  return { ours, node };
}

/** Waits until an event's owner knows who waits for it. */
async function untilAwaited(node: VeloNode, handle: EventHandle, by: Messenger): Promise<void> {
  await until(() => node.event("hasSubscriber", handle, { subscriber: by.instanceId }), {
    message: "the subscription",
  });
}

const subscribers = (ours: Messenger): number => ours.events.stats().subscribers?.subscribers ?? 0;

/** Fails with a reason, which Velo puts at the end of its message. */
function failsWith(what: Promise<unknown>, reason: string): Promise<void> {
  return assert.rejects(what, (error: Error) => error.message.endsWith(reason));
}

function assertUndisturbed(ours: Messenger): void {
  assert.deepEqual(ours.stats().transport.drops, {});
  const { foreign = 0, malformed = 0, unknown = 0, refused = 0 } = ours.events.stats().subscribers ?? {};
  assert.deepEqual({ foreign, malformed, unknown, refused }, {
    foreign: 0,
    malformed: 0,
    unknown: 0,
    refused: 0,
  });
}

test(
  "we await events that a Rust Velo node triggers, poisons and drops, in time and late",
  { skip },
  async () => {
    await using t = await leakCheck();
    const { ours, node } = await acquainted(t);
    const [good, bad, dropped] = [await node.newEvent(), await node.newEvent(), await node.newEvent()];
    assert.deepEqual(await ours.events.poll(good), { status: "pending" });
    const waiting = [good, good, bad, dropped].map((handle) =>
      ours.events.awaiter(handle, { timeoutMs: 10_000 })
    );
    const settled = Promise.allSettled(waiting);
    for (const handle of [good, bad, dropped]) await untilAwaited(node, handle, ours);
    await node.event("trigger", good);
    await node.event("poison", bad, { reason: "no disk, naïvely" });
    await node.event("drop", dropped);
    await within(settled, 10_000);
    assert.deepEqual(await Promise.all(waiting.slice(0, 2)), [undefined, undefined]);
    const reasons = [[bad, "no disk, naïvely"], [dropped, "event dropped without being triggered"]] as const;
    for (const [index, [handle, reason]] of reasons.entries()) {
      await assert.rejects(waiting[2 + index]!, (error: { code?: string; details?: unknown }) => {
        assert.equal(error.code, "EVENT_POISONED");
        assert.deepEqual(error.details, { handle: String(handle), reason });
        return true;
      });
      assert.deepEqual(await ours.events.poll(handle), { status: "poisoned", reason });
    }
    // Who comes late is told at once; of the reason Velo says no more than that there was one.
    const late = await t.messenger();
    await late.connect(node.endpoint);
    assert.equal(await late.events.awaiter(good, { timeoutMs: 10_000 }), undefined);
    await assert.rejects(late.events.awaiter(bad, { timeoutMs: 10_000 }), {
      code: "EVENT_POISONED",
      message: /event was poisoned$/,
    });
    for (const one of [ours, late]) assertUndisturbed(one);
  },
);

test(
  "a Rust Velo node awaits our events, which we trigger and poison, in time and late",
  { skip },
  async () => {
    await using t = await leakCheck();
    const { ours, node } = await acquainted(t);
    const [good, bad] = [ours.events.newEvent(), ours.events.newEvent()];
    const waiting = [
      node.event("await", good.handle),
      node.event("await", good.handle),
      failsWith(node.event("await", bad.handle), "poisoned: no disk, naïvely"),
    ];
    await until(() => subscribers(ours) === 2);
    assert.equal(await node.event("poll", good.handle), "pending");
    good.trigger({ a: "value, which plain nodes do not get" });
    bad.poison("no disk, naïvely");
    assert.deepEqual(await Promise.all(waiting), ["triggered", "triggered", undefined]);
    // From its cache, where the reason is gone.
    assert.equal(await node.event("await", good.handle), "triggered");
    await failsWith(node.event("await", bad.handle), "poisoned (cached)");
    const late = await VeloNode.open(t);
    await introduce(late, ours);
    assert.equal(await late.event("await", good.handle), "triggered");
    await failsWith(late.event("await", bad.handle), "no disk, naïvely");
    // The next generation of the same index is another event.
    const next = ours.events.newEvent();
    const again = node.event("await", next.handle);
    await until(() => subscribers(ours) === 1);
    next.trigger();
    assert.equal(await again, "triggered");
    assertUndisturbed(ours);
  },
);

test(
  "we trigger and poison a Rust Velo node's events, and everybody who waits is told",
  { skip },
  async () => {
    await using t = await leakCheck();
    const { ours, node } = await acquainted(t);
    const other = await t.messenger();
    await other.connect(node.endpoint);
    const [good, bad] = [await node.newEvent(), await node.newEvent()];
    const theirs = [node.event("await", good), failsWith(node.event("await", bad), "poisoned: no disk")];
    const awaited = other.events.awaiter(good, { timeoutMs: 10_000 });
    await untilAwaited(node, good, other);
    const options = { timeoutMs: 10_000 };
    await ours.events.trigger(good, undefined, options);
    await ours.events.poison(bad, "no disk", options);
    assert.deepEqual(await Promise.all(theirs), ["triggered", undefined]);
    assert.equal(await awaited, undefined);
    assert.equal(await node.event("poll", good), "ready");
    assert.equal(await node.event("poll", bad), "poisoned");
    assert.equal(await ours.events.awaiter(good), undefined);
    await assert.rejects(ours.events.awaiter(bad), { code: "EVENT_POISONED", message: /no disk$/ });
    // Again, by one who has not heard of it: what is complete stays as it is.
    await other.events.trigger(good, undefined, options);
    await assert.rejects(other.events.trigger(bad, undefined, options), { code: "EVENT_POISONED" });
    // Velo does not answer about events that it never had.
    const never = (good + (1_000n << 32n)) as EventHandle;
    await assert.rejects(ours.events.trigger(never, undefined, { timeoutMs: 300 }), { code: "TIMEOUT" });
    for (const one of [ours, other]) assertUndisturbed(one);
  },
);

test("a Rust Velo node triggers and poisons our events, and hears that we did it", { skip }, async () => {
  await using t = await leakCheck();
  const { ours, node } = await acquainted(t);
  const events = Array.from({ length: 4 }, () => ours.events.newEvent());
  const [good, bad, goodOnly, badOnly] = events.map(({ handle }) => handle) as [
    EventHandle,
    EventHandle,
    EventHandle,
    EventHandle,
  ];
  const waiting = Promise.allSettled(
    events.map(({ handle }) => ours.events.awaiter(handle, { timeoutMs: 10_000 })),
  );
  await node.event("trigger", good);
  await node.event("poison", bad, { reason: "no disk, naïvely" });
  await node.event("triggerOnly", goodOnly);
  await node.event("poisonOnly", badOnly, { reason: "no network" });
  const outcomes = (await waiting).map((one) =>
    one.status === "fulfilled" ? one.value : (one.reason as { details: { reason: string } }).details.reason
  );
  assert.deepEqual(outcomes, [undefined, "no disk, naïvely", undefined, "no network"]);
  assert.equal(await node.event("await", good), "triggered");
  // The first reason is gone there.
  await assert.rejects(node.event("await", bad), { message: /poisoned/ });
  // By a node that has not heard of it: triggered twice is fine, and a poisoned one is refused.
  const late = await VeloNode.open(t);
  await introduce(late, ours);
  await late.event("trigger", good);
  await assert.rejects(late.event("trigger", bad), { message: /event was poisoned|no disk/ });
  assertUndisturbed(ours);
});

test(
  "events of both sides merge, and neither side waits for ever for one that has gone",
  { skip },
  async () => {
    await using t = await leakCheck();
    const { ours, node } = await acquainted(t);
    const theirs = [await node.newEvent(), await node.newEvent()];
    const own = ours.events.newEvent();
    const merged = ours.events.mergeEvents([...theirs, own]);
    const waiting = node.event("await", merged);
    for (const handle of theirs) await untilAwaited(node, handle, ours);
    own.trigger();
    for (const handle of theirs) await node.event("trigger", handle);
    assert.equal(await waiting, "triggered");
    const left = ours.events.newEvent();
    const told = failsWith(node.event("await", left.handle), "Event runtime shut down");
    await until(() => subscribers(ours) === 1);
    await ours.close();
    await told;
    const { ours: next, node: mortal } = await acquainted(t);
    const lost = assert.rejects(next.events.awaiter(await mortal.newEvent()), { code: "EVENT_OWNER_LOST" });
    await until(() => next.events.stats().remote?.subscriptions === 1);
    await mortal.kill();
    await within(lost, 10_000);
  },
);

test("a discovery file is shared with a Rust Velo node: each finds the other by it, and services", {
  skip,
}, async () => {
  await using t = await leakCheck();
  const folder = temporaryFolder(t, "shared");
  const files = { peers: `${folder}/peers.json`, services: `${folder}/peers.services.json` };
  const node = await VeloNode.open(t, undefined, files);
  await node.discovery("publish");
  await node.discovery("offer", { service: "echoes" });
  const discovery = new FileDiscovery({ path: files.peers });
  const ours = await t.messenger({ discovery, services: ["whoami", "echoes"] });
  ours.registerHandler(unaryHandler("whoami", () => encode(ours.instanceId)));
  ours.registerHandler(unaryHandler("echo", () => encode("ours")));
  await ours.announce();
  // We find it, by its id and by its service.
  assert.equal(text(await ours.unary("echo", { to: node.instanceId, rawPayload: encode("hello") })), "hello");
  const caller = await t.messenger({ discovery });
  const answered = new Set<string>();
  await until(async () => {
    answered.add(text(await caller.unary("echo", { to: service("echoes"), rawPayload: encode("theirs") })));
    return answered.size === 2;
  }, { message: () => `both that offer the service to answer; so far ${[...answered].join()}` });
  // It finds us: by our id, by our worker id as an event's owner, and our service.
  await node.discovery("find", { to: ours.instanceId });
  assert.equal((await node.unary("whoami", ours.instanceId)).text, ours.instanceId);
  assert.equal(await node.discovery("findWorker", { worker: String(ours.workerId) }), ours.instanceId);
  assert.deepEqual(await node.discovery("instances", { service: "whoami" }), [ours.instanceId]);
  assert.deepEqual((await node.discovery("services") as string[]).sort(), ["echoes", "whoami"]);
  // An event's owner is found by its worker id, and who subscribes by its id.
  const another = await VeloNode.open(t, undefined, files);
  await another.discovery("publish");
  assert.equal(text(await ours.unary("echo", { to: another.instanceId, rawPayload: encode("you") })), "you");
  const event = ours.events.newEvent();
  const waiting = another.event("await", event.handle);
  await until(() => subscribers(ours) === 1, { message: "the owner to be found by its worker id" });
  event.trigger();
  assert.equal(await waiting, "triggered");
  // Each takes back its own entry and leaves the other's.
  await node.discovery("withdraw");
  await ours.close();
  assert.deepEqual(
    (await discovery.listPeers()).map(({ instanceId }) => instanceId).sort(),
    [
      another.instanceId,
      caller.instanceId,
    ].sort(),
  );
  assert.deepEqual(await discovery.listServices(), []);
  await assert.rejects(another.discovery("find", { to: ours.instanceId }), { message: /not found/ });
  assert.ok(readFileSync(files.peers, "utf8").includes(another.instanceId));
});

test(
  "a Rust Velo node that publishes and withdraws while six zeromesh instances write the same files loses no entry",
  {
    skip,
  },
  async () => {
    await using t = await leakCheck();
    const folder = temporaryFolder(t, "shared");
    const files = { peers: `${folder}/peers.json`, services: `${folder}/peers.services.json` };
    const node = await VeloNode.open(t, undefined, files);
    const peers = await Promise.all(
      [...allRuntimes, ...allRuntimes].map((runtime) =>
        startPeer(t, `file:${files.peers}`, ["echoes"], runtime)
      ),
    );
    const stays = peers.map(({ id }) => id);
    const discovery = new FileDiscovery({ path: files.peers });
    const found = async (): Promise<Set<string>> => {
      const offering = new Set(await discovery.getInstances("echoes"));
      const listed = (await discovery.listPeers()).map(({ instanceId }) => instanceId);
      return new Set(listed.filter((id) => offering.has(id)));
    };
    let stop = false;
    let written = 0;
    const churn = Promise.all([1, 2].map(async () => {
      const writer = new FileDiscovery({ path: files.peers });
      while (!stop) {
        const id = newInstanceId();
        await using _entry = await writer.registerPeer(peerInfoOf(id, ["tcp://127.0.0.1:1"]));
        await using _offer = await writer.registerService("echoes", id);
        written++;
        // Uncontended writes are all one turn, which would leave the rest of this process none.
        await pause(5);
      }
    }));
    t.defer(async () => {
      stop = true;
      await churn;
    });
    for (let round = 0; round < (longRun ? 500 : 10); round++) {
      const before = written;
      await Promise.all([
        node.discovery("publish"),
        node.discovery("offer", { service: "echoes" }),
      ]);
      await until(async () => {
        const now = await found();
        return [...stays, node.instanceId].every((id) => now.has(id));
      }, { timeoutMs: 3_000, message: `all of ours and the node, in round ${round}` });
      await until(() => written > before + 2, { message: "entries of ours to be written meanwhile" });
      await node.discovery("withdraw");
      await until(async () => {
        const now = await found();
        return stays.every((id) => now.has(id)) && !now.has(node.instanceId);
      }, { timeoutMs: 3_000, message: `all of ours and not the node, in round ${round}` });
    }
    stop = true;
    await within(churn, 5_000);
    // What was taken back may be there again: Velo writes what it has read without looking whether its lock still holds.
    const now = await found();
    assert.deepEqual(stays.filter((id) => !now.has(id)), [], "all of ours that stay");
  },
);
