/** Tests of registering, replacing, listing and awaiting handlers, of health, and of peers that announce themselves. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { z } from "zod";
import { LeaderWorkerCohort } from "../../src/cohort/mod.ts";
import { newInstanceId } from "../../src/core/mod.ts";
import { jsonSchema } from "../../src/json-schema/mod.ts";
import { contract, type Messenger, type Status, unaryHandler } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { Kind, PlainVelo, requestHeader } from "../support/plain_velo.ts";
import { repositoryRoot } from "../support/runtime.ts";
import { until, within } from "../support/until.ts";
import { bytes, fails, gate, looksLike, pair, text, thrown } from "./messenger_kit.ts";

const add = contract("add", {
  input: z.object({ a: z.number(), b: z.number() }),
  output: z.object({ sum: z.number() }),
});

/** Collects the entries of `status()` about handlers. */
function handlerStatus(messenger: Messenger): Status[] {
  const entries: Status[] = [];
  void (async () => {
    for await (const entry of messenger.status()) {
      if (entry.type.startsWith("handler")) entries.push(entry as Status);
    }
  })();
  return entries;
}

/** Makes an instance, and a plain node that has introduced itself to it. */
async function introduced(t: LeakCheck): Promise<{ server: Messenger; node: PlainVelo }> {
  const server = await t.messenger();
  const node = await PlainVelo.open(t);
  await node.introduce(server.endpoint);
  return { server, node };
}

async function asks(node: PlainVelo, server: Messenger, name: string, payload?: object): Promise<string> {
  const reply = await node.ask(server.endpoint, name, payload);
  assert.equal(reply.type, 1, reply.text);
  assert.equal(reply.header.slice(32, 34), "00", reply.text);
  return reply.text;
}

test("a taken name is HANDLER_EXISTS unless the new handler replaces the old one", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const entries = handlerStatus(server);
  const first = server.registerHandler(unaryHandler("who", () => bytes("first")));
  const second = unaryHandler("who", () => bytes("second"));
  looksLike(thrown(() => server.registerHandler(second)), {
    code: "HANDLER_EXISTS",
    handler: "who",
    message: /replace/,
  });
  looksLike(thrown(() => server.registerHandler(second, { replace: false })), { code: "HANDLER_EXISTS" });
  const replaced = server.registerHandler(second, { replace: true });
  assert.equal(text(await client.unary("who", { to: peer })), "second");
  first[Symbol.dispose](); // of one that was replaced: its successor stays
  assert.equal(text(await client.unary("who", { to: peer })), "second");
  replaced[Symbol.dispose]();
  await fails(client.unary("who", { to: peer }), { code: "HANDLER_NOT_FOUND" });
  await until(() => entries.length === 3);
  assert.deepEqual(entries, [
    { type: "handlerRegistered", handler: "who" },
    { type: "handlerReplaced", handler: "who" },
    { type: "handlerUnregistered", handler: "who" },
  ]);
});

test("replace registers an ordinary handler when the name is free, also a contract's handler", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const entries = handlerStatus(server);
  server.handle(add, ({ input }) => ({ sum: input.a + input.b }), { replace: true });
  server.handle(add, ({ input }) => ({ sum: 10 * (input.a + input.b) }), { replace: true });
  assert.deepEqual(await client.typedUnary(add, { to: peer, payload: { a: 1, b: 2 } }), { sum: 30 });
  await until(() => entries.length === 2);
  assert.deepEqual(entries.map(({ type }) => type), ["handlerRegistered", "handlerReplaced"]);
});

test("a replaced handler finishes what it has begun", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("slow", async () => {
    await hold.opened;
    return bytes("old");
  }));
  const begun = client.unary("slow", { to: peer });
  await until(() => server.stats().handlers.running === 1);
  server.registerHandler(unaryHandler("slow", () => bytes("new")), { replace: true });
  assert.equal(text(await client.unary("slow", { to: peer })), "new");
  hold.open();
  assert.equal(text(await begun), "old");
});

