/** Mailboxes in one process: order, room, what happens without room, dead letters, and control beside them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  actor,
  actorContract,
  type ActorRef,
  ActorSystem,
  type DeadLetter,
  type MailboxOptions,
} from "../../src/actors/mod.ts";
import { FakeClock } from "../unit/core_fake_clock.ts";
import { until, within } from "../support/until.ts";

const Sink = actorContract("sink", {
  tell: { hit: z.number(), block: z.undefined() },
  ask: {
    seen: { input: z.undefined(), output: z.array(z.number()) },
    get: { input: z.number(), output: z.number() },
  },
});

/** An actor that remembers numbers; `block` lasts until the gate is open. */
const sink = (gate: Promise<void>) =>
  actor(Sink, {
    init: () => [] as number[],
    tell: { hit: (ctx, n) => void ctx.state.push(n), block: () => gate },
    ask: { seen: (ctx) => [...ctx.state], get: (ctx, n) => (ctx.state.push(n), n) },
  });

/** A system with an actor that is busy until `open`, and whose mailbox is empty. */
async function blocked(
  mailbox: MailboxOptions,
): Promise<{ system: ActorSystem; ref: ActorRef<typeof Sink>; open: () => void } & AsyncDisposable> {
  const gate = Promise.withResolvers<void>();
  const system = ActorSystem.local();
  const ref = await system.spawn(sink(gate.promise), { mailbox });
  await ref.tell("block");
  await until(() => system.lookup(ref)?.busy, { message: () => "the handler" });
  return {
    system,
    ref,
    open: gate.resolve,
    [Symbol.asyncDispose]: async () => {
      gate.resolve();
      await system.close();
    },
  };
}

test("messages of each sender are handled in their order, across tells and asks", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(sink(Promise.resolve()), { mailbox: { capacity: 4_000 } });
  const sends: Promise<unknown>[] = [];
  for (let i = 0; i < 1_000; i++) {
    sends.push(i % 3 === 0 ? ref.ask("get", i) : ref.tell("hit", i));
    sends.push(ref.tell("hit", 10_000 + i));
  }
  await Promise.all(sends);
  const seen = await ref.ask("seen");
  assert.equal(seen.length, 2_000);
  for (const one of [seen.filter((n) => n < 10_000), seen.filter((n) => n >= 10_000)]) {
    assert.deepEqual(one, one.toSorted((a, b) => a - b));
  }
});

test("a handler's promise settles before the next message's turn", async () => {
  const events: string[] = [];
  const Slow = actorContract("slow", {
    tell: { work: z.string() },
    ask: { end: { input: z.undefined(), output: z.null() } },
  });
  await using system = ActorSystem.local();
  const ref = await system.spawn(actor(Slow, {
    init: () => null,
    tell: {
      work: async (_ctx, name) => {
        events.push(`${name} begins`);
        await new Promise<void>((resolve) => setImmediate(resolve));
        events.push(`${name} ends`);
      },
    },
    ask: { end: () => null },
  }));
  void ref.tell("work", "a");
  void ref.tell("work", "b");
  await ref.ask("end");
  assert.deepEqual(events, ["a begins", "a ends", "b begins", "b ends"]);
});

test("wait: a sender waits for room in its turn, until its time is over or it gives up", async () => {
  await using scene = await blocked({ capacity: 2, maxWaiting: 3 });
  const { system, ref, open } = scene;
  await ref.tell("hit", 1);
  await ref.tell("hit", 2);
  const third = ref.tell("hit", 3);
  const cancel = new AbortController();
  const given = ref.tell("hit", 4, { signal: cancel.signal });
  const late = ref.tell("hit", 5, { timeoutMs: 20 });
  assert.deepEqual([system.lookup(ref)?.queued, system.lookup(ref)?.waiting], [2, 3]);
  await assert.rejects(ref.tell("hit", 6), {
    code: "ACTOR_MAILBOX_FULL",
    message: /2 messages, and 3 senders/,
  });
  await assert.rejects(within(late, 5_000), { code: "TIMEOUT", ran: "no" });
  const reason = new Error("enough");
  cancel.abort(reason);
  await assert.rejects(given, (error) => error === reason);
  const asked = ref.ask("get", 7);
  open();
  await within(Promise.all([third, asked]), 5_000);
  assert.deepEqual(await ref.ask("seen"), [1, 2, 3, 7]);
});

test("an ask that waits for room fails at its deadline, and its message is never handled", async () => {
  await using scene = await blocked({ capacity: 1 });
  const { ref, open, system } = scene;
  await ref.tell("hit", 1);
  await assert.rejects(within(ref.ask("get", 2, { timeoutMs: 20 }), 5_000), { code: "TIMEOUT", ran: "no" });
  open();
  assert.deepEqual(await ref.ask("seen"), [1]);
  assert.equal(system.stats().deadLetters.lateReply, 0);
});

for (const [overflow, kept] of [["fail", [1, 2]], ["dropNewest", [1, 2]], ["dropOldest", [2, 3]]] as const) {
  test(`${overflow}: a message without room is treated by the policy, and counted`, async () => {
    await using scene = await blocked({ capacity: 2, overflow });
    const { system, ref, open } = scene;
    const letters = system.deadLetters();
    await ref.tell("hit", 1);
    await ref.tell("hit", 2);
    const third = ref.tell("hit", 3);
    if (overflow === "fail") await assert.rejects(third, { code: "ACTOR_MAILBOX_FULL" });
    else await third;
    const { value } = await letters.next();
    const letter = value as DeadLetter;
    assert.deepEqual(
      [letter.reason, letter.kind, letter.name, letter.target],
      [overflow === "fail" ? "full" : "dropped", "tell", "hit", ref.address],
    );
    await letters.return?.();
    open();
    await until(() => system.lookup(ref)?.queued === 0, { message: () => "the mailbox" });
    assert.deepEqual(await ref.ask("seen"), [...kept]);
  });
}

