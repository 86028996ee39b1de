/** Asks in one process: answers, deadlines, cancellation, deferred replies, rings, and the end of the actor. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  actor,
  actorContract,
  type ActorRef,
  type ActorSelf,
  ActorSystem,
  type AskContext,
  type DeferredReply,
} from "../../src/actors/mod.ts";
import { until, within } from "../support/until.ts";

const text = z.string();
const Echo = actorContract("echo", {
  tell: { note: text },
  ask: { echo: { input: text, output: text }, wait: { input: z.undefined(), output: text } },
});

/** An actor whose `wait` lasts until the test releases it. */
function gated(): {
  gate: PromiseWithResolvers<string>;
  signals: AbortSignal[];
  definition: ReturnType<typeof make>;
} {
  const gate = Promise.withResolvers<string>();
  const signals: AbortSignal[] = [];
  return { gate, signals, definition: make(gate.promise, signals) };
}

const make = (gate: Promise<string>, signals: AbortSignal[]) =>
  actor(Echo, {
    init: () => ({ notes: [] as string[] }),
    tell: { note: (ctx, note) => void ctx.state.notes.push(note) },
    ask: {
      echo: (_ctx, value) => `response:${value}`,
      wait: (ctx) => {
        signals.push(ctx.signal);
        return gate;
      },
    },
  });

test("an ask is answered, also with an empty answer", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(gated().definition);
  assert.equal(await ref.ask("echo", "data"), "response:data");
  const Empty = actorContract("empty", { ask: { text: { input: z.undefined(), output: text } } });
  const empty = await system.spawn(actor(Empty, { init: () => null, ask: { text: () => "" } }));
  assert.equal(await empty.ask("text"), "");
});

test("a handler that fails fails its ask with its message, and the actor goes on", async () => {
  await using system = ActorSystem.local();
  const Fails = actorContract("fails", {
    ask: {
      now: { input: z.undefined(), output: z.null() },
      later: { input: z.undefined(), output: z.null() },
      wrong: { input: z.undefined(), output: z.null() },
      good: { input: z.undefined(), output: z.number() },
    },
  });
  const ref = await system.spawn(actor(Fails, {
    init: () => ({ count: 0 }),
    ask: {
      now: (ctx) => {
        ctx.state.count++;
        throw new Error("no disk");
      },
      later: async () => {
        await Promise.resolve();
        throw new Error("no network");
      },
      wrong: () => 5 as never,
      good: (ctx) => ctx.state.count,
    },
  }));
  await assert.rejects(ref.ask("now"), { code: "HANDLER_FAILED", message: "no disk", ran: "yes" });
  await assert.rejects(ref.ask("later"), { code: "HANDLER_FAILED", message: "no network" });
  await assert.rejects(ref.ask("wrong"), { code: "RESULT_INVALID" });
  assert.equal(await ref.ask("good"), 1);
});

test("an ask without an answer in time fails, and a late answer is counted and dropped", async () => {
  await using system = ActorSystem.local();
  const { gate, signals, definition } = gated();
  const ref = await system.spawn(definition);
  const running = ref.ask("wait", undefined, { timeoutMs: 20 });
  const queued = ref.ask("echo", "x", { timeoutMs: 20 });
  await assert.rejects(within(running, 5_000), { code: "TIMEOUT", ran: "maybe" });
  await assert.rejects(within(queued, 5_000), { code: "TIMEOUT", ran: "no" });
  assert.equal(signals[0]?.aborted, true);
  assert.equal(system.lookup(ref)?.queued, 0);
  gate.resolve("late");
  await until(() => system.stats().deadLetters.lateReply === 1, { message: () => "the late answer" });
  await assert.rejects(ref.ask("echo", "x", { timeoutMs: 0 }), { code: "TIMEOUT" });
  assert.equal(await ref.ask("echo", "x"), "response:x");
});

test("a cancelled ask rejects with its reason, and its handler sees it", async () => {
  await using system = ActorSystem.local();
  const { gate, signals, definition } = gated();
  const ref = await system.spawn(definition);
  const cancel = new AbortController();
  const running = ref.ask("wait", undefined, { signal: cancel.signal });
  await until(() => signals.length === 1, { message: () => "the handler" });
  const reason = new Error("enough");
  cancel.abort(reason);
  await assert.rejects(running, (error) => error === reason);
  assert.equal(signals[0]?.reason, reason);
  await assert.rejects(ref.ask("echo", "x", { signal: cancel.signal }), (error) => error === reason);
  gate.resolve("");
});

const Later = actorContract("later", {
  ask: {
    get: { input: z.number(), output: z.number() },
    list: { input: z.undefined(), output: z.array(z.number()) },
  },
});
type Reply = DeferredReply<number>;