test("at maxHandlers a replacement has room, and a further handler has none", async () => {
  await using t = await leakCheck();
  const probe = await t.messenger();
  const own = (await probe.availableHandlers(probe.instanceId)).length;
  const server = await t.messenger({ maxHandlers: own + 1 });
  server.registerHandler(unaryHandler("only", () => bytes("1")));
  assert.equal(thrown(() => server.registerHandler(unaryHandler("more", () => {}))).code, "LIMIT_REACHED");
  server.registerHandler(unaryHandler("only", () => bytes("2")), { replace: true });
  assert.equal(text(await server.unary("only", { to: server.instanceId })), "2");
});

test("objects are handlers: handle() is called as their method, and their schema guards it", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  class Adder {
    readonly name = "adder";
    readonly schema = jsonSchema<{ n: number }>({
      type: "object",
      properties: { n: { type: "number" } },
      required: ["n"],
    });
    total = 0;
    handle({ input }: { readonly input: unknown }): void {
      this.total += (input as { n: number }).n;
    }
  }
  const adder = new Adder();
  const registered = server.registerHandler(adder);
  await client.amSync("adder", { to: peer, payload: { n: 3 } });
  await client.amSync("adder", { to: peer, payload: { n: 4 } });
  await fails(client.amSync("adder", { to: peer, payload: { m: 4 } }), {
    code: "PAYLOAD_INVALID",
    ran: "no",
  });
  assert.equal(adder.total, 7);
  await fails(client.unary("adder", { to: peer, payload: { n: 1 } }), {
    code: "HANDLER_NOT_FOUND",
    ran: "no",
  });
  registered[Symbol.dispose]();
  await fails(client.amSync("adder", { to: peer, payload: { n: 3 } }), { code: "HANDLER_NOT_FOUND" });
  server.registerHandler({ name: "echo", kind: "unary", handle: ({ payload }) => payload });
  assert.equal(text(await client.unary("echo", { to: peer, rawPayload: bytes("abc") })), "abc");
  server.registerHandler({ name: "echo", kind: "unary", handle: () => bytes("other") }, { replace: true });
  assert.equal(text(await client.unary("echo", { to: peer })), "other");
});

test("objects that are no handlers are refused", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const refused = (handler: object) =>
    thrown(() => server.registerHandler(handler as Parameters<Messenger["registerHandler"]>[0]));
  for (
    const handler of [
      {},
      { name: "a" },
      { name: "a", handle: 1 },
      { name: "a", kind: "b", handle: () => {} },
      { name: "a", schema: {}, handle: () => {} },
      { name: 1, handle: () => {} },
    ]
  ) assert.ok(refused(handler) instanceof TypeError, JSON.stringify(handler));
  for (const name of ["", "_ack"]) {
    assert.equal(refused({ name, handle: () => {} }).code, "NAME_INVALID");
  }
});

test("listHandlers() tells names and kinds, the system's included, and schemas on request", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const input = { type: "object", properties: { a: { type: "number" } }, required: ["a"] };
  server.registerHandler({ name: "object", schema: jsonSchema(input), handle() {} });
  server.registerHandler(unaryHandler("bytes", () => {}));
  server.handle(add, ({ input }) => ({ sum: input.a + input.b }));
  const listed = await client.listHandlers(peer);
  const own = listed.filter(({ name }) => !name.startsWith("_"));
  assert.deepEqual(own, [
    { name: "object", kind: "am" },
    { name: "bytes", kind: "unary" },
    { name: "add", kind: "typed" },
  ]);
  for (const name of ["_list_handlers", "_wait_for_handler", "_health_check", "_register_service"]) {
    assert.ok(listed.some((one) => one.name === name && one.kind === "unary"), name);
  }
  assert.ok(listed.some((one) => one.name === "_ack" && one.kind === "am"));
  assert.deepEqual(listed.map(({ name }) => name), await client.availableHandlers(peer));
  const described = new Map(
    (await client.listHandlers(peer, { schemas: true })).map((one) => [one.name, one]),
  );
  assert.deepEqual(described.get("object"), { name: "object", kind: "am", input });
  assert.deepEqual(described.get("bytes"), { name: "bytes", kind: "unary" });
  const typed = described.get("add");
  assert.deepEqual((typed?.input as { required: string[] }).required, ["a", "b"]);
  assert.deepEqual((typed?.output as { required: string[] }).required, ["sum"]);
  assert.deepEqual(await server.listHandlers(server.instanceId), listed);
});

