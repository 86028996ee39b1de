/** Events of one instance, awaited, triggered and poisoned from another. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventHandle, InstanceId, Messenger, MessengerOptions } from "../../src/mod.ts";
import { EventManager } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { startProxy } from "../support/proxy.ts";
import { pause, until, within } from "../support/until.ts";
import { fails, pair } from "./messenger_kit.ts";

interface Instances {
  /** Owns the events. */
  readonly owner: Messenger;
  /** Has dialled the owner. */
  readonly other: Messenger;
  readonly peer: InstanceId;
}

async function instances(
  t: LeakCheck,
  options: { server?: MessengerOptions; client?: MessengerOptions } = {},
): Promise<Instances> {
  const { server, client, peer } = await pair(t, options);
  return { owner: server, other: client, peer };
}

/** Waits until the owner knows of so many subscriptions. */
async function subscribed(owner: Messenger, count: number): Promise<void> {
  await until(() => owner.stats().events?.subscribers?.subscribers === count, {
    message: () =>
      `${count} subscriptions, of which there are ${JSON.stringify(owner.stats().events?.subscribers)}`,
  });
}

/** Messages that an instance has sent so far. */
const sent = (messenger: Messenger): number => messenger.stats().transport.sentMessages;

test("an event is awaited on another instance, before and after it is triggered", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t);
  const event = owner.events.newEvent();
  const waiting = [
    other.events.awaiter(event.handle),
    other.events.awaiter(event.handle, { timeoutMs: 5_000 }),
  ];
  await subscribed(owner, 1);
  event.trigger({ port: 80 });
  assert.deepEqual(await within(Promise.all(waiting), 5_000), [{ port: 80 }, { port: 80 }]);
  const late = owner.events.newEvent();
  late.trigger(["early"]);
  assert.deepEqual(await within(other.events.awaiter(late.handle), 5_000), ["early"]);
  await subscribed(owner, 0);
});

test("the owner that was dialled awaits events of the instance that dialled it", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t, { client: { listen: false } });
  const event = other.events.newEvent();
  const waiting = owner.events.awaiter(event.handle);
  await subscribed(other, 1);
  event.trigger(5);
  assert.equal(await within(waiting, 5_000), 5);
});

test("a poison reason reaches awaiters, also late ones, and is not asked for twice", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t);
  const event = owner.events.newEvent();
  const early = fails(other.events.awaiter(event.handle), { code: "EVENT_POISONED", message: /no disk/ });
  await subscribed(owner, 1);
  event.poison("no disk");
  await early;
  const late = owner.events.newEvent();
  late.poison("gone before");
  for (let i = 0; i < 10; i++) owner.events.newEvent().trigger();
  const error = await fails(other.events.awaiter(late.handle), { code: "EVENT_POISONED" });
  assert.deepEqual(error.details, { handle: String(late.handle), reason: "gone before" });
  const before = sent(other);
  await fails(other.events.awaiter(late.handle), { message: /gone before/ });
  assert.deepEqual(await other.events.poll(late.handle), { status: "poisoned", reason: "gone before" });
  assert.equal(sent(other), before);
});

test("awaiting a completed event again sends nothing, for as many as are remembered", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t, { client: { events: { maxCompleted: 500 } } });
  const handles: EventHandle[] = [];
  for (let i = 0; i < 500; i++) {
    const event = owner.events.newEvent();
    event.trigger(i);
    handles.push(event.handle);
    assert.equal(await other.events.awaiter(event.handle), i);
  }
  const before = sent(other);
  for (const [i, handle] of handles.entries()) assert.equal(await other.events.awaiter(handle), i);
  assert.equal(sent(other), before);
  const { cacheHits, networkLookups, completed } = other.events.stats().remote!;
  assert.deepEqual({ cacheHits, networkLookups, completed }, {
    cacheHits: 500,
    networkLookups: 500,
    completed: 500,
  });
  const more = owner.events.newEvent();
  more.trigger();
  await other.events.awaiter(more.handle);
  await other.events.awaiter(handles[0]!);
  assert.equal(other.events.stats().remote!.networkLookups, 502, "the oldest made room");
});