test("an ask that is dropped without room fails with ACTOR_MAILBOX_FULL", async () => {
  await using scene = await blocked({ capacity: 1, overflow: "dropOldest" });
  const asked = scene.ref.ask("get", 1);
  await scene.ref.tell("hit", 2);
  await assert.rejects(within(asked, 5_000), { code: "ACTOR_MAILBOX_FULL" });
});

test("a full mailbox and a busy handler hold up neither other actors nor control", async () => {
  await using scene = await blocked({ capacity: 1 });
  const { system, ref } = scene;
  await ref.tell("hit", 1);
  const waiting = Array.from({ length: 100 }, (_, n) => ref.tell("hit", n));
  const other = await system.spawn(sink(Promise.resolve()), { name: "other" });
  assert.equal(await within(other.ask("get", 5), 5_000), 5);
  assert.deepEqual(system.list().map(({ busy, waiting }) => [busy, waiting]), [[true, 100], [false, 0]]);
  system.pause(ref);
  assert.equal(system.lookup(ref)?.phase, "paused");
  system.terminate(ref);
  const outcomes = await within(Promise.allSettled(waiting), 5_000);
  assert.ok(outcomes.every((one) => one.status === "rejected" && one.reason.code === "ACTOR_STOPPED"));
});

test("a paused actor holds its mail, and handles it in its order after resume", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(sink(Promise.resolve()));
  system.pause(ref);
  await ref.tell("hit", 1);
  await ref.tell("hit", 2);
  assert.equal(system.lookup(ref)?.queued, 2);
  const seen = ref.ask("seen");
  system.resume(ref);
  assert.deepEqual(await within(seen, 5_000), [1, 2]);
});

test("a tell that nobody awaits is no unhandled rejection, and becomes a dead letter with its reason", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(sink(Promise.resolve()));
  const letters = system.deadLetters();
  void ref.tell("hit", "x" as never);
  void system.ref(Sink, "nobody").tell("hit", 1);
  const reasons: string[] = [];
  for await (const letter of letters) {
    if (letter.type === "deadLetter") reasons.push(letter.reason);
    if (reasons.length === 2) break;
  }
  assert.deepEqual(reasons, ["invalid", "notFound"]);
  assert.equal(system.stats().deadLetters.notFound, 1);
});

test("the rest of a stopped actor's mailbox goes to dead letters, while the running handler ends", async () => {
  const gate = Promise.withResolvers<void>();
  await using system = ActorSystem.local();
  const letters = system.deadLetters();
  const ref = await system.spawn(sink(gate.promise));
  void ref.tell("block");
  await until(() => system.lookup(ref)?.busy, { message: () => "the handler" });
  await ref.tell("hit", 1);
  const asked = ref.ask("seen");
  const stopped = system.stop(ref);
  await assert.rejects(ref.tell("hit", 2), { code: "ACTOR_STOPPED" });
  gate.resolve();
  await assert.rejects(within(asked, 5_000), { code: "ACTOR_STOPPED" });
  assert.deepEqual(await stopped, { reason: "stopped" });
  const names: string[] = [];
  for await (const letter of letters) {
    if (letter.type === "deadLetter") names.push(`${letter.name} ${letter.reason}`);
    if (names.length === 2) break;
  }
  assert.deepEqual(names.toSorted(), ["hit stopped", "hit stopped"]);
});

test("a schema that needs time keeps a message's place, and refuses it without a turn", async () => {
  const slow = z.number().refine(async (n) => {
    await new Promise<void>((resolve) => setImmediate(resolve));
    return n > 0;
  });
  const Slow = actorContract("slow", {
    tell: { slow, fast: z.number() },
    ask: { seen: { input: z.undefined(), output: z.array(z.number()) } },
  });
  await using system = ActorSystem.local();
  const ref = await system.spawn(actor(Slow, {
    init: () => [] as number[],
    tell: { slow: (ctx, n) => void ctx.state.push(n), fast: (ctx, n) => void ctx.state.push(n) },
    ask: { seen: (ctx) => ctx.state },
  }));
  const sends = [ref.tell("slow", 1), ref.tell("fast", 2)];
  const refused = ref.tell("slow", -1);
  await Promise.all(sends);
  await assert.rejects(refused, { code: "PAYLOAD_INVALID" });
  assert.deepEqual(await ref.ask("seen"), [1, 2]);
});

for (const overflow of ["dropOldest", "dropNewest", "fail"] as const) {
  test(`${overflow}: an actor that needs more than its share of a turn goes on although a sender keeps the event loop busy`, async () => {
    const clock = new FakeClock();
    await using system = ActorSystem.local({ clock });
    let handled = 0;
    const ref = await system.spawn(
      actor(actorContract("hit", { tell: { hit: z.number() } }), {
        init: () => null,
        // Longer than the actors' share of a turn.
        tell: { hit: () => void (handled++, clock.advance(2)) },
      }),
      { mailbox: { capacity: 4, overflow } },
    );
    for (let i = 0; i < 4; i++) void ref.tell("hit", i);
    for (let i = 0; i < 10_000; i++) await ref.tell("hit", i).catch(() => {});
    assert.ok(handled > 4, `${handled} were handled`);
  });
}
