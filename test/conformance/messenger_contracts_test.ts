import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, type StandardSchema, unaryHandler, ZeromeshError } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { pause, until } from "../support/until.ts";
import { bytes, fails, gate, pair, text } from "./messenger_kit.ts";

const add = contract("add", {
  input: z.object({ a: z.number(), b: z.number() }),
  output: z.object({ sum: z.number() }),
});

/** A value for which the types are switched off, as a caller without types gives it. */
const untyped = (value: unknown) => value as never;

/** A schema made by hand. */
function schema<In, Out>(
  validate: StandardSchema<In, Out>["~standard"]["validate"],
): StandardSchema<In, Out> {
  return { "~standard": { version: 1, vendor: "test", validate } };
}

test("a wrong payload is PAYLOAD_INVALID naming the field, and no message leaves", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let runs = 0;
  server.handle(add, ({ input }) => {
    runs++;
    return { sum: input.a + input.b };
  });
  const before = { us: client.stats(), them: server.stats() };
  const remote = client.client({ add }, { to: peer });
  const wrong: readonly (readonly [payload: unknown, fields: readonly string[]])[] = [
    [{ a: 3, b: "4" }, ["b"]],
    [{ b: 4 }, ["a"]],
    [{}, ["a", "b"]],
    [{ a: Number.NaN, b: 1 }, ["a"]],
    ["text", [""]],
    [undefined, [""]],
    [null, [""]],
  ];
  for (const [payload, fields] of wrong) {
    const attempts = [
      client.typedUnary(add, { to: peer, payload: untyped(payload) }),
      client.amSync(add, { to: peer, payload: untyped(payload) }),
      client.amSend(add, { to: peer, payload: untyped(payload) }),
      remote.add(untyped(payload)),
    ];
    for (const attempt of attempts) {
      const error = await fails(attempt, {
        name: "ZeromeshError",
        code: "PAYLOAD_INVALID",
        ran: "no",
        peer,
        handler: "add",
        message: /^Payload of "add" is invalid: /,
      });
      const issues = error.details as { path: string; message: string }[];
      assert.deepEqual(issues.map(({ path }) => path), fields);
      for (const field of fields) {
        assert.ok(error.message.includes(`${field}: `) || field === "", error.message);
      }
    }
  }
  assert.equal(runs, 0);
  assert.equal(client.stats().transport.sentMessages, before.us.transport.sentMessages);
  assert.equal(client.stats().calls.started, before.us.calls.started);
  assert.equal(server.stats().transport.receivedMessages, before.them.transport.receivedMessages);
});

test("the message names nested fields as one writes them, and at most five", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger();
  const deep = contract("deep", {
    input: z.object({ items: z.array(z.object({ price: z.number() })) }),
    output: z.null(),
  });
  const items = Array.from({ length: 8 }, (_, i) => ({ price: i === 0 ? 1 : "free" }));
  const error = await fails(alone.typedUnary(deep, { to: alone.instanceId, payload: untyped({ items }) }), {
    code: "PAYLOAD_INVALID",
    message: /items\[1\]\.price: .*; and 2 more$/,
  });
  assert.equal((error.details as unknown[]).length, 7);
});

test("the server checks again: what reaches it wrong does not reach the handler", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let runs = 0;
  server.handle(add, ({ input }) => {
    runs++;
    return { sum: input.a + input.b };
  });
  const careless = contract("add", { input: z.unknown(), output: z.unknown() });
  const error = await fails(client.typedUnary(careless, { to: peer, payload: { a: 1, b: "2" } }), {
    code: "PAYLOAD_INVALID",
    ran: "no",
    peer,
    handler: "add",
    message: /^Payload of "add" is invalid: b: /,
  });
  assert.deepEqual((error.details as { path: string }[]).map(({ path }) => path), ["b"]);
  await fails(client.amSync("add", { to: peer, payload: 5 }), { code: "PAYLOAD_INVALID", ran: "no" });
  await fails(client.unary("add", { to: peer, rawPayload: bytes("{") }), {
    code: "PAYLOAD_INVALID",
    ran: "no",
  });
  await fails(client.unary("add", { to: peer, rawPayload: Uint8Array.of(0xff) }), {
    code: "PAYLOAD_INVALID",
    message: /UTF-8/,
  });
  assert.equal(runs, 0);
  assert.equal(server.stats().handlers.refused, 4);
});

