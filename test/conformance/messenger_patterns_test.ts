import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { amHandler, contract, type HandlerContext, typedUnaryHandler, unaryHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until, within } from "../support/until.ts";
import { bytes, fails, gate, keptLog, looksLike, pair, text, thrown } from "./messenger_kit.ts";

const add = contract("add", {
  input: z.object({ a: z.number(), b: z.number() }),
  output: z.object({ sum: z.number() }),
});
const note = contract("note", { input: z.object({ line: z.string() }) });

test("unary() brings bytes to a handler by name and its bytes back", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("reverse", ({ payload }) => payload.slice().reverse()));
  const answer = await client.unary("reverse", { to: peer, rawPayload: Uint8Array.of(1, 2, 3) });
  assert.deepEqual([...answer], [3, 2, 1]);
  assert.ok(answer instanceof Uint8Array);
});

test("unary() sends a payload as JSON, and none as zero bytes", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const seen = async (options: { payload?: unknown; rawPayload?: Uint8Array }) =>
    text(await client.unary("echo", { to: peer, ...options }));
  assert.equal(await seen({ payload: { a: [1, "ü"] } }), '{"a":[1,"ü"]}');
  assert.equal(await seen({ payload: null }), "null");
  assert.equal(await seen({ payload: 0 }), "0");
  assert.equal(await seen({}), "");
  assert.equal(await seen({ payload: undefined }), "");
  assert.equal(await seen({ rawPayload: new Uint8Array() }), "");
});

test("amSync() resolves to nothing, and not before the handler has finished", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  const seen: string[] = [];
  server.registerHandler(amHandler("work", async ({ payload }) => {
    seen.push(text(payload));
    await hold.opened;
    seen.push("finished");
    return "ignored";
  }));
  let acknowledged = false;
  const call = client.amSync("work", { to: peer, rawPayload: bytes("now") }).then((value) => {
    acknowledged = true;
    return value;
  });
  await until(() => seen.length === 1);
  assert.equal(acknowledged, false);
  hold.open();
  assert.equal(await call, undefined);
  assert.deepEqual(seen, ["now", "finished"]);
});

test("amSend() resolves to nothing without waiting for the handler", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  const seen: string[] = [];
  server.registerHandler(amHandler("work", async ({ payload }) => {
    seen.push(text(payload));
    await hold.opened;
  }));
  assert.equal(await client.amSend("work", { to: peer, payload: { at: 1 } }), undefined);
  await until(() => seen.length === 1);
  assert.deepEqual(seen, ['{"at":1}']);
  hold.open();
});

test("amSend() says nothing about a handler that is missing or throws", async () => {
  await using t = await leakCheck();
  const warnings: string[] = [];
  const logger = { debug() {}, info() {}, warn: (line: string) => warnings.push(line), error() {} };
  const { server, client, peer } = await pair(t, { server: { logger } });
  server.registerHandler(amHandler("bad", () => {
    throw new Error("on purpose");
  }));
  await client.amSend("nowhere", { to: peer });
  await client.amSend("bad", { to: peer });
  await until(() => server.stats().handlers.failed === 1 && server.stats().handlers.refused === 1);
  assert.equal(warnings.length, 1);
});

test("typedUnary() brings a contract's input to its handler and the answer back, typed", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(typedUnaryHandler(add, ({ input }) => ({ sum: input.a + input.b })));
  const { sum } = await client.typedUnary(add, { to: peer, payload: { a: 3, b: 4 } });
  const typed: number = sum;
  assert.equal(typed, 7);
});

test("handle() makes a typed handler of a contract with output, also an asynchronous one", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.handle(add, async ({ input }) => {
    await Promise.resolve();
    return { sum: input.a * input.b };
  });
  assert.deepEqual(await client.typedUnary(add, { to: peer, payload: { a: 3, b: 4 } }), { sum: 12 });
});

test("handle() makes an am handler of a contract without output", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const lines: string[] = [];
  server.handle(note, ({ input }) => lines.push(input.line));
  await client.amSync(note, { to: peer, payload: { line: "one" } });
  await client.amSend(note, { to: peer, payload: { line: "two" } });
  await until(() => lines.length === 2);
  assert.deepEqual(lines, ["one", "two"]);
  await fails(client.unary("note", { to: peer, payload: { line: "x" } }), {
    code: "HANDLER_NOT_FOUND",
    message: /am handler/,
    ran: "no",
  });
  assert.equal(lines.length, 2);
});

