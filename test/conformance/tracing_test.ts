/** Traces of calls: which spans there are, and how a trace travels, also through the header map of plain Velo. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SpanKind } from "@opentelemetry/api";
import { type Logger, type Tracing, unaryHandler } from "../../src/mod.ts";
import { otelTracing } from "../../src/otel/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { hex, Kind, PlainVelo, responseHeader, unhex, utf8 } from "../support/plain_velo.ts";
import { recordSpans } from "../support/spans.ts";
import { pause, until } from "../support/until.ts";
import { bytes, fails, pair, text } from "./messenger_kit.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const parentId = "00f067aa0ba902b7";

/** A header map of one pair, by hand: a name of up to 31 bytes and a value of 32 to 255. */
function headerMap(name: string, value: string): string {
  return `81${hex(Uint8Array.of(0xa0 | name.length))}${utf8(name)}d9${hex(Uint8Array.of(value.length))}${
    utf8(value)
  }`;
}

test("a call has three spans, one in the other: send, receive and handle", async () => {
  await using t = await leakCheck();
  const spans = recordSpans();
  const tracing = otelTracing({ tracerProvider: spans.tracerProvider });
  const { client, server, peer } = await pair(t, { client: { tracing }, server: { tracing } });
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  assert.equal(text(await client.unary("echo", { to: peer, rawPayload: bytes("hello") })), "hello");
  const finished = await until(() => spans.finished().length === 3 ? spans.finished() : undefined);
  const [handle, receive, send] = ["handle", "receive", "send"].map((verb) =>
    finished.find(({ name }) => name === `${verb} echo`)!
  );
  assert.deepEqual([send!.parent, receive!.parent, handle!.parent], [null, send!.id, receive!.id]);
  assert.equal(new Set(finished.map(({ trace }) => trace)).size, 1);
  assert.deepEqual([send!.kind, receive!.kind, handle!.kind], [
    SpanKind.CLIENT,
    SpanKind.SERVER,
    SpanKind.INTERNAL,
  ]);
  assert.equal(send!.attributes["zeromesh.peer"], server.instanceId);
  assert.equal(receive!.attributes["zeromesh.peer"], client.instanceId);
  assert.equal(receive!.attributes["zeromesh.request_bytes"], 5);
  assert.ok(finished.every(({ failed, attributes }) => !failed && attributes["rpc.method"] === "echo"));
});

test("a failure is on all three spans, with its code", async () => {
  await using t = await leakCheck();
  const spans = recordSpans();
  const tracing = otelTracing({ tracerProvider: spans.tracerProvider });
  const { client, server, peer } = await pair(t, { client: { tracing }, server: { tracing } });
  server.registerHandler(unaryHandler("fail", async () => {
    await pause(2);
    throw new Error("boom");
  }));
  await fails(client.unary("fail", { to: peer }), { code: "HANDLER_FAILED" });
  const finished = await until(() => spans.finished().length === 3 ? spans.finished() : undefined);
  assert.ok(finished.every(({ failed }) => failed));
  const typeOf = (name: string) => finished.find((span) => span.name === name)?.attributes["error.type"];
  assert.deepEqual([typeOf("send fail"), typeOf("handle fail")], ["HANDLER_FAILED", "Error"]);
});

test("the receive span holds the wait for a turn, the handle span only the work", async () => {
  await using t = await leakCheck();
  const spans = recordSpans();
  const tracing = otelTracing({ tracerProvider: spans.tracerProvider });
  const { client, server, peer } = await pair(t, { server: { tracing } });
  server.registerHandler(unaryHandler("work", async () => await pause(30) as undefined, { concurrency: 1 }));
  await Promise.all([1, 2].map(() => client.unary("work", { to: peer })));
  const finished = await until(() => spans.finished().length === 4 ? spans.finished() : undefined);
  const [, second] = finished.filter(({ name }) => name === "receive work");
  const work = finished.find(({ parent }) => parent === second!.id)!;
  assert.ok(work.from - second!.from >= 20, `it waited ${work.from - second!.from} ms`);
  assert.ok(work.to - work.from < second!.to - second!.from - 15);
});

test("the trace leaves in plain Velo's header map, as Velo writes it", async () => {
  await using t = await leakCheck();
  const spans = recordSpans();
  const client = await t.messenger({ tracing: otelTracing({ tracerProvider: spans.tracerProvider }) });
  const node = await PlainVelo.open(t);
  const [peer] = await Promise.all([
    client.connect(node.endpoint),
    node.answerHello(client, ["_hello", "echo"]),
  ]);
  const call = client.unary("echo", { to: peer });
  const { request } = await node.nextRequest("echo");
  node.send(client.endpoint, 1, responseHeader(request.id, false, request.map));
  await call;
  const [send] = await until(() => spans.finished().length === 1 ? spans.finished() : undefined);
  assert.equal(request.map, headerMap("traceparent", `00-${send!.trace}-${send!.id}-01`));
});

