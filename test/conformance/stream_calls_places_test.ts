/** Contracts with a stream beside everything else that calls have. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { StaticDiscovery } from "../../src/discovery/mod.ts";
import { contract, curveKeyPair, type Messenger, service, stream } from "../../src/mod.ts";
import { otelTracing } from "../../src/otel/mod.ts";
import { noCurve } from "../support/curve.ts";
import { leakCheck } from "../support/fixture.ts";
import { PlainVelo, readRequest, responseHeader } from "../support/plain_velo.ts";
import { recordSpans } from "../support/spans.ts";
import { until } from "../support/until.ts";
import { counts, fails, gate, pair, turn } from "./messenger_kit.ts";

const chat = contract("chat", { input: stream(z.string()), output: stream(z.string()) });
const upload = contract("upload", { input: stream(z.string()), output: z.number() });

function answering(server: Messenger): Disposable {
  return server.handle(chat, async function* ({ input }) {
    for await (const line of input) yield `you said ${line}`;
  });
}

/** Checks that a chat works. */
async function chats(client: Messenger, to: Parameters<Messenger["client"]>[1]["to"]): Promise<void> {
  const remote = client.client({ chat }, { to });
  assert.deepEqual(await Array.fromAsync(remote.chat(["a", "b"])), ["you said a", "you said b"]);
  await using talk = remote.chat();
  for await (const line of (void talk.send("c"), talk)) {
    assert.equal(line, "you said c");
    if (line === "you said c") await talk.end();
  }
}

test("streams work with an instance that does not listen, and from the one that it dialled", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { client: { listen: false } });
  answering(server);
  answering(client);
  await chats(client, peer);
  await chats(server, client.instanceId);
});

test("streams work towards oneself", async () => {
  await using t = await leakCheck();
  const { server } = await pair(t);
  answering(server);
  await chats(server, server.instanceId);
});

test("streams work with CURVE", { skip: noCurve }, async () => {
  await using t = await leakCheck();
  const [ours, theirs] = await Promise.all([curveKeyPair(), curveKeyPair()]);
  const server = await t.messenger({ curve: { ...theirs, allow: [ours.publicKey] } });
  const client = await t.messenger({ curve: { ...ours, allow: [theirs.publicKey] } });
  answering(server);
  await chats(client, await client.connect(server.endpoint, { serverKey: theirs.publicKey }));
});

test("streams carry MessagePack where their contract says so", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hashed = contract("hashed", {
    input: stream(z.instanceof(Uint8Array)),
    output: stream(z.map(z.string(), z.bigint())),
    encoding: "msgpack",
  });
  server.handle(hashed, async function* ({ input }) {
    for await (const part of input) yield new Map([["bytes", BigInt(part.length)]]);
  });
  const call = client.client({ hashed }, { to: peer }).hashed([new Uint8Array(3), new Uint8Array(0)]);
  assert.deepEqual(await Array.fromAsync(call), [new Map([["bytes", 3n]]), new Map([["bytes", 0n]])]);
});

test("binary items of all sizes arrive as they were when they were sent", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const bytes = stream(z.instanceof(Uint8Array));
  const back = contract("back", { input: bytes, output: bytes, encoding: "msgpack" });
  server.handle(back, async function* ({ input }) {
    yield* input;
  });
  await using call = client.client({ back }, { to: peer }).back();
  // Together more than a window, so that some of them wait.
  const sizes = [4_095, 4_096, 65_535, 65_536, 400_000, 500_000, 300_000, 65_537];
  const item = new Uint8Array(500_000);
  sizes.forEach((size, i) => {
    item.fill(i + 1);
    void call.send(item.subarray(0, size));
  });
  item.fill(0);
  void call.end();
  const got = await Array.fromAsync(call);
  assert.deepEqual(got.map(({ length }) => length), sizes);
  got.forEach((one, i) => assert.ok(one.every((byte) => byte === i + 1), `item ${i + 1}`));
});

test("items may be transformed by their schema, checked later, and undefined", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const later = z.string().refine(async (text) => (await turn(), text !== "no"), "not that").transform(
    Number,
  );
  const sums = contract("sums", { input: stream(later), output: stream(z.number().optional()) });
  server.handle(sums, async function* ({ input }) {
    let sum = 0;
    for await (const number of input) yield (sum += number) === 3 ? undefined : sum;
  });
  const remote = client.client({ sums }, { to: peer });
  assert.deepEqual(await Array.fromAsync(remote.sums(["1", "2", "3"])), [1, undefined, 6]);
  await using call = remote.sums();
  const sent = ["1", "no", "2", "3"].map((text) => call.send(text));
  void call.end();
  await fails(sent[1]!, {
    code: "PAYLOAD_INVALID",
    message: /Item 2 of the input of "sums" is invalid: not that/,
  });
  assert.deepEqual(await Array.fromAsync(call), [1, undefined, 6]);
});