test("amSync() and amSend() take a contract with output and drop the answer", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let runs = 0;
  server.handle(add, ({ input }) => {
    runs++;
    return { sum: input.a + input.b };
  });
  assert.equal(await client.amSync(add, { to: peer, payload: { a: 1, b: 2 } }), undefined);
  await client.amSend(add, { to: peer, payload: { a: 1, b: 2 } });
  await until(() => runs === 2);
});

test("amHandler() takes a contract and gives the handler its input", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const lines: string[] = [];
  server.registerHandler(amHandler(note, ({ input }) => lines.push(input.line)));
  await client.amSync(note, { to: peer, payload: { line: "hello" } });
  assert.deepEqual(lines, ["hello"]);
});

test("client() has a method for each contract, and send for those without an answer", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const lines: string[] = [];
  server.handle(add, ({ input }) => ({ sum: input.a + input.b }));
  server.handle(note, ({ input }) => lines.push(input.line));
  const remote = client.client({ add, jot: note }, { to: peer });
  assert.deepEqual(Object.keys(remote), ["add", "jot"]);
  const { sum } = await remote.add({ a: 20, b: 22 }, { timeoutMs: 1_000 });
  assert.equal(sum, 42);
  assert.equal(await remote.jot({ line: "acknowledged" }), undefined);
  assert.equal(await remote.jot.send({ line: "sent" }), undefined);
  await until(() => lines.length === 2);
  assert.deepEqual(lines, ["acknowledged", "sent"]);
});

test("client() passes its own options on, and a call's options win over them", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.handle(
    contract("who", { input: z.null(), output: z.record(z.string(), z.string()) }),
    ({ headers }) => ({
      ...headers,
    }),
  );
  const who = contract("who", { input: z.null(), output: z.record(z.string(), z.string()) });
  const remote = client.client({ who }, { to: peer, headers: { from: "client" } });
  assert.deepEqual(await remote.who(null), { from: "client" });
  assert.deepEqual(await remote.who(null, { headers: { from: "call" } }), { from: "call" });
});

test("both instances call each other over the one connection that one of them dialled", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("name", () => bytes("server")));
  client.registerHandler(unaryHandler("name", () => bytes("client")));
  assert.equal(text(await client.unary("name", { to: peer })), "server");
  assert.equal(text(await server.unary("name", { to: client.instanceId })), "client");
  assert.equal(server.stats().transport.dialled, 0);
  assert.equal(client.stats().transport.accepted, 0);
});

test("all four patterns work from the dialled side to the dialling one", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t);
  const lines: string[] = [];
  client.handle(add, ({ input }) => ({ sum: input.a + input.b }));
  client.handle(note, ({ input }) => lines.push(input.line));
  client.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const to = client.instanceId;
  assert.deepEqual(await server.typedUnary(add, { to, payload: { a: 1, b: 1 } }), { sum: 2 });
  assert.equal(text(await server.unary("echo", { to, rawPayload: bytes("e") })), "e");
  await server.amSync(note, { to, payload: { line: "sync" } });
  await server.amSend(note, { to, payload: { line: "send" } });
  await until(() => lines.length === 2);
  assert.deepEqual(lines, ["sync", "send"]);
});

test("an instance calls itself like any other, by all four patterns", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger();
  const lines: string[] = [];
  const contexts: { sender: string | null; worker: bigint }[] = [];
  alone.handle(add, ({ input }) => ({ sum: input.a + input.b }));
  alone.handle(note, ({ input, senderInstanceId, senderWorkerId }) => {
    lines.push(input.line);
    contexts.push({ sender: senderInstanceId, worker: senderWorkerId });
  });
  alone.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const to = alone.instanceId;
  assert.deepEqual(await alone.typedUnary(add, { to, payload: { a: 1, b: 2 } }), { sum: 3 });
  assert.equal(text(await alone.unary("echo", { to, rawPayload: bytes("me") })), "me");
  await alone.amSync(note, { to, payload: { line: "sync" } });
  await alone.amSend(note, { to, payload: { line: "send" } });
  await until(() => lines.length === 2);
  assert.deepEqual(lines, ["sync", "send"]);
  for (const context of contexts) {
    assert.deepEqual(context, { sender: alone.instanceId, worker: alone.workerId });
  }
  await fails(alone.unary("nowhere", { to }), { code: "HANDLER_NOT_FOUND", ran: "no" });
  assert.equal(await alone.connect(alone.endpoint), alone.instanceId);
  assert.deepEqual(alone.peers(), []);
});