test("listHandlers() leaves a schema out that cannot be told or is too long", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const long = jsonSchema({ description: "x".repeat(70_000) });
  server.registerHandler({ name: "long", schema: long, handle() {} });
  server.handle(contract("date", { input: z.date() }), () => {});
  const standard = {
    "~standard": { version: 1 as const, vendor: "mine", validate: (value: unknown) => ({ value }) },
  };
  server.registerHandler({ name: "mute", schema: standard, handle() {} });
  const described = await server.listHandlers(server.instanceId, { schemas: true });
  for (const name of ["long", "date", "mute"]) {
    assert.deepEqual(described.find((one) => one.name === name), { name, kind: "am" });
  }
});

test("listHandlers() asks plain Velo as Velo asks, and gets names only", async () => {
  await using t = await leakCheck();
  const { server, node } = await introduced(t);
  const asking = server.listHandlers(server.peers()[0]!.instanceId, { schemas: true });
  await node.answerHello(server);
  const { request, payload } = await node.nextRequest("_list_handlers");
  assert.equal(payload.length, 0);
  node.send(server.endpoint, 1, `${request.id}000000`, { handlers: ["_hello", "a"] });
  assert.deepEqual(await asking, [{ name: "_hello", kind: null }, { name: "a", kind: null }]);
  await node.nothingMore();
});

test("_list_handlers answers names to an empty question, and more on request", async () => {
  await using t = await leakCheck();
  const { server, node } = await introduced(t);
  server.registerHandler({ name: "mine", schema: jsonSchema({ type: "string" }), handle() {} });
  const names = JSON.parse(await asks(node, server, "_list_handlers")) as { handlers: string[] };
  assert.deepEqual(Object.keys(names), ["handlers"]);
  assert.ok(names.handlers.includes("mine"));
  const more = JSON.parse(await asks(node, server, "_list_handlers", { kinds: true, schemas: true }));
  assert.deepEqual(more.handlers, names.handlers);
  assert.deepEqual(more.details.at(-1), { name: "mine", kind: "am", input: { type: "string" } });
});

test("_wait_for_handler answers the document's JSON at once for a handler that exists", async () => {
  await using t = await leakCheck();
  const { server, node } = await introduced(t);
  server.registerHandler(unaryHandler("compute", () => {}));
  const question = { handler_name: "compute", timeout_ms: 30_000 };
  const answer = '{"handler_name":"compute","available":true}';
  assert.equal(await asks(node, server, "_wait_for_handler", question), answer);
  assert.equal(await asks(node, server, "_wait_for_handler", { handler_name: "compute" }), answer);
});

test("_wait_for_handler answers the moment the handler is registered", async () => {
  await using t = await leakCheck();
  const { server, node } = await introduced(t);
  const asking = asks(node, server, "_wait_for_handler", { handler_name: "late", timeout_ms: 30_000 });
  await until(() => server.stats().handlerWaits.waiting === 1);
  server.registerHandler(unaryHandler("other", () => {}));
  assert.equal(server.stats().handlerWaits.waiting, 1);
  server.registerHandler(unaryHandler("late", () => {}));
  assert.equal(await within(asking, 2_000), '{"handler_name":"late","available":true}');
  assert.equal(server.stats().handlerWaits.waiting, 0);
});

/** Measures an action until one time is short enough, since a busy machine may delay some. */
async function quickOnce(limitMs: number, what: () => Promise<void>): Promise<number> {
  for (let attempt = 1;; attempt++) {
    const from = performance.now();
    await what();
    const took = performance.now() - from;
    if (took < limitMs || attempt === 5) return took;
  }
}