test("a running stream holds its place", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let running = 0;
  server.handle(upload, async ({ input }) => {
    assert.equal(++running, 1);
    let count = 0;
    for await (const _ of input) count++;
    running--;
    return count;
  }, { concurrency: 1 });
  const remote = client.client({ upload }, { to: peer });
  const calls = Array.from({ length: 3 }, () => remote.upload());
  for (const call of calls) await call.send("a");
  await until(() => counts(server, "upload").queued === 2);
  for (const call of calls) void call.end();
  assert.deepEqual(await Promise.all(calls.map((call) => call.result)), [1, 1, 1]);
});

test("a running output holds its place until its end, and the waiting calls get theirs in turn", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let most = 0;
  let running = 0;
  const { opened, open } = gate(t);
  server.handle(chat, async function* ({ input }) {
    most = Math.max(most, ++running);
    try {
      yield "begun";
      await opened;
      for await (const line of input) yield line;
    } finally {
      running--;
    }
  }, { concurrency: 2 });
  const remote = client.client({ chat }, { to: peer });
  const calls = Array.from({ length: 6 }, (_, i) => Array.fromAsync(remote.chat([String(i)])));
  // One that leaves gives its place to the next.
  const left = remote.chat();
  await until(() => counts(server, "chat").inFlight === 2 && counts(server, "chat").queued === 5);
  await left.close();
  await until(() => counts(server, "chat").queued === 4);
  open();
  assert.deepEqual(await Promise.all(calls), calls.map((_, i) => ["begun", String(i)]));
  assert.equal(most, 2);
});

test("a server that drains refuses new calls, gives waiting ones back, and lets the accepted ones finish", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { opened, open } = gate(t);
  server.handle(upload, async ({ input }) => {
    await opened;
    return (await Array.fromAsync(input)).length;
  }, { concurrency: 1 });
  const remote = client.client({ upload }, { to: peer });
  const running = remote.upload();
  await running.send("a");
  await until(() => counts(server, "upload").inFlight === 1);
  const waiting = remote.upload(["b"]);
  await until(() => counts(server, "upload").queued === 1);
  const closing = server.close();
  await fails(waiting.result, { code: "PEER_DRAINING", ran: "no" });
  await fails(remote.upload(["c"]).result, { code: "PEER_DRAINING", ran: "no" });
  await running.send("d");
  await running.end();
  open();
  assert.equal(await running.result, 2);
  await closing;
});

test("a traced call with a stream has the spans of every call, once, with its items", async () => {
  await using t = await leakCheck();
  const spans = recordSpans();
  const tracing = otelTracing({ tracerProvider: spans.tracerProvider });
  const { server, client, peer } = await pair(t, { client: { tracing }, server: { tracing } });
  server.handle(chat, async function* ({ input }) {
    for await (const line of input) yield* [line, line];
  });
  await Array.fromAsync(client.client({ chat }, { to: peer }).chat(["a", "b", "c"]));
  const finished = await until(() => spans.finished().length === 3 ? spans.finished() : undefined);
  const items = (name: string) => {
    const { attributes } = finished.find((span) => span.name === name)!;
    return [attributes["zeromesh.items_sent"], attributes["zeromesh.items_received"]];
  };
  assert.deepEqual(items("receive chat"), [6, 3]);
  assert.deepEqual(items("send chat"), [3, 6]);
  assert.deepEqual(finished.map(({ name }) => name).sort(), ["handle chat", "receive chat", "send chat"]);
});

test("what a handler does between two items is traced as its part", async () => {
  await using t = await leakCheck();
  const spans = recordSpans();
  const tracing = otelTracing({ tracerProvider: spans.tracerProvider });
  const tracer = spans.tracerProvider.getTracer("test");
  const { server, client, peer } = await pair(t, { server: { tracing } });
  server.handle(chat, async function* ({ input }) {
    for await (const line of input) {
      tracer.startSpan("work").end();
      yield line;
    }
  });
  await using talk = client.client({ chat }, { to: peer }).chat();
  const items = talk[Symbol.asyncIterator]();
  for (let i = 0; i < 3; i++) {
    await talk.send("a");
    await items.next();
  }
  await talk.end();
  await items.next();
  const finished = await until(() => spans.finished().length === 5 ? spans.finished() : undefined);
  const { id } = finished.find(({ name }) => name === "handle chat")!;
  assert.deepEqual(finished.filter(({ name }) => name === "work").map(({ parent }) => parent), [id, id, id]);
});

