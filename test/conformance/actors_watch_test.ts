/** Watching the end of actors, in one process and of another instance. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  actor,
  actorContract,
  type ActorEnd,
  actorRef,
  type ActorSelf,
  ActorSystem,
  watchActor,
} from "../../src/actors/mod.ts";
import { newInstanceId } from "../../src/core/mod.ts";
import type { ZeromeshError } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { Counter, counter, served, twoNodes } from "./actors_kit.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const encode = (value: string): Uint8Array => new TextEncoder().encode(value);

/** An actor that ends by what it is told. */
const mortal = actor({
  init: () => null,
  tell: {
    fail: () => {
      throw new RangeError("no disk");
    },
    finish: (ctx, result) => ctx.stop({ result: text(result) }),
  },
  supervision: { onFailure: "stop" },
});

/** An actor that does nothing, and whose context tests use. */
async function idle(system: ActorSystem): Promise<{ self: ActorSelf; id: string }> {
  let self: ActorSelf | null = null;
  await system.spawn(
    actor(actorContract("idle"), { init: (_args: unknown, ctx: ActorSelf) => void (self = ctx) }),
  );
  return { self: self!, id: self!.id };
}

async function next(watch: (ended: (end: ActorEnd) => void) => Disposable): Promise<ActorEnd> {
  return await within(new Promise<ActorEnd>((resolve) => watch(resolve)), 5_000, "the end");
}

test("an actor and the code outside are told once of an actor's end, with the reason", async () => {
  await using system = ActorSystem.local();
  const { self, id } = await idle(system);
  for (
    const [end, reason] of [
      [(name: string) => system.stop(name), "stopped"],
      [(name: string) => system.terminate(name), "terminated"],
      [
        (name: string) => system.ref(mortal.contract, name).tell("fail" as never, encode("") as never),
        "failed",
      ],
      [
        (name: string) => system.ref(mortal.contract, name).tell("finish" as never, encode("7") as never),
        "finished",
      ],
      [(name: string) => system.spawn(mortal, { name, replace: true }), "replaced"],
    ] as const
  ) {
    const ref = await system.spawn(mortal, { name: "mortal" });
    const ends: ActorEnd[] = [];
    const inside: [ActorEnd, string][] = [];
    system.watch("mortal", (one) => ends.push(one));
    self.watch(ref, (one, own) => inside.push([one, own.id]));
    await end("mortal");
    await until(() => ends.length === 1 && inside.length === 1);
    assert.equal(ends[0]!.reason, reason);
    assert.deepEqual(inside, [[ends[0], id]]);
    if (reason === "failed") assert.match(String(ends[0]!.error), /no disk/);
    if (reason === "finished") assert.deepEqual(ends[0]!.result, { result: "7" });
    if (reason === "replaced") await system.stop("mortal");
    assert.deepEqual([ends.length, inside.length], [1, 1]);
  }
  assert.equal((await next((ended) => system.watch("nobody", ended))).reason, "notFound");
  const ref = system.ref(Counter, "nobody");
  assert.equal((await next((ended) => self.watch(ref, ended))).reason, "notFound");
});

test("a watch that is disposed of, or whose actor has ended, calls nobody, also when its turn waits already", async () => {
  await using system = ActorSystem.local();
  const { self, id } = await idle(system);
  const calls: string[] = [];
  const one = await system.spawn(mortal);
  const disposed = self.watch(one, () => calls.push("disposed"));
  disposed[Symbol.dispose]();
  const outside = system.watch(one, () => calls.push("outside"));
  outside[Symbol.dispose]();
  const waiting = self.watch(one, () => calls.push("waiting"));
  self.watch(one, () => calls.push("kept"));
  system.pause(id);
  await system.stop(one);
  waiting[Symbol.dispose]();
  system.resume(id);
  await until(() => calls.length > 0);
  assert.deepEqual(calls, ["kept"]);
  const two = await system.spawn(mortal);
  self.watch(two, () => calls.push("dead"));
  const told = next((ended) => system.watch(two, ended));
  await system.stop(id);
  await system.stop(two);
  await told;
  assert.deepEqual(calls, ["kept"]);
  assert.throws(() => self.watch(two, () => {}), { code: "ACTOR_STOPPED" });
});

