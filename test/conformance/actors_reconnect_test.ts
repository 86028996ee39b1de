/** A client of actors whose connection is lost and comes back: what was open ends once, and what is new works. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  actor,
  type ActorChannel,
  actorContract,
  actorRef,
  ActorSystem,
  ManagementClient,
  serveManagement,
} from "../../src/actors/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { proxiedNode } from "./actors_kit.ts";
import { all, Feed, feedDefinition, reader } from "./channels_kit.ts";

const Echo = actorContract("echo", {
  tell: { note: z.number() },
  ask: {
    echo: { input: z.number(), output: z.number() },
    /** Answers when the test lets it. */
    held: { input: z.number(), output: z.number() },
  },
});

for (const reset of [false, true]) {
  const how = reset ? "reset" : "closed";
  test(`a client whose connection is ${how} and comes back has each open ask ended once, and its later ones answered`, async () => {
    await using t = await leakCheck();
    const { messenger, system, client, peer, lost, back } = await proxiedNode(t);
    const held = Array.from({ length: 2 }, () => Promise.withResolvers<void>());
    const [started, noted, aborted]: [number[], number[], unknown[]] = [[], [], []];
    const echo = actor(Echo, {
      init: () => null,
      tell: { note: (_ctx, n) => void noted.push(n) },
      ask: {
        echo: (_ctx, n) => n,
        held: (ctx, n) => {
          const reply = ctx.defer();
          reply.signal.addEventListener("abort", () => aborted.push(n));
          started.push(n);
          void held[Math.min(n, 1)]!.promise.then(() => reply.send(n));
        },
      },
    });
    await system.spawn(echo, { name: "echo" });
    const ref = actorRef(client, Echo, `echo@${peer}`);
    const ends: string[] = [];
    const asked = Array.from({ length: 20 }, (_, n) =>
      ref.ask("held", n).then(
        (answer) => ends.push(`answer ${answer}`),
        (error) => ends.push(`${error.code} ${error.ran}`),
      ));
    await until(() => started.length === 20);
    await lost({ reset });
    await within(Promise.all(asked), 5_000, "the ends of the open asks");
    const ended = Array.from({ length: 20 }, () => "PEER_DISCONNECTED maybe");
    assert.deepEqual(ends, ended);
    await until(() => aborted.length === 20, { message: "their handlers know that nobody waits" });
    // What is sent while the connection is away waits for it.
    const waiting = [ref.ask("echo", 1), ref.tell("note", 2), ref.ask("echo", 3)];
    await back();
    assert.deepEqual(await within(Promise.all(waiting), 5_000), [1, undefined, 3]);
    // Answers to the earlier asks come now, beside a later ask of the same name.
    const later = ref.ask("held", 100);
    await until(() => started.length === 21);
    held[0]!.resolve();
    held[1]!.resolve();
    assert.equal(await within(later, 5_000), 100);
    const sums = await within(Promise.all(Array.from({ length: 50 }, (_, n) => ref.ask("echo", n))), 5_000);
    assert.deepEqual(sums, Array.from({ length: 50 }, (_, n) => n));
    assert.deepEqual([ends, noted, started.length], [ended, [2], 21], "and nothing ran twice");
    assert.equal(system.lookup("echo")!.deferred, 0);
    assert.equal(messenger.peers().length, 1);
  });

  test(`channels end as lost on both sides when their connection is ${how}, and new ones open when it is back`, async () => {
    await using t = await leakCheck();
    const { system, client, peer, lost, back } = await proxiedNode(t);
    const own = await system.spawn(feedDefinition, { name: "feed" });
    const openers = t.use(await ActorSystem.create(client));
    const Opener = actorContract("opener", {
      ask: {
        open: { input: z.string(), output: z.string() },
        heard: { input: z.null(), output: z.array(z.string()) },
      },
    });
    const opener = await openers.spawn(actor(Opener, {
      init: () => [] as string[],
      ask: {
        open: async (ctx, address) => {
          const channel = await ctx.open(ctx.ref(Feed, address), "feed", "hi", {
            message: (item) => void ctx.state.push(String(item)),
            close: ({ closedBy, reason }) => void ctx.state.push(`${closedBy}: ${reason}`),
          });
          await channel.send("four");
          return channel.id;
        },
        heard: (ctx) => ctx.state,
      },
    }));
    const ref = actorRef(client, Feed, `feed@${peer}`);
    const before = await Promise.all(Array.from({ length: 3 }, () => ref.open("feed", "hi")));
    const read = before.map((one) => all(one).catch((error) => error.code));
    await opener.ask("open", ref.address);
    await until(() => system.channels(own).length === 4);
    const unanswered = assert.rejects(ref.open("feed", "silent"), { code: "PEER_DISCONNECTED" });
    await until(() => system.channels(own).length === 5, { message: "the open that is not answered" });
    await lost({ reset });
    for (const { closed } of before) {
      assert.deepEqual(await within(closed, 5_000), { closedBy: "target", reason: "peerLost" });
    }
    await within(unanswered, 5_000, "the end of the open");
    const ends = await within(Promise.all(read), 5_000, "the ends of the iterations");
    assert.deepEqual(ends, before.map(() => "PEER_DISCONNECTED"));
    await until(async () => (await own.ask("said", null)).filter((one) => one.includes("Lost")).length === 4);
    const lostAtTarget = (await own.ask("said", null)).filter((one) => one.startsWith("closed"));
    assert.deepEqual([...new Set(lostAtTarget)], ["closed by opener: peerLost"]);
    await until(() => system.channels(own).length === 0);
    await until(async () => (await opener.ask("heard", null)).at(-1) === "target: peerLost");
    await back();
    const after = await within(ref.open("feed", "hi"), 5_000);
    const next = reader(after as ActorChannel<never, unknown>);
    assert.equal(await next(), "right after");
    await assert.rejects(before[0]!.send("x"), {
      code: "ACTOR_CHANNEL_CLOSED",
      message: /the target was lost: peerLost/,
    });
    await after.send("three");
    assert.equal(await next(), 5);
    const id = await opener.ask("open", ref.address);
    await until(async () => (await opener.ask("heard", null)).length === 5);
    const heard = ["right after", "4"];
    assert.deepEqual(await opener.ask("heard", null), [...heard, "target: peerLost", ...heard]);
    assert.deepEqual(new Set(system.channels(own).map((one) => one.id)), new Set([id, after.id]));
    assert.deepEqual([system.stats().channels.lost, openers.stats().channels.lost], [4, 1]);
  });
}

test("a management client whose connection comes back goes on with the same client", async () => {
  await using t = await leakCheck();
  const { system, client, peer, lost, back } = await proxiedNode(t);
  await system.spawn(feedDefinition, { name: "feed" });
  t.use(serveManagement(system));
  const actors = new ManagementClient(client, peer);
  const events = await actors.events("feed");
  const seen = Array.fromAsync(events).catch((error) => error.code);
  const never = actor({ init: () => null, ask: { wait: () => new Promise<Uint8Array>(() => {}) } });
  await system.spawn(never, { name: "never" });
  const asked = assert.rejects(actors.ask("never", "wait", new Uint8Array()), { code: "PEER_DISCONNECTED" });
  await until(() => system.lookup("never")!.busy);
  await lost({ reset: false });
  await within(asked, 5_000, "the end of the command");
  await within(seen, 5_000, "the end of the subscription");
  const waiting = actors.status("feed");
  await back();
  assert.equal((await within(waiting, 5_000)).name, "feed");
  const again = await actors.events("feed");
  await actors.pause("feed");
  assert.equal(((await within(again.next(), 5_000)).value as { type: string }).type, "paused");
  await again.return!();
  system.terminate("never");
});