test("a handler calls its caller back over context.messenger while it handles", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  client.registerHandler(unaryHandler("half", ({ payload }) => payload.subarray(0, payload.length / 2)));
  server.registerHandler(unaryHandler("quarter", async ({ messenger, payload, senderInstanceId }) => {
    assert.ok(senderInstanceId);
    const half = await messenger.unary("half", { to: senderInstanceId, rawPayload: payload });
    return await messenger.unary("half", { to: senderInstanceId, rawPayload: half });
  }));
  const quarter = await client.unary("quarter", { to: peer, rawPayload: bytes("12345678") });
  assert.equal(text(quarter), "12");
});

test("handlers of two instances call each other to any depth", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const down = contract("down", { input: z.number().int(), output: z.array(z.string()) });
  const handler = (name: string) =>
    typedUnaryHandler(down, async ({ input, messenger, senderInstanceId }) => {
      if (input === 0) return [name];
      const rest = await messenger.typedUnary(down, { to: senderInstanceId!, payload: input - 1 });
      return [name, ...rest];
    });
  server.registerHandler(handler("server"));
  client.registerHandler(handler("client"));
  const path = await client.typedUnary(down, { to: peer, payload: 20 });
  assert.equal(path.length, 21);
  assert.deepEqual(path.slice(0, 3), ["server", "client", "server"]);
});

test("a handler registers and unregisters handlers, itself too, while it handles", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const registered = server.registerHandler(unaryHandler("once", ({ messenger }) => {
    registered[Symbol.dispose]();
    messenger.registerHandler(unaryHandler("again", () => bytes("again")));
    return bytes("once");
  }));
  assert.equal(text(await client.unary("once", { to: peer })), "once");
  await fails(client.unary("once", { to: peer }), { code: "HANDLER_NOT_FOUND" });
  assert.equal(text(await client.unary("again", { to: peer })), "again");
});

test("an answer inside a synchronous handler cannot be awaited by another message", async () => {
  // Calls made while a message is being handled must not disturb the reply that is about to be written.
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  client.registerHandler(amHandler("noise", () => {}));
  server.registerHandler(unaryHandler("echo", ({ payload, messenger, senderInstanceId }) => {
    for (let i = 0; i < 5; i++) {
      void messenger.amSend("noise", {
        to: senderInstanceId!,
        payload: "x".repeat(i * 100),
        headers: { i: `${i}` },
      });
    }
    return payload;
  }));
  const answers = await Promise.all(
    Array.from(
      { length: 50 },
      (_, i) => client.unary("echo", { to: peer, rawPayload: bytes(`number ${i}`) }),
    ),
  );
  assert.deepEqual(answers.map(text), Array.from({ length: 50 }, (_, i) => `number ${i}`));
  await until(() => client.stats().handlers.started >= 250);
});

test("registerHandler() refuses a name that is taken, and takes it again after dispose", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const first = server.registerHandler(unaryHandler("name", () => bytes("first")));
  looksLike(thrown(() => server.registerHandler(unaryHandler("name", () => bytes("second")))), {
    name: "ZeromeshError",
    code: "HANDLER_EXISTS",
    handler: "name",
    message: /"name"/,
  });
  looksLike(thrown(() => server.handle(contract("name", { input: z.any() }), () => {})), {
    code: "HANDLER_EXISTS",
  });
  assert.equal(text(await client.unary("name", { to: peer })), "first");
  first[Symbol.dispose]();
  await fails(client.unary("name", { to: peer }), { code: "HANDLER_NOT_FOUND", ran: "no", handler: "name" });
  server.registerHandler(unaryHandler("name", () => bytes("second")));
  first[Symbol.dispose](); // late: it must not take its successor out
  assert.equal(text(await client.unary("name", { to: peer })), "second");
});