test("watches are bounded, and a function that throws disturbs nobody", async () => {
  await using system = ActorSystem.local({ maxWatches: 2 });
  const { self } = await idle(system);
  const ref = await system.spawn(mortal);
  const ends: ActorEnd[] = [];
  for (const watch of [self.watch.bind(self), system.watch.bind(system)]) {
    watch(ref, () => {
      throw new Error("users' code");
    });
    watch(ref, (end: ActorEnd) => ends.push(end));
    assert.throws(() => watch(ref, () => {}), { code: "LIMIT_REACHED", message: /maxWatches \(2\)/ });
  }
  await system.stop(ref);
  await until(() => ends.length === 2);
  self.watch(ref, () => {});
});

test("a restarted actor's watchers are not told, and its own watches end", async () => {
  await using system = ActorSystem.local();
  const target = await system.spawn(mortal);
  const calls: string[] = [];
  let starts = 0;
  const watcher = await system.spawn(actor({
    init: (_args: unknown, ctx: ActorSelf) => {
      const number = ++starts;
      ctx.watch(target, () => void calls.push(`watch ${number}`));
    },
  }));
  const told: ActorEnd[] = [];
  system.watch(watcher, (end) => told.push(end));
  await system.restart(watcher);
  await system.stop(target);
  await until(() => calls.length > 0);
  assert.deepEqual([calls, told], [["watch 2"], []]);
});

test("the end of an actor of another instance is told with its reason, error and result", async () => {
  await using t = await leakCheck();
  const { one, two } = await twoNodes(t);
  const { self } = await idle(two.system);
  const spawn = async (name: string) => `${(await one.system.spawn(mortal, { name })).target}`;
  const ends: Record<string, ActorEnd> = {};
  for (const name of ["stopped", "terminated", "failed", "finished"]) {
    const id = await spawn(name);
    const ref = actorRef(two.messenger, mortal.contract, `${id}@${one.messenger.instanceId}`);
    if (name === "stopped") self.watch(ref, (end) => void (ends[name] = end));
    else two.system.watch(ref, (end) => void (ends[name] = end));
    // A later ask comes behind the watch.
    await assert.rejects(ref.ask("nothing" as never, encode("") as never));
    if (name === "stopped") void one.system.stop(id);
    if (name === "terminated") one.system.terminate(id);
    if (name === "failed") await ref.tell("fail" as never, encode("") as never);
    if (name === "finished") await ref.tell("finish" as never, encode("7") as never);
    await until(() => ends[name] !== undefined);
    assert.equal(ends[name]!.reason, name);
  }
  const error = ends["failed"]!.error as ZeromeshError;
  assert.deepEqual([error.code, error.message], ["HANDLER_FAILED", "no disk"]);
  assert.deepEqual(ends["finished"]!.result, { result: "7" });
  const unknown = actorRef(two.messenger, Counter, `nobody@${one.messenger.instanceId}`);
  assert.equal((await next((ended) => two.system.watch(unknown, ended))).reason, "notFound");
});

test("a watch of another instance's actor that is disposed of leaves nothing there", async () => {
  await using t = await leakCheck();
  const { one, two } = await twoNodes(t);
  const ref = await one.system.spawn(counter);
  const own = actorRef(two.messenger, Counter, ref);
  const running = () => one.messenger.stats().handlers.running;
  const watch = two.system.watch(own, () => assert.fail("it was disposed of"));
  await until(() => running() === 1);
  watch[Symbol.dispose]();
  await until(() => running() === 0);
  await one.system.stop(ref);
});

test("the close of an instance is told to who watches its actors, and waits for no watch", async () => {
  await using t = await leakCheck();
  const { one, two } = await twoNodes(t);
  const own = actorRef(two.messenger, Counter, await one.system.spawn(counter));
  const ends: ActorEnd[] = [];
  two.system.watch(own, (end) => ends.push(end));
  await own.ask("add", { n: 1 });
  await within(one.messenger.close({ timeoutMs: 4_000 }), 2_000, "the close");
  await until(() => ends.length === 1);
  assert.deepEqual(ends, [{ reason: "stopped" }]);
});

test("the messenger's authorize decides about watches too", async () => {
  await using t = await leakCheck();
  const authorize = ({ subject }: { subject: Readonly<Record<string, string>> | null }) =>
    subject?.["action"] !== "watch";
  const { system, peer, client } = await served(t, { messenger: { authorize } });
  await system.spawn(counter, { name: "counter" });
  const watcher = t.use(await ActorSystem.create(client));
  const ref = actorRef(client, Counter, `counter@${peer}`);
  assert.equal(await ref.ask("add", { n: 1 }), 1);
  const end = await next((ended) => watcher.watch(ref, ended));
  assert.deepEqual([end.reason, (end.error as ZeromeshError).code], ["refused", "FORBIDDEN"]);
});

