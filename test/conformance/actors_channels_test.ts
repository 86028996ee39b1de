/** Channels between actors of one process, and to their users. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  actor,
  type ActorChannel,
  actorContract,
  ActorSystem,
  type ChannelEnd,
} from "../../src/actors/mod.ts";
import { until, within } from "../support/until.ts";
import { all, Feed, feedDefinition, reader } from "./channels_kit.ts";

test("a channel is opened with a first item and accepted with another one, and items go both ways in order", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(feedDefinition);
  const feed = await within(ref.open("feed", "hi"), 5_000);
  assert.equal(feed.first, "welcome");
  const next = reader(feed as ActorChannel<never, unknown>);
  assert.equal(await next(), "right after");
  await feed.send("four");
  await feed.send("");
  assert.deepEqual([await next(), await next()], [4, 0]);
  await feed.close("done");
  assert.deepEqual(await within(feed.closed, 5_000), { closedBy: "opener", reason: "done" });
  await until(async () => (await ref.ask("said", null)).includes("closed by opener: done"));
  const said = await ref.ask("said", null);
  assert.deepEqual(said, [`open by ${system.instanceId}`, "four", "", "closed by opener: done"]);
});

test("a rejected channel tells its reason, and nothing is left of it", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(feedDefinition);
  await assert.rejects(ref.open("feed", "ho"), { code: "ACTOR_CHANNEL_REJECTED", message: /say hi/ });
  assert.deepEqual(system.channels(ref), []);
  assert.equal(system.stats().channels.rejected, 1);
});

test("a channel to an unknown actor, of an unknown kind, with a wrong value or a failing handler has its own error", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(feedDefinition);
  await assert.rejects(system.ref(Feed, "nobody").open("feed", "hi"), { code: "ACTOR_NOT_FOUND" });
  await assert.rejects(ref.open("fee" as never, "hi" as never), { code: "HANDLER_NOT_FOUND" });
  await assert.rejects(ref.open("feed", 1 as never), { code: "PAYLOAD_INVALID" });
  await assert.rejects(ref.open("feed", "throw"), { code: "HANDLER_FAILED", message: /no paper/ });
  await assert.rejects(ref.open("feed", "wrong"), { code: "RESULT_INVALID" });
  const feed = await ref.open("feed", "hi");
  await assert.rejects(feed.send(1 as never), { code: "PAYLOAD_INVALID" });
  assert.deepEqual(system.stats().channels.opening, 0);
});

test("the target closes: its opener reads all earlier items, and hears of the end once", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(feedDefinition);
  const feed = await ref.open("feed", "hi");
  await feed.send("one");
  await feed.send("bye");
  assert.deepEqual(await within(all(feed), 5_000), ["right after", 3]);
  const end: ChannelEnd = { closedBy: "target", reason: "you said bye" };
  assert.deepEqual(await feed.closed, end);
  await feed.close("too late");
  assert.deepEqual(await feed.closed, end);
  await assert.rejects(feed.send("x"), { code: "ACTOR_CHANNEL_CLOSED", message: /you said bye/ });
  assert.deepEqual((await ref.ask("said", null)).slice(1), [
    "one",
    "bye",
    "closed by target: you said bye",
  ]);
});

test("a side that has ended its sending still receives, and the channel ends when both have", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(feedDefinition);
  const feed = await ref.open("feed", "hi");
  await feed.send("one");
  await feed.endSending();
  await assert.rejects(feed.send("two"), { code: "ACTOR_CHANNEL_CLOSED", message: /ended its sending/ });
  const next = reader(feed as ActorChannel<never, unknown>);
  assert.deepEqual([await next(), await next(), await next()], ["right after", 3, "last"]);
  assert.equal(system.channels(ref)[0]!.state, "open");
  await feed.close();
  assert.deepEqual(await feed.closed, { closedBy: "opener", reason: "closed" });
});

test("a slow actor fills its own channel's window: further items wait, other channels and messages go on", async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  await using system = ActorSystem.local();
  const slow = await system.spawn(feedDefinition, { args: released });
  const quick = await system.spawn(feedDefinition);
  const full = await slow.open("feed", "hi");
  await full.send("wait");
  await until(() => system.lookup(slow)!.busy && system.channels(slow)[0]!.queued === 0);
  const sending = Array.from({ length: 1_500 }, () => full.send("x"));
  assert.equal(system.channels(slow)[0]!.queued, 1_024);
  await slow.tell("note", "a tell gets its place");
  const other = await quick.open("feed", "hi");
  await other.send("other");
  const items = reader(other as ActorChannel<never, unknown>);
  assert.deepEqual([await items(), await items()], ["right after", 5]);
  const refused = sending.concat(Array.from({ length: 1_000 }, () => full.send("y")));
  await assert.rejects(Promise.all(refused), { code: "QUEUE_FULL" });
  release();
  void all(full);
  await within(Promise.all(sending), 10_000);
});

test("closings that cross end a channel once, with the target's reason on both sides", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(feedDefinition);
  for (let i = 0; i < 50; i++) {
    const feed = await ref.open("feed", "hi");
    await feed.send("bye");
    await Promise.all([feed.close("mine"), feed.close("again")]);
    await feed.closed;
  }
  const closings = (await ref.ask("said", null)).filter((one) => one.startsWith("closed"));
  assert.equal(closings.length, 50);
  assert.equal(system.stats().channels.open, 0);
});

test("an actor opens a channel to another one, whose items are its own turns", async () => {
  const Talker = actorContract("talker", {
    ask: {
      talk: { input: z.string(), output: z.array(z.string()) },
      heard: { input: z.null(), output: z.array(z.string()) },
    },
  });
  const talker = actor(Talker, {
    init: () => ({ heard: [] as string[] }),
    ask: {
      async talk(ctx, address) {
        const channel = await ctx.open(ctx.ref(Feed, address), "feed", "hi", {
          message: (item) => void ctx.state.heard.push(String(item)),
          close: (end) => void ctx.state.heard.push(`closed by ${end.closedBy}`),
        });
        await channel.send("hello");
        assert.throws(() => channel[Symbol.asyncIterator](), TypeError);
        assert.deepEqual(ctx.channels().map(({ role, name }) => [role, name]), [["opener", "feed"]]);
        await channel.send("bye");
        return [String(channel.first), channel.id];
      },
      heard: (ctx) => ctx.state.heard,
    },
  });
  await using system = ActorSystem.local();
  const feed = await system.spawn(feedDefinition);
  const ref = await system.spawn(talker);
  assert.equal((await within(ref.ask("talk", feed.address), 5_000))[0], "welcome");
  await until(async () => (await ref.ask("heard", null)).length === 3);
  assert.deepEqual(await ref.ask("heard", null), ["right after", "5", "closed by target"]);
  assert.equal((await feed.ask("said", null))[0], `open by ${ref.address}`);
  assert.deepEqual(system.stats().channels.open, 0);
});