test("an answer that does not match the contract is RESULT_INVALID, and the handler ran", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  for (const how of ["returns", "resolves to"] as const) {
    for (const result of [{}, { sum: "7" }, undefined, null, 7]) {
      using _registered = server.handle(add, () => {
        return how === "returns" ? untyped(result) : untyped(Promise.resolve(result));
      });
      const expected = {
        code: "RESULT_INVALID",
        ran: "yes",
        peer,
        handler: "add",
        message: /^Result of "add"/,
      };
      await fails(client.typedUnary(add, { to: peer, payload: { a: 1, b: 2 } }), expected, 1_000);
      await fails(client.amSync(add, { to: peer, payload: { a: 1, b: 2 } }), expected, 1_000);
    }
  }
});

test("an answer that cannot be encoded is ENCODING_FAILED, and the handler ran", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const anything = contract("any", { input: z.null(), output: z.unknown() });
  const circle: unknown[] = [];
  circle.push(circle);
  for (const result of [10n, circle, () => {}, Symbol("x")]) {
    using _registered = server.handle(anything, () => Promise.resolve(result));
    await fails(client.typedUnary(anything, { to: peer, payload: null }), {
      code: "ENCODING_FAILED",
      ran: "yes",
      message: /^Result of "any" cannot be encoded/,
    }, 1_000);
  }
});

test("the caller checks the answer as well, against its own contract", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("add", () => bytes('{"sum":"seven"}')));
  await fails(client.typedUnary(add, { to: peer, payload: { a: 3, b: 4 } }), {
    code: "RESULT_INVALID",
    ran: "yes",
    peer,
    handler: "add",
    message: /sum: /,
  });
  server.registerHandler(unaryHandler("broken", () => bytes("{")));
  const broken = contract("broken", { input: z.null(), output: z.null() });
  await fails(client.typedUnary(broken, { to: peer, payload: null }), { code: "RESULT_INVALID", ran: "yes" });
});

const lookup = contract("lookup", {
  input: z.string(),
  output: z.string(),
  errors: {
    NO_SUCH_KEY: z.object({ key: z.string(), near: z.array(z.string()) }),
    LOCKED: null,
  },
});

test("an error that the contract declares keeps its code, message and data", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.handle(lookup, ({ input }) => {
    if (input === "locked") throw new ZeromeshError("LOCKED", "try later");
    throw new ZeromeshError("NO_SUCH_KEY", `nothing under ${input}`, {
      details: { key: input, near: ["a", "b"] },
    });
  });
  for (
    const call of [
      client.typedUnary(lookup, { to: peer, payload: "x" }),
      client.amSync(lookup, { to: peer, payload: "x" }),
      client.client({ lookup }, { to: peer }).lookup("x"),
    ]
  ) {
    const error = await fails(call, {
      name: "ZeromeshError",
      code: "NO_SUCH_KEY",
      message: "nothing under x",
      ran: "yes",
      peer,
      handler: "lookup",
    });
    assert.deepEqual(error.details, { key: "x", near: ["a", "b"] });
  }
  const locked = await fails(client.typedUnary(lookup, { to: peer, payload: "locked" }), {
    code: "LOCKED",
    message: "try later",
    ran: "yes",
  });
  assert.equal(locked.details, undefined);
});

test("an error that the contract does not declare is HANDLER_FAILED with exactly its message", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.handle(lookup, ({ input }) => {
    throw input === "own"
      ? new ZeromeshError("NOT_DECLARED", "mine", { details: { a: 1 } })
      : new Error("plain");
  });
  const own = await fails(client.typedUnary(lookup, { to: peer, payload: "own" }), {
    code: "HANDLER_FAILED",
    message: "mine",
    ran: "yes",
  });
  assert.equal(own.details, undefined);
  await fails(client.typedUnary(lookup, { to: peer, payload: "x" }), {
    code: "HANDLER_FAILED",
    message: "plain",
  });
  // A name that every object has is not declared by it.
  server.handle(contract("sneaky", { input: z.null(), output: z.null(), errors: {} }), () => {
    throw new ZeromeshError("constructor", "inherited");
  });
  await fails(client.unary("sneaky", { to: peer, payload: null }), { code: "HANDLER_FAILED" });
});

test("an am contract's declared errors reach amSync()", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const job = contract("job", { input: z.null(), errors: { BUSY: null } });
  server.handle(job, async () => {
    await pause(0);
    throw new ZeromeshError("BUSY", "come back");
  });
  await fails(client.client({ job }, { to: peer }).job(null), {
    code: "BUSY",
    message: "come back",
    ran: "yes",
  });
});

