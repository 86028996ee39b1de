/** Tests of the port through which features reach a messenger. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { shape, systemContract } from "../../src/core/mod.ts";
import {
  amHandler,
  type InstanceId,
  type Messenger,
  type MessengerOptions,
  unaryHandler,
  ZeromeshError,
} from "../../src/mod.ts";
import {
  answeredLater,
  FeatureFailure,
  portOf,
  type SystemMessage,
  type SystemPort,
} from "../../src/messenger/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { bytes, fails, pair, text } from "./messenger_kit.ts";

const nothing = new Uint8Array(0);

const split = systemContract("_split", {
  input: shape.record({ text: shape.text, by: shape.optional(shape.string) }),
  output: shape.record({ parts: shape.list(shape.record({ part: shape.string })) }),
  errors: { EMPTY_PART: shape.record({ at: shape.number }), OVERLOADED: null },
});
const heard = systemContract("_heard", { input: shape.record({ word: shape.text }) });

/** Makes two instances, and returns them with their ports. */
async function ports(
  t: Parameters<typeof pair>[0],
  options: { server?: MessengerOptions; client?: MessengerOptions } = {},
): Promise<{ server: Messenger; client: Messenger; peer: InstanceId; at: SystemPort; from: SystemPort }> {
  const { server, client, peer } = await pair(t, options);
  const [at, from] = [portOf(server), portOf(client)];
  assert.ok(at !== undefined && from !== undefined);
  return { server, client, peer, at, from };
}

test("a feature's handler is there until it is disposed of, and users hear of neither", async () => {
  await using t = await leakCheck();
  const { server, peer, at, from } = await ports(t);
  const changes = server.status();
  const handler = at.handle("_extra", "unary", () => Uint8Array.of(7));
  assert.deepEqual([...await from.call("_extra", peer, nothing, {})], [7]);
  assert.throws(() => at.handle("_extra", "unary", () => nothing), { code: "HANDLER_EXISTS" });
  handler[Symbol.dispose]();
  await fails(from.call("_extra", peer, nothing, {}), { code: "HANDLER_NOT_FOUND" });
  const again = at.handle("_extra", "unary", () => Uint8Array.of(8));
  handler[Symbol.dispose]();
  assert.deepEqual([...await from.call("_extra", peer, nothing, {})], [8], "the first one is not this one's");
  again[Symbol.dispose]();
  server.registerHandler(amHandler("users", () => {}));
  const { value } = await changes.next();
  assert.deepEqual(value, { type: "handlerRegistered", handler: "users" });
});

test("while an instance drains, of a feature's handlers those run that say so", async () => {
  await using t = await leakCheck();
  const { server, client, peer, at, from } = await ports(t);
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  server.registerHandler(amHandler("work", async () => {
    begin();
    await finished;
  }));
  at.handle("_always", "unary", () => Uint8Array.of(1), { whileDraining: true });
  at.handle("_mostly", "unary", () => Uint8Array.of(2));
  const work = client.amSync("work", { to: peer });
  await begun;
  const closed = server.close();
  assert.deepEqual([...await from.call("_always", peer, nothing, {})], [1]);
  await fails(from.call("_mostly", peer, nothing, {}), { code: "PEER_DRAINING" });
  finish();
  await Promise.all([work, closed]);
});

test("supports() tells which features both ends speak, as long as there is a connection", async () => {
  await using t = await leakCheck();
  const { client, peer, at, from } = await ports(t, { server: { features: { events: false } } });
  assert.equal(from.supports(peer, "cancel"), true);
  assert.equal(from.supports(peer, "events"), false);
  const seen: boolean[] = [];
  at.handle("_ask", "unary", (message) => {
    seen.push(message.supports("cancel"), message.supports("events"));
    return nothing;
  });
  await from.call("_ask", peer, nothing, {});
  assert.deepEqual(seen, [true, false]);
  client.disconnect(peer);
  assert.equal(from.supports(peer, "cancel"), false);
});