const later = (taken: Reply[]) =>
  actor(Later, {
    init: () => null,
    ask: {
      get: (ctx, _n) => void taken.push(ctx.defer()),
      list: (ctx) => ctx.deferred().map(({ id }) => id),
    },
  });

test("a deferred reply is given once, while the actor goes on", async () => {
  await using system = ActorSystem.local();
  const taken: Reply[] = [];
  const ref = await system.spawn(later(taken));
  const [one, two] = [ref.ask("get", 1), ref.ask("get", 2)];
  assert.deepEqual(await ref.ask("list"), taken.map(({ id }) => id));
  assert.equal(system.lookup(ref)?.deferred, 2);
  assert.equal(taken[1]!.send(20), true);
  assert.equal(taken[0]!.fail(new Error("sold out")), true);
  assert.equal(await two, 20);
  await assert.rejects(one, { code: "HANDLER_FAILED", message: "sold out" });
  assert.equal(taken[0]!.open, false);
  assert.equal(taken[0]!.send(1), false);
  assert.deepEqual(await ref.ask("list"), []);
  assert.equal(system.stats().deadLetters.lateReply, 1);
});

test("a deferred reply whose asker gave up is closed, and its signal aborts", async () => {
  await using system = ActorSystem.local();
  const taken: Reply[] = [];
  const ref = await system.spawn(later(taken));
  const given = ref.ask("get", 1, { timeoutMs: 20 });
  await until(() => taken.length === 1, { message: () => "the handler" });
  const { signal } = taken[0]!;
  await assert.rejects(within(given, 5_000), { code: "TIMEOUT" });
  assert.deepEqual([taken[0]!.open, signal.aborted], [false, true]);
  assert.deepEqual(await ref.ask("list"), []);
});

test("deferred replies are limited", async () => {
  await using system = ActorSystem.local({ maxDeferred: 1 });
  const taken: Reply[] = [];
  const ref = await system.spawn(later(taken));
  const first = ref.ask("get", 1);
  await assert.rejects(ref.ask("get", 2), { code: "HANDLER_FAILED", message: /maxDeferred \(1\)/ });
  taken[0]!.send(1);
  assert.equal(await first, 1);
});

test("queued, running and deferred asks fail promptly when the actor stops or is terminated", async () => {
  const Mixed = actorContract("mixed", {
    ask: {
      defer: { input: z.undefined(), output: z.null() },
      hang: { input: z.undefined(), output: z.null() },
    },
  });
  const mixed = actor(Mixed, {
    init: () => null,
    ask: { defer: (ctx) => void ctx.defer(), hang: () => new Promise<null>(() => {}) },
  });
  for (const end of ["stop", "terminate"] as const) {
    await using system = ActorSystem.local({ stopMs: 20 });
    const ref = await system.spawn(mixed);
    const asks = [ref.ask("defer"), ref.ask("hang"), ref.ask("hang")];
    const outcomes = Promise.allSettled(asks);
    await until(() => system.lookup(ref)?.queued === 1, { message: () => "one queued ask" });
    await system[end](ref);
    const codes = (await within(outcomes, 5_000)).map((one) =>
      one.status === "rejected" ? (one.reason as { code: string }).code : one.status
    );
    assert.deepEqual(codes, ["ACTOR_STOPPED", "ACTOR_STOPPED", "ACTOR_STOPPED"], end);
    assert.deepEqual(system.list(), []);
  }
});

const Node = actorContract("node", {
  ask: {
    next: { input: z.array(z.string()), output: text },
    deferNext: { input: z.array(z.string()), output: text },
  },
});

/** Asks the first address of the list, with the others. */
async function pass(ctx: AskContext<null, string>, path: string[]): Promise<string> {
  const [first, ...rest] = path;
  if (first === undefined) return "end";
  return await ctx.ask(ctx.ref(Node, first), "next", rest, { timeoutMs: 10_000 });
}

const node = actor(Node, {
  init: () => null,
  ask: {
    next: pass,
    deferNext: (ctx, path) => {
      const reply = ctx.defer();
      void pass(ctx, path).then((answer) => reply.send(answer), (error) => reply.fail(error));
    },
  },
});

/** Three nodes, with their addresses. */
async function nodes(system: ActorSystem): Promise<[ActorRef<typeof Node>, string, string, string]> {
  const [a, b, c] = [await system.spawn(node), await system.spawn(node), await system.spawn(node)];
  return [a, a.address, b.address, c.address];
}

test("an ask to oneself and round a ring fails at once and names the ring", async () => {
  await using system = ActorSystem.local();
  const [a, one, two, three] = await nodes(system);
  const arrow = (...ring: string[]) => new RegExp(ring.join(" → "));
  const cycle = { code: "HANDLER_FAILED" };
  await assert.rejects(within(a.ask("next", [one]), 2_000), { ...cycle, message: arrow(one, one) });
  await assert.rejects(within(a.ask("next", [two, three, one]), 2_000), {
    ...cycle,
    message: arrow(one, two, three, one),
  });
  // Without a ring it goes through.
  assert.equal(await a.ask("next", [two, three]), "end");
});