test("_wait_for_handler says false before its caller has given up", async () => {
  await using t = await leakCheck();
  const { server, node } = await introduced(t);
  const took = await quickOnce(400, async () => {
    const answer = await asks(node, server, "_wait_for_handler", { handler_name: "never", timeout_ms: 400 });
    assert.equal(answer, '{"handler_name":"never","available":false}');
  });
  assert.ok(took >= 350 && took < 400, `${took} ms of 400`);
  for (const timeout_ms of [0, -1]) {
    const now = await asks(node, server, "_wait_for_handler", { handler_name: "never", timeout_ms });
    assert.equal(now, '{"handler_name":"never","available":false}');
  }
  // The deadline of the caller counts as well. The header `_ttl` has it ("200").
  const ttl = "81a45f74746ca3323030";
  const short = await quickOnce(200, async () => {
    const question = { handler_name: "never", timeout_ms: 30_000 };
    const reply = await node.ask(server.endpoint, "_wait_for_handler", question, { map: ttl });
    assert.equal(reply.text, '{"handler_name":"never","available":false}');
  });
  assert.ok(short < 200, `${short} ms of 200`);
});

test("_wait_for_handler refuses a question that it cannot read", async () => {
  await using t = await leakCheck();
  const { server, node } = await introduced(t);
  const nameless = /handler_name: must be a string that is not empty$/;
  for (
    const [question, why] of [
      [{}, nameless],
      [{ handler_name: 1 }, nameless],
      [{ handler_name: "" }, nameless],
      [{ handler_name: "a", timeout_ms: "soon" }, /timeout_ms: must be a number$/],
      [[], /an object with handler_name, timeout_ms$/],
    ] as const
  ) {
    const reply = await node.ask(server.endpoint, "_wait_for_handler", question);
    assert.match(reply.text, why);
  }
});

test("_wait_for_handler says false at once to plain peers when the instance closes", async () => {
  await using t = await leakCheck();
  const { server, node } = await introduced(t);
  const asking = node.ask(server.endpoint, "_wait_for_handler", {
    handler_name: "never",
    timeout_ms: 30_000,
  });
  await until(() => server.stats().handlerWaits.waiting === 1);
  await within(server.close(), 2_000);
  const answer = JSON.parse((await asking).text) as object;
  assert.deepEqual(answer, { handler_name: "never", available: false, closing: true });
});

test("waitForHandler() hears of a handler at once, and no registration slips by", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  // The handler is registered at some moment between the sending of the question and its reading.
  for (let i = 0; i < 200; i++) {
    const waiting = client.waitForHandler(peer, `h${i}`, { timeoutMs: 10_000 });
    for (let turn = 0; turn < i % 7; turn++) await Promise.resolve();
    if (i % 3 === 0) await until(() => server.stats().handlerWaits.waiting === 1, { intervalMs: 1 });
    server.registerHandler(unaryHandler(`h${i}`, () => {}));
    await within(waiting, 2_000, `h${i}`);
  }
  assert.equal(server.stats().handlerWaits.waiting, 0);
});

test("many wait for one handler, and all hear of it", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const waiting = Array.from({ length: 500 }, () => client.waitForHandler(peer, "late"));
  await until(() => server.stats().handlerWaits.waiting === 500);
  server.registerHandler(unaryHandler("late", () => {}));
  await within(Promise.all(waiting), 2_000);
});

test("waitForHandler() times out with HANDLER_NOT_FOUND in its own time, and leaves nothing behind", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const from = performance.now();
  await fails(client.waitForHandler(peer, "never", { timeoutMs: 500 }), { code: "HANDLER_NOT_FOUND", peer });
  const took = performance.now() - from;
  assert.ok(took >= 490 && took < 900, `${took} ms of 500`);
  assert.deepEqual(server.stats().handlerWaits, { waiting: 0, refused: 0 });
});

test("waitForHandler() ends at once when either side closes, and when it is given up", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const given = new AbortController();
  const aborted = client.waitForHandler(peer, "never", { signal: given.signal });
  await until(() => server.stats().handlerWaits.waiting === 1);
  given.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  await until(() => server.stats().handlerWaits.waiting === 0);

  const leaving = await t.messenger();
  const left = fails(
    leaving.waitForHandler(await leaving.connect(server.endpoint), "never"),
    { code: "CLOSED" },
    2_000,
  );
  await until(() => server.stats().handlerWaits.waiting === 1);
  await Promise.all([left, leaving.close()]);
  await until(() => server.stats().handlerWaits.waiting === 0);

  const ended = fails(client.waitForHandler(peer, "never"), { code: "PEER_DRAINING" }, 2_000);
  await until(() => server.stats().handlerWaits.waiting === 1);
  await Promise.all([ended, within(server.close(), 2_000)]);
});

