/** How channels are opened late, and how they end: stops, strangers, idle times, limits, updates. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { guardLogger, newInstanceId, systemClock } from "../../src/core/mod.ts";
import {
  actor,
  type ActorChannel,
  actorContract,
  actorRef,
  ActorSystem,
  type ChannelEnd,
  type OpeningChannel,
} from "../../src/actors/mod.ts";
import { behaviourOf } from "../../src/actors/definition/behaviour.ts";
import { resolveSystemOptions } from "../../src/actors/options/system_options.ts";
import { SystemCore } from "../../src/actors/system/core.ts";
import { coreOf } from "../../src/actors/system/system.ts";
import { portOf } from "../../src/messenger/mod.ts";
import { streamsAt } from "../../src/streams/mod.ts";
import { FakeClock } from "../unit/core_fake_clock.ts";
import { leakCheck } from "../support/fixture.ts";
import { pause, until, within } from "../support/until.ts";
import { served } from "./actors_kit.ts";
import { all, Feed, feedDefinition, reader } from "./channels_kit.ts";

const Door = actorContract("door", {
  ask: {
    /** Opens the channel that waits longest. */
    let: { input: z.string(), output: z.null() },
    noted: { input: z.null(), output: z.array(z.string()) },
    /** The codes of what `ctx.channel(id)` does. */
    use: { input: z.string(), output: z.string() },
  },
  channel: { door: { fromOpener: z.string(), toOpener: z.string() } },
});

/** An actor that lets channels wait until it is told. */
const door = actor(Door, {
  init: () => ({ waiting: [] as OpeningChannel<string>[], noted: [] as string[] }),
  ask: {
    let: (ctx, what) => {
      const one = ctx.state.waiting.shift()!;
      if (what !== "no") void one.accept(what).send("after");
      else one.reject("closed today");
      return null;
    },
    noted: (ctx) => ctx.state.noted,
    use: async (ctx, id) => {
      try {
        await ctx.channel(id).close("by its id");
        return "closed";
      } catch (error) {
        return (error as { code: string }).code;
      }
    },
  },
  channel: {
    door: {
      open: (ctx, channel) => void ctx.state.waiting.push(channel),
      message: (ctx, _channel, text) => void ctx.state.noted.push(text),
      close: (ctx, _channel, { closedBy, reason }) => void ctx.state.noted.push(`${closedBy}: ${reason}`),
    },
  },
});

test("channels that wait for accept hold up no message, and are accepted or refused later", async () => {
  await using system = ActorSystem.local();
  const ref = await system.spawn(door);
  const opens = Array.from({ length: 1_000 }, (_, i) => ref.open("door", `${i}`));
  assert.equal(system.channels(ref).filter(({ state }) => state === "opening").length, 1_000);
  for (let i = 0; i < 1_000; i++) await ref.ask("noted", null);
  await ref.ask("let", "in");
  await ref.ask("let", "no");
  const first = await within(opens[0]!, 5_000);
  assert.equal(first.first, "in");
  assert.equal(await reader(first as ActorChannel<never, string>)(), "after");
  await assert.rejects(opens[1]!, { code: "ACTOR_CHANNEL_REJECTED", message: /closed today/ });
  const rest = Promise.allSettled(opens.slice(2));
  await system.stop(ref);
  const codes = (await rest).map((one) => (one as { reason: { code: string } }).reason.code);
  assert.deepEqual([...new Set(codes)], ["ACTOR_STOPPED"]);
  assert.deepEqual(await within(first.closed, 5_000), { closedBy: "target", reason: "peerStopped" });
  assert.deepEqual([system.stats().channels.opening, system.stats().channels.open], [0, 0]);
});

