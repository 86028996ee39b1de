/** Traces of messages to actors of other instances. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { context, SpanKind } from "@opentelemetry/api";
import { actor, actorContract, actorRef, ActorSystem } from "../../src/actors/mod.ts";
import type { Tracing } from "../../src/mod.ts";
import { otelTracing } from "../../src/otel/mod.ts";
import { z } from "zod";
import { leakCheck } from "../support/fixture.ts";
import { recordSpans, type SpanFacts, type Spans } from "../support/spans.ts";
import { until } from "../support/until.ts";
import { fails } from "./messenger_kit.ts";

const Relay = actorContract("relay", {
  tell: { note: z.object({ to: z.string().optional() }), fail: z.object({}) },
  ask: {
    pass: { input: z.object({ to: z.string(), by: z.string().optional() }), output: z.string() },
    headers: { input: z.object({}), output: z.string() },
    later: { input: z.object({}), output: z.string() },
    fail: { input: z.object({}), output: z.string() },
  },
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
    const { address } = await system.spawn(relay);
    await client.connect(server.endpoint);
    const ref = actorRef(client, Relay, address);
    await ref.tell("note", {});
    assert.equal(await ref.ask("headers", {}), "{}");
  }
});