test("no more than maxHandlerWaits wait, and a place is free again when one is done", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: { maxHandlerWaits: 2 } });
  const waits = ["a", "b"].map((name) => client.waitForHandler(peer, name));
  await until(() => server.stats().handlerWaits.waiting === 2);
  await fails(client.waitForHandler(peer, "c"), { code: "OVERLOADED" });
  server.registerHandler(unaryHandler("a", () => {}));
  await waits[0];
  const third = client.waitForHandler(peer, "c");
  for (const name of ["b", "c"]) server.registerHandler(unaryHandler(name, () => {}));
  await within(Promise.all([...waits, third]), 2_000);
  assert.deepEqual(server.stats().handlerWaits, { waiting: 0, refused: 1 });
});

test("awaited names are bounded, and one too many is refused and counted", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const long = "x".repeat(60_000);
  const codes: unknown[] = [];
  const waits = Array.from(
    { length: 80 },
    (_, i) => client.waitForHandler(peer, long + i).catch((error) => void codes.push(error.code)),
  );
  await until(() => codes.length > 0 && codes.length + server.stats().handlerWaits.waiting === 80);
  const { waiting, refused } = server.stats().handlerWaits;
  assert.ok(waiting > 60 && refused > 0, `${waiting} wait, ${refused} refused`);
  assert.deepEqual(codes, Array.from({ length: refused }, () => "OVERLOADED"));
  await client.close();
  await Promise.all(waits);
  await until(() => server.stats().handlerWaits.waiting === 0);
});

test("healthCheck() tells status, age, load, queues and version", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("slow", () => hold.opened, { concurrency: 1 }));
  const calls = [client.unary("slow", { to: peer }), client.unary("slow", { to: peer })];
  await until(() => server.stats().handlers.queued === 1);
  const { version } = JSON.parse(readFileSync(`${repositoryRoot}/package.json`, "utf8")) as {
    version: string;
  };
  const health = await client.healthCheck(peer);
  assert.deepEqual({ ...health, timestamp: 0, uptimeMs: 0 }, {
    status: "ok",
    timestamp: 0,
    uptimeMs: 0,
    inFlight: 1,
    queued: 1,
    pending: 0,
    queuedToPeers: 0,
    queuedToPeersBytes: 0,
    version,
  });
  assert.ok(Math.abs(health.timestamp - Date.now() / 1_000) < 10);
  assert.ok(health.uptimeMs !== null && health.uptimeMs >= 0 && health.uptimeMs < 60_000);
  hold.open();
  await Promise.all(calls);
});

test("healthCheck() is answered while the peer drains", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("slow", () => hold.opened));
  const call = client.unary("slow", { to: peer });
  await until(() => server.stats().handlers.running === 1);
  const closing = server.close();
  assert.equal((await client.healthCheck(peer)).status, "draining");
  hold.open();
  await Promise.all([call, closing]);
});

test("_health_check answers with the document's fields, and a peer that tells only those is understood", async () => {
  await using t = await leakCheck();
  const { server, node } = await introduced(t);
  const answer = JSON.parse(await asks(node, server, "_health_check")) as Record<string, unknown>;
  assert.equal(answer["status"], "ok");
  assert.ok(Number.isInteger(answer["timestamp"]) && Number(answer["timestamp"]) > 0);
  const asking = server.healthCheck(server.peers()[0]!.instanceId);
  await node.answerHello(server);
  const { request } = await node.nextRequest("_health_check");
  node.send(server.endpoint, 1, `${request.id}000000`, { status: "ok", timestamp: 7 });
  const health = await asking;
  assert.deepEqual([health.status, health.timestamp, health.version, health.inFlight], ["ok", 7, null, null]);
});

