/** Traces of messages to actors of other instances. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { context, SpanKind } from "@opentelemetry/api";
import { actor, actorContract, actorRef, ActorSystem, watchActor } from "../../src/actors/mod.ts";
import type { Tracing } from "../../src/mod.ts";
import { otelTracing } from "../../src/otel/mod.ts";
import { z } from "zod";
import { leakCheck } from "../support/fixture.ts";
import { recordSpans, type SpanFacts, type Spans } from "../support/spans.ts";
import { until } from "../support/until.ts";
import { proxiedNode } from "./actors_kit.ts";
import { fails } from "./messenger_kit.ts";

const Relay = actorContract("relay", {
  tell: { note: z.object({ to: z.string().optional() }), fail: z.object({}) },
  ask: {
    pass: { input: z.object({ to: z.string(), by: z.string().optional() }), output: z.string() },
    headers: { input: z.object({}), output: z.string() },
    later: { input: z.object({}), output: z.string() },
    fail: { input: z.object({}), output: z.string() },
    /** Watches an actor. */
    watch: { input: z.string(), output: z.string() },
  },
  channel: { line: { fromOpener: z.string(), toOpener: z.string() } },
});

const relay = actor(Relay, {
  init: () => null,
  tell: {
    note: async (ctx, { to }) => {
      if (to !== undefined) await ctx.ref(Relay, to).tell("note", {});
    },
    fail: () => {
      throw new Error("boom");
    },
  },
  ask: {
    pass: async (ctx, { to, by }) => {
      if (by !== undefined) {
        await ctx.ref(Relay, by).tell("fail", {});
        return await ctx.ref(Relay, by).ask("pass", { to });
      }
      await ctx.ref(Relay, to).tell("note", {});
      return await ctx.ref(Relay, to).ask("headers", {});
    },
    headers: (ctx) => JSON.stringify(ctx.headers),
    later: (ctx) => {
      const reply = ctx.defer();
      ctx.after(1, () => void reply.send("now"));
      return undefined as never;
    },
    fail: () => {
      throw new Error("boom");
    },
    watch: (ctx, address) => {
      ctx.watch(ctx.ref(Relay, address), () => {});
      return "watched";
    },
  },
  channel: {
    line: {
      async open(ctx, channel, first) {
        if (first === "throw") throw new Error("boom");
        if (first === "no") return channel.reject("not today");
        await ctx.ref(Relay, ctx.self.address).tell("note", {});
        channel.accept("welcome");
      },
      async message(ctx, channel, item) {
        if (item.includes("@")) await ctx.ref(Relay, item).tell("note", {});
        await channel.send(item);
        await channel.send("again");
      },
    },
  },
});

async function traced(t: Awaited<ReturnType<typeof leakCheck>>, spans: Spans) {
  const tracing = otelTracing({ tracerProvider: spans.tracerProvider });
  const nodes = [await t.messenger({ tracing }), await t.messenger({ tracing })] as const;
  const client = await t.messenger({ tracing, listen: false });
  await nodes[0].connect(nodes[1].endpoint);
  const refs = [];
  for (const messenger of nodes) {
    const system = t.use(await ActorSystem.create(messenger));
    await client.connect(messenger.endpoint);
    const { address } = await system.spawn(relay, { name: "relay" });
    refs.push({ ref: actorRef(client, Relay, address), address, system });
  }
  return { client, one: refs[0]!, two: refs[1]! };
}

async function finished(spans: Spans, count: number): Promise<SpanFacts[]> {
  return await until(() => spans.finished().length >= count ? spans.finished() : undefined);
}

function spanOf(spans: readonly SpanFacts[], name: string, parent: string | null): SpanFacts {
  const found = spans.find((span) => span.name === name && span.parent === parent);
  assert.ok(
    found,
    `no span "${name}" in ${parent}: ${
      JSON.stringify(spans.map((span) => [span.name, span.parent, span.id]))
    }`,
  );
  return found;
}

/** The handle span of a message that was sent within a span. */
function handled(spans: readonly SpanFacts[], name: string, parent: string | null): SpanFacts {
  const sent = spanOf(spans, `send ${name}`, parent);
  return spanOf(spans, `handle ${name}`, spanOf(spans, `receive ${name}`, sent.id).id);
}

