/** Updates of actors in place, their probation and their rollback. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { actor, actorContract, type ActorEvent, type ActorParts, ActorSystem } from "../../src/actors/mod.ts";
import { FakeClock } from "../unit/core_fake_clock.ts";
import { pause, until, within } from "../support/until.ts";

/** Each copy of a module makes a contract of its own. */
const contract = () =>
  actorContract("counter", {
    tell: { reset: z.object({ to: z.number() }) },
    ask: { add: { input: z.object({ n: z.number() }), output: z.number() } },
  });
const Counter = contract();

interface State {
  count: number;
}

/** A version of the counter that adds so many times as much. */
function counter(
  version: number,
  factor: number,
  more: Partial<ActorParts<typeof Counter, State, unknown, unknown>> = {},
) {
  return actor(contract(), {
    version,
    init: (): State => ({ count: 0 }),
    tell: { reset: (ctx, { to }) => void (ctx.state.count = to) },
    ask: { add: (ctx, { n }) => (ctx.state.count += n * factor) },
    ...more,
  });
}

const failing = () => {
  throw new Error("broken");
};

/** Collects the events of a system. */
function heard(system: ActorSystem): ActorEvent[] {
  const events: ActorEvent[] = [];
  const reading = system.events({ maxBuffered: 10_000 });
  void (async () => {
    for await (const event of reading) if (event.type !== "dropped") events.push(event);
  })();
  return events;
}

const refusal = (code: string, text: RegExp) => (error: unknown) => {
  assert.equal((error as { code: string }).code, code);
  assert.match((error as Error).message, text);
  return true;
};

test("an update takes place between two messages: the running one ends with the old code, the next ones have the new", async () => {
  await using system = ActorSystem.local();
  const release = Promise.withResolvers<void>();
  const slow = counter(1, 1, {
    ask: {
      add: async (ctx, { n }) => {
        await release.promise;
        return ctx.state.count += n;
      },
    },
  });
  const ref = await system.spawn(slow, { name: "counter" });
  const before = system.lookup("counter")!;
  const sums = [1, 2, 3].map((n) => ref.ask("add", { n }));
  await until(() => system.lookup(ref)!.busy);
  const updated = system.update("counter", counter(2, 10));
  const later = ref.ask("add", { n: 4 });
  release.resolve();
  assert.deepEqual(await within(updated, 5_000), { fromVersion: 1, toVersion: 2 });
  assert.deepEqual(await within(Promise.all([...sums, later]), 5_000), [1, 21, 51, 91]);
  const { id, version } = system.lookup("counter")!;
  assert.deepEqual({ id, version }, { id: before.id, version: 2 });
});

test("migrate converts the state, and a failure in it leaves the old code with its state", async () => {
  await using system = ActorSystem.local();
  const events = heard(system);
  const ref = await system.spawn(counter(1, 1));
  await ref.ask("add", { n: 5 });
  const spoils = (old: unknown): State => {
    (old as State).count = -1;
    throw new Error("no way");
  };
  await assert.rejects(
    system.update(ref, counter(2, 10, { migrate: spoils })),
    refusal("ACTOR_UPDATE_FAILED", /migrate failed: no way/),
  );
  assert.equal(await ref.ask("add", { n: 1 }), 6);
  const migrate = (old: unknown, from: number): State => ({ count: (old as State).count * 100 + from });
  assert.deepEqual(await system.update(ref, counter(3, 10, { migrate })), { fromVersion: 1, toVersion: 3 });
  assert.equal(await ref.ask("add", { n: 1 }), 611);
  await until(() => events.some(({ type }) => type === "updated"));
  assert.deepEqual(events.map(({ type, seq }) => `${seq} ${type}`), [
    "1 started",
    "2 updateStarted",
    "3 updateFailed",
    "4 updateStarted",
    "5 updated",
  ]);
});

test("a migrate that never settles is given up after its time, and messages go on", async () => {
  const clock = new FakeClock();
  await using system = ActorSystem.local({ clock });
  const ref = await system.spawn(counter(1, 1));
  const migrate = () => new Promise<State>(() => {});
  const updated = system.update(ref, counter(2, 10, { migrate }), { migrateTimeoutMs: 100 });
  const waiting = ref.ask("add", { n: 1 });
  const refused = assert.rejects(updated, refusal("ACTOR_UPDATE_FAILED", /did not end within 100 ms/));
  const sum = waiting.then((value) => ({ value }));
  let over: { value: number } | null = null;
  void sum.then((made) => over = made);
  await until(() => (clock.advance(10), over));
  await within(refused, 5_000);
  assert.deepEqual(await sum, { value: 1 });
});

test("a check of the state that never settles is given up after its time", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(counter(1, 1));
  const state = z.object({ count: z.number() }).refine(() => new Promise<boolean>(() => {}));
  const updated = system.update(ref, counter(2, 10, { state }), { migrateTimeoutMs: 20 });
  await assert.rejects(within(updated, 5_000), refusal("ACTOR_UPDATE_FAILED", /did not end within 20 ms/));
  assert.equal(await within(ref.ask("add", { n: 1 }), 5_000), 1);
});

