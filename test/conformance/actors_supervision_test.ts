/** Children of actors, what their parents learn, and what meets a failed handler. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  actor,
  actorContract,
  type ActorEnd,
  type ActorRef,
  type ActorSelf,
  ActorSystem,
  type SupervisionOptions,
} from "../../src/actors/mod.ts";
import { coreOf } from "../../src/actors/system/system.ts";
import { until, within } from "../support/until.ts";
import { FakeClock } from "../unit/core_fake_clock.ts";

const Worker = actorContract("worker", {
  tell: { fail: z.string(), finish: z.number() },
  ask: {
    count: { input: z.undefined(), output: z.number() },
    fail: { input: z.string(), output: z.number() },
    hang: { input: z.undefined(), output: z.number() },
    later: { input: z.undefined(), output: z.number() },
  },
});

interface Scene {
  /** What happened, in order. */
  readonly log: string[];
  /** How many times `init` will fail. */
  broken: number;
}

/** A worker that counts its messages, and fails when it is told to. */
function workerOf(scene: Scene, supervision?: SupervisionOptions) {
  return actor(Worker, {
    supervision,
    init: (_args: unknown, ctx: ActorSelf) => {
      scene.log.push(`init ${ctx.name}`);
      if (scene.broken-- > 0) throw new Error("init is broken");
      return { count: 0 };
    },
    onStop: (ctx) => void scene.log.push(`stop ${ctx.name}`),
    tell: {
      fail: (_ctx, text) => {
        throw new Error(text);
      },
      finish: (ctx, n) => ctx.stop(n),
    },
    ask: {
      count: (ctx) => ++ctx.state.count,
      fail: (_ctx, text) => {
        throw new Error(text);
      },
      hang: () => new Promise<number>(() => {}),
      later: (ctx) => void ctx.defer(),
    },
  });
}

const Parent = actorContract("parent", {
  tell: { spawn: z.string() },
  ask: { children: { input: z.undefined(), output: z.array(z.string()) } },
});

/** A parent that starts workers by name and notes their ends. */
function parentOf(
  scene: Scene,
  ends: [string, ActorEnd][],
  worker: ReturnType<typeof workerOf>,
  supervision?: SupervisionOptions,
  names: readonly string[] = [],
) {
  return actor(Parent, {
    supervision,
    init: async (_args: unknown, ctx: ActorSelf) => {
      scene.log.push(`init ${ctx.name}`);
      for (const name of names) await ctx.spawn(worker, { name });
      return null;
    },
    onStop: (ctx) => void scene.log.push(`stop ${ctx.name}`),
    onChildEnd: (_ctx, child, end) => void ends.push([child.target, end]),
    tell: { spawn: async (ctx, name) => void await ctx.spawn(worker, { name }) },
    ask: { children: (ctx) => ctx.children().map(({ address }) => address) },
  });
}

const newScene = (): Scene => ({ log: [], broken: 0 });

function workerAt(system: ActorSystem, name: string): ActorRef<typeof Worker> {
  return system.ref(Worker, name);
}

const noBackoff = { firstMs: 0, maxMs: 0 };

test("a parent is told how each child has ended: by its result, an error, a stop or terminate", async () => {
  await using system = ActorSystem.local();
  const scene = newScene();
  const ends: [string, ActorEnd][] = [];
  const worker = workerOf(scene, { onFailure: "stop" });
  const names = ["a", "b", "c", "d", "e"];
  const parent = await system.spawn(parentOf(scene, ends, worker, {}, names), { name: "parent" });
  const ids = names.map((name) => system.lookup(name)!.id);
  assert.deepEqual(await parent.ask("children"), ids.map((id) => `${id}@${system.instanceId}`));
  await workerAt(system, "a").tell("finish", 7);
  await until(() => ends.length === 1);
  await workerAt(system, "b").tell("fail", "no disk");
  await until(() => ends.length === 2);
  await system.stop("c");
  system.terminate("d");
  await system.spawn(worker, { name: "e", replace: true });
  await until(() => ends.length === 5);
  assert.deepEqual(ends.map(([id]) => id), ids);
  assert.deepEqual(ends.map(([, { reason }]) => reason), [
    "finished",
    "failed",
    "stopped",
    "terminated",
    "replaced",
  ]);
  assert.equal(ends[0]![1].result, 7);
  assert.match(String(ends[1]![1].error), /no disk/);
  assert.deepEqual(await parent.ask("children"), []);
});