test("two actors that ask each other at once do not wait for ever", async () => {
  await using system = ActorSystem.local();
  const ready = Promise.withResolvers<void>();
  let begun = 0;
  const Pair = actorContract("pair", {
    ask: { cross: { input: text, output: text }, end: { input: z.undefined(), output: text } },
  });
  const pair = actor(Pair, {
    init: () => null,
    ask: {
      cross: async (ctx, other) => {
        if (++begun === 2) ready.resolve();
        await ready.promise;
        return await ctx.ask(ctx.ref(Pair, other), "end").catch((error) => error.code);
      },
      end: () => "end",
    },
  });
  const [a, b] = [await system.spawn(pair), await system.spawn(pair)];
  const answers = await within(
    Promise.all([a.ask("cross", b.address), b.ask("cross", a.address)]),
    5_000,
  );
  assert.deepEqual(answers.toSorted(), ["ACTOR_ASK_CYCLE", "end"]);
});

test("a handler that has deferred its answer waits for nobody: its asks begin a chain of their own", async () => {
  await using system = ActorSystem.local();
  const [a, one, two] = await nodes(system);
  assert.equal(await within(a.ask("deferNext", [two, one]), 5_000), "end");
  // An ask to itself waits for its own end, which comes.
  assert.equal(await within(a.ask("deferNext", [one]), 5_000), "end");
});

test("an ask inside a handler ends no later than the ask that is handled", async () => {
  await using system = ActorSystem.local();
  const { gate, definition } = gated();
  const stuck = await system.spawn(definition);
  const left: number[] = [];
  const Through = actorContract("through", { ask: { go: { input: z.undefined(), output: text } } });
  const through = await system.spawn(actor(Through, {
    init: () => null,
    ask: {
      go: async (ctx) => {
        left.push(ctx.remainingMs);
        return await ctx.ask(stuck, "wait").catch((error) => error.code);
      },
    },
  }));
  await assert.rejects(within(through.ask("go", undefined, { timeoutMs: 50 }), 5_000), { code: "TIMEOUT" });
  assert.ok(left[0]! > 0 && left[0]! <= 50, String(left[0]));
  await until(() => system.lookup(through)?.busy === false, { message: () => "the inner ask's deadline" });
  gate.resolve("");
});

test("headers, the sender's instance and the deadline reach the handler, and are its own", async () => {
  await using system = ActorSystem.local();
  const Facts = actorContract("facts", {
    tell: { note: z.undefined() },
    ask: { facts: { input: z.undefined(), output: z.array(z.string()) } },
  });
  const notes: string[][] = [];
  const ref = await system.spawn(actor(Facts, {
    init: () => null,
    tell: { note: (ctx) => void notes.push([String(ctx.headers["a"]), String(ctx.remainingMs)]) },
    ask: {
      facts: (ctx) => [
        String(ctx.headers["a"]),
        ctx.senderInstance,
        String(ctx.sender),
        String(ctx.remainingMs <= 1_000),
      ],
    },
  }));
  const headers = { a: "1" };
  const asked = ref.ask("facts", undefined, { headers, timeoutMs: 1_000 });
  headers.a = "2";
  assert.deepEqual(await asked, ["1", system.instanceId, "null", "true"]);
  await ref.tell("note", undefined, { headers });
  await ref.tell("note");
  await ref.ask("facts");
  assert.deepEqual(notes, [["2", "Infinity"], ["undefined", "Infinity"]]);
});

test("an init that asks its own actor fails at once", async () => {
  await using system = ActorSystem.local();
  const Own = actorContract("own", { ask: { get: { input: z.undefined(), output: z.string() } } });
  const own = actor(Own, {
    init: async (_args: unknown, ctx) => await ctx.ask(ctx.ref(Own, ctx.self), "get"),
    ask: { get: (ctx) => ctx.state },
  });
  await assert.rejects(within(system.spawn(own), 5_000), { code: "ACTOR_ASK_CYCLE" });
  assert.deepEqual(system.list(), []);
});

test("an init that asks its own actor fails at once, also when it is restarted", async () => {
  await using system = ActorSystem.local();
  const Own = actorContract("own", {
    ask: { get: { input: z.undefined(), output: z.string() } },
  });
  let runs = 0;
  const own = await system.spawn(actor(Own, {
    init: async (_args: unknown, ctx: ActorSelf) =>
      ++runs === 1 ? "first" : await ctx.ask(ctx.ref(Own, ctx.self), "get"),
    ask: { get: (ctx) => ctx.state },
    supervision: { onFailure: "stop" },
  }));
  await assert.rejects(within(system.restart(own), 5_000), { code: "ACTOR_ASK_CYCLE" });
});