test("a traced call whose items are read later, or that ends early, has its items as well", async () => {
  await using t = await leakCheck();
  const spans = recordSpans();
  const tracing = otelTracing({ tracerProvider: spans.tracerProvider });
  const { server, client, peer } = await pair(t, { client: { tracing } });
  server.handle(chat, async function* ({ input }) {
    for await (const line of input) yield line;
  });
  const remote = client.client({ chat }, { to: peer });
  const call = remote.chat(["a", "b", "c"]);
  await call.closed;
  await using talk = remote.chat();
  await talk.send("a");
  for await (const _ of talk) break;
  const ended = () =>
    spans.finished().filter(({ name }) => name === "send chat").map(({ attributes }) => [
      attributes["zeromesh.items_sent"],
      attributes["zeromesh.items_received"],
    ]);
  await until(() => ended().length === 2);
  assert.deepEqual(ended(), [[3, 3], [1, 1]]);
  assert.deepEqual(await Array.fromAsync(call), ["a", "b", "c"]);
});

test("a call to a service goes to one instance, and its first items go to another if that one gives it back", async () => {
  await using t = await leakCheck();
  const discovery = new StaticDiscovery();
  const servers = [];
  for (let i = 0; i < 2; i++) servers.push(await t.messenger({ discovery, services: ["files"] }));
  const client = await t.messenger({ discovery });
  const { opened, open } = gate(t);
  const got: string[][] = [];
  for (const server of servers) {
    server.handle(upload, async ({ input }) => {
      const all = await Array.fromAsync(input);
      got.push(all);
      return all.length;
    });
    server.registerHandler({ name: "busy", handle: () => opened });
    await server.announce();
  }
  const remote = client.client({ upload }, { to: service("files") });
  assert.equal(await remote.upload(["a", "b"]).result, 2);
  assert.equal(await remote.upload(["c"]).result, 1);
  const [drained] = servers as [Messenger, Messenger];
  await client.amSend("busy", { to: drained.instanceId });
  await until(() => counts(drained, "busy").inFlight === 1);
  // Its peers do not know yet that it drains.
  const closing = drained.close();
  const calls = [remote.upload(["d", "e"]), remote.upload(["f", "g"])];
  assert.deepEqual(await Promise.all(calls.map((call) => call.result)), [2, 2]);
  assert.deepEqual(got.slice(2).sort(), [["d", "e"], ["f", "g"]]);
  open();
  await closing;
});

test("plain Velo is PEER_LACKS_FEATURE, is told of anchors, and gets nothing", async () => {
  await using t = await leakCheck();
  const client = await t.messenger();
  const node = await PlainVelo.open(t);
  const [to] = await Promise.all([
    client.connect(node.endpoint),
    node.answerHello(client, ["_hello", "echo"]),
  ]);
  const remote = client.client({ chat, upload }, { to });
  const lacks = { code: "PEER_LACKS_FEATURE", ran: "no", peer: to };
  const { message } = await fails(remote.upload(["a"]).result, { ...lacks, handler: "upload" });
  assert.match(message, /anchors of zeromesh\/streams/);
  await fails(Array.fromAsync(remote.chat()), { ...lacks, handler: "chat" });
  await using call = remote.upload();
  await fails(call.send("a"), lacks);
  // The next message is the first that comes behind the handshake.
  const echo = client.unary("echo", { to, rawPayload: new Uint8Array(1) });
  const first = await node.next(({ type }) => type === 0);
  assert.equal(readRequest(first.header).name, "echo");
  node.send(client.endpoint, 1, responseHeader(readRequest(first.header).id), new Uint8Array(2));
  assert.equal((await echo).length, 2);
  const { writers, readers } = client.stats().streams ?? { writers: 0, readers: 0 };
  assert.deepEqual([writers, readers], [0, 0]);
});

test("a peer without streams is PEER_LACKS_FEATURE, and nothing is sent to it", async () => {
  await using t = await leakCheck();
  const { client, peer: to } = await pair(t, { server: { features: { streams: false } } });
  const remote = client.client({ chat, upload }, { to });
  await fails(remote.upload(["a"]).result, {
    code: "PEER_LACKS_FEATURE",
    ran: "no",
    peer: to,
    handler: "upload",
  });
  await fails(Array.fromAsync(remote.chat()), { code: "PEER_LACKS_FEATURE", ran: "no" });
});