test("an unregistered handler finishes what it has begun", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  let began = false;
  const registered = server.registerHandler(unaryHandler("slow", async () => {
    began = true;
    await hold.opened;
    return bytes("done");
  }));
  const call = client.unary("slow", { to: peer });
  await until(() => began);
  registered[Symbol.dispose]();
  hold.open();
  assert.equal(text(await call), "done");
});

test("a using declaration unregisters a handler", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  {
    using _registered = server.registerHandler(unaryHandler("here", () => {}));
    assert.equal((await client.unary("here", { to: peer })).length, 0);
  }
  await fails(client.unary("here", { to: peer }), { code: "HANDLER_NOT_FOUND" });
});

test("a unary handler may return nothing, null or a promise of either: an empty answer", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("nothing", () => {}));
  server.registerHandler(unaryHandler("null", () => null));
  server.registerHandler(unaryHandler("later", async () => {}));
  for (const name of ["nothing", "null", "later"]) {
    assert.equal((await client.unary(name, { to: peer })).length, 0);
  }
});

test("a handler may return any thenable", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  // Its then() returns nothing, as the language allows.
  const thenable = (value: unknown) => ({ then: (resolve: (value: unknown) => void) => resolve(value) });
  server.registerHandler(unaryHandler("lazy", () => thenable(bytes("lazy")) as Promise<Uint8Array>));
  assert.equal(text(await within(client.unary("lazy", { to: peer }), 2_000)), "lazy");
  const angry = {
    then: () => {
      throw new Error("from then");
    },
  };
  server.registerHandler(unaryHandler("angry", () => angry as unknown as Promise<Uint8Array>));
  await fails(client.unary("angry", { to: peer }), { code: "HANDLER_FAILED", message: "from then" }, 2_000);
});

test("amSync() by a contract without output does not run a handler with an answer", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let runs = 0;
  server.registerHandler(unaryHandler("note", () => void runs++));
  for (const options of [{ timeoutMs: Infinity }, {}, { headers: { a: "b" } }]) {
    await fails(client.amSync(note, { to: peer, payload: { line: "x" }, ...options }), {
      code: "HANDLER_NOT_FOUND",
      message:
        '"note" has an answer, and the caller\'s contract has no output; call it with unary or typedUnary',
      ran: "no",
      details: { kind: "unary" },
    });
  }
  assert.equal(runs, 0);
});

test("amSend() by a contract without output is dropped by a handler with an answer, counted and logged", async () => {
  await using t = await leakCheck();
  const { logger, lines } = keptLog();
  const { server, client, peer } = await pair(t, { server: { logger }, client: { name: "writer" } });
  const ran: string[] = [];
  server.registerHandler(unaryHandler("note", () => void ran.push("note")));
  server.registerHandler(unaryHandler("raw", () => void ran.push("raw")));
  for (const headers of [undefined, { a: "b" }]) {
    await client.amSend(note, { to: peer, payload: { line: "x" }, headers });
  }
  // By name alone nothing is said of an answer; messages of one sender arrive in order.
  await client.amSend("raw", { to: peer, payload: "x" });
  await until(() => ran.length > 0);
  await server.amSend(note, { to: server.instanceId, payload: { line: "own" } });
  await until(() => server.stats().handlers.refused === 3);
  assert.deepEqual(ran, ["raw"]);
  const { handlers, transport } = server.stats();
  assert.equal(transport.drops["handlerKind"], 3);
  assert.deepEqual([handlers.refused, handlers.overloaded], [3, 0]);
  assert.equal(handlers.byHandler["note"]?.dropped, 3);
  const said = lines.filter(({ message }) => message === "a message was dropped");
  assert.deepEqual(said.map(({ fields }) => fields), [{
    handler: "note",
    peer: `${client.instanceId} (writer)`,
    reason:
      '"note" has an answer, and the caller\'s contract has no output; call it with unary or typedUnary',
  }]);
});

test("an am contract runs a handler with an answer where a side has feature kind off", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: { features: { kind: false } } });
  let runs = 0;
  server.registerHandler(unaryHandler("note", () => void runs++));
  await client.amSync(note, { to: peer, payload: { line: "x" } });
  await client.amSend(note, { to: peer, payload: { line: "x" } });
  await until(() => runs === 2);
});