for (const withContext of [true, false]) {
  const how = withContext ? "with a context manager" : "without a context manager";
  test(`what a handler sends with its context is part of its trace, across instances, ${how}`, async () => {
    await using t = await leakCheck();
    const spans = recordSpans();
    if (!withContext) context.disable();
    const { one, two } = await traced(t, spans);
    assert.equal(await one.ref.ask("pass", { to: two.address }), "{}", "the user sees no header");
    const all = await finished(spans, 9);
    const pass = handled(all, "relay.pass", null);
    const note = handled(all, "relay.note", pass.id);
    const headers = handled(all, "relay.headers", pass.id);
    assert.ok(all.length === 9 && all.every(({ trace, failed }) => trace === pass.trace && !failed));
    const kinds = [note, headers].map(({ name }) =>
      all.filter((span) => span.name.endsWith(name.slice("handle".length))).map(({ kind }) => kind).sort()
    );
    assert.deepEqual(kinds, [
      [SpanKind.INTERNAL, SpanKind.PRODUCER, SpanKind.CONSUMER].sort(),
      [SpanKind.INTERNAL, SpanKind.CLIENT, SpanKind.SERVER].sort(),
    ]);
  });
}

test("a message by an actor of the same process goes on in the trace, and has no spans of its own", async () => {
  await using t = await leakCheck();
  const spans = recordSpans();
  const { one, two } = await traced(t, spans);
  const middle = await one.system.spawn(relay);
  await one.ref.ask("pass", { to: two.address, by: middle.address });
  const all = await finished(spans, 9);
  const pass = handled(all, "relay.pass", null);
  handled(all, "relay.note", pass.id);
  handled(all, "relay.headers", pass.id);
  assert.ok(all.length === 9 && all.every(({ failed }) => !failed), "its own failure is not the message's");
});

test("the trace of an ask ends with its answer, and a failure is on its spans", async () => {
  await using t = await leakCheck();
  const spans = recordSpans();
  const { one, two } = await traced(t, spans);
  assert.equal(await one.ref.ask("later", {}), "now");
  await fails(two.ref.ask("fail", {}), { code: "HANDLER_FAILED" });
  await one.ref.tell("fail", {});
  const all = await finished(spans, 9);
  const failedOf = (name: string) => all.filter((span) => span.name === name).map(({ failed }) => failed);
  const verbs = ["send", "receive", "handle"];
  assert.deepEqual(verbs.map((verb) => failedOf(`${verb} relay.later`)), [[false], [false], [false]]);
  assert.deepEqual(failedOf("receive relay.fail"), [true, true]);
  assert.deepEqual(failedOf("handle relay.fail"), [true, true]);
  assert.deepEqual(failedOf("send relay.fail").sort(), [false, true], "a tell ends in the mailbox");
});

test("a message that its actor never handles ends its trace", async () => {
  await using t = await leakCheck();
  const spans = recordSpans();
  const { one } = await traced(t, spans);
  await one.system.pause("relay");
  const asked = fails(one.ref.ask("later", {}), { code: "ACTOR_STOPPED" });
  await one.ref.tell("note", {});
  await one.system.terminate("relay");
  await asked;
  const all = await finished(spans, 4);
  assert.deepEqual(all.map(({ name, failed }) => [name, failed]).sort(), [
    ["receive relay.later", true],
    ["receive relay.note", true],
    ["send relay.later", true],
    ["send relay.note", false],
  ]);
});

test("a channel has spans from its open to its close, with the items that it carried", async () => {
  await using t = await leakCheck();
  const spans = recordSpans();
  const { one, two } = await traced(t, spans);
  const channel = await one.ref.open("line", "hi");
  const items = channel[Symbol.asyncIterator]();
  for (const item of [two.address, "b", "c"]) {
    await channel.send(item);
    for (const answer of [item, "again"]) assert.equal((await items.next()).value, answer);
  }
  // What the handler of an item sends is a part of the channel's trace; the channel is still open.
  const early = await finished(spans, 3);
  const sentIn = early.find(({ name }) => name === "send relay.note")!;
  assert.deepEqual(early.filter(({ name }) => name.includes("relay.line")), []);
  await channel.close();
  const all = await finished(spans, 6);
  const handle = handled(all, "relay.line", null);
  assert.deepEqual([sentIn.parent, sentIn.trace], [handle.id, handle.trace]);
  const counted = all.filter(({ attributes }) => attributes["zeromesh.items_sent"] !== undefined);
  assert.deepEqual(
    counted.map(({ name, failed, attributes }) => [
      name,
      failed,
      attributes["zeromesh.items_sent"],
      attributes["zeromesh.items_received"],
    ]).sort(),
    [["receive relay.line", false, 6, 3], ["send relay.line", false, 3, 6]],
  );
});

