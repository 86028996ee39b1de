/** Management of what belongs to an actor: its parent, its channels, its counters. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  actor,
  actorContract,
  type ActorEnd,
  actorRef,
  type ActorSelf,
  ActorSystem,
  ManagementClient,
  serveManagement,
} from "../../src/actors/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { served } from "./actors_kit.ts";
import { FakeClock } from "../unit/core_fake_clock.ts";
import { Feed, feedDefinition, reader } from "./channels_kit.ts";

const Parent = actorContract("parent", {
  ask: {
    ends: { input: z.undefined(), output: z.array(z.string()) },
    hold: { input: z.undefined(), output: z.null() },
  },
});
const Child = actorContract("child", { tell: { finish: z.string() } });

function definitions() {
  const gate = Promise.withResolvers<null>();
  const parent = actor(Parent, {
    init: () => [] as string[],
    onChildEnd: (ctx, child, { reason, result }: ActorEnd) =>
      void ctx.state.push(`${child.target} ${reason} ${JSON.stringify(result)}`),
    ask: { ends: (ctx) => ctx.state, hold: () => gate.promise },
  });
  const child = actor(Child, {
    // It asks its parent, if it is told to.
    init: async (args: { ask?: string } | undefined, ctx: ActorSelf) => {
      if (args?.ask !== undefined) await ctx.ask(ctx.ref(Parent, args.ask), "ends");
    },
    tell: { finish: (ctx, text) => ctx.stop({ text }) },
  });
  return { gate, parent, child };
}

async function managed(t: LeakCheck) {
  const { gate, parent, child } = definitions();
  const node = await served(t);
  t.use(serveManagement(node.system, { catalogue: { child } }));
  await node.system.spawn(parent, { name: "parent" });
  await node.system.spawn(feedDefinition, { name: "feed" });
  return { ...node, gate, actors: new ManagementClient(node.client, node.peer) };
}

test("an actor that is started below another one is its child, which is told the result and ends with it", async () => {
  await using t = await leakCheck();
  const { actors, system, peer, gate } = await managed(t);
  const parent = (await actors.status("parent")).id;
  const { id } = await actors.start("child", { name: "one", parent: "parent" });
  assert.equal((await actors.status("one")).parent, parent);
  const tree = await actors.tree();
  assert.deepEqual(tree.find((one) => one.id === parent)!.children.map((one) => one.id), [id]);
  await actors.tell("one", "finish", "well done");
  const told = async () => await actors.ask("parent", "ends") as string[];
  await until(async () => (await told()).length === 1);
  assert.deepEqual(await told(), [`${id} finished {"text":"well done"}`]);
  // The parent's handler waits for something else than this start, so its child may ask it.
  const held = system.ref(Parent, "parent").ask("hold");
  await until(() => system.lookup("parent")!.busy);
  const starting = actors.start("child", { name: "two", parent, args: { ask: `parent@${peer}` } });
  await until(() => system.lookup("parent")!.queued === 1);
  gate.resolve(null);
  await within(Promise.all([held, starting]), 5_000);
  await actors.stop("parent");
  await assert.rejects(actors.status("two"), { code: "ACTOR_NOT_FOUND" });
});

test("a client that names another client's channel is no participant, and the channel lives on", async () => {
  await using t = await leakCheck();
  const { actors, messenger, client, peer } = await managed(t);
  const feed = await actorRef(client, Feed, `feed@${peer}`).open("feed", "hi");
  const next = reader(feed as never);
  await next();
  const other = await t.messenger({ listen: false });
  const stranger = new ManagementClient(other, await other.connect(messenger.endpoint));
  const [listed] = await stranger.channels("feed");
  assert.deepEqual(
    [listed!.id, listed!.role, listed!.other, listed!.state],
    [feed.id, "target", client.instanceId, "open"],
  );
  await assert.rejects(stranger.channel(feed.id), {
    code: "ACTOR_NOT_A_PARTICIPANT",
    message: new RegExp(`${feed.id} belongs to others`),
  });
  await assert.rejects(stranger.channel(crypto.randomUUID()), { code: "ACTOR_CHANNEL_CLOSED" });
  // The channel lives on, and its own client finds it by its id.
  await feed.send("four");
  assert.equal(await next(), 4);
  const own = await actors.channel(feed.id);
  await own.send("three");
  assert.equal(await next(), 5);
  await own.close("by its id");
  assert.deepEqual(await within(feed.closed, 5_000), { closedBy: "opener", reason: "by its id" });
  await until(async () => (await actors.channels("feed")).length === 0);
  await assert.rejects(actors.channel(feed.id), { code: "ACTOR_CHANNEL_CLOSED" });
});

test("the channel of an actor is not that of another client of its instance", async () => {
  await using t = await leakCheck();
  const { actors, client, peer } = await managed(t);
  const own = t.use(await ActorSystem.create(client));
  const Opener = actorContract("opener", { ask: { open: { input: z.string(), output: z.string() } } });
  const opener = await own.spawn(actor(Opener, {
    init: () => null,
    ask: {
      open: async (ctx, address) =>
        (await ctx.open(ctx.ref(Feed, address), "feed", "hi", { message: () => {} })).id,
    },
  }));
  const id = await opener.ask("open", `feed@${peer}`);
  await assert.rejects(actors.channel(id), { code: "ACTOR_NOT_A_PARTICIPANT" });
  assert.equal((await actors.channels("feed"))[0]!.state, "open");
  assert.equal(own.channels(opener)[0]!.id, id);
});

test("the metrics of an actor have its counters, and how long messages waited and handlers took", async () => {
  const clock = new FakeClock();
  const system = ActorSystem.local({ clock });
  const Slow = actorContract("slow", {
    tell: { fail: z.undefined() },
    ask: { work: { input: z.undefined(), output: z.null() } },
  });
  let gate = Promise.withResolvers<null>();
  const slow = actor(Slow, {
    init: () => null,
    tell: {
      fail: () => {
        throw new Error("it fails");
      },
    },
    ask: { work: () => gate.promise },
  });
  const ref = await system.spawn(slow, { name: "slow" });
  const none = { samples: 0, meanMs: 0, maxMs: 0 };
  const before = system.metrics("slow");
  assert.deepEqual([before.handled, before.waitMs, before.handlerMs, before.messages], [0, none, none, {}]);
  const first = ref.ask("work");
  await until(() => system.lookup("slow")!.busy);
  const second = ref.ask("work");
  clock.advance(40);
  assert.equal(system.metrics("slow").queued, 1);
  gate.resolve(null);
  gate = Promise.withResolvers<null>();
  await first;
  await until(() => system.lookup("slow")!.queued === 0);
  clock.advance(20);
  gate.resolve(null);
  await second;
  await ref.tell("fail");
  await until(() => system.lookup("slow")!.failed === 1);
  const metrics = system.metrics("slow");
  assert.equal(metrics.aliveMs, 60);
  assert.deepEqual([metrics.handled, metrics.failed, metrics.queued, metrics.children], [2, 1, 0, 0]);
  assert.equal(metrics.waitMs.maxMs, 40, "the second message waited for the first one");
  assert.deepEqual(metrics.handlerMs, { samples: 3, meanMs: 20, maxMs: 40 });
  assert.deepEqual(metrics.messages, {
    "ask work": { samples: 2, meanMs: 30, maxMs: 40 },
    "tell fail": { samples: 1, meanMs: 0, maxMs: 0 },
  });
  // Of many messages some are measured, in all of their time.
  const tells = Array.from({ length: 1_000 }, () => ref.tell("fail"));
  await Promise.all(tells);
  await until(() => system.lookup("slow")!.failed === 1_001);
  const { samples } = system.metrics("slow").messages["tell fail"]!;
  assert.ok(samples >= 8 && samples <= 30, String(samples));
  await system.close();
});

test("a client gets the metrics of one actor, and those of a pool's members together", async () => {
  await using t = await leakCheck();
  const { actors, system } = await managed(t);
  await actors.ask("parent", "ends");
  const metrics = await actors.metrics("parent");
  assert.deepEqual([metrics.handled, metrics.messages["ask ends"]!.samples], [1, 1]);
  assert.ok(metrics.aliveMs > 0 && metrics.handlerMs.samples === 1);
  assert.equal((await actors.metrics())["actors"], 2);
  const echo = actor({ init: () => null, ask: { echo: (_ctx, bytes) => bytes } });
  const pool = await system.pool(echo, { size: 3, name: "pool" });
  for (let i = 0; i < 6; i++) await pool.ask("echo", new Uint8Array(1));
  const { handled, children, messages } = await actors.metrics("pool");
  assert.deepEqual([handled, children, messages["ask echo"]!.samples], [6, 3, 6]);
  await assert.rejects(actors.metrics("nobody"), { code: "ACTOR_NOT_FOUND" });
});