test("an error of a call about another instance's event names the method that was called", async () => {
  await using t = await leakCheck();
  const { owner, other, peer } = await instances(t);
  const { handle } = owner.events.newEvent();
  const late = { timeoutMs: 0 };
  const calls: Record<string, () => Promise<unknown>> = {
    "events.poll": () => other.events.poll(handle, late),
    "events.trigger": () => other.events.trigger(handle, 1, late),
    "events.poison": () => other.events.poison(handle, "no more", late),
    arrive: () => other.events.barrier("start", 2, { at: peer }).arrive(late),
  };
  for (const [method, call] of Object.entries(calls)) {
    const message = `Call of ${method}() on peer ${peer} was not sent within 0 ms`;
    await fails(call(), { code: "TIMEOUT", ran: "no", peer, message });
  }
});

test("many awaiters of one event share one subscription", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t);
  const event = owner.events.newEvent();
  const before = sent(other);
  const waiting = Array.from({ length: 100 }, () => other.events.awaiter(event.handle));
  await subscribed(owner, 1);
  assert.equal(sent(other) - before, 1);
  const { activeHits, networkLookups, subscriptions } = other.events.stats().remote!;
  assert.deepEqual([activeHits, networkLookups, subscriptions], [99, 1, 1]);
  event.trigger();
  await within(Promise.all(waiting), 5_000);
  assert.equal(other.events.stats().remote!.subscriptions, 0);
});

test("an event is triggered and poisoned from another instance, with confirmation", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t);
  const [one, two] = [owner.events.newEvent(), owner.events.newEvent()];
  const here = owner.events.awaiter(one.handle);
  await other.events.trigger(one.handle, "from elsewhere");
  assert.equal(await within(here, 1_000), "from elsewhere");
  await other.events.trigger(one.handle, "again");
  assert.equal(await owner.events.awaiter(one.handle), "from elsewhere");
  await other.events.poison(two.handle, "no more");
  await other.events.poison(two.handle, "again");
  await fails(owner.events.awaiter(two.handle), { code: "EVENT_POISONED", message: /no more/ });
  await fails(other.events.trigger(two.handle), { code: "EVENT_POISONED", message: /no more/ });
  await fails(other.events.poison(one.handle, "late"), { code: "EVENT_COMPLETED" });
  await fails(other.events.trigger(one.handle, "x".repeat(5_000)), { code: "PAYLOAD_TOO_LARGE" });
});

test("polling another instance's event tells the truth and leaves no subscription", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t);
  const event = owner.events.newEvent();
  assert.deepEqual(await other.events.poll(event.handle), { status: "pending" });
  assert.equal(other.events.stats().remote!.subscriptions, 0);
  event.trigger(7);
  assert.deepEqual(await other.events.poll(event.handle), { status: "ready", value: 7 });
  await subscribed(owner, 0);
});

test("a wait that is given up leaves nothing here and nothing at the owner", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t);
  const event = owner.events.newEvent();
  const controller = new AbortController();
  const aborted = other.events.awaiter(event.handle, { signal: controller.signal });
  const late = fails(other.events.awaiter(event.handle, { timeoutMs: 50 }), { code: "TIMEOUT" });
  await subscribed(owner, 1);
  await late;
  assert.equal(owner.events.stats().subscribers!.subscribers, 1, "somebody still waits");
  const why = new Error("enough");
  controller.abort(why);
  await assert.rejects(aborted, why);
  await subscribed(owner, 0);
  assert.equal(other.events.stats().remote!.subscriptions, 0);
  event.trigger(1);
  assert.equal(await within(other.events.awaiter(event.handle), 5_000), 1);
});

test("handles of the future, of unused indices and of no owner are answered", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t);
  const event = owner.events.newEvent();
  const unknown = [event.handle + 1n, event.handle + (5n << 32n), event.handle - 1n] as EventHandle[];
  for (const handle of unknown) {
    await fails(other.events.awaiter(handle), { code: "EVENT_UNKNOWN" });
    await fails(other.events.poll(handle), { code: "EVENT_UNKNOWN" });
    await fails(other.events.trigger(handle), { code: "EVENT_UNKNOWN" });
    await fails(other.events.poison(handle, "x"), { code: "EVENT_UNKNOWN" });
  }
  assert.equal(owner.events.stats().subscribers!.unknown, 12);
  const nobodys = (1n << 100n) as EventHandle;
  await fails(other.events.awaiter(nobodys), { code: "PEER_UNKNOWN" });
  await fails(other.events.trigger(nobodys), { code: "PEER_UNKNOWN" });
  const local = EventManager.local().newEvent().handle;
  await fails(other.events.awaiter(local), { code: "PEER_UNKNOWN" });
  assert.deepEqual(await other.events.poll(event.handle), { status: "pending" });
});