test("transforming schemas: the caller gives in and gets out, the handler gets out and gives in", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const age = contract("age", {
    input: z.object({
      born: z.string().transform((day) => new Date(`${day}T00:00:00Z`)),
      unit: z.enum(["years", "days"]).default("years"),
    }),
    output: z.object({ label: z.string(), value: z.number().transform((value) => `${value}!`) }),
  });
  server.handle(age, ({ input }) => {
    const born: Date = input.born;
    const unit: "years" | "days" = input.unit;
    assert.ok(born instanceof Date);
    return { label: unit, value: born.getUTCFullYear() };
  });
  const answer = await client.typedUnary(age, { to: peer, payload: { born: "1999-12-31" } });
  const value: string = answer.value;
  assert.deepEqual({ ...answer, value }, { label: "years", value: "1999!" });
  const days = await client.typedUnary(age, { to: peer, payload: { born: "2001-01-01", unit: "days" } });
  assert.deepEqual(days, { label: "days", value: "2001!" });
});

test("schemas drop what they do not know, on both sides", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const open = contract("open", { input: z.object({ a: z.number() }), output: z.object({ a: z.number() }) });
  const seen: unknown[] = [];
  server.handle(open, ({ input }) => {
    seen.push(input);
    return { ...input, extra: 1 };
  });
  const answer = await client.typedUnary(open, { to: peer, payload: untyped({ a: 1, extra: 2 }) });
  assert.deepEqual(seen, [{ a: 1 }]);
  assert.deepEqual(answer, { a: 1 });
});

test("asynchronous validators work on every side", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const later = contract("later", {
    input: z.string().refine(async (value) => {
      await pause(1);
      return value !== "bad input";
    }, "not this input"),
    output: z.string().refine(async (value) => {
      await pause(1);
      return value !== "BAD RESULT";
    }, "not this result"),
  });
  server.handle(later, ({ input }) => input.toUpperCase());
  assert.equal(await client.typedUnary(later, { to: peer, payload: "hello" }), "HELLO");
  const before = client.stats().transport.sentMessages;
  await fails(client.typedUnary(later, { to: peer, payload: "bad input" }), {
    code: "PAYLOAD_INVALID",
    ran: "no",
    message: /not this input/,
  });
  assert.equal(client.stats().transport.sentMessages, before);
  await fails(client.unary("later", { to: peer, payload: "bad input" }), {
    code: "PAYLOAD_INVALID",
    ran: "no",
  });
  await fails(client.typedUnary(later, { to: peer, payload: "bad result" }), {
    code: "RESULT_INVALID",
    ran: "yes",
    message: /not this result/,
  });
  const many = await Promise.all(
    Array.from({ length: 50 }, (_, i) => client.typedUnary(later, { to: peer, payload: `n${i}` })),
  );
  assert.deepEqual(many, Array.from({ length: 50 }, (_, i) => `N${i}`));
});

test("shutdown waits for an answer that is still being validated", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  const slow = contract("slow", {
    input: z.null(),
    output: schema<string, string>(async (value) => {
      await hold.opened;
      return { value: value as string };
    }),
  });
  server.handle(slow, () => "worth waiting for");
  const loose = contract("slow", { input: z.null(), output: z.string() });
  const call = client.typedUnary(loose, { to: peer, payload: null });
  await until(() => server.stats().handlers.started > 1);
  const closing = server.close();
  hold.open();
  assert.equal(await call, "worth waiting for");
  await closing;
});

test("a validator that throws fails the call that it checks, and nothing else", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const broken = schema<string, string>(() => {
    throw new Error("validator broke");
  });
  const rejecting = schema<string, string>(() => Promise.reject(new Error("validator rejected")));
  for (const [input, message] of [[broken, "validator broke"], [rejecting, "validator rejected"]] as const) {
    const wrong = contract("wrong", { input, output: z.string() });
    const why = `its validator failed: ${message}`;
    const payload = { code: "PAYLOAD_INVALID", message: `Payload of "wrong" is invalid: ${why}`, ran: "no" };
    const result = { code: "RESULT_INVALID", message: `Result of "output" is invalid: ${why}`, ran: "yes" };
    const { cause } = await fails(client.typedUnary(wrong, { to: peer, payload: "x" }), payload);
    assert.equal((cause as Error).message, message);
    using _echo = server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
    using _registered = server.handle(wrong, () => "never");
    await fails(client.unary("wrong", { to: peer, payload: "x" }), payload, 1_000);
    const output = contract("output", { input: z.string(), output: input });
    using _other = server.handle(output, () => "result");
    await fails(client.unary("output", { to: peer, payload: "x" }), result, 1_000);
    await fails(client.amSync("output", { to: peer, payload: "x" }), result, 1_000);
    await fails(
      client.typedUnary(contract("echo", { input: z.string(), output: input }), { to: peer, payload: "x" }),
      {
        code: "RESULT_INVALID",
        message: `Result of "echo" from ${peer} is invalid: ${why}`,
        ran: "yes",
      },
    );
  }
  assert.equal(server.stats().handlers.running, 0);
});