test("an update with another contract, or with a state that does not fit its schema, is refused", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(counter(1, 1));
  const wider = actorContract("counter", {
    tell: { reset: Counter.tell.reset },
    ask: { ...Counter.ask, get: { input: z.null(), output: z.number() } },
  });
  const cases: [ReturnType<typeof actorContract>, RegExp][] = [
    [actorContract("other"), /its contract is "other", not "counter"/],
    [actorContract("counter", { tell: Counter.tell }), /it has no ask "add"/],
    [
      actorContract("counter", { ask: Counter.ask, tell: { reset: z.object({ to: z.string() }) } }),
      /the schema of tell "reset" \(input\) is another one/,
    ],
    [
      actorContract("counter", { tell: Counter.tell, ask: Counter.ask, encoding: "msgpack" }),
      /encoding is "msgpack"/,
    ],
  ];
  for (const [other, why] of cases) {
    const handlers = (names: object) => Object.fromEntries(Object.keys(names).map((name) => [name, () => 0]));
    const definition = actor(other, {
      init: () => null,
      tell: handlers(other.tell) as never,
      ask: handlers(other.ask) as never,
    });
    await assert.rejects(system.update(ref, definition), refusal("ACTOR_UPDATE_FAILED", why));
  }
  const strict = counter(2, 1, { state: z.object({ count: z.string() }) });
  await assert.rejects(
    system.update(ref, strict),
    refusal("ACTOR_UPDATE_FAILED", /its state is invalid: count/),
  );
  const more = actor(wider, {
    init: (): State => ({ count: 0 }),
    tell: { reset: () => {} },
    ask: { add: (ctx, { n }) => (ctx.state.count += n), get: (ctx) => ctx.state.count },
  });
  await ref.ask("add", { n: 7 });
  await system.update(ref, more);
  assert.equal(await system.ref(wider, ref).ask("get", null), 7);
});

test("updates of one actor take place in the order of the calls, and none after its end", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(counter(1, 1));
  const all = [2, 3, 4].map((version) => system.update(ref, counter(version, version)));
  assert.deepEqual((await within(Promise.all(all), 5_000)).map(({ toVersion }) => toVersion), [2, 3, 4]);
  assert.equal(await ref.ask("add", { n: 1 }), 4);
  const migrate = () => new Promise<State>(() => {});
  const late = system.update(ref, counter(5, 1, { migrate }));
  const refused = assert.rejects(late, refusal("ACTOR_STOPPED", /./));
  const waiting = assert.rejects(system.update(ref, counter(6, 1)), refusal("ACTOR_STOPPED", /./));
  system.terminate(ref);
  await assert.rejects(system.update(ref, counter(7, 1)), refusal("ACTOR_NOT_FOUND", /./));
  await within(Promise.all([refused, waiting]), 10_000);
});

test("an update waits for a handler only as long as it may, and a later one takes place", async () => {
  await using system = ActorSystem.local();
  const release = Promise.withResolvers<void>();
  const slow = counter(1, 1, { tell: { reset: () => release.promise } });
  const ref = await system.spawn(slow);
  await ref.tell("reset", { to: 0 });
  await until(() => system.lookup(ref)!.busy);
  const given = system.update(ref, counter(2, 10), { timeoutMs: 20 });
  await assert.rejects(given, refusal("TIMEOUT", /its handler did not end within 20 ms/));
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(system.update(ref, counter(2, 10), { signal }), /enough/);
  const last = system.update(ref, counter(3, 100));
  release.resolve();
  assert.deepEqual(await within(last, 5_000), { fromVersion: 1, toVersion: 3 });
  assert.equal(await ref.ask("add", { n: 1 }), 100);
});

test("deferred replies, timers and channels from before an update are answered, called and handled after it", async () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const text = (from: Uint8Array) => new TextDecoder().decode(from);
  const clock = new FakeClock();
  await using system = ActorSystem.local({ clock });
  const make = (version: number) =>
    actor({
      version,
      init: () => ({ timed: 0 }),
      tell: {
        start: (ctx) => void ctx.every(10, () => void ctx.state.timed++),
        answer: (ctx) => void ctx.deferred()[0]!.send(bytes(`by ${version}`)),
      },
      ask: { later: (ctx) => void ctx.defer() as never, timed: (ctx) => bytes(String(ctx.state.timed)) },
      channel: {
        line: {
          open: (_ctx, channel) => void channel.accept(),
          message: (_ctx, channel, item) => channel.send(bytes(`${version} got ${text(item)}`)),
        },
      },
    });
  const ref = await system.spawn(make(1));
  await ref.tell("start", bytes(""));
  const later = ref.ask("later", bytes(""));
  await using channel = await ref.open("line", bytes(""));
  await channel.send(bytes("a"));
  const items = channel[Symbol.asyncIterator]();
  assert.equal(text((await items.next()).value!), "1 got a");
  await system.update(ref, make(2));
  await channel.send(bytes("b"));
  assert.equal(text((await items.next()).value!), "2 got b");
  await ref.tell("answer", bytes(""));
  assert.equal(text(await within(later, 5_000)), "by 2");
  await until(async () => {
    clock.advance(10);
    return Number(text(await ref.ask("timed", bytes("")))) > 0;
  });
});