test("a parent stops after its children, and is not told of their ends; terminate takes them along at once", async () => {
  await using system = ActorSystem.local();
  const scene = newScene();
  const ends: [string, ActorEnd][] = [];
  await system.spawn(parentOf(scene, ends, workerOf(scene), {}, ["a", "b"]), { name: "parent" });
  scene.log.length = 0;
  assert.equal((await within(system.stop("parent"), 2_000)).reason, "stopped");
  assert.deepEqual(scene.log, ["stop a", "stop b", "stop parent"]);
  assert.deepEqual(system.list(), []);
  await system.spawn(parentOf(scene, ends, workerOf(scene), {}, ["a", "b"]), { name: "parent" });
  const asked = workerAt(system, "a").ask("hang");
  scene.log.length = 0;
  system.terminate("parent");
  assert.deepEqual(system.list(), []);
  await assert.rejects(asked, { code: "ACTOR_STOPPED" });
  assert.deepEqual(scene.log, []);
  assert.deepEqual(ends, []);
});

test("a stop bounds the running handlers of the whole family, aborts them, and stops three idle actors at once", async () => {
  const clock = new FakeClock();
  await using system = ActorSystem.local({ clock });
  const scene = newScene();
  await system.spawn(parentOf(scene, [], workerOf(scene), {}, ["a", "b"]), { name: "parent" });
  const hung = workerAt(system, "b").ask("hang", undefined, { timeoutMs: Infinity });
  hung.catch(() => {});
  await until(() => system.lookup("b")?.busy);
  let ended: ActorEnd | null = null;
  void system.stop("parent", { timeoutMs: 1_000 }).then((end) => ended = end);
  await until(() => system.lookup("a") === null);
  clock.advance(990);
  await until(() => true);
  assert.equal(ended, null);
  await assert.rejects(workerAt(system, "b").ask("count"), { code: "ACTOR_STOPPED" });
  clock.advance(20);
  await until(() => ended !== null);
  await assert.rejects(hung, { code: "ACTOR_STOPPED" });
  for (const name of ["x", "y", "z"]) await system.spawn(workerOf(scene), { name });
  await within(Promise.all(["x", "y", "z"].map((name) => system.stop(name))), 2_000);
});

test("children are bounded, belong to their parent alone, and none is started by one that stops", async () => {
  await using system = ActorSystem.local({ maxChildren: 2 });
  const scene = newScene();
  let self: ActorSelf | null = null;
  const worker = workerOf(scene);
  const mother = actor(actorContract("mother"), {
    init: (_args: unknown, ctx: ActorSelf) => void (self = ctx),
  });
  const ref = await system.spawn(mother, { name: "mother" });
  const a = await self!.spawn(worker, { name: "a" });
  scene.broken = Infinity;
  await assert.rejects(self!.spawn(worker, { name: "b" }), { code: "HANDLER_FAILED" });
  scene.broken = 0;
  await self!.spawn(worker, { name: "b" });
  await assert.rejects(self!.spawn(worker, { name: "c" }), {
    code: "LIMIT_REACHED",
    message: /maxChildren \(2\)/,
  });
  assert.equal((await self!.stopChild(a)).reason, "stopped");
  await self!.spawn(worker, { name: "c" });
  const stranger = await system.spawn(worker, { name: "stranger" });
  await assert.rejects(self!.stopChild(stranger), { code: "ACTOR_NOT_FOUND" });
  assert.deepEqual(system.tree().map(({ name, children }) => [name, children.map((one) => one.name)]), [
    ["mother", ["b", "c"]],
    ["stranger", []],
  ]);
  await system.stop(ref);
  await assert.rejects(self!.spawn(worker, { name: "d" }), { code: "ACTOR_STOPPED" });
  assert.deepEqual(system.list().map(({ name }) => name), ["stranger"]);
});

test("an ask of a child's init to the parent that waits for it fails at once", async () => {
  await using system = ActorSystem.local();
  const child = actor(actorContract("child"), {
    init: async (_args: unknown, ctx: ActorSelf) =>
      await ctx.ask(ctx.ref(Parent, `parent@${ctx.instance}`), "children"),
  });
  let failure: unknown = null;
  const mother = actor(Parent, {
    init: () => null,
    tell: {
      spawn: async (ctx) => {
        await ctx.spawn(child).catch((error) => failure = error);
      },
    },
    ask: { children: () => [] },
  });
  const ref = await system.spawn(mother, { name: "parent" });
  await ref.tell("spawn", "");
  const error = await until(() => failure as { code: string } | null);
  assert.equal(error.code, "ACTOR_ASK_CYCLE");
});

