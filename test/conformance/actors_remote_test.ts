/** Actors of other instances: the same messages, answers and failures as in one process. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { z } from "zod";
import { actor, actorContract, actorRef, ActorSystem } from "../../src/actors/mod.ts";
import { type PeerDiscovery, StaticDiscovery } from "../../src/discovery/mod.ts";
import { type InstanceId, ZeromeshError } from "../../src/mod.ts";
import { pause, systemClock } from "../../src/core/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { startProxy } from "../support/proxy.ts";
import { until, within } from "../support/until.ts";
import { actorNode, Counter, counter, served, twoNodes } from "./actors_kit.ts";
import { fails } from "./messenger_kit.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const encode = (value: string): Uint8Array => new TextEncoder().encode(value);

test("a messenger that only dials tells and asks an actor of another instance, without a system of its own", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  const own = await system.spawn(counter, { name: "counter" });
  const ref = actorRef(client, Counter, `counter@${peer}`);
  await ref.tell("reset", { to: 10 });
  const n: number = await ref.ask("add", { n: 2 }, { timeoutMs: 1_000 });
  assert.equal(n, 12);
  assert.equal(await actorRef(client, Counter, own).ask("add", { n: 1 }), 13, "by its id");
  assert.equal(await actorRef(client, Counter, ref).ask("add", { n: 1 }), 14, "by another reference");
});

test("a messenger reaches the actors of its own system, and an instance without a system has none", async () => {
  await using t = await leakCheck();
  const { messenger, system, client, peer } = await served(t);
  const ref = actorRef(messenger, Counter, `counter@${messenger.instanceId}`);
  await fails(ref.ask("add", { n: 1 }), { code: "ACTOR_NOT_FOUND" });
  await system.spawn(counter, { name: "counter" });
  assert.equal(await ref.ask("add", { n: 1 }), 1);
  assert.equal(await actorRef(system, Counter, "counter@" + peer).ask("add", { n: 1 }), 2);
  await assert.rejects(ActorSystem.create(messenger), { code: "HANDLER_EXISTS" });
  await system.close();
  await fails(ref.ask("add", { n: 1 }), { code: "ACTOR_NOT_FOUND" });
  const missing = await fails(actorRef(client, Counter, ref).ask("add", { n: 1 }), {
    code: "ACTOR_NOT_FOUND",
    ran: "no",
    peer,
  });
  assert.match(missing.message, /has no actor system/);
  await using again = await ActorSystem.create(messenger);
  await again.spawn(counter, { name: "counter" });
  assert.equal(await actorRef(client, Counter, ref).ask("add", { n: 1 }), 1);
});

test("values travel as JSON, as MessagePack or as bytes, and an empty answer is an answer", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  const Packed = actorContract("packed", {
    encoding: "msgpack",
    ask: { twice: { input: z.instanceof(Uint8Array), output: z.map(z.string(), z.bigint()) } },
  });
  const packed = actor(Packed, {
    init: () => null,
    ask: { twice: (_ctx, bytes) => new Map([["length", BigInt(bytes.length) * 2n]]) },
  });
  const told: string[] = [];
  const free = actor({
    init: () => null,
    tell: { note: (_ctx, bytes) => void told.push(text(bytes)) },
    ask: {
      echo: (_ctx, bytes) => bytes,
      empty: () => new Uint8Array(),
    },
  });
  const Empty = actorContract("empty", {
    ask: {
      nothing: { input: z.undefined(), output: z.undefined() },
      nil: { input: z.null(), output: z.null() },
    },
  });
  const empty = actor(Empty, { init: () => 0, ask: { nothing: () => undefined, nil: () => null } });
  await system.spawn(packed, { name: "packed" });
  const own = await system.spawn(free, { name: "free" });
  await system.spawn(empty, { name: "empty" });
  const answer = await actorRef(client, Packed, `packed@${peer}`).ask("twice", new Uint8Array(3));
  assert.deepEqual([...answer], [["length", 6n]]);
  const ref = actorRef(client, own.contract, `free@${peer}`);
  await ref.tell("note", encode("hello"));
  assert.equal(text(await ref.ask("echo", encode("again"))), "again");
  assert.deepEqual(told, ["hello"]);
  const large = new Uint8Array(1024 * 1024).fill(7);
  assert.deepEqual(await ref.ask("echo", large), large);
  assert.equal((await ref.ask("empty", encode(""))).length, 0);
  const nothings = actorRef(client, Empty, `empty@${peer}`);
  assert.equal(await nothings.ask("nothing"), undefined);
  assert.equal(await nothings.ask("nil", null), null);
});

test("values of all sizes reach an actor whole, with their headers and their sender", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  const free = actor({
    init: () => null,
    ask: {
      facts: ({ headers, senderInstance }, bytes) => {
        assert.ok(bytes.every((byte, at) => byte === at % 251));
        return encode(JSON.stringify([bytes.length, headers, senderInstance]));
      },
      echo: (_ctx, bytes) => bytes,
    },
  });
  const own = await system.spawn(free, { name: "large" });
  const headers = { short: "é", long: "x".repeat(900) };
  for (const address of [`large@${peer}`, own]) {
    const ref = actorRef(client, own.contract, address);
    for (const size of [0, 65_535, 65_536, 65_537, 300_000]) {
      const value = Uint8Array.from({ length: size }, (_, at) => at % 251);
      for (const sent of [{}, { short: headers.short }, headers]) {
        const facts = JSON.parse(text(await ref.ask("facts", value, { headers: sent })));
        assert.deepEqual(facts, [size, sent, client.instanceId]);
      }
      assert.deepEqual(await ref.ask("echo", value), value);
    }
  }
});

test("a failure has the same code in one process and between processes", async () => {
  await using t = await leakCheck();
  const Faulty = actorContract("faulty", {
    tell: { put: z.number() },
    ask: {
      fail: { input: z.string(), output: z.number() },
      wrong: { input: z.undefined(), output: z.number() },
      wait: { input: z.undefined(), output: z.number() },
      refuse: { input: z.number().max(3), output: z.number() },
    },
  });
  const faulty = actor(Faulty, {
    init: () => null,
    tell: { put: () => {} },
    ask: {
      fail: (_ctx, why) => {
        throw why === "own" ? new ZeromeshError("QUEUE_FULL", "a code of the library") : new Error(why);
      },
      wrong: () => "text" as never,
      wait: (ctx) =>
        new Promise<never>((_, reject) =>
          ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason))
        ),
      refuse: (_ctx, n) => n,
    },
  });
  const { system, client, peer } = await served(t);
  const Wider = actorContract("wider", {
    tell: { other: z.number() },
    ask: {
      other: { input: z.number(), output: z.number() },
      refuse: { input: z.number(), output: z.number() },
    },
  });
  await system.spawn(faulty, { name: "faulty" });
  const stopped = await system.spawn(faulty);
  await system.stop(stopped);
  for (const from of [system, client]) {
    const ref = actorRef(from, Faulty, `faulty@${peer}`);
    const wider = actorRef(from, Wider, `faulty@${peer}`);
    const bare = actorRef(from, Faulty, `none@${peer}`);
    await fails(bare.tell("put", 1), { code: "ACTOR_NOT_FOUND", ran: "no" });
    await fails(bare.ask("fail", ""), { code: "ACTOR_NOT_FOUND", ran: "no" });
    await fails(actorRef(from, Faulty, stopped).ask("fail", ""), { code: "ACTOR_NOT_FOUND" });
    const failed = await fails(ref.ask("fail", "no luck"), {
      code: "HANDLER_FAILED",
      ran: "yes",
      message: "no luck",
    });
    assert.doesNotMatch(String(failed.stack), /faulty\.fail/);
    await fails(ref.ask("fail", "own"), { code: "HANDLER_FAILED", message: "a code of the library" });
    await fails(ref.ask("wrong"), { code: "RESULT_INVALID", ran: "yes" });
    await fails(ref.ask("wait", undefined, { timeoutMs: 50 }), { code: "TIMEOUT", ran: "maybe" });
    await fails(ref.ask("wait", undefined, { timeoutMs: 0 }), { code: "TIMEOUT", ran: "no" });
    await fails(ref.ask("refuse", 4), { code: "PAYLOAD_INVALID", ran: "no" });
    await fails(wider.ask("refuse", 4), { code: "PAYLOAD_INVALID", ran: "no" });
    await fails(wider.ask("other", 4), { code: "HANDLER_NOT_FOUND", ran: "no" });
    await fails(wider.tell("other", 4), { code: "HANDLER_NOT_FOUND", ran: "no" });
    await fails(ref.tell("put", "text" as never), { code: "PAYLOAD_INVALID", ran: "no" });
    await fails(ref.tell("none" as never, 1 as never), { code: "HANDLER_NOT_FOUND", ran: "no" });
    const enough = new Error("enough");
    const cancelled = ref.ask("wait", undefined, { signal: AbortSignal.abort(enough) });
    await assert.rejects(cancelled, (error) => error === enough);
  }
  const open = [actorRef(system, Faulty, `faulty@${peer}`), actorRef(client, Faulty, `faulty@${peer}`)];
  const waiting = open.flatMap((ref) => [ref.ask("wait"), ref.ask("wait")]);
  await until(() => system.lookup("faulty")?.queued === 3);
  const ended = Promise.all(waiting.map((one) => fails(one, { code: "ACTOR_STOPPED" })));
  await system.stop("faulty", { timeoutMs: 20 });
  await ended;
});

test("an ask's deadline and cancellation reach the handler's signal, and a waiting ask leaves the mailbox", async () => {
  await using t = await leakCheck();
  const Slow = actorContract("slow", { ask: { wait: { input: z.string(), output: z.string() } } });
  const begun: string[] = [];
  const aborted: string[] = [];
  const slow = actor(Slow, {
    init: () => null,
    ask: {
      wait: async (ctx, name) => {
        begun.push(name);
        assert.ok(ctx.remainingMs > 0);
        const { promise, resolve } = Promise.withResolvers<void>();
        ctx.signal.addEventListener("abort", () => resolve(), { once: true });
        await promise;
        aborted.push(name);
        return name;
      },
    },
  });
  const { system, client, peer } = await served(t);
  await system.spawn(slow, { name: "slow", mailbox: { capacity: 1 } });
  const ref = actorRef(client, Slow, `slow@${peer}`);
  const controllers = ["a", "b", "c"].map((name) => ({ name, controller: new AbortController() }));
  const asks = controllers.map(({ name, controller }) =>
    ref.ask("wait", name, { signal: controller.signal })
  );
  for (const one of asks) one.catch(() => {});
  await until(() => begun.length === 1 && system.lookup("slow")?.waiting === 1);
  // The second waits in the mailbox, the third for room in it.
  controllers[2]!.controller.abort();
  await until(() => system.lookup("slow")?.waiting === 0);
  controllers[1]!.controller.abort();
  await until(() => system.lookup("slow")?.queued === 0);
  controllers[0]!.controller.abort();
  await until(() => aborted.length === 1);
  await fails(ref.ask("wait", "late", { timeoutMs: 60 }), { code: "TIMEOUT" });
  await until(() => aborted.length === 2);
  assert.deepEqual([begun, aborted], [["a", "late"], ["a", "late"]]);
});

test("a tell to a full mailbox waits for room, or fails by the mailbox's policy, and delays nobody else", async () => {
  await using t = await leakCheck();
  const Gate = actorContract("gate", { tell: { pass: z.number() } });
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const passed: number[] = [];
  const gate = actor(Gate, {
    init: () => null,
    tell: {
      pass: async (_ctx, n) => {
        await opened;
        passed.push(n);
      },
    },
  });
  const { system, client, peer } = await served(t);
  await system.spawn(counter, { name: "counter" });
  await system.spawn(gate, { name: "gate", mailbox: { capacity: 1, maxWaiting: 2 } });
  const ref = actorRef(client, Gate, `gate@${peer}`);
  await ref.tell("pass", 0);
  await ref.tell("pass", 1);
  const left = new AbortController();
  const waiting = [ref.tell("pass", 2), ref.tell("pass", 3, { signal: left.signal })];
  await until(() => system.lookup("gate")?.waiting === 2);
  await fails(ref.tell("pass", 4), { code: "ACTOR_MAILBOX_FULL", ran: "no" });
  assert.equal(await actorRef(client, Counter, `counter@${peer}`).ask("add", { n: 1 }), 1);
  left.abort(new Error("enough"));
  await assert.rejects(waiting[1]!, /enough/);
  await until(() => system.lookup("gate")?.waiting === 1);
  await fails(ref.tell("pass", 5, { timeoutMs: 40 }), { code: "TIMEOUT" });
  await until(() => system.lookup("gate")?.waiting === 1);
  open();
  await within(waiting[0]!, 5_000);
  await until(() => passed.length === 3);
  assert.deepEqual(passed, [0, 1, 2]);
});

test("messages of one sender to one actor keep their order across tells and asks, whatever schemas and rules await", async () => {
  await using t = await leakCheck();
  const later = z.number().refine(async (n) => {
    if (n % 3 === 0) await pause(systemClock, n % 5);
    return true;
  });
  const Log = actorContract("log", {
    tell: { put: z.number() },
    ask: { get: { input: z.number(), output: z.array(z.number()) } },
  });
  const Slow = actorContract("log", {
    tell: { put: later },
    ask: { get: { input: later, output: z.array(z.number()) } },
  });
  const log = (contract: typeof Log) =>
    actor(contract, {
      init: () => [] as number[],
      tell: { put: (ctx, n) => void ctx.state.push(n) },
      ask: {
        get: (ctx, n) => {
          ctx.state.push(n);
          return ctx.state;
        },
      },
    });
  const authorize = async ({ subject }: { subject: Readonly<Record<string, string>> | null }) => {
    if (subject?.["message"] === "put") await pause(systemClock, 1);
    return true;
  };
  for (const options of [{}, { messenger: { authorize } }]) {
    const { system, client, peer } = await served(t, options);
    await system.spawn(log(Log), { name: "fast" });
    await system.spawn(log(Slow as unknown as typeof Log), { name: "slow" });
    for (const [name, contract] of [["fast", Log], ["slow", Log], ["fast", Slow]] as const) {
      const ref = actorRef(client, contract as typeof Log, `${name}@${peer}`);
      const before = (await ref.ask("get", -1)).length;
      const sent: Promise<unknown>[] = [];
      for (let n = 0; n < 60; n++) sent.push(n % 4 === 3 ? ref.ask("get", n) : ref.tell("put", n));
      await within(Promise.all(sent), 10_000);
      const all = await ref.ask("get", -1);
      assert.deepEqual(all.slice(before, before + 60), Array.from({ length: 60 }, (_, n) => n), name);
    }
  }
});

test("the sender is the connection's instance, and a reference in a payload can be answered", async () => {
  await using t = await leakCheck();
  const { one, two } = await twoNodes(t);
  const Pong = actorContract("pong", { tell: { ping: z.object({ to: z.string(), n: z.number() }) } });
  const Ping = actorContract("ping", {
    tell: { start: z.string(), pong: z.number() },
    ask: { got: { input: z.undefined(), output: z.array(z.string()) } },
  });
  const seen: (string | null)[] = [];
  const pong = actor(Pong, {
    init: () => null,
    tell: {
      ping: async (ctx, { to, n }) => {
        seen.push(String(ctx.sender), ctx.senderInstance, ctx.headers["trip"] ?? null);
        await ctx.tell(ctx.ref(Ping, to), "pong", n + 1);
        await ctx.tell(ctx.ref(Ping, ctx.sender!), "pong", n + 2);
      },
    },
  });
  const ping = actor(Ping, {
    init: () => [] as string[],
    tell: {
      start: (ctx, at) =>
        ctx.tell(ctx.ref(Pong, at), "ping", { to: ctx.self.toJSON(), n: 1 }, { headers: { trip: "out" } }),
      pong: (ctx, n) => void ctx.state.push(`${n} ${ctx.sender}`),
    },
    ask: { got: (ctx) => ctx.state },
  });
  const pongs = await two.system.spawn(pong, { name: "pong" });
  const pings = await one.system.spawn(ping);
  await pings.tell("start", `pong@${two.messenger.instanceId}`);
  await until(async () => (await pings.ask("got")).length === 2);
  assert.deepEqual(await pings.ask("got"), [`2 ${pongs}`, `3 ${pongs}`]);
  assert.deepEqual(seen, [String(pings), one.messenger.instanceId, "out"]);
});

test("asks that wait for each other across instances fail at once, and a deferred answer waits for nobody", async () => {
  await using t = await leakCheck();
  const { one, two } = await twoNodes(t);
  const Link = actorContract("link", {
    ask: { go: { input: z.object({ path: z.array(z.string()), defer: z.boolean() }), output: z.string() } },
  });
  const link = actor(Link, {
    init: () => null,
    ask: {
      go: async (ctx, { path: [next, ...rest], defer }) => {
        if (next === undefined) return "end";
        const ask = () => ctx.ask(ctx.ref(Link, next), "go", { path: rest, defer });
        if (!defer) return await ask();
        const reply = ctx.defer();
        void ask().then((answer) => reply.send(answer), (error) => reply.fail(error));
      },
    },
  });
  const a = await one.system.spawn(link, { name: "a" });
  const b = await two.system.spawn(link, { name: "b" });
  const c = await one.system.spawn(link, { name: "c" });
  const named = `b@${two.messenger.instanceId}`;
  assert.equal(await a.ask("go", { path: [named, String(c)], defer: false }), "end");
  for (const path of [[named, String(a)], [String(b), String(c), named], [named, String(b)]]) {
    const startedAt = performance.now();
    const { message } = await fails(a.ask("go", { path, defer: false }), { code: "HANDLER_FAILED" });
    assert.match(message, /the actors would wait for each other: /);
    assert.ok(performance.now() - startedAt < 2_000);
  }
  const ring = await fails(b.ask("go", { path: [String(b)], defer: false }), { code: "HANDLER_FAILED" });
  assert.ok(ring.message.includes(`${b} → ${b}`), ring.message);
  assert.equal(await within(a.ask("go", { path: [named, String(a)], defer: true }), 5_000), "end");
});

test("the messenger's authorize decides about actor and action before the message is delivered", async () => {
  await using t = await leakCheck();
  const asked: unknown[] = [];
  const authorize = ({ subject, senderInstanceId }: {
    subject: Readonly<Record<string, string>> | null;
    senderInstanceId: InstanceId | null;
  }) => {
    asked.push([subject, senderInstanceId]);
    if (subject?.["action"] === "tell") throw new ZeromeshError("FORBIDDEN", "read only");
    return subject?.["actor"] === "counter";
  };
  const { system, client, peer } = await served(t, { messenger: { authorize } });
  await system.spawn(counter, { name: "counter" });
  await system.spawn(counter, { name: "secret" });
  const ref = actorRef(client, Counter, `counter@${peer}`);
  assert.equal(await ref.ask("add", { n: 1 }), 1);
  assert.match(
    (await fails(ref.tell("reset", { to: 0 }), { code: "FORBIDDEN", ran: "no" })).message,
    /read only/,
  );
  await fails(actorRef(client, Counter, `secret@${peer}`).ask("add", { n: 1 }), { code: "FORBIDDEN" });
  assert.equal(await ref.ask("add", { n: 1 }), 2);
  const [subject, sender] = asked[0] as [object, string];
  assert.deepEqual({ ...subject }, { actor: "counter", action: "ask", message: "add" });
  assert.equal(sender, client.instanceId);
});

test("an instance that is not yet known is looked up once for all who wait", async () => {
  await using t = await leakCheck();
  const { system, messenger } = await actorNode(t);
  await system.spawn(counter, { name: "counter" });
  let lookups = 0;
  const known = new StaticDiscovery({ peers: [messenger.peerInfo()] });
  const discovery: PeerDiscovery = {
    discoverByInstanceId: (id) => {
      lookups++;
      return known.discoverByInstanceId(id);
    },
    discoverByWorkerId: () => Promise.resolve(null),
  };
  const client = await t.messenger({ listen: false, discovery });
  const ref = actorRef(client, Counter, `counter@${messenger.instanceId}`);
  const sums = await Promise.all([1, 2, 3, 4].map((n) => ref.ask("add", { n })));
  assert.deepEqual(sums, [1, 3, 6, 10]);
  assert.equal(lookups, 1);
  const nowhere = actorRef(client, Counter, `counter@${crypto.randomUUID()}`);
  await fails(nowhere.ask("add", { n: 1 }), { code: "PEER_UNKNOWN", ran: "no" });
});

test("64 tells of 1 KiB at a time cost less than a tenth more bytes than they carry, with their confirmations", async () => {
  await using t = await leakCheck();
  const { messenger, system } = await actorNode(t);
  const Note = actorContract("note", { tell: { put: z.string() } });
  await system.spawn(actor(Note, { init: () => null, tell: { put: () => {} } }), { name: "note" });
  const proxy = t.use(await startProxy({ targetPort: Number(messenger.endpoint.split(":").at(-1)) }));
  const client = await t.messenger({ listen: false });
  const peer = await client.connect(proxy.endpoint);
  const ref = actorRef(client, Note, `note@${peer}`);
  // As JSON it has 1 024 bytes.
  const value = "x".repeat(1022);
  const rounds = async (count: number) => {
    for (let i = 0; i < count; i++) {
      await Promise.all(Array.from({ length: 64 }, () => ref.tell("put", value)));
    }
  };
  await rounds(4);
  const before = proxy.bytes.up + proxy.bytes.down;
  await rounds(20);
  const each = (proxy.bytes.up + proxy.bytes.down - before) / (20 * 64);
  assert.ok(each < 1.1 * 1024, `${each} bytes for each`);
});

test("a node that only dials has actors, too, and those of its peers reach them over its own connection", async () => {
  await using t = await leakCheck();
  const node = await actorNode(t);
  const dialling = await actorNode(t, { messenger: { listen: false } });
  await dialling.messenger.connect(node.messenger.endpoint);
  const Back = actorContract("back", {
    ask: { call: { input: z.string(), output: z.number() } },
  });
  const back = actor(Back, {
    init: () => null,
    ask: { call: (ctx, to) => ctx.ask(ctx.ref(Counter, to), "add", { n: 5 }) },
  });
  await node.system.spawn(back, { name: "back" });
  const own = await dialling.system.spawn(counter, { name: "counter" });
  const ref = actorRef(dialling.messenger, Back, `back@${node.messenger.instanceId}`);
  assert.equal(await ref.ask("call", own.toJSON()), 5);
  assert.equal(await ref.ask("call", `counter@${dialling.messenger.instanceId}`), 10);
});

test("an instance that closes answers its open asks within its time, and takes no more", async () => {
  await using t = await leakCheck();
  const { messenger, system, client, peer } = await served(t);
  const { promise: open, resolve: finish } = Promise.withResolvers<number>();
  const Slow = actorContract("slow", { ask: { wait: { input: z.undefined(), output: z.number() } } });
  await system.spawn(actor(Slow, { init: () => null, ask: { wait: () => open } }), { name: "slow" });
  const ref = actorRef(client, Slow, `slow@${peer}`);
  const first = ref.ask("wait");
  await until(() => system.lookup("slow")?.busy);
  const closed = messenger.close({ timeoutMs: 5_000 });
  await fails(ref.ask("wait"), { code: "PEER_DRAINING", ran: "no" });
  finish(7);
  assert.equal(await first, 7);
  await closed;
});

test("messages that wait for the messenger's concurrency reach their actors as others do", async () => {
  await using t = await leakCheck();
  const Echo = actorContract("echo", { ask: { echo: { input: z.string(), output: z.string() } } });
  const { system, client, peer } = await served(t, { messenger: { concurrency: 1 } });
  await system.spawn(actor(Echo, { init: () => null, ask: { echo: (_ctx, input) => input } }), {
    name: "echo",
  });
  const free = actor({ init: () => null, ask: { echo: (_ctx, bytes) => bytes } });
  await system.spawn(free, { name: "free" });
  const ref = actorRef(client, Echo, `echo@${peer}`);
  const bare = actorRef(client, free.contract, `free@${peer}`);
  const words = Array.from({ length: 8 }, (_, i) => `word ${i}`);
  assert.deepEqual(await Promise.all(words.map((word) => ref.ask("echo", word))), words);
  const answers = await Promise.all(words.map((word) => bare.ask("echo", encode(word))));
  assert.deepEqual(answers.map(text), words);
});

test("a tell that nobody awaits may fail in any way without an unhandled rejection", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  await system.spawn(counter, { name: "counter" });
  const ref = actorRef(client, Counter, `counter@${peer}`);
  const rejections: unknown[] = [];
  const note = (reason: unknown): void => void rejections.push(reason);
  process.on("unhandledRejection", note);
  t.defer(() => void process.off("unhandledRejection", note));
  void ref.tell("reset", { to: 1 }, { timeoutMs: 0 });
  void ref.tell("reset", { to: 1 }, { signal: AbortSignal.abort(new Error("enough")) });
  void ref.tell("reset", { to: "1" } as never);
  void ref.tell("none" as never, {} as never);
  void actorRef(client, Counter, `nobody@${peer}`).tell("reset", { to: 1 });
  void actorRef(client, Counter, `counter@${crypto.randomUUID()}`).tell("reset", { to: 1 });
  void actorRef(client, Counter, `counter@${client.instanceId}`).tell("reset", { to: 1 });
  const gone = new AbortController();
  const slow = await system.spawn(counter, { name: "slow", mailbox: { capacity: 1, overflow: "wait" } });
  system.pause(slow);
  const waiting = actorRef(client, Counter, `slow@${peer}`);
  await waiting.tell("reset", { to: 1 });
  void waiting.tell("reset", { to: 2 }, { signal: gone.signal });
  const waits = () => system.list().find(({ name }) => name === "slow")?.waiting;
  await until(() => waits() === 1);
  gone.abort(new Error("enough"));
  await until(() => waits() === 0);
  await ref.tell("reset", { to: 2 });
  assert.equal(await ref.ask("add", { n: 1 }), 3);
  // Unhandled rejections are told in a later turn of the event loop.
  await pause(systemClock, 1);
  assert.deepEqual(rejections, []);
});

test("a messenger alone reaches an actor without a contract by its address", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  await system.spawn(actor({ init: () => null, ask: { echo: (_ctx, bytes) => bytes } }), { name: "echo" });
  const ref = actorRef(client, `echo@${peer}`);
  assert.deepEqual(await ref.ask("echo", Uint8Array.of(7)), Uint8Array.of(7));
  assert.deepEqual(await actorRef(system, ref).ask("echo", Uint8Array.of(8)), Uint8Array.of(8));
  // @ts-expect-error A contract needs an address.
  assert.throws(() => actorRef(client, Counter), { name: "TypeError", message: /address/ });
});

test("a second actor system of a messenger is refused, until the first one is closed", async () => {
  await using t = await leakCheck();
  const { system, messenger } = await actorNode(t);
  await assert.rejects(ActorSystem.create(messenger), {
    code: "HANDLER_EXISTS",
    message: "Cannot make an actor system: this messenger has one already; use that one, or close it first",
  });
  await system.close();
  await using again = await ActorSystem.create(messenger);
  assert.equal(again.list().length, 0);
});

test("an actor that stops with its system still reaches other instances from onStop", async () => {
  await using t = await leakCheck();
  const { one, two } = await twoNodes(t);
  const own = await two.system.spawn(counter, { name: "counter" });
  const there = `counter@${two.messenger.instanceId}`;
  const leaving = actor({
    init: () => null,
    onStop: async (ctx) => await ctx.tell(ctx.ref(Counter, there), "reset", { to: 40 }),
  });
  await one.system.spawn(leaving);
  const outside = one.system.ref(Counter, there);
  await one.system.close();
  assert.equal(await own.ask("add", { n: 2 }), 42);
  await assert.rejects(outside.tell("reset", { to: 0 }), { code: "CLOSED" });
});

test("a tell that fails is a dead letter of the system whose messenger sent it", async () => {
  await using t = await leakCheck();
  const { one, two } = await twoNodes(t);
  const ref = actorRef(one.messenger, Counter, `nobody@${two.messenger.instanceId}`);
  await fails(ref.tell("reset", { to: 1 }), { code: "ACTOR_NOT_FOUND" });
  assert.equal(one.system.stats().deadLetters.notFound, 1);
});