for (const where of ["one process", "another instance"] as const) {
  test(`in ${where} an opener that gives up is told in time, and a late accept is closed at the target`, async () => {
    await using t = await leakCheck();
    const { system, client, peer } = await served(t);
    const own = await system.spawn(door, { name: "door" });
    const ref = where === "one process" ? own : actorRef(client, Door, `door@${peer}`);
    const gone = new AbortController();
    const late = ref.open("door", "a", { timeoutMs: 50 });
    const left = ref.open("door", "b", { signal: gone.signal });
    await assert.rejects(within(late, 2_000), { code: "TIMEOUT" });
    await until(() => system.channels(own).length === 1);
    gone.abort(new Error("enough"));
    await assert.rejects(left, /enough/);
    await until(() => system.stats().channels.abandoned === 2);
    await own.ask("let", "in");
    await own.ask("let", "in");
    await until(async () => (await own.ask("noted", null)).length === 2);
    const [first, second] = await own.ask("noted", null);
    // Over the wire the opener cancels its call at the time at which the target's deadline passes.
    assert.match(first!, where === "one process" ? /^opener: timeout$/ : /^opener: (?:timeout|cancelled)$/);
    assert.equal(second, "opener: cancelled");
    assert.deepEqual(system.channels(own), []);
    assert.equal(system.stats().channels.open, 0);
  });

  test(`in ${where} the end of an actor ends its channels at all openers, and another one with its id has none`, async () => {
    await using t = await leakCheck();
    const { system, client, peer } = await served(t);
    const own = await system.spawn(feedDefinition, { name: "feed" });
    const { id } = system.lookup(own)!;
    const ref = where === "one process" ? own : actorRef(client, Feed, `feed@${peer}`);
    const channels = await Promise.all(Array.from({ length: 20 }, () => ref.open("feed", "hi")));
    await channels[0]!.send("one");
    const items = all(channels[0]!);
    await until(async () => (await own.ask("said", null)).includes("one"));
    system.terminate(own);
    for (const { closed } of channels) {
      assert.deepEqual(await within(closed, 5_000), { closedBy: "target", reason: "peerStopped" });
    }
    assert.deepEqual(await items, ["right after", 3]);
    const again = await system.spawn(feedDefinition, { id, name: "feed" });
    await assert.rejects(channels[1]!.send("x"), { code: "ACTOR_CHANNEL_CLOSED", message: /peerStopped/ });
    assert.deepEqual(system.channels(again), []);
    assert.deepEqual(await again.ask("said", null), []);
  });

  test(`in ${where} an idle channel ends with its reason, from either side, and items keep it open`, async () => {
    await using t = await leakCheck();
    const { system, client, peer } = await served(t);
    const own = await system.spawn(feedDefinition, { name: "feed" });
    const ref = where === "one process" ? own : actorRef(client, Feed, `feed@${peer}`);
    const startedAt = performance.now();
    const feed = await ref.open("feed", "hi", { idleTimeoutMs: 120 });
    const busy = await ref.open("feed", "hi", { idleTimeoutMs: 120 });
    const items = reader(busy as ActorChannel<never, unknown>);
    await items();
    let over = false;
    void feed.closed.then(() => over = true);
    while (!over) {
      await busy.send("x");
      await items();
      await pause(5);
    }
    assert.deepEqual(await feed.closed, { closedBy: "opener", reason: "idle" });
    assert.ok(performance.now() - startedAt >= 115);
    assert.equal(system.channels(own).length, 1);
    await busy.close();
  });

  test(`in ${where} a reader that takes nothing fills its own window, and holds up no other channel`, async () => {
    await using t = await leakCheck();
    const { system, client, peer } = await served(t);
    const Source = actorContract("source", {
      ask: { sent: { input: z.null(), output: z.number() } },
      channel: { items: { fromOpener: z.number(), toOpener: z.number() } },
    });
    const source = actor(Source, {
      init: () => ({ sent: 0 }),
      ask: { sent: (ctx) => ctx.state.sent },
      channel: {
        items: {
          open(ctx, channel, count) {
            const accepted = channel.accept();
            void (async () => {
              for (let i = 0; i < count; i++) {
                await accepted.send(i);
                ctx.state.sent++;
              }
              await accepted.close("all sent");
            })();
          },
        },
      },
    });
    const own = await system.spawn(source, { name: "source" });
    const ref = where === "one process" ? own : actorRef(client, Source, `source@${peer}`);
    const unread = await ref.open("items", 5_000);
    await until(async () => await own.ask("sent", null) === 1_024);
    assert.equal(system.channels(own)[0]!.waiting, 1);
    const other = await ref.open("items", 2_000);
    assert.equal((await within(all(other), 5_000)).length, 2_000);
    assert.deepEqual(await other.closed, { closedBy: "target", reason: "all sent" });
    assert.equal(await own.ask("sent", null), 3_024);
    const items = await within(all(unread), 10_000);
    assert.deepEqual(items, Array.from({ length: 5_000 }, (_, i) => i));
  });
}