test("resume goes on with the state, stop ends the actor, and the sender has the error in each case", async () => {
  await using system = ActorSystem.local();
  const scene = newScene();
  const resumed = await system.spawn(workerOf(scene), { name: "resumed" });
  const stops = await system.spawn(workerOf(scene), { name: "stops", supervision: { onFailure: "stop" } });
  assert.equal(await resumed.ask("count"), 1);
  await assert.rejects(resumed.ask("fail", "bad"), { code: "HANDLER_FAILED", message: "bad" });
  assert.equal(await resumed.ask("count"), 2);
  assert.deepEqual([system.lookup("resumed")!.failed, system.lookup("resumed")!.failure], [1, "bad"]);
  const queued = [stops.ask("fail", "bad"), stops.ask("count")].map((one) =>
    one.catch((error) => error.code)
  );
  assert.deepEqual(await Promise.all(queued), ["HANDLER_FAILED", "ACTOR_STOPPED"]);
  assert.equal(system.lookup("stops"), null);
});

test("restart keeps id, name and mailbox, with a new state after a growing time", async () => {
  const clock = new FakeClock();
  await using system = ActorSystem.local({ clock });
  const scene = newScene();
  const backoff = { firstMs: 100, maxMs: 1_000 };
  const ref = await system.spawn(workerOf(scene, { onFailure: "restart", backoff }), { name: "worker" });
  const { id } = system.lookup("worker")!;
  assert.equal(await ref.ask("count"), 1);
  const deferred = ref.ask("later");
  const failed = ref.ask("fail", "bad");
  const waiting = [ref.ask("count"), ref.ask("count")];
  await assert.rejects(failed, { code: "HANDLER_FAILED" });
  assert.equal(system.lookup("worker")!.phase, "failed");
  clock.advance(40);
  await Promise.resolve();
  assert.equal(system.lookup("worker")!.phase, "failed");
  clock.advance(70);
  assert.deepEqual(await within(Promise.all(waiting), 5_000), [1, 2]);
  await assert.rejects(deferred, { code: "ACTOR_STOPPED" });
  const status = system.lookup("worker")!;
  assert.deepEqual([status.id, status.phase, status.restarts], [id, "running", 1]);
  assert.deepEqual(scene.log, ["init worker", "stop worker", "init worker"]);
  assert.equal(system.stats().restarts, 1);
  // The second time is longer.
  await assert.rejects(ref.ask("fail", "bad"));
  clock.advance(95);
  await Promise.resolve();
  assert.equal(system.lookup("worker")!.phase, "failed");
  clock.advance(115);
  assert.equal(await within(ref.ask("count"), 5_000), 1);
});

test("a restart ends what belongs to the old state: children and timers", async () => {
  const clock = new FakeClock();
  await using system = ActorSystem.local({ clock });
  const scene = newScene();
  let ticks = 0;
  const ref = await system.spawn(actor(Worker, {
    supervision: { onFailure: "restart", backoff: noBackoff },
    init: async (_args: unknown, ctx: ActorSelf) => {
      ctx.every(100, () => void ticks++);
      await ctx.spawn(workerOf(scene), { name: "child" });
    },
    tell: { fail: () => Promise.reject(new Error("bad")), finish: () => {} },
    ask: { count: () => 0, fail: () => 0, hang: () => 0, later: () => 0 },
  }));
  const first = system.lookup("child")!.id;
  await ref.tell("fail", "");
  await until(() => system.lookup(ref)?.phase === "failed");
  clock.advance(10);
  await until(() => system.lookup(ref)?.restarts === 1);
  assert.notEqual(system.lookup("child")!.id, first);
  assert.equal(system.list().length, 2);
  for (let count = 0; count < 6; count++) {
    clock.advance(50);
    await ref.ask("count");
  }
  assert.ok(ticks >= 2 && ticks <= 3, `${ticks} calls`);
});