test("an instance that never used events answers for them", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t);
  assert.equal(owner.stats().events, null);
  await fails(other.events.awaiter((owner.workerId << 64n | 1n) as EventHandle), { code: "EVENT_UNKNOWN" });
});

test("limits of subscriptions hold on both sides", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t, {
    server: { events: { maxSubscribers: 2 } },
    client: { events: { maxSubscriptions: 3 } },
  });
  const events = Array.from({ length: 4 }, () => owner.events.newEvent());
  const waits = events.map((event) => other.events.awaiter(event.handle));
  await fails(waits[3]!, { code: "LIMIT_REACHED", message: /maxSubscriptions/ });
  await fails(waits[2]!, { code: "LIMIT_REACHED", message: /maxSubscribers/ });
  for (const event of events) event.trigger();
  await within(Promise.all(waits.slice(0, 2)), 5_000);
});

test("a merged event of several instances collects the reasons of all", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t);
  const [near, far] = [other.events.newEvent(), owner.events.newEvent()];
  const merged = other.events.mergeEvents([near, far.handle]);
  far.poison("far");
  near.poison("near");
  const error = await fails(owner.events.awaiter(merged), { code: "EVENT_POISONED" });
  assert.match(error.message, new RegExp(`${near.handle} poisoned: near; .*${far.handle} poisoned: far`));
});

test("a completion sent while the link was down arrives, and what is pending is subscribed again", async () => {
  await using t = await leakCheck();
  const owner = await t.messenger({ ipc: false });
  const proxy = t.use(await startProxy({ targetPort: Number(owner.endpoint.split(":").at(-1)) }));
  const other = await t.messenger({ ipc: false, listen: false });
  await other.connect(proxy.endpoint);
  const events = Array.from({ length: 3 }, () => owner.events.newEvent());
  const waiting = events.map((event) => other.events.awaiter(event.handle));
  const outcomes = Promise.allSettled(waiting);
  await subscribed(owner, 3);
  proxy.refusing = true;
  proxy.cut();
  await subscribed(owner, 0);
  events[0]!.trigger("meanwhile");
  events[1]!.poison("meanwhile, too");
  await pause(300);
  proxy.refusing = false;
  await subscribed(owner, 1);
  events[2]!.trigger("after");
  const [first, second, third] = await within(outcomes, 5_000);
  assert.deepEqual(first, { status: "fulfilled", value: "meanwhile" });
  assert.match(String((second as PromiseRejectedResult).reason), /meanwhile, too/);
  assert.deepEqual(third, { status: "fulfilled", value: "after" });
  assert.ok(other.events.stats().remote!.renewed >= 3);
});

test("an owner that stays away ends its awaiters with EVENT_OWNER_LOST after the grace", async () => {
  await using t = await leakCheck();
  const owner = await t.messenger({ ipc: false });
  const proxy = t.use(await startProxy({ targetPort: Number(owner.endpoint.split(":").at(-1)) }));
  const other = await t.messenger({ ipc: false, listen: false, events: { ownerGraceMs: 400 } });
  const peer = await other.connect(proxy.endpoint);
  const event = owner.events.newEvent();
  const waiting = other.events.awaiter(event.handle);
  await subscribed(owner, 1);
  proxy.refusing = true;
  const cut = performance.now();
  proxy.cut();
  const error = await fails(waiting, { code: "EVENT_OWNER_LOST" });
  const took = performance.now() - cut;
  assert.ok(took >= 390 && took < 1_500, `after ${took} ms`);
  assert.equal(error.peer, peer);
  assert.equal(other.events.stats().remote!.ownerLost, 1);
  // A new wait dials again, and finds the owner once it is back.
  const again = other.events.awaiter(event.handle);
  proxy.refusing = false;
  await subscribed(owner, 1);
  event.trigger("back");
  assert.equal(await within(again, 5_000), "back");
});