test("a stranger can neither use nor close a channel by its id, and the channel lives on", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  const own = await system.spawn(door, { name: "door" });
  const stranger = await system.spawn(door);
  const opening = actorRef(client, Door, `door@${peer}`).open("door", "hi");
  await until(() => system.channels(own).length === 1);
  await own.ask("let", "in");
  const channel = await opening;
  assert.equal(channel.id, system.channels(own)[0]!.id);
  assert.equal(await stranger.ask("use", channel.id), "ACTOR_NOT_A_PARTICIPANT");
  await channel.send("still here");
  await until(async () => (await own.ask("noted", null)).includes("still here"));
  assert.equal(await stranger.ask("use", crypto.randomUUID()), "ACTOR_CHANNEL_CLOSED");
  assert.equal(await own.ask("use", channel.id), "closed");
  assert.deepEqual(await within(channel.closed, 5_000), { closedBy: "target", reason: "by its id" });
  await until(async () => await own.ask("use", channel.id) === "ACTOR_CHANNEL_CLOSED");
});

test("if both sides close a channel before they hear of each other, the target's reason counts on both", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  const own = await system.spawn(door, { name: "door" });
  const ref = actorRef(client, Door, `door@${peer}`);
  for (let round = 1; round <= 20; round++) {
    const opening = ref.open("door", "hi");
    await until(() => system.channels(own).length === 1);
    await own.ask("let", "in");
    const channel = await opening;
    const closing = own.ask("use", channel.id);
    await Promise.all([channel.close("mine"), closing]);
    assert.deepEqual(await within(channel.closed, 5_000), { closedBy: "target", reason: "by its id" });
    await until(() => system.channels(own).length === 0);
    assert.deepEqual(await own.ask("noted", null), Array.from({ length: round }, () => "target: by its id"));
  }
});

test("a closing waits for items without room, for a limited time", async () => {
  const clock = new FakeClock();
  const system = ActorSystem.local({ clock });
  const ref = await system.spawn(feedDefinition);
  const feed = await ref.open("feed", "hi");
  system.pause(ref);
  const sending = Array.from(
    { length: 1_100 },
    (_, i) => feed.send(`${i}`).then(() => true, ({ code }) => code),
  );
  const closing = feed.close("enough");
  assert.equal(system.channels(ref)[0]!.queued, 1_024);
  await assert.rejects(feed.send("x"), { code: "ACTOR_CHANNEL_CLOSED" });
  // The deadlines of a turn are counted from its end.
  await Promise.resolve();
  clock.advance(5_010);
  await within(closing, 5_000);
  assert.deepEqual(await within(feed.closed, 5_000), { closedBy: "opener", reason: "enough" });
  const results = await Promise.all(sending);
  assert.deepEqual([...new Set(results.slice(0, 1_024))], [true]);
  assert.deepEqual([...new Set(results.slice(1_024))], ["ACTOR_CHANNEL_CLOSED"]);
  system.resume(ref);
  const said = await ref.ask("said", null);
  assert.deepEqual([said.length, said.at(-1)], [1_026, "closed by opener: enough"]);
  await system.close();
});