test("a trace that plain Velo sends goes on: its span is the parent, and the handler sees the header", async () => {
  await using t = await leakCheck();
  const spans = recordSpans();
  const server = await t.messenger({ tracing: otelTracing({ tracerProvider: spans.tracerProvider }) });
  const seen: Readonly<Record<string, string>>[] = [];
  server.registerHandler(unaryHandler("echo", ({ payload, headers }) => {
    seen.push(headers);
    return payload;
  }));
  const node = await PlainVelo.open(t);
  await node.introduce(server.endpoint);
  const value = `00-${traceId}-${parentId}-01`;
  const map = headerMap("traceparent", value);
  const reply = await node.ask(server.endpoint, "echo", unhex("01"), { kind: Kind.unary, map });
  assert.equal(reply.type, 1);
  const finished = await until(() => spans.finished().length === 2 ? spans.finished() : undefined);
  const receive = finished.find(({ name }) => name === "receive echo")!;
  assert.deepEqual([receive.trace, receive.parent], [traceId, parentId]);
  assert.deepEqual({ ...seen[0] }, { traceparent: value });
  for (const bad of ["00-nonsense-01-00-and-some-more-of-it", "x".repeat(40)]) {
    await node.ask(server.endpoint, "echo", unhex("01"), { map: headerMap("traceparent", bad) });
  }
  const all = await until(() => spans.finished().length === 6 ? spans.finished() : undefined);
  assert.ok(
    all.slice(2).every(({ trace, name, parent }) =>
      trace !== traceId && (parent === null || name !== "receive echo")
    ),
  );
});

test("the headers of a trace take the place of the caller's, and system messages have no spans", async () => {
  await using t = await leakCheck();
  const spans = recordSpans();
  const tracing = otelTracing({ tracerProvider: spans.tracerProvider });
  const { client, server, peer } = await pair(t, { client: { tracing }, server: { tracing } });
  server.registerHandler(unaryHandler("headers", ({ headers }) => bytes(JSON.stringify(headers))));
  const given = { traceparent: "mine", other: "kept" };
  const answer = JSON.parse(
    text(await client.unary("headers", { to: peer, headers: given })),
  ) as typeof given;
  assert.equal(answer.other, "kept");
  assert.match(answer.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  assert.deepEqual(given, { traceparent: "mine", other: "kept" });
  await client.availableHandlers(peer);
  await client.unary("headers", { to: client.instanceId }).catch(() => {});
  assert.ok(spans.finished().every(({ name }) => !name.includes(" _")));
});

test("a tracer that throws costs no call, and the logger hears of it", async () => {
  await using t = await leakCheck();
  const heard: string[] = [];
  const silent = () => {};
  const error = (message: string, fields?: Readonly<Record<string, unknown>>) =>
    void heard.push(`${message}: ${String(fields?.["error"])}`);
  const logger: Logger = { debug: silent, info: silent, warn: silent, error };
  const bad = (what: string) => () => {
    throw new Error(what);
  };
  const trace = { headers: {}, run: (handler: () => unknown) => handler(), end: bad("end") };
  const server = await t.messenger({ logger, tracing: { send: bad("send"), receive: () => trace } });
  const client = await t.messenger({ logger, tracing: { send: bad("send"), receive: bad("receive") } });
  const ending: Tracing = { send: () => trace, receive: bad("receive") };
  const third = await t.messenger({ logger, tracing: ending });
  const peer = await client.connect(server.endpoint);
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  client.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  assert.equal(text(await client.unary("echo", { to: peer, rawPayload: bytes("a") })), "a");
  assert.equal(text(await client.unary("echo", { to: client.instanceId, rawPayload: bytes("b") })), "b");
  const again = await third.connect(server.endpoint);
  assert.equal(text(await third.unary("echo", { to: again, rawPayload: bytes("c") })), "c");
  await until(() => ["send", "receive", "end"].every((what) => heard.some((line) => line.endsWith(what))));
  assert.ok(heard.every((line) => line.startsWith("tracing failed: ")), heard.join());
});

test("a logger that is given hears nothing per message", async () => {
  await using t = await leakCheck();
  let lines = 0;
  const count = () => void lines++;
  const logger: Logger = { debug: count, info: count, warn: count, error: count };
  const { client, server, peer } = await pair(t, { client: { logger }, server: { logger } });
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  await client.unary("echo", { to: peer });
  const before = lines;
  await Promise.all(Array.from({ length: 500 }, () => client.unary("echo", { to: peer })));
  assert.equal(lines, before);
});