test("handlers with the system's admission run beside a messenger's limits, and come all or none", async () => {
  await using t = await leakCheck();
  const { server, client, peer, at } = await ports(t, { server: { concurrency: 1 } });
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  server.registerHandler(amHandler("work", async () => {
    begin();
    await finished;
  }));
  const beat = unaryHandler("beat", () => Uint8Array.of(3));
  assert.throws(
    () => at.register([beat, amHandler("work", () => {})], { admission: "system" }),
    { code: "HANDLER_EXISTS" },
  );
  using _ = at.register([beat], { admission: "system" });
  const work = client.amSync("work", { to: peer });
  await begun;
  assert.deepEqual([...await client.unary("beat", { to: peer })], [3]);
  finish();
  await work;
});

test("a registering instance is offered to the watchers in order until one takes it", async () => {
  await using t = await leakCheck();
  const { client, peer, at } = await ports(t);
  const asked: string[] = [];
  const watch = (name: string, takes: boolean): Disposable =>
    at.watch({ registered: (id) => asked.push(`${name} ${id === client.instanceId}`) > 0 && takes });
  const first = watch("first", false);
  watch("second", true);
  watch("third", true);
  await client.announceTo(peer);
  assert.deepEqual(asked, ["first true", "second true"]);
  first[Symbol.dispose]();
  await client.announceTo(peer);
  assert.deepEqual(asked.slice(2), ["second true"]);
});

test("several parts may have something go before the next call", async () => {
  await using t = await leakCheck();
  const { server, client, peer, from } = await ports(t);
  server.registerHandler(unaryHandler("ping", () => {}));
  const order: string[] = [];
  const one = from.beforeCalls(() => void order.push("one"));
  const two = from.beforeCalls(() => void order.push("two"));
  await client.unary("ping", { to: peer });
  assert.deepEqual(order, ["one", "two"]);
  one[Symbol.dispose]();
  await client.unary("ping", { to: peer });
  assert.deepEqual(order, ["one", "two", "two"]);
  two[Symbol.dispose]();
  await client.unary("ping", { to: peer });
  assert.equal(order.length, 3);
});

test("a feature's contract is served until it is disposed of, with its input and its answer as JSON", async () => {
  await using t = await leakCheck();
  const { peer, at, from } = await ports(t);
  const served = at.serve(split, ({ input: { text, by = " " } }) => ({
    parts: text.split(by).map((part) => ({ part })),
  }));
  const parts = [{ part: "a" }, { part: "b" }];
  assert.deepEqual(await from.call(split, peer, { text: "a b" }, {}), { parts });
  assert.deepEqual(await from.call(split, peer, { text: "a,b", by: "," }, {}), { parts });
  const raw = await from.call("_split", peer, bytes('{"text":"a","by":null,"later":1}'), {});
  assert.equal(text(raw), '{"parts":[{"part":"a"}]}');
  assert.throws(() => at.serve(split, () => ({ parts: [] })), { code: "HANDLER_EXISTS" });
  served[Symbol.dispose]();
  await fails(from.call(split, peer, { text: "a" }, {}), { code: "HANDLER_NOT_FOUND", ran: "no", peer });
});

test("a payload that fails a feature's contract is refused with its place, on both sides", async () => {
  await using t = await leakCheck();
  const { peer, at, from } = await ports(t);
  let ran = 0;
  at.serve(split, ({ input }) => ({ parts: [{ part: input.text + ran++ }] }));
  const message =
    'Payload of "_split" is invalid: text: must be a string that is not empty; by: must be a string';
  const expected = { code: "PAYLOAD_INVALID", message, handler: "_split", peer, ran: "no" };
  const wrong = { text: "", by: 1 } as unknown as { text: string };
  await fails(from.call(split, peer, wrong, {}), expected);
  const { details } = await fails(from.call("_split", peer, bytes(JSON.stringify(wrong)), {}), expected);
  assert.deepEqual(details, [
    { path: "text", message: "must be a string that is not empty" },
    { path: "by", message: "must be a string" },
  ]);
  for (
    const [payload, why] of [
      ["", /must be an object with text, by/],
      ["[]", /must be an object with text, by/],
      ["{", /JSON/],
    ] as const
  ) await fails(from.call("_split", peer, bytes(payload), {}), { code: "PAYLOAD_INVALID", message: why });
  assert.equal(ran, 0);
});

