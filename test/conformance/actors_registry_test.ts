/** Names, ids, references, and actors without a definition or a contract, in one process. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  actor,
  actorContract,
  type ActorId,
  type ActorRef,
  ActorSystem,
  type Registration,
} from "../../src/actors/mod.ts";
import { until, within } from "../support/until.ts";

const Who = actorContract("who", {
  ask: {
    state: { input: z.undefined(), output: z.string() },
    sender: { input: z.undefined(), output: z.string().nullable() },
  },
});

const who = actor(Who, {
  init: (name: string | undefined) => name ?? "nobody",
  ask: { state: (ctx) => ctx.state, sender: (ctx) => ctx.sender?.address ?? null },
});

test("init gets the argument of spawn", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(who, { args: "Ada" });
  assert.equal(await ref.ask("state"), "Ada");
});

test("two starts with one name at once: one has it, and the other leaves nothing", async () => {
  await using system = ActorSystem.local();
  const slow = actor(Who, {
    init: async () => {
      await new Promise<void>((resolve) => setImmediate(resolve));
      return "slow";
    },
    ask: { state: (ctx) => ctx.state, sender: () => null },
  });
  const outcomes = await Promise.allSettled([
    system.spawn(slow, { name: "one" }),
    system.spawn(slow, { name: "one" }),
  ]);
  assert.deepEqual(outcomes.map(({ status }) => status), ["fulfilled", "rejected"]);
  assert.equal(system.stats().actors, 1);
});

test("an actor that replaces another one has its name only once its init has ended", async () => {
  await using system = ActorSystem.local();
  await system.spawn(who, { name: "one", args: "old" });
  const gate = Promise.withResolvers<string>();
  const slow = actor(Who, {
    init: () => gate.promise,
    ask: { state: (ctx) => ctx.state, sender: () => null },
  });
  const named = system.ref(Who, "one");
  const replacing = system.spawn(slow, { name: "one", replace: true });
  assert.equal(await named.ask("state"), "old");
  gate.resolve("new");
  await replacing;
  assert.equal(await named.ask("state"), "new");
  assert.equal(system.list().length, 1);
  const failing = actor(Who, {
    init: (): string => {
      throw new Error("no");
    },
    ask: { state: (ctx) => ctx.state, sender: () => null },
  });
  await assert.rejects(system.spawn(failing, { name: "one", replace: true }), { code: "HANDLER_FAILED" });
  assert.equal(await named.ask("state"), "new");
});

test("an init that hangs ends the start at its deadline, and leaves nothing", async () => {
  await using system = ActorSystem.local();
  const hangs = actor(Who, {
    init: () => new Promise<string>(() => {}),
    ask: { state: (ctx) => ctx.state, sender: () => null },
  });
  const start = system.spawn(hangs, { name: "one", timeoutMs: 20 });
  await assert.rejects(within(start, 5_000), { code: "TIMEOUT" });
  assert.deepEqual(system.list(), []);
  await system.spawn(who, { name: "one" });
});

test("an id that is used again inherits nothing", async () => {
  await using system = ActorSystem.local();
  const id = crypto.randomUUID() as ActorId;
  const first = await system.spawn(who, { id, args: "first" });
  await assert.rejects(system.spawn(who, { id }), { code: "ACTOR_EXISTS" });
  system.pause(first);
  const queued = first.ask("state");
  const failed = assert.rejects(queued, { code: "ACTOR_STOPPED" });
  system.terminate(first);
  const second = await system.spawn(who, { id, args: "second" });
  await failed;
  assert.equal(await first.ask("state"), "second");
  const status = system.lookup(id);
  assert.deepEqual([status?.phase, status?.handled, status?.queued], ["running", 1, 0]);
  assert.ok(first.equals(second));
});

test("the number of actors is limited", async () => {
  await using system = ActorSystem.local({ maxActors: 1 });
  await system.spawn(who);
  await assert.rejects(system.spawn(who), { code: "LIMIT_REACHED", message: /maxActors \(1\)/ });
  assert.equal(system.stats().refused, 1);
});

test("a reference is a value: it is compared, printed, and sent in a payload", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(who, { name: "who", args: "me" });
  assert.equal(String(ref), `${ref.target}@${system.instanceId}`);
  assert.equal(JSON.stringify({ ref }), `{"ref":"${ref.address}"}`);
  assert.ok(ref.equals(system.ref(Who, ref.address)));
  assert.ok(!ref.equals(system.ref(Who, "who")));
  assert.throws(() => system.ref(Who, "no address@x"), TypeError);
  const Caller = actorContract("caller", {
    ask: { call: { input: z.custom<string | ActorRef<typeof Who>>(), output: z.string().nullable() } },
  });
  const caller = await system.spawn(actor(Caller, {
    init: () => null,
    ask: { call: async (ctx, other) => await ctx.ask(ctx.ref(Who, other), "sender") },
  }));
  assert.equal(await caller.ask("call", ref), caller.address);
  assert.equal(await caller.ask("call", ref.address), caller.address);
  assert.equal(await ref.ask("sender"), null);
});

test("registrations are watched from the call on", async () => {
  await using system = ActorSystem.local();
  await system.spawn(who, { name: "before" });
  const watch = system.registrations();
  const ref = await system.spawn(who, { name: "one" });
  await assert.rejects(system.spawn(who, { name: "one" }));
  const failing = actor(actorContract("failing"), {
    init: () => {
      throw new Error("no");
    },
  });
  await assert.rejects(system.spawn(failing));
  await system.stop(ref);
  await system.stop("before");
  const seen: string[] = [];
  for await (const one of watch) {
    const { type, name, end } = one as Registration;
    seen.push(`${type} ${name} ${end?.reason ?? ""}`.trim());
    if (seen.length === 3) break;
  }
  assert.deepEqual(seen, ["registered one", "unregistered one stopped", "unregistered before stopped"]);
});

test("unknown actors cannot be stopped, paused or terminated", async () => {
  await using system = ActorSystem.local();
  await assert.rejects(system.stop("nobody"), { code: "ACTOR_NOT_FOUND" });
  for (const verb of ["pause", "resume", "terminate"] as const) {
    assert.throws(() => system[verb]("nobody"), { code: "ACTOR_NOT_FOUND" }, verb);
  }
  assert.equal(system.lookup("nobody"), null);
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("an actor without a contract takes bytes by name, from references with and without one", async () => {
  await using system = ActorSystem.local();
  const notes: string[] = [];
  const plain = await system.spawn(actor({
    init: () => null,
    tell: { note: (_ctx, value) => void notes.push(new TextDecoder().decode(value)) },
    ask: { twice: (_ctx, value) => new Uint8Array([...value, ...value]), none: () => new Uint8Array() },
  }));
  await plain.tell("note", bytes("hi"));
  assert.deepEqual(await plain.ask("twice", Uint8Array.of(1, 255)), Uint8Array.of(1, 255, 1, 255));
  assert.deepEqual(await plain.ask("none", bytes("")), new Uint8Array());
  assert.deepEqual(notes, ["hi"]);
  await assert.rejects(plain.ask("other", bytes("")), { code: "HANDLER_NOT_FOUND" });
  await assert.rejects(plain.tell("note", "text" as never), { code: "PAYLOAD_INVALID" });
  const Typed = actorContract("typed", { ask: { twice: { input: z.number(), output: z.number() } } });
  assert.equal(await system.ref(Typed, plain.address).ask("twice", 12), 1212);
});

test("a reference without a contract reaches an actor with one, in the encoding of the contract", async () => {
  await using system = ActorSystem.local();
  for (const encoding of ["json", "msgpack"] as const) {
    const Add = actorContract("add", {
      ask: { add: { input: z.object({ n: z.number() }), output: z.number() } },
      encoding,
    });
    const ref = await system.spawn(
      actor(Add, { init: () => 1, ask: { add: (ctx, { n }) => ctx.state + n } }),
    );
    const input = encoding === "json" ? bytes('{"n":2}') : Uint8Array.of(0x81, 0xa1, 0x6e, 2);
    const answer = await plainRef(system, ref.address).ask("add", input);
    assert.deepEqual(answer, encoding === "json" ? bytes("3") : Uint8Array.of(3));
    const bad = plainRef(system, ref.address).ask("add", bytes("{"));
    await assert.rejects(bad, { code: "PAYLOAD_INVALID" });
  }
});

/** A reference without a contract: that of a sender. */
function plainRef(system: ActorSystem, address: string) {
  return system.ref(address);
}