test("an update repairs a paused actor", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(counter(1, 1));
  system.pause(ref);
  const sum = ref.ask("add", { n: 1 });
  await system.update(ref, counter(2, 10));
  assert.equal(await within(sum, 5_000), 10);
});

test("an update on probation is undone when handlers fail, with the state that it found", async () => {
  await using system = ActorSystem.local();
  const events = heard(system);
  const ref = await system.spawn(counter(1, 1));
  await ref.ask("add", { n: 5 });
  const bad = counter(2, 1, {
    ask: {
      add: (ctx) => {
        ctx.state.count = 1_000;
        throw new Error("broken");
      },
    },
  });
  await system.update(ref, bad, { probation: { failures: 2 } });
  const asks = [1, 2, 3].map((n) => ref.ask("add", { n }).catch((error: Error) => error.message));
  assert.deepEqual(await within(Promise.all(asks), 5_000), ["broken", "broken", 8]);
  assert.equal(system.lookup(ref)!.version, 1);
  await until(() => events.some(({ type }) => type === "rolledBack"));
  const { seq: _seq, at: _at, actor: _actor, name: _name, ...event } = events.find(({ type }) =>
    type === "rolledBack"
  )!;
  assert.deepEqual(event, {
    type: "rolledBack",
    fromVersion: 2,
    toVersion: 1,
    state: "saved",
    error: "broken",
  });
});

test("an update on probation is undone with migrateBack where the definition has it", async () => {
  await using system = ActorSystem.local();
  const events = heard(system);
  const ref = await system.spawn(counter(1, 1));
  await ref.ask("add", { n: 5 });
  const bad = counter(2, 1, {
    migrate: (old) => ({ count: (old as State).count * 2 }),
    migrateBack: (state) => ({ count: state.count / 2 }),
    tell: { reset: failing },
  });
  await system.update(ref, bad, { probation: {} });
  assert.equal(await ref.ask("add", { n: 10 }), 20);
  await ref.tell("reset", { to: 0 });
  assert.equal(await within(ref.ask("add", { n: 1 }), 5_000), 11);
  await until(
    () => events.some((event) => event.type === "rolledBack" && event.state === "migrateBack"),
  );
});

test("failures after the probation undo nothing", async () => {
  const clock = new FakeClock();
  await using system = ActorSystem.local({ clock });
  const ref = await system.spawn(counter(1, 1));
  await system.update(ref, counter(2, 10, { tell: { reset: failing } }), { probation: { withinMs: 50 } });
  clock.advance(60);
  await ref.tell("reset", { to: 0 });
  assert.equal(await ref.ask("add", { n: 1 }), 10);
  assert.equal(system.lookup(ref)!.version, 2);
});

test("rollback undoes the last update once", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(counter(1, 1));
  await assert.rejects(system.rollback(ref), refusal("ACTOR_UPDATE_FAILED", /no update to undo/));
  await ref.ask("add", { n: 5 });
  await system.update(ref, counter(2, 10));
  assert.equal(await ref.ask("add", { n: 1 }), 15);
  assert.deepEqual(await system.rollback(ref), { fromVersion: 2, toVersion: 1, state: "saved" });
  assert.equal(await ref.ask("add", { n: 1 }), 6);
  await assert.rejects(system.rollback(ref), refusal("ACTOR_UPDATE_FAILED", /no update to undo/));
});

test("two hundred updates under load lose no message, handle none twice and keep the order", async () => {
  await using system = ActorSystem.local();
  const Log = actorContract("log", {
    tell: { add: z.number() },
    ask: { all: { input: z.null(), output: z.array(z.number()) } },
  });
  const log = (version: number) =>
    actor(Log, {
      version,
      init: () => ({ all: [] as number[] }),
      migrate: (old: { all: number[] }) => ({ all: [...old.all] }),
      tell: {
        add: version % 2 === 0 ? (ctx, n) => void ctx.state.all.push(n) : async (ctx, n) => {
          await null;
          ctx.state.all.push(n);
        },
      },
      ask: { all: (ctx) => ctx.state.all },
    });
  const ref = await system.spawn(log(1));
  let sent = 0;
  let over = false;
  const sending = (async () => {
    while (!over) {
      for (let k = 0; k < 50; k++) await ref.tell("add", sent++);
      await pause(0);
    }
  })();
  for (let version = 2; version <= 201; version++) await system.update(ref, log(version));
  over = true;
  await sending;
  const all = await ref.ask("all", null);
  assert.deepEqual(all, Array.from({ length: sent }, (_, k) => k));
  assert.equal(system.lookup(ref)!.version, 201);
});