test("another instance that names a channel's streams reaches neither of them, and the channel lives on", async () => {
  await using t = await leakCheck();
  const { messenger, system, client, peer } = await served(t);
  const own = await system.spawn(feedDefinition, { name: "feed" });
  const feed = await actorRef(client, Feed, `feed@${peer}`).open("feed", "hi");
  const stranger = await t.messenger({ listen: false });
  await stranger.connect(messenger.endpoint);
  const port = portOf(stranger)!;
  const ends: string[] = [];
  for (let anchor = 1n; anchor <= 20n; anchor++) {
    const about = { anchor, session: anchor, window: { items: 10, bytes: 1_000 }, creditsBytes: true };
    const writer = streamsAt(port).openWriter(peer, about, { ended: ({ text }) => ends.push(text) });
    writer.write(Uint8Array.of(0, 0x22, 0x78, 0x22));
  }
  await until(() => ends.length === 20);
  assert.deepEqual([...new Set(ends)], ["the reader does not know the stream"]);
  assert.ok(messenger.stats().streams!.dropped["unknownSlot"]! >= 20, "what reaches nobody is counted");
  await feed.send("mine");
  await until(async () => (await own.ask("said", null)).length > 1);
  assert.deepEqual((await own.ask("said", null)).slice(1), ["mine"]);
  // An opening that says nothing about a stream, and one that is cut off.
  for (
    const bytes of [new Uint8Array(0), Uint8Array.of(0, 4, 102, 101, 101, 100, 4, 102, 101, 101, 100, 34)]
  ) {
    const refused = port.call("_actor_open", peer, bytes, { timeoutMs: 5_000 });
    await assert.rejects(refused, { code: "PAYLOAD_INVALID", message: /cannot be read/ });
  }
  await feed.close();
});

test("a channel to oneself is refused, and a ring of handlers that wait for each other fails at once", async () => {
  const Ring = actorContract("ring", {
    ask: { open: { input: z.string(), output: z.string() } },
    channel: { ring: { fromOpener: z.string(), toOpener: z.string() } },
  });
  const ring = actor(Ring, {
    init: () => null,
    ask: {
      open: async (ctx, address) => {
        try {
          await (await ctx.open(ctx.ref(Ring, address), "ring", ctx.self.address)).close();
          return "open";
        } catch (error) {
          return (error as { code: string }).code;
        }
      },
    },
    channel: {
      ring: {
        async open(ctx, channel, back) {
          // The opener's handler waits for this one.
          channel.accept(
            await ctx.ask(ctx.ref(Ring, back), "open", ctx.self.address).catch(({ code }) => code),
          );
        },
      },
    },
  });
  await using system = ActorSystem.local();
  const one = await system.spawn(ring);
  const two = await system.spawn(ring);
  assert.equal(await one.ask("open", one.address), "ACTOR_CHANNEL_REJECTED");
  assert.equal(await within(one.ask("open", two.address), 5_000), "open");
  const channel = await within(two.open("ring", one.address), 5_000);
  assert.equal(channel.first, "ACTOR_ASK_CYCLE");
});

test("at its limits an actor and an instance get no more channels, and the refusals are counted", async () => {
  await using t = await leakCheck();
  const limits = { maxChannels: 4, maxPeerChannels: 3, maxPendingOpens: 2 };
  const { system, client, peer } = await served(t, { system: limits });
  const own = await system.spawn(door, { name: "door" });
  const feed = await system.spawn(feedDefinition, { name: "feed" });
  const waiting = [own.open("door", "a"), own.open("door", "b")].map((one) => one.catch(() => {}));
  await assert.rejects(own.open("door", "c"), { code: "LIMIT_REACHED", message: /maxPendingOpens/ });
  for (let i = 0; i < 4; i++) await feed.open("feed", "hi");
  await assert.rejects(feed.open("feed", "hi"), { code: "LIMIT_REACHED", message: /maxChannels/ });
  await system.stop(feed);
  await system.spawn(feedDefinition, { name: "feed" });
  const ref = actorRef(client, Feed, `feed@${peer}`);
  const channels = [await ref.open("feed", "hi"), await ref.open("feed", "hi"), await ref.open("feed", "hi")];
  await assert.rejects(ref.open("feed", "hi"), { code: "LIMIT_REACHED", message: /maxPeerChannels/ });
  assert.equal(system.stats().channels.refused, 3);
  await channels[0]!.close();
  await channels[0]!.closed;
  await until(() => system.stats().channels.open === 2);
  await ref.open("feed", "hi");
  await system.stop(own);
  await Promise.all(waiting);
});