test("a child's init that asks the parent whose own init waits for it fails at once", async () => {
  await using system = ActorSystem.local();
  const Parent = actorContract("parent", { ask: { get: { input: z.undefined(), output: text } } });
  const child = (parent: string) =>
    actor(actorContract("child"), {
      init: (_args: unknown, ctx: ActorSelf) => ctx.ask(ctx.ref(Parent, parent), "get"),
    });
  const parent = actor(Parent, {
    init: async (_args: unknown, ctx: ActorSelf) => {
      await ctx.spawn(child(ctx.self.address));
    },
    ask: { get: () => "never" },
  });
  await assert.rejects(within(system.spawn(parent), 5_000), { code: "ACTOR_ASK_CYCLE" });
});

test("a context that is kept from init waits for nobody: its asks are no part of a ring", async () => {
  await using system = ActorSystem.local();
  const Kept = actorContract("kept", {
    ask: {
      hold: { input: z.undefined(), output: text },
      end: { input: z.undefined(), output: text },
      back: { input: text, output: text },
    },
  });
  const gate = Promise.withResolvers<string>();
  const contexts: ActorSelf[] = [];
  const kept = actor(Kept, {
    init: (_args: unknown, ctx: ActorSelf) => void contexts.push(ctx),
    ask: {
      hold: () => gate.promise,
      end: () => "end",
      back: (ctx, address) => ctx.ask(ctx.ref(Kept, address), "end"),
    },
  });
  const [a, b] = [await system.spawn(kept), await system.spawn(kept)];
  const held = a.ask("hold");
  await until(() => system.lookup(a)?.busy);
  // B asks A, whose handler waits for nobody.
  const answer = contexts[0]!.ask(b, "back", a.address);
  await until(() => system.lookup(a)?.queued === 1);
  gate.resolve("free");
  assert.deepEqual(await within(Promise.all([held, answer]), 5_000), ["free", "end"]);
});

test("onStop that asks an actor which waits for the one that stops fails at once", async () => {
  await using system = ActorSystem.local();
  const Pair = actorContract("pair", {
    ask: { hold: { input: z.undefined(), output: text }, wait: { input: text, output: text } },
  });
  const gate = Promise.withResolvers<string>();
  const codes: string[] = [];
  const pair = actor(Pair, {
    init: (other: string | null) => other,
    ask: {
      hold: () => gate.promise,
      wait: (ctx, other) => ctx.ask(ctx.ref(Pair, other), "hold").catch((error) => error.code),
    },
    onStop: async (ctx) => {
      if (ctx.state === null) return;
      await ctx.ask(ctx.ref(Pair, ctx.state), "hold").catch((error) => codes.push(error.code));
    },
  });
  const b = await system.spawn(pair, { args: null });
  const a = await system.spawn(pair, { args: b.address });
  const first = a.ask("hold");
  const waiting = b.ask("wait", a.address);
  await until(() => system.lookup(a)?.queued === 1);
  const stopping = system.stop(a, { timeoutMs: 2_000 });
  gate.resolve("free");
  assert.equal(await first, "free");
  assert.equal((await within(stopping, 1_000, "the stop")).reason, "stopped");
  assert.deepEqual([codes, await waiting], [["ACTOR_ASK_CYCLE"], "ACTOR_STOPPED"]);
});

test("a ring of very many handlers that wait for each other is found without deep calls", async () => {
  await using system = ActorSystem.local();
  const Link = actorContract("link", {
    ask: { go: { input: z.undefined(), output: text }, end: { input: z.undefined(), output: text } },
  });
  const gate = Promise.withResolvers<void>();
  const addresses: string[] = [];
  const link = actor(Link, {
    init: (at: number) => at,
    ask: {
      go: async (ctx) => {
        const { state } = ctx;
        if (state === 0) await gate.promise;
        return await ctx.ask(ctx.ref(Link, addresses[(state + 1) % addresses.length]!), "end");
      },
      end: () => "end",
    },
  });
  for (let at = 0; at < 3_000; at++) addresses.push((await system.spawn(link, { args: at })).address);
  const asked = addresses.map((address) => system.ref(Link, address).ask("go"));
  asked.forEach((one) => one.catch(() => {}));
  await until(() => system.list().every(({ busy }) => busy));
  gate.resolve();
  // The first one's ask would close the ring. It fails, and so the others are answered.
  const [first, ...others] = await within(Promise.allSettled(asked), 10_000);
  assert.match(String((first as PromiseRejectedResult).reason), /would wait for each other/);
  assert.ok(others.every((one) => one.status === "fulfilled"));
});
