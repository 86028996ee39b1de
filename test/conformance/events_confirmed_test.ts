/** Events of another instance that are awaited and completed by the same one: the confirmation tells how they ended. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { InstanceId, Messenger } from "../../src/mod.ts";
import { amHandler } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { fails, pair } from "./messenger_kit.ts";

async function instances(t: LeakCheck): Promise<{ owner: Messenger; other: Messenger; peer: InstanceId }> {
  const { server, client, peer } = await pair(t);
  return { owner: server, other: client, peer };
}

const messages = (messenger: Messenger): { sent: number; received: number } => {
  const { sentMessages: sent, receivedMessages: received } = messenger.stats().transport;
  return { sent, received };
};

/** Checks that there are no subscriptions, and that nothing is awaited. */
function assertNothingLeft(owner: Messenger, other: Messenger): void {
  assert.equal(owner.stats().events?.subscribers?.subscribers, 0);
  assert.equal(other.stats().events?.remote?.subscriptions, 0);
}

test("awaiting and triggering in one turn costs one message each way", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t);
  await other.events.trigger(owner.events.newEvent().handle);
  const events = Array.from({ length: 100 }, () => owner.events.newEvent());
  const before = messages(other);
  const ended = events.flatMap(({ handle }, i) => [
    other.events.awaiter(handle),
    other.events.trigger(handle, i % 2 === 0 ? i : undefined),
  ]);
  const values = (await within(Promise.all(ended), 5_000)).filter((_, i) => i % 2 === 0);
  assert.deepEqual(values, events.map((_, i) => i % 2 === 0 ? i : undefined));
  const after = messages(other);
  assert.deepEqual([after.sent - before.sent, after.received - before.received], [100, 100]);
  assertNothingLeft(owner, other);
});

test("a subscriber that completes the event itself is told once, and the others as ever", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t);
  const third = await t.messenger();
  await third.connect(owner.endpoint);
  const event = owner.events.newEvent();
  const waiting = [other.events.awaiter(event.handle), third.events.awaiter(event.handle)];
  await until(() => owner.stats().events?.subscribers?.subscribers === 2);
  const before = messages(other);
  await other.events.trigger(event.handle, "done");
  assert.deepEqual(await within(Promise.all(waiting), 5_000), ["done", "done"]);
  const after = messages(other);
  assert.deepEqual([after.sent - before.sent, after.received - before.received], [1, 1]);
  assertNothingLeft(owner, other);
});

test("the first outcome stands, and is the awaiter's", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t);
  const valued = owner.events.newEvent();
  valued.trigger("first");
  const bare = owner.events.newEvent();
  bare.trigger();
  for (const [{ handle }, first] of [[valued, "first"], [bare, undefined]] as const) {
    const waiting = other.events.awaiter(handle);
    await other.events.trigger(handle, "second");
    assert.equal(await within(waiting, 5_000), first);
  }
  const poisoned = owner.events.newEvent();
  poisoned.poison("first");
  const told = fails(other.events.awaiter(poisoned.handle), { code: "EVENT_POISONED", message: /first/ });
  await other.events.poison(poisoned.handle, "second");
  await told;
  assertNothingLeft(owner, other);
});

test("a poisoned event ends its awaiter with the reason, also without one", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t);
  for (const [reason, expected] of [["no disk", "no disk"], ["", "poisoned"]] as const) {
    const { handle } = owner.events.newEvent();
    const told = fails(other.events.awaiter(handle), { code: "EVENT_POISONED" });
    await other.events.poison(handle, reason);
    assert.deepEqual((await told).details, { handle: String(handle), reason: expected });
  }
});

test("a completion that is refused or given up leaves the awaiter waiting for the truth", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t);
  const poisoned = owner.events.newEvent();
  poisoned.poison("before");
  const told = fails(other.events.awaiter(poisoned.handle), { code: "EVENT_POISONED", message: /before/ });
  await fails(other.events.trigger(poisoned.handle), { code: "EVENT_POISONED" });
  await told;
  const never = owner.events.newEvent().handle + 1n as typeof poisoned.handle;
  const unknown = fails(other.events.awaiter(never), { code: "EVENT_UNKNOWN" });
  await fails(other.events.trigger(never), { code: "EVENT_UNKNOWN" });
  await unknown;
  // Sent, and then nobody waits for the confirmation.
  const { handle } = owner.events.newEvent();
  const abort = new AbortController();
  const waiting = other.events.awaiter(handle);
  const asked = assert.rejects(other.events.trigger(handle, 7, { signal: abort.signal }), /enough/);
  abort.abort(new Error("enough"));
  await asked;
  assert.equal(await within(waiting, 5_000), 7);
  // Never sent: it stays pending, and the awaiter is subscribed.
  const later = owner.events.newEvent();
  const still = other.events.awaiter(later.handle);
  await fails(other.events.trigger(later.handle, 1, { timeoutMs: 0 }), { code: "TIMEOUT" });
  await until(() => owner.stats().events?.subscribers?.subscribers === 1);
  later.trigger("in the end");
  assert.equal(await within(still, 5_000), "in the end");
  assertNothingLeft(owner, other);
});

test("the owner hears of a subscription before the call that follows it", async () => {
  await using t = await leakCheck();
  const { owner, other, peer } = await instances(t);
  await other.events.trigger(owner.events.newEvent().handle);
  let subscribers: number | undefined;
  owner.registerHandler(amHandler("go", () => {
    subscribers = owner.stats().events?.subscribers?.subscribers;
  }));
  const events = Array.from({ length: 200 }, () => owner.events.newEvent());
  const waiting = events.map(({ handle }) => other.events.awaiter(handle));
  await other.amSync("go", { to: peer });
  assert.equal(subscribers, 200);
  for (const event of events) event.trigger();
  await within(Promise.all(waiting), 5_000);
  assertNothingLeft(owner, other);
});
