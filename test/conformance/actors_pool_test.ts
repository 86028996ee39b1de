/** Pools: many actors behind one reference. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { actor, actorContract, actorRef, type ActorSelf, ActorSystem, byKey } from "../../src/actors/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { served } from "./actors_kit.ts";

const Job = z.object({ user: z.string() });
const Worker = actorContract("worker", {
  tell: { note: Job, fail: Job },
  ask: {
    who: { input: Job, output: z.string() },
    notes: { input: z.undefined(), output: z.number() },
    hang: { input: Job, output: z.string() },
  },
  channel: { line: { fromOpener: z.string(), toOpener: z.string() } },
});

const worker = actor(Worker, {
  supervision: { onFailure: "stop" },
  init: (args: { fail?: boolean } | undefined, ctx: ActorSelf) => {
    if (args?.fail) throw new Error("no worker");
    return { id: ctx.id, notes: 0 };
  },
  tell: {
    note: (ctx) => void ctx.state.notes++,
    fail: () => {
      throw new Error("crash");
    },
  },
  ask: {
    who: (ctx) => ctx.state.id,
    notes: (ctx) => ctx.state.notes,
    hang: () => new Promise<string>(() => {}),
  },
  channel: { line: { open: (ctx, channel) => void channel.accept(ctx.state.id) } },
});

const job = { user: "ada" };
const soon = { firstMs: 0, maxMs: 0 };
const later = { firstMs: 60_000, maxMs: 60_000 };

test("round robin gives each member its turn, and broadcast tells all of them", async () => {
  await using system = ActorSystem.local();
  const pool = await system.pool(worker, { size: 3, name: "pool" });
  const seen: string[] = [];
  for (let count = 0; count < 6; count++) seen.push(await pool.ask("who", job));
  assert.equal(new Set(seen.slice(0, 3)).size, 3);
  assert.deepEqual(seen.slice(3), seen.slice(0, 3));
  assert.deepEqual(new Set(pool.members().map(({ target }) => target)), new Set(seen));
  assert.equal(await pool.broadcast("note", job), 3);
  for (const member of pool.members()) assert.equal(await member.ask("notes"), 1);
  const [tree] = system.tree();
  assert.deepEqual([tree!.name, tree!.children.length, tree!.pool], [
    "pool",
    3,
    { size: 3, members: 3, replaced: 0 },
  ]);
  await assert.rejects(pool.broadcast("note", {} as never), { code: "PAYLOAD_INVALID" });
  await system.stop(pool);
  assert.deepEqual(system.list(), []);
  await assert.rejects(pool.ask("who", job), { code: "ACTOR_NOT_FOUND" });
});

test("the least loaded member gets the message", async () => {
  await using system = ActorSystem.local();
  const pool = await system.pool(worker, { size: 3, route: "leastLoaded" });
  const hung = [pool.ask("hang", job), pool.ask("hang", job)];
  for (const one of hung) one.catch(() => {});
  await until(() => system.list().filter(({ busy }) => busy).length === 2);
  const seen = new Set<string>();
  for (let count = 0; count < 5; count++) seen.add(await within(pool.ask("who", job), 5_000));
  assert.equal(seen.size, 1, "the only idle member");
  await system.stop(pool, { timeoutMs: 0 });
});

test("a key stays with its member; when that ends its keys go to the others, and its asks fail", async () => {
  await using system = ActorSystem.local();
  const pool = await system.pool(worker, {
    size: 4,
    backoff: later,
    route: byKey((input) => input === undefined || typeof input === "string" ? "" : input.user),
  });
  const owner = async (user: string) => await pool.ask("who", { user });
  const users = Array.from({ length: 64 }, (_, at) => `user ${at}`);
  const owners = new Map<string, string>();
  for (const user of users) owners.set(user, await owner(user));
  for (const user of users) assert.equal(await owner(user), owners.get(user));
  assert.equal(new Set(owners.values()).size, 4, "all members have keys");
  const victim = owners.get("user 0")!;
  const pending = [pool.ask("hang", { user: "user 0" }), owner("user 0")].map((one) =>
    one.then(String, (error) => error.code)
  );
  await until(() => system.lookup(victim)?.busy);
  system.terminate(victim);
  assert.deepEqual(await Promise.all(pending), ["ACTOR_STOPPED", "ACTOR_STOPPED"]);
  const heirs = new Set<string>();
  for (const user of users) {
    const now = await owner(user);
    if (owners.get(user) === victim) heirs.add(now);
    else assert.equal(now, owners.get(user), "the others keep their keys");
  }
  assert.ok(!heirs.has(victim) && heirs.size > 1, `${heirs.size} others have its keys`);
});

test("a member that ends is replaced, and its keys go to its successor", async () => {
  await using system = ActorSystem.local();
  const pool = await system.pool(worker, { size: 2, backoff: soon, route: byKey(() => "one") });
  const first = await pool.ask("who", job);
  await pool.tell("fail", job);
  await until(() => system.lookup(pool)?.pool?.replaced === 1);
  const second = await pool.ask("who", job);
  assert.notEqual(second, first);
  assert.equal(await pool.ask("who", job), second);
  assert.equal(pool.members().length, 2);
  await system.stop(second);
  await until(() => system.lookup(pool)?.pool?.replaced === 2);
  assert.equal(pool.members().length, 2);
});

test("while members crash, every message is handled or reported, and the pool is whole again", async () => {
  await using system = ActorSystem.local();
  const pool = await system.pool(worker, { size: 4, backoff: soon });
  const outcomes: Record<string, number> = {};
  const count = (outcome: string) => outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  const asks: Promise<void>[] = [];
  for (let round = 0; round < 50; round++) {
    void pool.tell("fail", job);
    for (let ask = 0; ask < 10; ask++) {
      asks.push(pool.ask("who", job).then(() => void count("answered"), (error) => void count(error.code)));
    }
    await Promise.resolve();
    if (round % 10 === 9) await until(() => pool.members().length > 0);
  }
  await within(Promise.all(asks), 10_000);
  assert.equal(Object.values(outcomes).reduce((sum, one) => sum + one), 500);
  assert.deepEqual(Object.keys(outcomes).filter((name) => !["answered", "ACTOR_STOPPED"].includes(name)), []);
  assert.ok(outcomes["answered"]! > 0);
  await until(() => pool.members().length === 4);
  assert.equal(typeof await pool.ask("who", job), "string");
});

test("a pool is told, asked and opened from another instance by its name", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  const pool = await system.pool(worker, { size: 3, name: "pool" });
  const ref = actorRef(client, Worker, `pool@${peer}`);
  const seen = new Set<string>();
  for (let count = 0; count < 3; count++) seen.add(await ref.ask("who", job));
  assert.equal(seen.size, 3);
  for (let count = 0; count < 3; count++) await ref.tell("note", job);
  for (const member of pool.members()) assert.equal(await member.ask("notes"), 1);
  const opened = new Set<unknown>();
  for (let count = 0; count < 3; count++) {
    const line = await ref.open("line", "hi");
    opened.add(line.first);
    await line.close();
  }
  assert.deepEqual(opened, seen);
});

test("a pool whose members cannot start leaves nothing, and wrong options and keys are refused", async () => {
  await using system = ActorSystem.local();
  await assert.rejects(system.pool(worker, { size: 3, name: "pool", args: { fail: true } }), {
    code: "HANDLER_FAILED",
    message: /no worker/,
  });
  assert.deepEqual(system.list(), []);
  await assert.rejects(system.pool(worker, {} as never), TypeError);
  await assert.rejects(system.pool(worker, { size: 0 }), RangeError);
  await assert.rejects(system.pool(worker, { size: 1, route: (() => 1) as never }), TypeError);
  await assert.rejects(system.pool({} as never, { size: 1 }), TypeError);
  await system.pool(worker, { size: 2, name: "pool", route: byKey(() => JSON.parse("{")) });
  await assert.rejects(system.pool(worker, { size: 1, name: "pool" }), { code: "ACTOR_EXISTS" });
  assert.equal(system.list().length, 3);
  await assert.rejects(system.ref(Worker, "pool").ask("who", job), {
    code: "HANDLER_FAILED",
    message: /key of "who"/,
  });
});

test("a key that is a promise, or no key at all, is an error that says so", async () => {
  await using system = ActorSystem.local();
  for (
    const [key, message] of [
      // deno-lint-ignore require-await -- as users write it by mistake
      [async () => "a", /needs the key at once, and its function returned a promise/],
      // deno-lint-ignore require-await -- its rejection must not be unhandled
      [async () => JSON.parse("{"), /returned a promise/],
      [() => ({ user: 1 }), /must return a string, a number or a bigint, got/],
      [() => undefined, /must return a string, a number or a bigint, got undefined/],
    ] as const
  ) {
    const pool = await system.pool(worker, { size: 2, backoff: soon, route: byKey(key as never) });
    await assert.rejects(pool.ask("who", job), { code: "HANDLER_FAILED", message });
    assert.equal(pool.members().length, 2);
  }
});

test("pause holds the messages of all members back", async () => {
  await using system = ActorSystem.local();
  const pool = await system.pool(worker, { size: 2, backoff: soon });
  system.pause(pool);
  const [victim] = pool.members();
  system.terminate(victim!);
  system.resume(pool);
  // Its actor's turn replaces the member.
  await until(() => system.lookup(pool)?.pool?.replaced === 1);
  system.pause(pool);
  const asks = [pool.ask("who", job), pool.ask("who", job)];
  await until(() => pool.members().every(({ target }) => system.lookup(target)?.queued === 1));
  assert.deepEqual(pool.members().map(({ target }) => system.lookup(target)?.phase), ["paused", "paused"]);
  system.resume(pool);
  assert.equal(new Set(await within(Promise.all(asks), 5_000)).size, 2);
});

test("a pool that restarts while a member is being replaced has as many members as places afterwards", async () => {
  await using system = ActorSystem.local();
  let inits = 0;
  const slowOnce = actor({
    init: async () => {
      // The replacement is still in its init when the pool restarts.
      if (++inits === 2) await new Promise(() => {});
      return null;
    },
  });
  const pool = await system.pool(slowOnce, { size: 1, backoff: { firstMs: 1, maxMs: 2 } });
  const [first] = pool.members();
  await system.terminate(first!);
  await until(() => inits === 2);
  await system.restart(pool);
  // Another one that is lost comes after whatever was on its way.
  await system.terminate(pool.members()[0]!);
  await until(() => inits >= 4 && pool.members().length === 1);
  assert.equal(system.list().length, 2);
});
