/** Actors of one process: messages, answers, names and the end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { actor, actorContract, ActorSystem } from "../../src/actors/mod.ts";
import { within } from "../support/until.ts";

const Counter = actorContract("counter", {
  tell: { reset: z.object({ to: z.number() }) },
  ask: { add: { input: z.object({ n: z.number() }), output: z.number() } },
  channel: { feed: { fromOpener: z.string(), toOpener: z.number() } },
});

const counter = actor(Counter, {
  version: 2,
  init: () => ({ count: 0 }),
  migrate: (old: { total: number }, _fromVersion) => ({ count: old.total }),
  tell: {
    reset: (ctx, { to }) => {
      ctx.state.count = to;
    },
  },
  ask: { add: (ctx, { n }) => (ctx.state.count += n) },
  channel: {
    feed: {
      open: (ctx, ch, first) => first === "hi" ? ch.accept(ctx.state.count) : ch.reject("say hi"),
      message: (_ctx, ch, text) => ch.send(text.length),
    },
  },
});

test("an actor keeps its state between messages, which it handles in their order", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(counter, { name: "counter" });
  void ref.tell("reset", { to: 10 });
  const sums: Promise<number>[] = [ref.ask("add", { n: 2 }), ref.ask("add", { n: 3 })];
  assert.deepEqual(await within(Promise.all(sums), 5_000), [12, 15]);
  assert.equal(await system.ref(Counter, "counter").ask("add", { n: 0 }), 15);
});

test("a taken name is refused, and replace stops the actor that has it", async () => {
  await using system = ActorSystem.local();
  const first = await system.spawn(counter, { name: "counter" });
  await assert.rejects(system.spawn(counter, { name: "counter" }), { code: "ACTOR_EXISTS" });
  assert.equal(system.list().length, 1);
  await first.tell("reset", { to: 5 });
  const second = await system.spawn(counter, { name: "counter", replace: true });
  await assert.rejects(first.ask("add", { n: 1 }), { code: "ACTOR_NOT_FOUND" });
  assert.equal(await second.ask("add", { n: 1 }), 1);
  assert.equal(await system.ref(Counter, "counter").ask("add", { n: 1 }), 2);
});

test("a failed start leaves nothing, and can be repeated", async () => {
  await using system = ActorSystem.local();
  let fail = true;
  const fragile = actor(actorContract("fragile"), {
    init: () => {
      if (fail) throw new Error("no disk");
    },
  });
  await assert.rejects(system.spawn(fragile, { name: "one" }), {
    code: "HANDLER_FAILED",
    message: /no disk/,
  });
  assert.deepEqual(system.list(), []);
  fail = false;
  await system.spawn(fragile, { name: "one" });
  assert.deepEqual(system.list().map(({ name, phase }) => [name, phase]), [["one", "running"]]);
});

test("a message for an unknown actor, of an unknown name or with a wrong value is refused with its code", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(counter);
  await assert.rejects(system.ref(Counter, "nobody").ask("add", { n: 1 }), { code: "ACTOR_NOT_FOUND" });
  await assert.rejects(ref.tell("reset", { to: "x" } as never), { code: "PAYLOAD_INVALID", message: /to:/ });
  await assert.rejects(ref.tell("reste" as never, { to: 1 } as never), { code: "HANDLER_NOT_FOUND" });
  await system.stop(ref);
  await assert.rejects(ref.tell("reset", { to: 1 }), { code: "ACTOR_NOT_FOUND" });
  assert.equal(system.stats().deadLetters.notFound, 1);
});

test("a chain of asks has as many handlers as maxAskChain, the next one is refused and counted, and defer() ends a chain", async () => {
  const Link = actorContract("link", {
    ask: { down: { input: z.object({ left: z.number(), defers: z.boolean() }), output: z.number() } },
  });
  await using system = ActorSystem.local({ maxAskChain: 5 });
  // Each one asks the next one, and waits for its answer.
  const link = actor(Link, {
    init: () => null,
    ask: {
      down: async (ctx, { left, defers }) => {
        if (left === 0) return 0;
        const reply = defers ? ctx.defer() : null;
        const next = ctx.ref(Link, `link${left - 1}@${ctx.instance}`);
        const depth = await next.ask("down", { left: left - 1, defers }) + 1;
        reply?.send(depth);
        return depth;
      },
    },
  });
  for (let left = 0; left <= 20; left++) await system.spawn(link, { name: `link${left}` });
  const down = (left: number, defers: boolean) =>
    system.ref(Link, `link${left}`).ask("down", { left, defers });
  assert.equal(await down(5, false), 5);
  assert.equal(system.stats().asksRefused, 0);
  await assert.rejects(down(6, false), {
    code: "HANDLER_FAILED",
    message:
      /Cannot ask "down": 5 handlers wait for each other already \(maxAskChain\)\. A handler that calls ctx\.defer/,
  });
  assert.equal(system.stats().asksRefused, 1);
  assert.equal(await down(20, true), 20);
  assert.equal(system.stats().asksRefused, 1);
});