test("an instance that has too many watches of a peer tells it so, and not that there is no such actor", async () => {
  await using t = await leakCheck();
  const { system, peer, client } = await served(t, { system: { maxWatches: 1 } });
  await system.spawn(counter, { name: "counter" });
  const watcher = t.use(await ActorSystem.create(client));
  const ref = actorRef(client, Counter, `counter@${peer}`);
  const first: ActorEnd[] = [];
  watcher.watch(ref, (end) => first.push(end));
  const { reason, error } = await next((ended) => watcher.watch(ref, ended));
  assert.deepEqual([reason, (error as ZeromeshError).code], ["refused", "LIMIT_REACHED"]);
  assert.deepEqual(first, []);
  await system.stop("counter");
  await until(() => first.length === 1);
});

test("a messenger alone watches actors of another instance, and hears of each end once, with its reason", async () => {
  await using t = await leakCheck();
  const { messenger, system, client, peer } = await served(t);
  const ends: ActorEnd[] = [];
  const watch = (target: string) => watchActor(client, target, (end) => ends.push(end));
  const told = async (reason: string) => {
    await until(() => ends.length > 0);
    assert.deepEqual(ends.splice(0).map((end) => end.reason), [reason]);
  };
  const finished = await system.spawn(mortal, { name: "mortal" });
  watch(`mortal@${peer}`);
  // A later message comes behind the watch.
  await actorRef(client, `mortal@${peer}`).tell("finish", encode("7"));
  await until(() => ends.length === 1);
  assert.deepEqual(ends[0]!.result, { result: "7" });
  await told("finished");
  watch(finished.address);
  await told("notFound");
  watch(`nobody@${client.instanceId}`);
  await told("notFound");
  await system.spawn(mortal, { name: "mortal" });
  const disposed = watch(`mortal@${peer}`);
  watchActor(client, `mortal@${peer}`, () => {
    throw new Error("users' code");
  });
  watch(`mortal@${peer}`);
  disposed[Symbol.dispose]();
  await until(() => messenger.stats().handlers.running === 2);
  await system.stop("mortal");
  await told("stopped");
  await system.spawn(mortal, { name: "mortal" });
  watch(`mortal@${peer}`);
  await until(() => messenger.stats().handlers.running === 1);
  await messenger.close();
  await told("stopped");
  assert.throws(() => watchActor({} as never, finished, () => {}), TypeError);
  assert.throws(() => watch("mortal"), TypeError);
  assert.throws(() => watchActor(client, finished, null as never), TypeError);
});

test("a watch by a messenger that has a system is the system's, and one that is closed calls nobody", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  const own = t.use(await ActorSystem.create(client));
  const calls: string[] = [];
  const mine = await own.spawn(mortal, { name: "mine" });
  watchActor(client, mine, ({ reason }) => calls.push(`mine ${reason}`));
  watchActor(own, "mine", ({ reason }) => calls.push(`by name ${reason}`));
  assert.equal(own.stats().watches, 2);
  await own.stop("mine");
  await until(() => calls.length === 2);
  assert.deepEqual(calls.splice(0).toSorted(), ["by name stopped", "mine stopped"]);
  await own.close();
  const ref = await system.spawn(mortal);
  watchActor(client, `${ref.target}@${peer}`, ({ reason }) => calls.push(reason));
  await until(() => system.stats().watches === 0 && client.stats().calls.pending === 1);
  await client.close();
  await system.stop(ref);
  assert.deepEqual(calls, []);
});

test("a watch that cannot begin takes no place among the watches", async () => {
  await using system = ActorSystem.local({ maxWatches: 2 });
  const ref = await system.spawn(mortal);
  const foreign = system.ref(Counter, `somebody@${newInstanceId()}`);
  for (let attempt = 0; attempt < 3; attempt++) {
    assert.throws(() => system.watch(foreign, () => {}), { code: "PEER_UNKNOWN" });
  }
  const { promise, resolve } = Promise.withResolvers<ActorEnd>();
  system.watch(ref, resolve);
  await system.stop(ref);
  assert.equal((await within(promise, 5_000)).reason, "stopped");
});