test("a client that closes its messenger in order ends its channels at the actors, behind its items", async () => {
  await using t = await leakCheck();
  const { system, client, peer } = await served(t);
  const own = await system.spawn(feedDefinition, { name: "feed" });
  const feed = await actorRef(client, Feed, `feed@${peer}`).open("feed", "hi");
  await feed.send("last");
  await client.close();
  assert.deepEqual(await within(feed.closed, 5_000), { closedBy: "opener", reason: "peerStopped" });
  await until(async () => (await own.ask("said", null)).includes("closed by opener: peerStopped"));
  assert.deepEqual((await own.ask("said", null)).slice(-2), ["last", "closed by opener: peerStopped"]);
  assert.deepEqual(system.channels(own), []);
  assert.equal(system.stats().channels.lost, 0);
});

for (const how of ["its messenger with its system", "its system first"]) {
  test(`a node that closes ${how} ends the channels of its actors at their openers as stopped`, async () => {
    await using t = await leakCheck();
    const { messenger, system, client, peer } = await served(t);
    await system.spawn(feedDefinition, { name: "feed" });
    const openers = t.use(await ActorSystem.create(client));
    const ref = actorRef(client, Feed, `feed@${peer}`);
    const ends: string[] = [];
    const Opener = actorContract("opener", { ask: { open: { input: z.string(), output: z.string() } } });
    const opener = await openers.spawn(actor(Opener, {
      init: () => null,
      ask: {
        open: async (ctx, address) => {
          const close = ({ closedBy, reason }: ChannelEnd) => void ends.push(`${closedBy}: ${reason}`);
          const channel = await ctx.open(ctx.ref(Feed, address), "feed", "hi", { message: () => {}, close });
          return channel.id;
        },
      },
    }));
    await opener.ask("open", ref.address);
    const feed = await ref.open("feed", "hi");
    if (how.startsWith("its system")) await system.close();
    await messenger.close();
    assert.deepEqual(await within(feed.closed, 5_000), { closedBy: "target", reason: "peerStopped" });
    await until(() => ends.length === 1);
    assert.deepEqual(ends, ["target: peerStopped"]);
    assert.equal(openers.stats().channels.lost, 0);
  });
}

test("an actor's channels go on with the handlers of another version", async () => {
  const make = (version: number, factor: number) =>
    actor(Feed, {
      version,
      init: () => null,
      tell: { note: () => {} },
      ask: { said: () => [] },
      channel: {
        feed: {
          open: (_ctx, channel) => channel.accept(),
          message: (_ctx, channel, text) => channel.send(text.length * factor),
        },
      },
    });
  const core = new SystemCore({
    instanceId: newInstanceId(),
    clock: systemClock,
    logger: guardLogger(undefined),
    options: resolveSystemOptions({}),
    port: null,
    hold: null,
  });
  const ref = await core.spawn(make(1, 1), undefined, null);
  const cell = core.registry.find(ref.target)!;
  const feed = await core.open(ref, "feed", "hi", undefined, null);
  const next = reader(feed as ActorChannel<never, unknown>);
  await feed.send("four");
  assert.equal(await next(), 4);
  cell.pause();
  await feed.send("before the swap");
  await cell.between(() => cell.swap(make(2, 10)[behaviourOf], null));
  cell.resume();
  await feed.send("four");
  assert.deepEqual([await next(), await next()], [150, 40]);
  await cell.stop({ reason: "stopped" });
  assert.deepEqual(await feed.closed, { closedBy: "target", reason: "peerStopped" });
  core.deadlines.close();
});