test("an answer about itself that a peer garbles is an error that names the peer and what is wrong", async () => {
  await using t = await leakCheck();
  const { server, node } = await introduced(t);
  const peer = server.peers()[0]!.instanceId;
  const questions: [
    method: string,
    name: string,
    ask: () => Promise<unknown>,
    answer: string,
    why: RegExp,
  ][] = [
    [
      "availableHandlers",
      "_list_handlers",
      () => server.availableHandlers(peer),
      '{"handlers":["a",1]}',
      /handlers\[1\]: must be a string/,
    ],
    [
      "listHandlers",
      "_list_handlers",
      () => server.listHandlers(peer),
      "null",
      /must be an object with handlers/,
    ],
    ["waitForHandler", "_list_handlers", () => server.waitForHandler(peer, "a"), "{", /JSON/],
    [
      "healthCheck",
      "_health_check",
      () => server.healthCheck(peer),
      '{"status":"ok"}',
      /timestamp: must be a number/,
    ],
    [
      "describe",
      "_describe",
      () => server.describe(peer),
      '{"services":[],"running":"1","pending":0}',
      /running: must be a number/,
    ],
    ["announceTo", "_register_service", () => server.announceTo(peer), '"registered', /JSON/],
  ];
  let known = false;
  for (const [method, name, ask, answer, why] of questions) {
    const asking = ask();
    if (!known) await node.answerHello(server);
    known = true;
    const { request } = await node.nextRequest(name);
    node.send(server.endpoint, 1, `${request.id}000000`, answer);
    const error = await fails(asking, {
      code: "RESULT_INVALID",
      message: why,
      peer,
      handler: name,
      ran: "yes",
    });
    assert.ok(
      error.message.startsWith(`Result of ${method}() from ${peer} is invalid: `),
      error.message,
    );
  }
});

test("_register_service makes the sender a peer that can be dialled", async () => {
  await using t = await leakCheck();
  const leader = await t.messenger();
  const node = await PlainVelo.open(t);
  // The node is not known yet, so the instance can answer it only after it has said where it listens.
  const question = { instance_id: node.instanceId, endpoint: node.endpoint };
  const reply = await node.ask(leader.endpoint, "_register_service", question);
  assert.deepEqual(JSON.parse(reply.text), { registered: true, ...question });
  assert.deepEqual(leader.peers().map(({ instanceId, endpoints }) => ({ instanceId, endpoints })), [
    { instanceId: node.instanceId, endpoints: [node.endpoint] },
  ]);
  const sending = leader.amSend("work", { to: leader.peers()[0]!.instanceId, payload: 1 });
  await node.answerHello(leader);
  await sending;
  assert.equal((await node.nextRequest("work")).text, "1");
});

test("_register_service takes the later form with two endpoints", async () => {
  await using t = await leakCheck();
  const { server, node } = await introduced(t);
  const ipc_endpoint = "ipc:///tmp/nowhere";
  const said = { instance_id: node.instanceId.toUpperCase(), tcp_endpoint: node.endpoint, ipc_endpoint };
  const answer = JSON.parse(await asks(node, server, "_register_service", said)) as object;
  assert.deepEqual(answer, { registered: true, instance_id: node.instanceId, endpoint: node.endpoint });
  assert.deepEqual(server.peers()[0]!.endpoints, [ipc_endpoint, node.endpoint]);
});

test("_register_service refuses others' names and addresses that cannot be dialled", async () => {
  await using t = await leakCheck();
  const { server, node } = await introduced(t);
  const other = newInstanceId();
  const refused = async (said: object, why: RegExp): Promise<void> => {
    const reply = await node.ask(server.endpoint, "_register_service", said, { kind: Kind.ack });
    assert.equal(reply.header.slice(0, 2), "02", "a nack");
    assert.match(reply.text, why);
  };
  await refused({ instance_id: other, endpoint: node.endpoint }, /is not instance .*, which it announces/);
  await refused({ instance_id: "nobody", endpoint: node.endpoint }, /instance_id: must be an instance id$/);
  await refused({ instance_id: node.instanceId, endpoint: 7 }, /endpoint: must be a string$/);
  for (const endpoint of ["tcp://0.0.0.0:80", "tcp://*:80", "tcp://a:0", "tcp://a", "udp://a:1", "ipc://"]) {
    await refused({ instance_id: node.instanceId, endpoint }, /cannot be dialled/);
  }
  assert.deepEqual(server.peers()[0]!.endpoints, [node.endpoint]);
});