test("an answer that fails a feature's contract is an error that names peer and place", async () => {
  await using t = await leakCheck();
  const { peer, at, from } = await ports(t);
  const mistaken = { parts: [{ part: "a" }, { part: 2 }] };
  const served = at.serve(split, () => mistaken as { parts: { part: string }[] });
  const place = /parts\[1\]\.part: must be a string/;
  await fails(from.call(split, peer, { text: "a" }, {}), { code: "RESULT_INVALID", message: place });
  served[Symbol.dispose]();
  let answer = JSON.stringify(mistaken);
  at.handle("_split", "unary", () => bytes(answer));
  const error = await fails(from.call(split, peer, { text: "a" }, {}), {
    code: "RESULT_INVALID",
    message: place,
    handler: "_split",
    peer,
    ran: "yes",
  });
  assert.ok(error.message.includes(`Result of "_split" from ${peer} is invalid`), error.message);
  for (answer of ["", "null", "{", "{}"]) {
    await fails(from.call(split, peer, { text: "a" }, {}), { code: "RESULT_INVALID", peer });
  }
});

test("an error that a feature's contract declares arrives as it was thrown, and another one as a refusal", async () => {
  await using t = await leakCheck();
  const { peer, at, from } = await ports(t);
  at.serve(split, ({ input, fail }) => {
    if (input.text === "refuse") throw new ZeromeshError("FORBIDDEN", "not you");
    if (input.text === "full") throw fail("OVERLOADED", undefined, "no more");
    throw fail("EMPTY_PART", { at: input.text === "lie" ? "x" as unknown as number : 3 });
  });
  const thrown = await fails(from.call(split, peer, { text: "a" }, {}), {
    code: "EMPTY_PART",
    details: { at: 3 },
    handler: "_split",
    peer,
    ran: "yes",
  });
  assert.ok(split.isError(thrown, "EMPTY_PART"));
  // The code is one of the library's. Elsewhere it means that nothing ran; here it has the meaning of the contract.
  const full = await fails(from.call(split, peer, { text: "full" }, {}), { message: "no more", ran: "yes" });
  assert.ok(split.isError(full, "OVERLOADED"));
  await fails(from.call(split, peer, { text: "lie" }, {}), {
    code: "RESULT_INVALID",
    message: /at: must be/,
  });
  await fails(from.call(split, peer, { text: "refuse" }, {}), { code: "FORBIDDEN", ran: "no" });
});

test("a feature's contract without an answer is told, and its handler hears what fits", async () => {
  await using t = await leakCheck();
  const { peer, at, from } = await ports(t);
  const words: string[] = [];
  at.serve(heard, ({ input }) => void words.push(input.word));
  await from.tell(heard, peer, { word: "hello" }, {});
  await until(() => words.length === 1);
  assert.deepEqual(words, ["hello"]);
  await fails(from.tell(heard, peer, { word: "" }, {}), {
    code: "PAYLOAD_INVALID",
    message: /word: must be/,
  });
});

test("a feature's call has a name of its own in errors, and reads the answer in place", async () => {
  await using t = await leakCheck();
  const { peer, at, from } = await ports(t);
  at.handle("_count", "unary", (message) => Uint8Array.of(message.lentPayload.length));
  at.handle("_late", "unary", (message) => new Promise((resolve) => message.whenAborted(resolve)), {
    admission: "user",
  });
  const accept = ({ payload }: { payload: Uint8Array }) => payload[0]! * 2;
  assert.equal(await from.call("_count", peer, new Uint8Array(21), { label: "count", accept }), 42);
  const late = from.call("_late", peer, nothing, { label: "counter.add", timeoutMs: 50 });
  const { message } = await fails(late, { code: "TIMEOUT", handler: "counter.add" });
  assert.match(message, /^Call of "counter\.add" on peer /);
  await fails(from.sync("_absent", peer, nothing, { label: "counter.set" }), {
    code: "HANDLER_NOT_FOUND",
    handler: "counter.set",
  });
});