test("after too many restarts the actor stops, and its parent fails by its own policy", async () => {
  await using system = ActorSystem.local();
  const scene = newScene();
  const ends: [string, ActorEnd][] = [];
  const worker = workerOf(scene, { onFailure: "restart", maxRestarts: 2, backoff: noBackoff });
  const ref = await system.spawn(
    parentOf(scene, ends, worker, { onFailure: "restart", maxRestarts: 1, backoff: noBackoff }, ["a"]),
    { name: "parent" },
  );
  const { id } = system.lookup("a")!;
  for (let count = 0; count < 3; count++) {
    await workerAt(system, "a").tell("fail", "bad");
    await until(() => system.lookup(id)?.failed !== count);
    if (count < 2) await until(() => system.lookup(id)?.restarts === count + 1);
  }
  // The parent is restarted, and starts its child again.
  await until(() => system.lookup(ref)?.restarts === 1 && system.lookup("a") !== null);
  assert.notEqual(system.lookup("a")!.id, id);
  assert.match(system.lookup(ref)!.failure ?? "", /^$|failed again after 2 restarts/);
  assert.equal(system.stats().escalations, 1);
  // The parent may fail but once.
  const second = system.lookup("a")!.id;
  for (let count = 0; count < 3; count++) {
    await workerAt(system, "a").tell("fail", "bad");
    if (count < 2) await until(() => system.lookup(second)?.restarts === count + 1);
  }
  await until(() => system.list().length === 0);
});

test("restarts that lie further back than withinMs are not counted", async () => {
  const clock = new FakeClock();
  await using system = ActorSystem.local({ clock });
  const scene = newScene();
  const supervision: SupervisionOptions = {
    onFailure: "restart",
    maxRestarts: 1,
    withinMs: 1_000,
    backoff: noBackoff,
  };
  const ref = await system.spawn(workerOf(scene, supervision));
  for (let count = 1; count <= 3; count++) {
    await ref.tell("fail", "bad");
    await until(() => system.lookup(ref)?.phase === "failed");
    clock.advance(10);
    await until(() => system.lookup(ref)?.restarts === count);
    clock.advance(1_000);
  }
  await ref.tell("fail", "bad");
  await until(() => system.lookup(ref)?.phase === "failed");
  clock.advance(10);
  await until(() => system.lookup(ref)?.restarts === 4);
  await ref.tell("fail", "bad");
  await until(() => system.lookup(ref) === null);
});

test("an init that fails at a restart counts as another failure", async () => {
  await using system = ActorSystem.local();
  const scene = newScene();
  const ref = await system.spawn(
    workerOf(scene, { onFailure: "restart", maxRestarts: 3, backoff: noBackoff }),
  );
  scene.broken = 2;
  await ref.tell("fail", "bad");
  assert.equal(await within(ref.ask("count"), 5_000), 1);
  assert.equal(scene.log.filter((line) => line.startsWith("init")).length, 4);
  scene.broken = Infinity;
  await ref.tell("fail", "bad");
  await until(() => system.lookup(ref) === null);
  assert.equal(
    scene.log.filter((line) => line.startsWith("stop")).length,
    2,
    "onStop runs once for each state",
  );
});

const strategies = [
  ["oneForOne", ["stop b", "init b"]],
  ["oneForAll", ["stop a", "stop b", "stop c", "init a", "init b", "init c"]],
  ["restForOne", ["stop b", "stop c", "init b", "init c"]],
] as const;
for (const [strategy, expected] of strategies) {
  test(`with ${strategy}, one child's failure restarts what it should, in the order of their start`, async () => {
    await using system = ActorSystem.local({ stopMs: 20 });
    const scene = newScene();
    const worker = workerOf(scene, { onFailure: "restart", backoff: noBackoff });
    await system.spawn(parentOf(scene, [], worker, { strategy }, ["a", "b", "c"]), { name: "parent" });
    const ids = ["a", "b", "c"].map((name) => system.lookup(name)!.id);
    for (const name of ["a", "b", "c"]) assert.equal(await workerAt(system, name).ask("count"), 1);
    scene.log.length = 0;
    const hung = strategy === "oneForOne"
      ? null
      : workerAt(system, "c").ask("hang").catch((error) => error.code);
    await workerAt(system, "b").tell("fail", "bad");
    await until(() => scene.log.length >= expected.length);
    if (hung !== null) assert.equal(await hung, "ACTOR_STOPPED");
    const counts = await Promise.all(["a", "b", "c"].map((name) => workerAt(system, name).ask("count")));
    assert.deepEqual(scene.log, expected);
    const restarted = new Set(expected.map((line) => line.slice(-1)));
    assert.deepEqual(counts, ["a", "b", "c"].map((name) => restarted.has(name) ? 1 : 2));
    assert.deepEqual(["a", "b", "c"].map((name) => system.lookup(name)!.id), ids);
    assert.deepEqual(
      ["a", "b", "c"].map((name) => system.lookup(name)!.restarts),
      ["a", "b", "c"].map((name) => restarted.has(name) ? 1 : 0),
    );
  });
}

