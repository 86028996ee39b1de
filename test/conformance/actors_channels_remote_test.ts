/** Channels to actors of other instances: as in one process, over two streams. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ActorChannel, actorRef } from "../../src/actors/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { served } from "./actors_kit.ts";
import { all, Feed, feedDefinition, reader } from "./channels_kit.ts";

test("a client that only dials opens a channel to an actor, and items go both ways in order", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  const own = await system.spawn(feedDefinition, { name: "feed" });
  const ref = actorRef(client, Feed, `feed@${peer}`);
  const feed = await within(ref.open("feed", "hi"), 5_000);
  assert.equal(feed.first, "welcome");
  const next = reader(feed as ActorChannel<never, unknown>);
  assert.equal(await next(), "right after");
  await feed.send("four");
  await feed.send("");
  assert.deepEqual([await next(), await next()], [4, 0]);
  await feed.close("done");
  assert.deepEqual(await within(feed.closed, 5_000), { closedBy: "opener", reason: "done" });
  await until(async () => (await own.ask("said", null)).length === 4);
  assert.deepEqual(await own.ask("said", null), [
    `open by ${client.instanceId}`,
    "four",
    "",
    "closed by opener: done",
  ]);
});

test("over the wire a refusal has its reason, and each failure its own code", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  const own = await system.spawn(feedDefinition, { name: "feed" });
  const ref = actorRef(client, Feed, `feed@${peer}`);
  await assert.rejects(ref.open("feed", "ho"), {
    code: "ACTOR_CHANNEL_REJECTED",
    message: /say hi/,
    details: { reason: "say hi" },
  });
  await assert.rejects(actorRef(client, Feed, `nobody@${peer}`).open("feed", "hi"), {
    code: "ACTOR_NOT_FOUND",
  });
  await assert.rejects(ref.open("fee" as never, "hi" as never), { code: "HANDLER_NOT_FOUND" });
  await assert.rejects(ref.open("feed", 1 as never), { code: "PAYLOAD_INVALID" });
  await assert.rejects(ref.open("feed", "throw"), { code: "HANDLER_FAILED", message: /no paper/ });
  await assert.rejects(ref.open("feed", "wrong"), { code: "RESULT_INVALID" });
  await assert.rejects(ref.open("feed", "hi", { message: () => {} } as never), TypeError);
  assert.deepEqual(system.channels(own), []);
});

test("over the wire the target closes: its opener reads all earlier items, and hears of the end once", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  const own = await system.spawn(feedDefinition, { name: "feed" });
  const feed = await actorRef(client, Feed, `feed@${peer}`).open("feed", "hi");
  await feed.send("one");
  await feed.send("bye");
  assert.deepEqual(await within(all(feed), 5_000), ["right after", 3]);
  const end = { closedBy: "target", reason: "you said bye" };
  assert.deepEqual(await feed.closed, end);
  await feed.close("too late");
  await assert.rejects(feed.send("x"), { code: "ACTOR_CHANNEL_CLOSED", message: /you said bye/ });
  await until(() => system.stats().channels.open === 0);
  assert.deepEqual((await own.ask("said", null)).slice(1), ["one", "bye", "closed by target: you said bye"]);
});

test("over the wire closings that cross end a channel once, with the same end on both sides", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  const own = await system.spawn(feedDefinition, { name: "feed" });
  const ref = actorRef(client, Feed, `feed@${peer}`);
  const ends: string[] = [];
  for (let i = 0; i < 40; i++) {
    const feed = await ref.open("feed", "hi");
    await feed.send("bye");
    if (i % 2 === 1) await Promise.resolve();
    await Promise.all([feed.close("mine"), feed.close("again")]);
    const { closedBy, reason } = await within(feed.closed, 5_000);
    ends.push(`closed by ${closedBy}: ${reason}`);
  }
  await until(() => system.stats().channels.open === 0);
  const closings = (await own.ask("said", null)).filter((one) => one.startsWith("closed"));
  assert.deepEqual(closings, ends);
});

test("over the wire a side that has ended its sending still receives", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  const own = await system.spawn(feedDefinition, { name: "feed" });
  const feed = await actorRef(client, Feed, `feed@${peer}`).open("feed", "hi");
  await feed.send("one");
  await feed.endSending();
  const next = reader(feed as ActorChannel<never, unknown>);
  assert.deepEqual([await next(), await next(), await next()], ["right after", 3, "last"]);
  assert.equal(system.channels(own)[0]!.state, "open");
  await feed.close();
  assert.deepEqual(await within(feed.closed, 5_000), { closedBy: "opener", reason: "closed" });
});

test("a channel that its opener never iterates takes no room of the connection after its end", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t, { messenger: { streams: { maxPeerStreams: 2 } } });
  await system.spawn(feedDefinition, { name: "feed" });
  const ref = actorRef(client, Feed, `feed@${peer}`);
  for (let i = 0; i < 6; i++) {
    // The room comes back shortly after the end.
    const feed = await until(() => ref.open("feed", "hi").catch(() => null), { timeoutMs: 1_000 });
    await feed.send("bye");
    assert.equal((await within(feed.closed, 5_000)).reason, "you said bye");
    if (i === 5) assert.deepEqual(await all(feed), ["right after"]);
  }
});