test("the spans of a channel that is refused, or whose other side is lost, say so", async () => {
  await using t = await leakCheck();
  const spans = recordSpans();
  const tracing = otelTracing({ tracerProvider: spans.tracerProvider });
  const { system, client, peer, lost } = await proxiedNode(t, { tracing });
  await system.spawn(relay, { name: "relay" });
  const ref = actorRef(client, Relay, `relay@${peer}`);
  const errors = (all: SpanFacts[]) =>
    all.filter(({ name }) => name.endsWith("relay.line")).map(({ name, attributes }) =>
      `${name.split(" ")[0]} ${attributes["error.type"]}`
    ).sort();
  await fails(ref.open("line", "no"), { code: "ACTOR_CHANNEL_REJECTED" });
  const rejected = "ACTOR_CHANNEL_REJECTED";
  assert.deepEqual(errors(await finished(spans, 3)), [
    `handle ${rejected}`,
    `receive ${rejected}`,
    `send ${rejected}`,
  ]);
  await fails(ref.open("line", "throw"), { code: "HANDLER_FAILED" });
  assert.equal(errors(await finished(spans, 6)).filter((one) => one.endsWith("HANDLER_FAILED")).length, 3);
  await ref.open("line", "hi");
  await lost({ reset: true });
  const ofLoss = errors(await finished(spans, 9)).filter((one) => one.endsWith("PEER_DISCONNECTED"));
  assert.deepEqual(ofLoss, [
    "handle PEER_DISCONNECTED",
    "receive PEER_DISCONNECTED",
    "send PEER_DISCONNECTED",
  ]);
});

test("a watch has spans until it is told, or until its watcher ends it, in the trace of the handler that watches", async () => {
  await using t = await leakCheck();
  const spans = recordSpans();
  const { client, one, two } = await traced(t, spans);
  const told = Promise.withResolvers<unknown>();
  watchActor(client, two.ref, told.resolve);
  const left = watchActor(client, two.ref, () => assert.fail("it was told of a watch that was left"));
  assert.equal(await one.ref.ask("watch", two.address), "watched");
  const watch = handled(await finished(spans, 3), "relay.watch", null);
  left[Symbol.dispose]();
  const early = await finished(spans, 5);
  assert.deepEqual(early.slice(3).map(({ name, failed }) => [name, failed]).sort(), [
    ["receive _actor_watch", false],
    ["send _actor_watch", false],
  ]);
  await two.system.stop("relay");
  await told.promise;
  const all = await finished(spans, 9);
  const sent = all.filter(({ name }) => name === "send _actor_watch");
  assert.deepEqual(sent.map(({ parent }) => parent).sort(), [null, null, watch.id].sort());
  for (const { id, trace } of sent) assert.equal(spanOf(all, "receive _actor_watch", id).trace, trace);
  assert.ok(all.every(({ failed }) => !failed));
});

test("a tracer that throws costs no message to an actor", async () => {
  await using t = await leakCheck();
  const bad = (): never => {
    throw new Error("bad tracer");
  };
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const tracers: Tracing[] = [
    { send: bad, receive: bad },
    { send: () => ({ headers: {}, end: bad }), receive: () => ({ run: bad, end: bad }) },
  ];
  for (const tracing of tracers) {
    const [client, server] = [await t.messenger({ tracing, logger }), await t.messenger({ tracing, logger })];
    const system = t.use(await ActorSystem.create(server));
    const { address } = await system.spawn(relay, { name: "relay" });
    await client.connect(server.endpoint);
    const ref = actorRef(client, Relay, address);
    await ref.tell("note", {});
    assert.equal(await ref.ask("headers", {}), "{}");
    await using channel = await ref.open("line", "hi");
    assert.equal(channel.first, "welcome");
    const told = Promise.withResolvers<unknown>();
    watchActor(client, ref, told.resolve);
    await system.stop("relay");
    await told.promise;
  }
});