test("each kind of handler answers each pattern", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(amHandler("am", () => {}));
  server.registerHandler(unaryHandler("unary", () => bytes("bytes")));
  server.handle(add, ({ input }) => ({ sum: input.a + input.b }));
  const to = peer;
  await client.amSync("am", { to });
  await client.amSync("unary", { to });
  await client.amSync("add", { to, payload: { a: 1, b: 2 } });
  assert.equal(text(await client.unary("unary", { to })), "bytes");
  assert.equal(text(await client.unary("add", { to, payload: { a: 1, b: 2 } })), '{"sum":3}');
  await fails(client.unary("am", { to }), {
    code: "HANDLER_NOT_FOUND",
    message: /"am" is an am handler/,
    ran: "no",
  });
});

test("handlers with dispatch inline answer as those with spawn do", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const order: string[] = [];
  const run = (how: string) => async (context: HandlerContext) => {
    order.push(how);
    await Promise.resolve();
    return context.payload;
  };
  server.registerHandler(unaryHandler("inline", run("inline"), { dispatch: "inline" }));
  server.registerHandler(unaryHandler("spawn", run("spawn"), { dispatch: "spawn" }));
  assert.equal(text(await client.unary("inline", { to: peer, rawPayload: bytes("i") })), "i");
  assert.equal(text(await client.unary("spawn", { to: peer, rawPayload: bytes("s") })), "s");
  assert.deepEqual(order, ["inline", "spawn"]);
});

test("a message that is not awaited is still sent", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let runs = 0;
  server.registerHandler(amHandler("count", () => runs++));
  void client.amSend("count", { to: peer });
  void client.amSync("count", { to: peer });
  await until(() => runs === 2);
});

test("a promise of a call can be awaited many times", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const call = client.unary("echo", { to: peer, rawPayload: bytes("x") });
  assert.equal(await call, await call);
});

test("bytes given as payload may be changed once the call has returned its promise", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const client = await t.messenger();
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const peer = client.registerPeer(server.peerInfo());
  for (const name of ["while dialling", "when connected"]) {
    const mine = bytes(name);
    const call = client.unary("echo", { to: peer, rawPayload: mine });
    mine.fill(0);
    assert.equal(text(await call), name);
  }
});

test("the answer belongs to the caller for good", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const sent = Array.from({ length: 200 }, (_, i) => bytes(`answer ${i} `.repeat(1 + (i % 7) * 50)));
  const kept = await Promise.all(sent.map((rawPayload) => client.unary("echo", { to: peer, rawPayload })));
  for (const answer of kept.slice(0, 100)) answer.fill(0);
  await Promise.all(sent.map((rawPayload) => client.unary("echo", { to: peer, rawPayload })));
  for (let i = 0; i < 100; i++) assert.ok(kept[i]!.every((byte) => byte === 0));
  for (let i = 100; i < 200; i++) assert.equal(text(kept[i]!), text(sent[i]!));
});

test("broadcast() reaches every known peer once, and reports the peers it reached and those it did not", async () => {
  await using t = await leakCheck();
  const hub = await t.messenger({ connectTimeoutMs: 100 });
  assert.deepEqual(await hub.broadcast("note"), { sent: [], failed: [] });
  const lines = new Map<string, string[]>();
  const leaves = await Promise.all(Array.from({ length: 3 }, () => t.messenger({ listen: false })));
  for (const leaf of leaves) {
    lines.set(leaf.instanceId, []);
    leaf.handle(note, ({ input }) => lines.get(leaf.instanceId)!.push(input.line));
    await leaf.connect(hub.endpoint);
  }
  const gone = await t.messenger();
  const lost = hub.registerPeer(gone.peerInfo());
  await gone.close();
  const { sent, failed } = await hub.broadcast(note, { payload: { line: "to all" } });
  assert.deepEqual([...sent].sort(), leaves.map(({ instanceId }) => instanceId).sort());
  assert.deepEqual(failed.map(({ peer }) => peer), [lost]);
  looksLike(failed[0]?.error, { code: "PEER_UNREACHABLE", ran: "no" });
  await until(() => [...lines.values()].every((of) => of.length === 1));
  hub.disconnect(lost);
  const wrong = await hub.broadcast(note, { payload: { line: 5 } as never });
  assert.equal(wrong.sent.length, 0);
  assert.equal(wrong.failed.length, 3);
  for (const { error } of wrong.failed) {
    looksLike(error, { code: "PAYLOAD_INVALID", ran: "no", message: /line/ });
  }
});