test("a mailbox without a definition is iterated, and answers", async () => {
  await using system = ActorSystem.local();
  const box = await system.mailbox({ name: "box", capacity: 2, overflow: "fail" });
  await box.ref.tell("note", bytes("one"));
  const asked = box.ref.ask("question", bytes("two"));
  // Nothing leaves the mailbox before somebody reads.
  await assert.rejects(box.ref.tell("note", bytes("three")), { code: "ACTOR_MAILBOX_FULL" });
  assert.equal(system.lookup("box")?.queued, 2);
  const first = (await box.next()).value;
  assert.deepEqual([first?.kind, first?.name, first?.input], ["tell", "note", bytes("one")]);
  assert.equal(system.lookup("box")?.queued, 1);
  for await (const message of box) {
    assert.equal(message.kind, "ask");
    if (message.kind === "ask") assert.equal(message.reply(bytes("2")), true);
    break;
  }
  assert.deepEqual(await within(asked, 5_000), bytes("2"));
  await until(() => system.lookup("box") === null, { message: () => "the end of the mailbox" });
});

test("a mailbox with a contract has typed messages, and sends as an actor", async () => {
  await using system = ActorSystem.local();
  const Add = actorContract("add", { ask: { add: { input: z.number(), output: z.number() } } });
  await using box = await system.mailbox({ contract: Add });
  const answer = box.ref.ask("add", 1);
  const { value } = await box.next();
  if (value.kind !== "ask") throw new Error("no ask");
  assert.equal(value.sender, null);
  value.reply(value.input + 1);
  assert.equal(await within(answer, 5_000), 2);
  const other = await system.spawn(who);
  assert.equal(await box.context.ask(other, "sender"), box.ref.address);
  const left = box.ref.ask("add", 1);
  const reading = box.next();
  const failed = assert.rejects(left, { code: "ACTOR_STOPPED" });
  await reading;
  await box.close();
  await failed;
  assert.equal((await box.next()).done, true);
});

test("closing a system stops its actors, and refuses what comes later", async () => {
  const system = ActorSystem.local();
  const ended: string[] = [];
  const ref = await system.spawn(actor(Who, {
    init: () => "x",
    onStop: (ctx) => void ended.push(ctx.state),
    ask: { state: (ctx) => ctx.state, sender: () => null },
  }));
  const [one, two] = [system.close(), system.close()];
  assert.equal(one, two);
  await one;
  assert.deepEqual(ended, ["x"]);
  assert.equal(await system.closed, "closed");
  await assert.rejects(ref.ask("state"), { code: "CLOSED" });
  await assert.rejects(system.spawn(who), { code: "CLOSED" });
});
