/** Events without a messenger: what every manager does with the events that are its own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type EventHandle, eventHandle, EventManager, type EventOptions } from "../../src/mod.ts";
import { within } from "../support/until.ts";

const reason = { code: "EVENT_POISONED" };

test("a triggered event wakes its awaiters, also those that come later", async () => {
  const events = EventManager.local();
  const event = events.newEvent();
  const waiting = [events.awaiter(event.handle), events.awaiter(event.handle, { timeoutMs: 1_000 })];
  assert.deepEqual(await events.poll(event.handle), { status: "pending" });
  event.trigger();
  assert.deepEqual(await Promise.all(waiting), [undefined, undefined]);
  assert.equal(await events.awaiter(event.handle), undefined);
  assert.deepEqual(await events.poll(event.handle), { status: "ready", value: undefined });
});

test("the value of an event is parsed from its JSON, for every awaiter", async () => {
  const events = EventManager.local();
  const event = events.newEvent();
  const waiting = events.awaiter(event.handle);
  event.trigger({ at: new Date(0), left: undefined });
  assert.deepEqual(await waiting, { at: "1970-01-01T00:00:00.000Z" });
  assert.deepEqual(await events.awaiter(event.handle), { at: "1970-01-01T00:00:00.000Z" });
  assert.deepEqual(await events.poll(event.handle), {
    status: "ready",
    value: { at: "1970-01-01T00:00:00.000Z" },
  });
});

test("a value without JSON, or too large, is refused and the event stays pending", async () => {
  const events = EventManager.local({ maxValueBytes: 10 });
  const event = events.newEvent();
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  assert.throws(() => event.trigger(cycle), { code: "ENCODING_FAILED" });
  assert.throws(() => event.trigger(() => {}), { code: "ENCODING_FAILED" });
  assert.throws(() => event.trigger("ääääää"), { code: "PAYLOAD_TOO_LARGE", message: /maxValueBytes/ });
  assert.deepEqual(await events.poll(event.handle), { status: "pending" });
  event.trigger("12345678");
  assert.equal(await events.awaiter(event.handle), "12345678");
});

test("a poisoned event fails its awaiters, also those that come later, with the first reason", async () => {
  const events = EventManager.local();
  const event = events.newEvent();
  const waiting = events.awaiter(event.handle);
  event.poison("no disk");
  event.poison("another");
  const expected = {
    ...reason,
    message: /no disk/,
    details: { handle: String(event.handle), reason: "no disk" },
  };
  await assert.rejects(waiting, expected);
  await assert.rejects(events.awaiter(event.handle), expected);
  assert.deepEqual(await events.poll(event.handle), { status: "poisoned", reason: "no disk" });
});

test("triggering twice changes nothing; triggering a poisoned and poisoning a triggered event fail", async () => {
  const events = EventManager.local();
  const [one, other] = [events.newEvent(), events.newEvent()];
  one.trigger(1);
  one.trigger(2);
  await events.trigger(one.handle, 3);
  assert.equal(await events.awaiter(one.handle), 1);
  assert.throws(() => one.poison("late"), { code: "EVENT_COMPLETED" });
  other.poison("first");
  assert.throws(() => other.trigger(), { ...reason, message: /first/ });
  await assert.rejects(events.trigger(other.handle), reason);
  await assert.rejects(events.poison(one.handle, "late"), { code: "EVENT_COMPLETED" });
});

test("an event that leaves its scope untriggered is poisoned, unless its handle was taken out", async () => {
  const events = EventManager.local();
  let dropped: EventHandle;
  let taken: EventHandle;
  let triggered: EventHandle;
  {
    using a = events.newEvent();
    using b = events.newEvent();
    using c = events.newEvent();
    dropped = a.handle;
    taken = b.intoHandle();
    triggered = c.handle;
    c.trigger();
  }
  assert.deepEqual(await events.poll(dropped), {
    status: "poisoned",
    reason: "event dropped without being triggered",
  });
  assert.deepEqual(await events.poll(taken), { status: "pending" });
  assert.equal((await events.poll(triggered)).status, "ready");
});

test("disposing of an event whose index has a new one leaves the new one alone", async () => {
  const events = EventManager.local();
  const old = events.newEvent();
  old.trigger();
  const fresh = events.newEvent();
  old[Symbol.dispose]();
  assert.deepEqual(await events.poll(fresh.handle), { status: "pending" });
  assert.notEqual(old.handle, fresh.handle);
});

test("waiters of an older generation are not woken by a newer event, and older handles are complete", async () => {
  const events = EventManager.local();
  const old = events.newEvent();
  const waiting = events.awaiter(old.handle);
  old.poison("old");
  const fresh = events.newEvent();
  await assert.rejects(waiting, { message: /old/ });
  await assert.rejects(events.awaiter(old.handle), { message: /old/ });
  fresh.trigger("new");
  assert.equal(await events.awaiter(fresh.handle), "new");
});

test("a signal ends a wait with its reason and a deadline with TIMEOUT, and others go on waiting", async () => {
  const events = EventManager.local();
  const event = events.newEvent();
  const controller = new AbortController();
  const others = [
    events.awaiter(event.handle),
    events.awaiter(event.handle, { signal: new AbortController().signal }),
  ];
  const why = new Error("enough");
  const aborted = events.awaiter(event.handle, { signal: controller.signal });
  const late = events.awaiter(event.handle, { timeoutMs: 5 });
  controller.abort(why);
  await assert.rejects(aborted, why);
  await assert.rejects(late, { code: "TIMEOUT", message: /5 ms/ });
  await assert.rejects(events.awaiter(event.handle, { signal: controller.signal }), why);
  await assert.rejects(events.awaiter(event.handle, { timeoutMs: 0 }), { code: "TIMEOUT" });
  event.trigger("go");
  assert.deepEqual(await Promise.all(others), ["go", "go"]);
});

test("a wait that is over leaves no listener at its signal", async () => {
  const events = EventManager.local();
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...all: Parameters<typeof add>) => (listeners++, add(...all));
  signal.removeEventListener = (...all: Parameters<typeof remove>) => (listeners--, remove(...all));
  const event = events.newEvent();
  const waits = [
    events.awaiter(event.handle, { signal }),
    events.awaiter(event.handle, { signal, timeoutMs: 5 }),
  ];
  assert.equal(listeners, 2);
  await assert.rejects(waits[1]!, { code: "TIMEOUT" });
  event.trigger();
  await waits[0];
  assert.equal(listeners, 0);
});

test("handles of other managers, of no owner and of the future are EVENT_UNKNOWN", async () => {
  const [events, other] = [EventManager.local(), EventManager.local()];
  const own = events.newEvent();
  const foreign = [
    other.newEvent().handle,
    (own.handle + 1n) as EventHandle,
    eventHandle("1"),
    eventHandle("0"),
  ];
  const unknown = { code: "EVENT_UNKNOWN" };
  for (const handle of foreign) {
    await assert.rejects(events.awaiter(handle), unknown);
    await assert.rejects(events.poll(handle), unknown);
    await assert.rejects(events.trigger(handle), unknown);
    await assert.rejects(events.poison(handle, "x"), unknown);
  }
  assert.deepEqual(await events.poll(own.handle), { status: "pending" });
});

test("wrong arguments are TypeErrors", async () => {
  const events = EventManager.local();
  const event = events.newEvent();
  await assert.rejects(events.awaiter("5" as unknown as EventHandle), TypeError);
  await assert.rejects(events.awaiter(event.handle, { timeoutMs: Number.NaN }), TypeError);
  await assert.rejects(events.awaiter(event.handle, { signal: {} as AbortSignal }), TypeError);
  await assert.rejects(events.poison(event.handle, undefined as unknown as string), TypeError);
  assert.throws(() => events.mergeEvents([]), TypeError);
  assert.throws(() => events.latch(0), RangeError);
  assert.throws(() => events.barrier("", 2), RangeError);
  assert.throws(() => EventManager.local({ maxEvents: 0 }), RangeError);
  assert.throws(() => EventManager.local({ maxEvents: "5" } as unknown as EventOptions), TypeError);
});

test("a merged event is triggered when all are", async () => {
  const events = EventManager.local();
  const inputs = [events.newEvent(), events.newEvent(), events.newEvent()];
  const merged = events.mergeEvents([inputs[0]!, inputs[1]!.handle, inputs[2]!]);
  const waiting = events.awaiter(merged);
  inputs[1]!.trigger();
  inputs[0]!.trigger();
  await Promise.resolve();
  assert.deepEqual(await events.poll(merged), { status: "pending" });
  inputs[2]!.trigger();
  assert.equal(await within(waiting, 1_000), undefined);
});

test("a merged event waits for all even after a failure, and collects every reason", async () => {
  const events = EventManager.local();
  const inputs = Array.from({ length: 4 }, () => events.newEvent());
  const merged = events.mergeEvents(inputs);
  inputs[2]!.poison("two");
  inputs[0]!.poison("zero");
  inputs[1]!.trigger();
  await Promise.resolve();
  assert.deepEqual(await events.poll(merged), { status: "pending" });
  inputs[3]!.trigger();
  await assert.rejects(within(events.awaiter(merged), 1_000), {
    ...reason,
    details: {
      handle: String(merged),
      reason: `Merge dependency ${inputs[0]!.handle} poisoned: zero; Merge dependency ${
        inputs[2]!.handle
      } poisoned: two`,
    },
  });
});

test("a latch opens after its count of arrivals, by arrive() or by their part", async () => {
  const events = EventManager.local();
  const latch = events.latch(3);
  const open = events.awaiter(latch.handle);
  latch.arrive();
  await events.trigger(latch.parts[2]!);
  assert.equal(latch.remaining, 2);
  latch.arrive();
  assert.equal(await within(open, 1_000), undefined);
});

test("a latch that is left breaks", async () => {
  const events = EventManager.local();
  let handle: EventHandle;
  {
    using latch = events.latch(2);
    latch.arrive();
    handle = latch.handle;
  }
  await assert.rejects(within(events.awaiter(handle), 1_000), reason);
});

test("a barrier passes no participant before all have arrived, round after round", async () => {
  const events = EventManager.local();
  const barrier = events.barrier("start", 3);
  for (let round = 0; round < 3; round++) {
    let through = 0;
    const arrive = () => barrier.arrive().then(() => void through++);
    const first = [arrive(), arrive()];
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(through, 0);
    await within(Promise.all([...first, arrive()]), 1_000);
    assert.equal(through, 3);
  }
  assert.equal(events.stats().barriers, 0);
});

test("a participant that gives up breaks the barrier's round for all, and the next one is whole", async () => {
  const events = EventManager.local();
  const barrier = events.barrier("start", 3);
  const others = barrier.arrive();
  const broken = assert.rejects(others, { ...reason, message: /gave up/ });
  await assert.rejects(barrier.arrive({ timeoutMs: 10 }), { code: "TIMEOUT" });
  await broken;
  await within(Promise.all([barrier.arrive(), barrier.arrive(), barrier.arrive()]), 1_000);
  assert.equal(events.stats().own.pending, 0);
});

test("a barrier refuses participants that expect another number, and too many barriers", async () => {
  const events = EventManager.local({ maxBarriers: 1 });
  const waiting = events.barrier("start", 2).arrive();
  await assert.rejects(events.barrier("start", 3).arrive(), { code: "PAYLOAD_INVALID", message: /gave 2$/ });
  await assert.rejects(events.barrier("other", 2).arrive(), {
    code: "LIMIT_REACHED",
    message: /maxBarriers/,
  });
  await events.barrier("start", 2).arrive();
  await waiting;
});

test("close() poisons what is pending, once, and makes nothing more", async () => {
  const events = EventManager.local();
  const [pending, done] = [events.newEvent(), events.newEvent()];
  const waiting = events.awaiter(pending.handle);
  done.trigger();
  await events.close("maintenance");
  assert.equal(await events.closed, "maintenance");
  events.forceShutdown("again");
  await assert.rejects(waiting, { ...reason, message: /maintenance/ });
  assert.equal((await events.poll(done.handle)).status, "ready");
  assert.throws(() => events.newEvent(), { code: "CLOSED", message: /maintenance/ });
  pending[Symbol.dispose]();
});

test("stats() counts a manager's events", () => {
  const events = EventManager.local();
  events.newEvent().trigger();
  events.newEvent().poison("x");
  events.newEvent();
  const { own, remote, subscribers } = events.stats();
  assert.deepEqual([own.created, own.triggered, own.poisoned, own.pending], [3, 1, 1, 1]);
  assert.deepEqual([remote, subscribers], [null, null]);
});

test("a million events and their waiters leave nothing behind", async () => {
  const events = EventManager.local();
  for (let i = 0; i < 100_000; i++) {
    const some = Array.from({ length: 10 }, () => events.newEvent());
    const waiting = some.map((event) => events.awaiter(event.handle));
    for (const event of some) event.trigger();
    await waiting[9];
  }
  const { own } = events.stats();
  assert.deepEqual([own.created, own.pending, own.history], [1_000_000, 0, 0]);
});