test("a channel that an actor has opened is served by its updated code, if its callbacks tell the actor", async () => {
  await using system = ActorSystem.local();
  const Caller = actorContract("caller", {
    tell: { item: z.string() },
    ask: {
      open: { input: z.string(), output: z.null() },
      taken: { input: z.null(), output: z.array(z.string()) },
    },
  });
  const caller = (version: number) =>
    actor(Caller, {
      version,
      init: () => [] as string[],
      tell: { item: (ctx, item) => void ctx.state.push(`version ${version}: ${item}`) },
      ask: {
        open: async (ctx, to) => {
          const own = ctx.ref(Caller, ctx.self);
          const message = (item: unknown) => own.tell("item", String(item));
          await (await ctx.open(ctx.ref(Feed, to), "feed", "hi", { message })).send("four");
          return null;
        },
        taken: (ctx) => ctx.state,
      },
    });
  const feed = await system.spawn(feedDefinition);
  const ref = await system.spawn(caller(1), { name: "caller" });
  await ref.ask("open", feed.address);
  await until(async () => (await ref.ask("taken", null)).length === 2);
  await system.update("caller", caller(2));
  const [channel] = system.channels(feed);
  const cell = coreOf(system).registry.find(feed.target)!;
  await coreOf(system).channels.sideOf(cell, channel!.id).send(7);
  await until(async () => (await ref.ask("taken", null)).length === 3);
  assert.deepEqual(await ref.ask("taken", null), ["version 1: right after", "version 1: 4", "version 2: 7"]);
});

test("a mailbox accepts and rejects channels, and iterates over their items", async () => {
  await using system = ActorSystem.local();
  await using box = await system.mailbox({ contract: Feed });
  const serving = (async () => {
    for await (const message of box) {
      if (message.kind !== "open") continue;
      if (message.input !== "hi") {
        message.reject("say hi");
        continue;
      }
      const channel = message.accept(1);
      for await (const text of channel) await channel.send(text.length);
      return await channel.closed;
    }
  })();
  await assert.rejects(box.ref.open("feed", "ho"), { code: "ACTOR_CHANNEL_REJECTED", message: /say hi/ });
  const feed = await box.ref.open("feed", "hi");
  assert.equal(feed.first, 1);
  await feed.send("four");
  assert.equal(await reader(feed as ActorChannel<never, unknown>)(), 4);
  await feed.close("enough");
  assert.deepEqual(await within(serving, 5_000), { closedBy: "opener", reason: "enough" });
});

test("an actor whose answer finds its channel closed has not failed", async () => {
  await using fixture = await leakCheck();
  const { system, client, peer } = await served(fixture);
  for (const local of [true, false]) {
    const [held, late] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const answerer = actor(Feed, {
      init: () => ({ said: [] as string[] }),
      supervision: { onFailure: "stop" },
      tell: { note: (ctx, text) => void ctx.state.said.push(text) },
      ask: { said: (ctx) => ctx.state.said },
      channel: {
        feed: {
          open: async (ctx, opening, first) => {
            if (first === "late") await late.promise;
            const channel = opening.accept();
            ctx.state.said.push(first);
            if (first === "late") await channel.send("too late");
          },
          message: async (_ctx, channel, text) => {
            await held.promise;
            await channel.send(text.length);
          },
          close: (ctx, _channel, { reason }) => void ctx.state.said.push(reason),
        },
      },
    });
    const own = await system.spawn(answerer, { name: `answerer-${local}` });
    const ref = local ? own : actorRef(client, Feed, `answerer-${local}@${peer}`);
    const channel = await ref.open("feed", "hi");
    await channel.send("abc");
    await until(() => system.lookup(own)!.busy, { message: "the item is handled" });
    await channel.close("gone");
    await until(() => system.channels(own).length === 0, { message: "the actor's side has the close" });
    held.resolve();
    await assert.rejects(ref.open("feed", "late", { timeoutMs: 30 }), { code: "TIMEOUT" });
    await until(() => system.stats().channels.abandoned === (local ? 1 : 2), {
      message: "the opener is gone",
    });
    late.resolve();
    await until(async () => (await own.ask("said", null)).length === 4, {
      message: "both channels have ended",
    });
    const { failed, failure, phase } = system.lookup(own)!;
    assert.deepEqual({ failed, failure, phase }, { failed: 0, failure: null, phase: "running" });
  }
});