test("an owner that closes, or that is disconnected from, ends its awaiters at once", async () => {
  await using t = await leakCheck();
  const { owner, other, peer } = await instances(t);
  const waiting = fails(
    other.events.awaiter(owner.events.newEvent().handle),
    { code: "EVENT_OWNER_LOST" },
    2_000,
  );
  await subscribed(owner, 1);
  await owner.close();
  await waiting;
  const third = await t.messenger();
  const id = await other.connect(third.endpoint);
  assert.notEqual(id, peer);
  const disconnected = fails(other.events.awaiter(third.events.newEvent().handle), {
    code: "EVENT_OWNER_LOST",
  });
  await subscribed(third, 1);
  other.disconnect(id);
  await disconnected;
  await subscribed(third, 0);
});

test("closing ends the waits of this instance with CLOSED, also those of its own events", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t);
  const mine = other.events.newEvent();
  const waits = [
    fails(other.events.awaiter(owner.events.newEvent().handle), { code: "CLOSED" }),
    fails(other.events.awaiter(mine.handle), { code: "CLOSED" }),
  ];
  await subscribed(owner, 1);
  await other.close();
  await Promise.all(waits);
  await subscribed(owner, 0);
  await fails(other.events.awaiter(mine.handle), { code: "CLOSED" });
  assert.throws(() => other.events.newEvent(), { code: "CLOSED" });
  mine[Symbol.dispose]();
});

test("close() of events poisons what others wait for", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t);
  const waiting = fails(other.events.awaiter(owner.events.newEvent().handle), {
    code: "EVENT_POISONED",
    message: /maintenance/,
  });
  await subscribed(owner, 1);
  await owner.events.close("maintenance");
  await waiting;
});

test("participants on several instances meet at a barrier of one of them", async () => {
  await using t = await leakCheck();
  const { owner, other, peer } = await instances(t);
  const third = await t.messenger();
  await third.connect(owner.endpoint);
  for (let round = 0; round < 3; round++) {
    let through = 0;
    const arrive = (at: Messenger) =>
      at.events.barrier("start", 3, { at: peer }).arrive({ timeoutMs: 5_000 }).then(() => void through++);
    const first = [arrive(other), arrive(third)];
    await subscribed(owner, 2);
    assert.equal(through, 0);
    await within(Promise.all([...first, arrive(owner)]), 5_000);
  }
  const broken = fails(other.events.barrier("start", 3, { at: peer }).arrive(), { code: "EVENT_POISONED" });
  await subscribed(owner, 1);
  await fails(third.events.barrier("start", 3, { at: peer }).arrive({ timeoutMs: 50 }), { code: "TIMEOUT" });
  await broken;
  assert.throws(() => other.events.barrier("start", 0.5), RangeError);
});

test("with feature events off, events work as with plain Velo", async () => {
  await using t = await leakCheck();
  const { owner, other } = await instances(t, { client: { features: { events: false } } });
  const [one, two, three] = [owner.events.newEvent(), owner.events.newEvent(), other.events.newEvent()];
  const waiting = other.events.awaiter(one.handle);
  await subscribed(owner, 1);
  one.trigger("lost on the way");
  assert.equal(await within(waiting, 5_000), undefined);
  two.poison("reason");
  await fails(other.events.awaiter(two.handle), { code: "EVENT_POISONED", message: /reason/ });
  await owner.events.trigger(three.handle, "lost, too");
  assert.equal(await other.events.awaiter(three.handle), undefined);
  assert.deepEqual(await owner.events.poll(three.handle), { status: "ready", value: undefined });
});

test("10 000 events are awaited by four instances at once", async () => {
  await using t = await leakCheck();
  const owner = await t.messenger();
  const others = await Promise.all(Array.from({ length: 4 }, () => t.messenger()));
  for (const other of others) await other.connect(owner.endpoint);
  const events = Array.from({ length: 10_000 }, () => owner.events.newEvent());
  const waiting = others.map((other) =>
    Promise.all(events.map((event) => other.events.awaiter(event.handle)))
  );
  await until(() => owner.stats().events?.subscribers?.subscribers === 40_000, { timeoutMs: 20_000 });
  for (const [i, event] of events.entries()) event.trigger(i);
  for (const values of await within(Promise.all(waiting), 20_000)) {
    assert.deepEqual(values, events.map((_, i) => i));
  }
  assert.equal(owner.events.stats().subscribers!.subscribers, 0);
});