test("_register_service for one of ours is only taken from its own connection", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t);
  const before = server.peers()[0]!.endpoints;
  const thief = await PlainVelo.open(t, { instanceId: client.instanceId, routingId: null });
  const said = { instance_id: client.instanceId, endpoint: thief.endpoint };
  const { failed } = server.stats().handlers;
  thief.send(server.endpoint, 0, requestHeader(Kind.unary, thief.nextId(), "_register_service"), said);
  await until(() => server.stats().handlers.failed > failed);
  assert.deepEqual(server.peers()[0]!.endpoints, before);
});

test("an instance does not register with itself", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger();
  const cohort = LeaderWorkerCohort.create(alone);
  t.defer(() => void cohort.close({ timeoutMs: 1 }));
  assert.equal(await alone.announceTo(alone.instanceId), false);
  assert.deepEqual(cohort.workers(), []);
});

test("announceTo() makes this instance known to a peer, which keeps the other ways to it", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const before = server.peers()[0]!.endpoints;
  assert.equal(await client.announceTo(peer), true);
  assert.deepEqual(server.peers()[0]!.endpoints, before);
  assert.equal(await client.announceTo(peer, { endpoint: "tcp://127.0.0.1:9" }), true);
  assert.deepEqual(server.peers()[0]!.endpoints, ["tcp://127.0.0.1:9", ...before]);
  await fails(client.announceTo(peer, { endpoint: "tcp://0.0.0.0:1" }), { code: "PAYLOAD_INVALID" });
  const edge = await t.messenger({ listen: false });
  assert.equal(await edge.announceTo(await edge.connect(server.endpoint)), true);
});

test("announceTo() makes a member of the cohort that waits, whose health is its heartbeat", async () => {
  await using t = await leakCheck();
  const leader = await t.messenger();
  const cohort = LeaderWorkerCohort.create(leader, {
    size: 2,
    heartbeatMs: 50,
    lostAfterMs: 5_000,
    failurePolicy: "continue",
  });
  t.defer(() => void cohort.close({ timeoutMs: 1 }));
  const workers = [await t.messenger(), await t.messenger(), await t.messenger()];
  for (const worker of workers) {
    worker.registerHandler(unaryHandler("rank", ({ payload }) => payload));
    assert.equal(await worker.announceTo(await worker.connect(leader.endpoint)), true);
  }
  await cohort.whenComplete({ timeoutMs: 2_000 });
  assert.deepEqual(cohort.workers().map(({ instanceId, rank, state }) => ({ instanceId, rank, state })), [
    { instanceId: workers[0]!.instanceId, rank: 0, state: "up" },
    { instanceId: workers[1]!.instanceId, rank: 1, state: "up" },
  ]);
  await until(() => cohort.stats().heartbeats >= 20);
  assert.equal(cohort.stats().workers, 2);
  const ranks = await cohort.map("rank", ({ rank }) => Uint8Array.of(Number(rank)));
  assert.deepEqual(ranks.values(), [Uint8Array.of(0), Uint8Array.of(1)]);
  await workers[0]!.close();
  await until(() => cohort.workers().length === 1);
  // There is room for the third one now.
  await workers[2]!.announceTo(leader.instanceId);
  assert.equal(cohort.complete, true);
});

test("a member by document registers once, however often it says so", async () => {
  await using t = await leakCheck();
  const { server: leader, node } = await introduced(t);
  const cohort = LeaderWorkerCohort.create(leader, { failurePolicy: "continue" });
  t.defer(() => void cohort.close({ timeoutMs: 1 }));
  for (let i = 0; i < 3; i++) {
    await asks(node, leader, "_register_service", { instance_id: node.instanceId, endpoint: node.endpoint });
  }
  assert.deepEqual(cohort.workers().map(({ instanceId }) => instanceId), [node.instanceId]);
});