const rich = contract("rich", {
  input: z.object({
    blob: z.instanceof(Uint8Array),
    at: z.date(),
    big: z.bigint(),
    gap: z.undefined().optional(),
    list: z.array(z.union([z.null(), z.number()])),
  }),
  output: z.object({
    blob: z.instanceof(Uint8Array),
    at: z.date(),
    keys: z.array(z.string()),
    big: z.unknown(),
  }),
  encoding: "msgpack",
});

test("a contract with msgpack carries bytes, dates and 64-bit integers, and leaves undefined properties out", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.handle(rich, ({ input, headers }) => {
    assert.deepEqual(Object.keys(headers), []);
    input.blob[0] = 9;
    return { blob: input.blob, at: input.at, keys: Object.keys(input).sort(), big: input.big };
  });
  const blob = Uint8Array.of(1, 2, 3);
  const at = new Date("2024-02-29T12:34:56.789Z");
  const big = 2n ** 60n + 1n;
  const answer = await client.typedUnary(rich, {
    to: peer,
    payload: { blob, at, big, gap: undefined, list: [null, 1.5, -7] },
  });
  assert.deepEqual([...answer.blob], [9, 2, 3]);
  assert.deepEqual([...blob], [1, 2, 3]);
  assert.equal(answer.at.getTime(), at.getTime());
  assert.equal(answer.big, big);
  assert.deepEqual(answer.keys, ["at", "big", "blob", "list"]);
});

test("the bytes in a msgpack value are the handler's and the caller's own", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const blob = contract("blob", {
    input: z.instanceof(Uint8Array),
    output: z.instanceof(Uint8Array),
    encoding: "msgpack",
  });
  const kept: Uint8Array[] = [];
  server.handle(blob, ({ input }) => {
    kept.push(input);
    return input;
  });
  const answers: Uint8Array[] = [];
  for (let i = 0; i < 100; i++) {
    answers.push(await client.typedUnary(blob, { to: peer, payload: new Uint8Array(50).fill(i) }));
  }
  for (let i = 0; i < 100; i++) {
    assert.ok(kept[i]!.every((byte) => byte === i));
    assert.ok(answers[i]!.every((byte) => byte === i));
  }
});

test("msgpack with asynchronous validators answers a synchronous handler in msgpack as well", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const careful = contract("careful", {
    input: z.instanceof(Uint8Array).refine(() => Promise.resolve(true)),
    output: z.instanceof(Uint8Array).refine(() => Promise.resolve(true)),
    encoding: "msgpack",
  });
  const sync = contract("sync", {
    input: z.instanceof(Uint8Array),
    output: schema<Uint8Array, Uint8Array>((value) => Promise.resolve({ value: value as Uint8Array })),
    encoding: "msgpack",
  });
  server.handle(careful, ({ input }) => input);
  server.handle(sync, ({ input }) => input);
  const checks = Array.from({ length: 40 }, async (_, i) => {
    const payload = new Uint8Array(20).fill(i);
    assert.deepEqual(await client.typedUnary(careful, { to: peer, payload }), payload);
    assert.deepEqual(await client.typedUnary(sync, { to: peer, payload }), payload);
  });
  await Promise.all(checks);
});

test("msgpack that cannot be read or encoded says so with the codes that JSON has", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const anything = contract("any", { input: z.unknown(), output: z.unknown(), encoding: "msgpack" });
  server.handle(anything, ({ input }) => input === "odd" ? Symbol("odd") : input);
  await fails(client.typedUnary(anything, { to: peer, payload: Symbol("odd") }), {
    code: "ENCODING_FAILED",
    ran: "no",
  });
  await fails(client.typedUnary(anything, { to: peer, payload: () => {} }), {
    code: "ENCODING_FAILED",
    ran: "no",
  });
  await fails(client.typedUnary(anything, { to: peer, payload: "odd" }), {
    code: "ENCODING_FAILED",
    ran: "yes",
  });
  // A caller that speaks JSON to it is understood, since every message says how it is encoded.
  assert.equal(text(await client.unary("any", { to: peer, payload: { plain: true } })), '{"plain":true}');
});

test("contract() refuses what is no schema, no encoding and no error table", () => {
  const input = z.null();
  for (const wrong of [undefined, null, {}, "text", () => {}, { "~standard": { version: 2 } }]) {
    assert.throws(() => contract("x", { input: untyped(wrong) }), TypeError);
    if (wrong !== undefined && wrong !== null) {
      assert.throws(() => contract("x", { input, output: untyped(wrong) }), TypeError);
    }
    if (wrong !== null) {
      assert.throws(() => contract("x", { input, errors: { CODE: untyped(wrong) } }), TypeError);
    }
  }
  assert.throws(() => contract("x", { input, encoding: untyped("xml") }), TypeError);
});