test("a feature learns that a message's caller cancels, runs out of time, or is lost", async () => {
  await using t = await leakCheck();
  const { client, peer, at, from } = await ports(t);
  const heard: string[] = [];
  const ttls: number[] = [];
  at.handle("_wait", "unary", (message) => {
    const { promise, reject } = Promise.withResolvers<never>();
    ttls.push(message.ttlMs);
    message.whenAborted((reason) => {
      heard.push((reason as ZeromeshError).code);
      reject(reason);
    });
    return promise;
  }, { admission: "user" });
  const heardOf = async (count: number) => {
    await until(() => heard.length === count, { message: () => `only ${heard.join()}` });
    return heard.at(-1);
  };
  const gone = new AbortController();
  const cancelled = from.call("_wait", peer, nothing, { signal: gone.signal });
  await until(() => ttls.length === 1);
  gone.abort(new Error("enough"));
  await assert.rejects(cancelled, /enough/);
  assert.equal(await heardOf(1), "CANCELLED");
  await fails(from.call("_wait", peer, nothing, { timeoutMs: 60 }), { code: "TIMEOUT" });
  // The caller cancels when its own time is over.
  assert.match((await heardOf(2))!, /^TIMEOUT$|^CANCELLED$/);
  const lost = from.call("_wait", peer, nothing, { timeoutMs: Infinity });
  await until(() => ttls.length === 3);
  await client.disconnect(peer);
  await fails(lost, { code: "CLOSED" });
  await heardOf(3);
  assert.ok(ttls[0]! > 1_000 && ttls[1]! <= 60 && ttls[1]! >= 0 && ttls[2]! < 0, ttls.join());
});

test("a feature answers or fails a message later without a promise, and its failure arrives as it is", async () => {
  await using t = await leakCheck();
  const { server, peer, at, from } = await ports(t);
  const kept: SystemMessage[] = [];
  const ends: unknown[] = [];
  at.handle("_later", "unary", (message) => {
    message.whenAborted((reason) => ends.push((reason as ZeromeshError).code), false);
    kept.push(message);
    return answeredLater;
  }, { admission: "user" });
  const failed: unknown[] = [];
  const call = (options: object = {}) =>
    from.call("_later", peer, bytes("question"), {
      failed: (error: unknown, promise: Promise<unknown>) => {
        failed.push(promise);
        return error;
      },
      ...options,
    });
  const answers = [call(), call(), call({ timeoutMs: 50 })];
  // The second one may fail while the first one is waited for.
  for (const answer of answers) answer.catch(() => {});
  await until(() => kept.length === 3);
  assert.equal(server.stats().handlers.running, 3);
  at.refuse(
    kept[1]!,
    new FeatureFailure({ code: "QUEUE_FULL", message: "no room", ran: "maybe", data: { n: 1 } }),
  );
  at.answer(kept[0]!, bytes("answer"));
  assert.equal(text(await answers[0]!), "answer");
  await fails(answers[1]!, { code: "QUEUE_FULL", ran: "maybe", message: "no room", details: { n: 1 } });
  await fails(answers[2]!, { code: "TIMEOUT" });
  assert.deepEqual(failed, [answers[1], answers[2]]);
  // The caller has cancelled, and the deadline is the handler's affair.
  await until(() => ends.length === 1);
  assert.deepEqual(ends, ["CANCELLED"]);
  at.answer(kept[2]!, bytes("late"));
  assert.equal(server.stats().handlers.running, 0);
  const borrowed = bytes("first");
  const last = [call({ borrowed: true }), call({ signal: AbortSignal.abort(new Error("enough")) })];
  borrowed.fill(0);
  await assert.rejects(last[1]!, /enough/);
  await until(() => kept.length === 4);
  at.answer(kept[3]!, bytes("done"));
  assert.equal(text(await last[0]!), "done");
});