test("an actor that stops while it waits for its restart is not restarted", async () => {
  await using system = ActorSystem.local();
  const scene = newScene();
  const ref = await system.spawn(
    workerOf(scene, { onFailure: "restart", backoff: { firstMs: 60_000, maxMs: 60_000 } }),
  );
  await ref.tell("fail", "bad");
  const waiting = ref.ask("count");
  await until(() => system.lookup(ref)?.phase === "failed");
  await within(system.stop(ref), 2_000);
  await assert.rejects(waiting, { code: "ACTOR_STOPPED" });
  assert.deepEqual(scene.log, ["init null", "stop null"]);
});

test("restart by hand keeps the mailbox, and waits for the running handler no longer than stopMs", async () => {
  await using system = ActorSystem.local({ stopMs: 20 });
  const scene = newScene();
  const ref = await system.spawn(workerOf(scene));
  assert.equal(await ref.ask("count"), 1);
  const hung = ref.ask("hang");
  const next = ref.ask("count");
  await until(() => system.lookup(ref)?.busy);
  await within(system.restart(ref), 5_000);
  await assert.rejects(hung, { code: "ACTOR_STOPPED" });
  assert.equal(await next, 1);
  scene.broken = Infinity;
  await assert.rejects(system.restart(ref), { code: "HANDLER_FAILED" });
  await until(() => system.lookup(ref) === null);
});

test("pause holds messages back, resume delivers them in order, and resume of one that is not paused fails", async () => {
  await using system = ActorSystem.local();
  const scene = newScene();
  const ref = await system.spawn(workerOf(scene));
  assert.throws(() => system.resume(ref), { code: "ACTOR_NOT_PAUSED" });
  system.pause(ref);
  const counts = [ref.ask("count"), ref.ask("count"), ref.ask("count")];
  await until(() => system.lookup(ref)?.queued === 3);
  assert.equal(system.lookup(ref)!.phase, "paused");
  system.resume(ref);
  assert.deepEqual(await Promise.all(counts), [1, 2, 3]);
  const hung = ref.ask("hang");
  hung.catch(() => {});
  await until(() => system.lookup(ref)?.busy);
  assert.deepEqual([system.lookup(ref)!.phase, system.list().length], ["running", 1]);
  system.terminate(ref);
});

test("a restart that is asked for while init runs takes place after it, and the actor goes on", async () => {
  await using system = ActorSystem.local();
  const ready = Promise.withResolvers<void>();
  let inits = 0;
  const slow = actor({
    init: async () => {
      await ready.promise;
      return { inits: ++inits };
    },
    ask: { inits: (ctx) => Uint8Array.of(ctx.state.inits) },
  });
  const spawned = system.spawn(slow, { name: "slow" });
  const restarted = system.restart("slow");
  ready.resolve();
  const ref = await spawned;
  await within(restarted, 5_000);
  assert.deepEqual(await within(ref.ask("inits", new Uint8Array(0)), 5_000), Uint8Array.of(2));
});

test("a restart of several actors tells all of their failures, and not the first one alone", async () => {
  await using system = ActorSystem.local();
  const log: string[] = [];
  const make = (name: string, scene: Scene) => system.spawn(workerOf(scene, { onFailure: "stop" }), { name });
  const scenes = ["a", "b", "c"].map(() => ({ log, broken: 0 }));
  const refs = await Promise.all(scenes.map((scene, at) => make("abc"[at]!, scene)));
  scenes[1]!.broken = scenes[2]!.broken = 1;
  const { supervisor, registry } = coreOf(system);
  const failed = await supervisor.restart(refs.map(({ target }) => registry.find(target)!)).catch((error) =>
    error
  );
  assert.ok(failed instanceof AggregateError, String(failed));
  assert.deepEqual(
    failed.errors.map(({ message }) => message),
    ["b", "c"].map((name) => `init of actor "${name}" failed: init is broken`),
  );
  assert.equal(system.lookup("a")?.restarts, 1);
  scenes[0]!.broken = 1;
  await assert.rejects(system.restart("a"), { code: "HANDLER_FAILED", message: /init of actor "a" failed/ });
});
