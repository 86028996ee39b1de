import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  amHandler,
  type CallOptions,
  contract,
  type Handler,
  type InstanceId,
  type Messenger,
  typedUnaryHandler,
  unaryHandler,
  ZeromeshError,
} from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { bytes, type Expected, fails, gate, looksLike, pair, text, thrown } from "./messenger_kit.ts";

const stranger = "0195b0f4-3c52-7abc-8def-0123456789ab" as InstanceId;
const add = contract("add", {
  input: z.object({ a: z.number(), b: z.number() }),
  output: z.object({ sum: z.number() }),
});
const patterns = ["unary", "amSync", "amSend"] as const;

/** That every pattern fails alike, and nothing is sent. */
async function allFail(
  client: Messenger,
  name: string,
  options: CallOptions,
  expected: Expected,
): Promise<void> {
  const before = client.stats().transport.sentMessages;
  for (const pattern of patterns) await fails(client[pattern](name, options), expected);
  assert.equal(client.stats().transport.sentMessages, before);
  assert.equal(client.stats().calls.pending, 0);
}

test("an unknown handler answers at once with HANDLER_NOT_FOUND and did not run", async () => {
  await using t = await leakCheck();
  const { client, peer } = await pair(t);
  const expected = {
    name: "ZeromeshError",
    code: "HANDLER_NOT_FOUND",
    ran: "no",
    peer,
    handler: "nowhere",
    message: `Peer ${peer} has no handler "nowhere"; check the name, or wait for it with waitForHandler()`,
  };
  await fails(client.unary("nowhere", { to: peer }), expected, 1_000);
  await fails(client.amSync("nowhere", { to: peer }), expected, 1_000);
  await fails(
    client.typedUnary(add, { to: peer, payload: { a: 1, b: 2 } }),
    { code: "HANDLER_NOT_FOUND" },
    1_000,
  );
  await client.amSend("nowhere", { to: peer });
});

test("an unknown peer is PEER_UNKNOWN, and what is no id is said to be none", async () => {
  await using t = await leakCheck();
  const client = await t.messenger();
  await allFail(client, "x", { to: stranger }, {
    code: "PEER_UNKNOWN",
    ran: "no",
    peer: stranger,
    handler: "x",
    message: /connect to it or register it first/,
  });
  await allFail(client, "x", { to: "tcp://127.0.0.1:5555" as InstanceId }, {
    code: "PEER_UNKNOWN",
    message: /not an instance id/,
  });
  await fails(client.availableHandlers(stranger), { code: "PEER_UNKNOWN" });
  await fails(client.waitForHandler(stranger, "x"), { code: "PEER_UNKNOWN" });
  await fails(client.typedUnary(add, { to: stranger, payload: { a: 1, b: 2 } }), { code: "PEER_UNKNOWN" });
});

test("an error of a question to a peer names the method that was called, and not the handler behind it", async () => {
  await using t = await leakCheck();
  const { client, peer } = await pair(t);
  const questions: Record<string, (to: InstanceId, timeoutMs?: number) => Promise<unknown>> = {
    describe: (to, timeoutMs) => client.describe(to, { timeoutMs }),
    healthCheck: (to, timeoutMs) => client.healthCheck(to, { timeoutMs }),
    availableHandlers: (to, timeoutMs) => client.availableHandlers(to, { timeoutMs }),
    listHandlers: (to, timeoutMs) => client.listHandlers(to, { timeoutMs }),
    announceTo: (to, timeoutMs) => client.announceTo(to, { timeoutMs }),
    sendAck: (to, timeoutMs) => client.sendAck(to, "an id", { timeoutMs }),
    waitForHandler: (to, timeoutMs) => client.waitForHandler(to, "x", { timeoutMs }),
  };
  for (const [method, ask] of Object.entries(questions)) {
    const unknown =
      `Cannot call ${method}(): this instance knows no peer ${stranger}; connect to it or register it first`;
    await fails(ask(stranger), { code: "PEER_UNKNOWN", ran: "no", peer: stranger, message: unknown });
    if (method === "waitForHandler") continue; // which says at its deadline that there is no such handler
    const late = `Call of ${method}() on peer ${peer} was not sent within 0 ms`;
    await fails(ask(peer, 0), { code: "TIMEOUT", ran: "no", peer, message: late });
  }
  const endpoint = "tcp://0.0.0.0:0";
  await fails(client.announceTo(peer, { endpoint }), {
    code: "PAYLOAD_INVALID",
    message: `Payload of announceTo() is invalid: "${endpoint}" cannot be dialled`,
  });
  await client.close();
  for (const [method, ask] of Object.entries(questions)) {
    const closed = `Cannot call ${method}(): this instance is closed`;
    await fails(ask(peer), { code: "CLOSED", ran: "no", message: closed });
  }
});

test("a handler that throws is HANDLER_FAILED with exactly its message, and ran", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const things: readonly (readonly [thrown: unknown, message: string])[] = [
    [new Error("exactly this: äöü \n and that"), "exactly this: äöü \n and that"],
    [new TypeError("a kind of error"), "a kind of error"],
    ["just a string", "just a string"],
    [42, "42"],
    [undefined, "undefined"],
    [null, "null"],
    [Symbol("sign"), "Symbol(sign)"],
    [new ZeromeshError("MADE_UP", "with a code of its own"), "with a code of its own"],
    [new ZeromeshError("TIMEOUT", "a timeout of its own", { ran: "no" }), "a timeout of its own"],
    [new AggregateError([new Error("inner")], "outer"), "outer"],
  ];
  for (const [what, message] of things) {
    for (const how of ["throws", "rejects"] as const) {
      using _registered = server.registerHandler(unaryHandler("bad", () => {
        if (how === "throws") throw what;
        return Promise.reject(what);
      }));
      const expected = {
        name: "ZeromeshError",
        code: "HANDLER_FAILED",
        message,
        ran: "yes",
        peer,
        handler: "bad",
      };
      await fails(client.unary("bad", { to: peer }), expected, 1_000);
      await fails(client.amSync("bad", { to: peer }), expected, 1_000);
    }
  }
});

test("a handler that throws what has no text still answers at once", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const nasty: unknown[] = [
    Object.create(null),
    {
      toString: () => {
        throw new Error("from toString");
      },
    },
    { [Symbol.toPrimitive]: () => ({}) },
    Object.defineProperty(new Error(), "message", {
      get: () => {
        throw new Error("from message");
      },
    }),
    Object.assign(new Error(), { message: 5 }),
    Object.assign(new Error(), { message: "lone \ud800 surrogate" }),
  ];
  for (const what of nasty) {
    for (const how of ["throws", "rejects"] as const) {
      using _registered = server.registerHandler(unaryHandler("bad", () => {
        if (how === "throws") throw what;
        return Promise.reject(what);
      }));
      await fails(client.unary("bad", { to: peer }), { code: "HANDLER_FAILED", ran: "yes" }, 1_000);
    }
  }
  assert.equal(server.stats().handlers.running, 0);
});

test("an error text of any length crosses, and neither stack nor cause does", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const long = "long ".repeat(40_000);
  server.registerHandler(unaryHandler("bad", () => {
    throw new Error(long, { cause: new Error("secret cause") });
  }));
  const error = await fails(client.unary("bad", { to: peer }), { code: "HANDLER_FAILED", message: long });
  assert.equal(error.cause, undefined);
  assert.ok(!error.stack?.includes("secret"));
  assert.ok(!(error.stack ?? "").includes("registerHandler"));
});

test("details of an error that no contract declares stay on their side", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("bad", () => {
    throw new ZeromeshError("ZMQ_ERROR", "inner trouble", { details: { password: "secret" } });
  }));
  const error = await fails(client.unary("bad", { to: peer }), {
    code: "HANDLER_FAILED",
    message: "inner trouble",
  });
  assert.equal(error.details, undefined);
});

test("an error of a call that a handler makes arrives as HANDLER_FAILED of that handler", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  // The same name on both sides, as a gateway has it.
  server.registerHandler(
    unaryHandler(
      "add",
      async ({ messenger, senderInstanceId, payload }) =>
        await messenger.unary("add", { to: senderInstanceId!, rawPayload: payload }),
    ),
  );
  client.handle(add, ({ input }) => ({ sum: input.a + input.b }));
  const wrong = bytes('{"a":"x","b":1}');
  await fails(client.unary("add", { to: client.instanceId, rawPayload: wrong }), {
    code: "PAYLOAD_INVALID",
    ran: "no",
  });
  // The gateway's handler did run, so the caller must not hear that nothing did.
  await fails(client.unary("add", { to: peer, rawPayload: wrong }), {
    code: "HANDLER_FAILED",
    ran: "yes",
    peer,
  });
  client.disconnect(peer);
});

test("a handler that returns what is no bytes is ENCODING_FAILED, at once", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  for (const result of ["text", 5, true, {}, [1, 2], new ArrayBuffer(4), new Uint16Array(2), () => {}]) {
    for (const how of ["returns", "resolves to"] as const) {
      using _registered = server.registerHandler(unaryHandler("odd", () => {
        const wrong = result as unknown as Uint8Array;
        return how === "returns" ? wrong : Promise.resolve(wrong);
      }));
      await fails(client.unary("odd", { to: peer }), {
        code: "ENCODING_FAILED",
        ran: "yes",
        message: /"odd" must return a Uint8Array/,
      }, 1_000);
    }
  }
});

test("a payload of zero bytes reaches every kind of handler", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const lengths: number[] = [];
  server.registerHandler(amHandler("am", ({ payload }) => lengths.push(payload.length)));
  server.registerHandler(unaryHandler("unary", ({ payload }) => payload));
  server.handle(contract("nullable", { input: z.null(), output: z.string() }), ({ input }) => String(input));
  const empty = new Uint8Array();
  await client.amSend("am", { to: peer, rawPayload: empty });
  await client.amSync("am", { to: peer, rawPayload: empty });
  await until(() => lengths.length === 2);
  assert.deepEqual(lengths, [0, 0]);
  assert.equal((await client.unary("unary", { to: peer, rawPayload: empty })).length, 0);
  assert.equal(text(await client.unary("nullable", { to: peer, rawPayload: empty })), '"null"');
  server.handle(add, ({ input }) => ({ sum: input.a + input.b }));
  await fails(client.unary("add", { to: peer, rawPayload: empty }), { code: "PAYLOAD_INVALID", ran: "no" });
});

test("a payload over the limit is PAYLOAD_TOO_LARGE before anything is sent, and one at the limit passes", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { client: { maxPayloadBytes: 1_000 } });
  server.registerHandler(unaryHandler("size", ({ payload }) => bytes(String(payload.length))));
  await allFail(client, "size", { to: peer, rawPayload: new Uint8Array(1_001) }, {
    code: "PAYLOAD_TOO_LARGE",
    ran: "no",
    peer,
    handler: "size",
    message: /1001 bytes.*\(1000\)/,
  });
  assert.equal(text(await client.unary("size", { to: peer, rawPayload: new Uint8Array(1_000) })), "1000");
});

test("an answer over the handler's limit is PAYLOAD_TOO_LARGE for the caller, at once", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: { maxPayloadBytes: 1_000 } });
  server.registerHandler(unaryHandler("make", (context) => new Uint8Array(context.json() as number)));
  assert.equal((await client.unary("make", { to: peer, payload: 1_000 })).length, 1_000);
  await fails(client.unary("make", { to: peer, payload: 1_001 }), {
    code: "PAYLOAD_TOO_LARGE",
    ran: "yes",
    message: /1001 bytes/,
  }, 1_000);
});

test("a request over the receiver's limit fails at once, whatever the sender allows", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: { maxPayloadBytes: 1_000 } });
  server.registerHandler(unaryHandler("size", ({ payload }) => bytes(String(payload.length))));
  for (const size of [1_001, 500_000]) {
    const error = await fails(
      client.unary("size", { to: peer, rawPayload: new Uint8Array(size), timeoutMs: 20_000 }),
      { name: "ZeromeshError" },
      3_000,
    );
    assert.equal(error.code, "PAYLOAD_TOO_LARGE");
    assert.equal(error.ran, "no");
  }
  assert.equal(text(await client.unary("size", { to: peer, rawPayload: new Uint8Array(1_000) })), "1000");
});

test("an answer over the caller's own limit fails at once, whatever the handler allows", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { client: { maxPayloadBytes: 1_000 } });
  server.registerHandler(unaryHandler("make", (context) => new Uint8Array(context.json() as number)));
  for (const size of [1_001, 500_000]) {
    await fails(client.unary("make", { to: peer, payload: size, timeoutMs: 20_000 }), {
      code: "PAYLOAD_TOO_LARGE",
      ran: "yes",
    }, 3_000);
  }
  assert.equal((await client.unary("make", { to: peer, payload: 1_000 })).length, 1_000);
});

test("header values and maps over the limits are HEADERS_TOO_LARGE before anything is sent", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("count", ({ headers }) => bytes(String(Object.keys(headers).length))));
  const tooLarge = { code: "HEADERS_TOO_LARGE", ran: "no" };
  await allFail(client, "count", { to: peer, headers: { long: "x".repeat(1_025) } }, tooLarge);
  await allFail(client, "count", { to: peer, headers: { long: "ü".repeat(513) } }, tooLarge);
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`h${i}`, "x".repeat(1_000)]));
  await allFail(client, "count", { to: peer, headers: many(17) }, tooLarge);
  const remote = client.client({ add }, { to: peer, headers: many(17) });
  await fails(remote.add({ a: 1, b: 2 }), tooLarge);
  const fitting = { to: peer, headers: { ...many(16), long: "x".repeat(200) } };
  assert.equal(text(await client.unary("count", fitting)), "17");
  assert.equal(text(await client.unary("count", { to: peer, headers: { long: "x".repeat(1_024) } })), "1");
});

test("headers that fill the limit exactly are refused, not lost, when the system's own no longer fit", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("count", ({ headers }) => bytes(String(Object.keys(headers).length))));
  const headers: Record<string, string> = {};
  for (let i = 0; i < 15; i++) headers[`h${i.toString().padStart(2, "0")}`] = "x".repeat(1_024);
  headers["rest"] = "x".repeat(16_384 - 1 - 15 * (1 + 3 + 3 + 1_024) - (1 + 4) - 3 - 2);
  const error = await fails(client.unary("count", { to: peer, headers }), {
    code: "HEADERS_TOO_LARGE",
    ran: "no",
  });
  assert.match(error.message, /16384/);
  assert.equal(client.stats().calls.pending, 0);
  assert.equal(text(await client.unary("count", { to: peer, headers, timeoutMs: Infinity })), "16");
});

test("headers whose name starts with an underscore are NAME_INVALID, what is no text is TypeError", async () => {
  await using t = await leakCheck();
  const { client, peer } = await pair(t);
  for (const name of ["_", "_ttl", "_code", "__proto"]) {
    await allFail(client, "x", { to: peer, headers: { [name]: "1" } }, { code: "NAME_INVALID", ran: "no" });
  }
  for (const value of [5, null, undefined, {}, "\ud800"]) {
    const headers = { key: value } as unknown as Record<string, string>;
    for (const pattern of patterns) {
      await assert.rejects(client[pattern]("x", { to: peer, headers }), TypeError);
    }
  }
});

test("a name that is empty, too long or the system's is NAME_INVALID for handlers and calls", async () => {
  await using t = await leakCheck();
  const { client, peer, server } = await pair(t);
  const longest = "n".repeat(65_535);
  for (const name of ["", "n".repeat(65_536), "ü".repeat(32_768), "_", "_hello", "_mine", "\ud800"]) {
    const expected = { name: "ZeromeshError", code: "NAME_INVALID", ran: "no" };
    await allFail(client, name, { to: peer }, expected);
    looksLike(thrown(() => unaryHandler(name, () => {})), expected);
    looksLike(thrown(() => amHandler(name, () => {})), expected);
    // An empty one is refused where the contract is written.
    const write = () => contract(name, { input: z.null(), output: z.null() });
    if (name === "") {
      looksLike(thrown(write), expected);
      continue;
    }
    const wrong = write();
    looksLike(thrown(() => typedUnaryHandler(wrong, () => null)), expected);
    looksLike(thrown(() => server.handle(wrong, () => null)), expected);
    await fails(client.typedUnary(wrong, { to: peer, payload: null }), expected);
  }
  server.registerHandler(unaryHandler(longest, ({ handlerName }) => bytes(String(handlerName.length))));
  assert.equal(text(await client.unary(longest, { to: peer })), "65535");
  assert.equal(text(await client.unary(longest, { to: peer, headers: { h: "x".repeat(1_024) } })), "65535");
  await fails(client.unary(`${longest.slice(1)}x`, { to: peer }), { code: "HANDLER_NOT_FOUND" });
  assert.ok((await client.availableHandlers(peer)).includes(longest));
});

test("a handler made by hand cannot take a system name either", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger();
  const made = unaryHandler("fine", () => {});
  looksLike(thrown(() => alone.registerHandler({ ...made, name: "_mine" })), { code: "NAME_INVALID" });
  looksLike(thrown(() => alone.registerHandler({ ...made, name: "" })), { code: "NAME_INVALID" });
  assert.throws(() => alone.registerHandler(null as unknown as Handler), TypeError);
  assert.throws(() => alone.registerHandler({} as Handler), TypeError);
});

test("arguments of the wrong type are TypeError, whatever the pattern", async () => {
  await using t = await leakCheck();
  const { client, peer } = await pair(t);
  const wrong: readonly unknown[] = [
    undefined,
    null,
    "text",
    5,
    {},
    { to: undefined },
    { to: 5 },
    { to: peer, timeoutMs: "5" },
    { to: peer, timeoutMs: Number.NaN },
    { to: peer, timeoutMs: null, signal: 5 },
    { to: peer, signal: {} },
    { to: peer, signal: new AbortController() },
    { to: peer, rawPayload: "text" },
    { to: peer, rawPayload: [1, 2] },
    { to: peer, rawPayload: new ArrayBuffer(2) },
    { to: peer, rawPayload: new Uint8Array(), payload: 1 },
    { to: peer, headers: 5 },
    { to: peer, headers: "text" },
  ];
  for (const options of wrong) {
    for (const pattern of patterns) {
      await assert.rejects(
        client[pattern]("x", options as CallOptions),
        TypeError,
        `${pattern} with ${JSON.stringify(options)}`,
      );
    }
  }
  for (const name of [undefined, null, 5, {}, []] as unknown as string[]) {
    for (const pattern of patterns) {
      await assert.rejects(
        client[pattern](name, { to: peer }),
        TypeError,
        `${pattern} of ${JSON.stringify(name)}`,
      );
    }
  }
  assert.equal(client.stats().calls.pending, 0);
});

test("typedUnary(), unary(), client() and handle() refuse what is no contract of theirs with TypeError", async () => {
  await using t = await leakCheck();
  const { client, peer, server } = await pair(t);
  const note = contract("note", { input: z.string() });
  const options = { to: peer, payload: "x" };
  for (const wrong of [undefined, null, "add", 5, {}, note] as unknown as (typeof add)[]) {
    await assert.rejects(client.typedUnary(wrong, options as never), TypeError);
  }
  await assert.rejects(client.typedUnary("add" as never, options as never), {
    name: "TypeError",
    message: 'Cannot call typedUnary with "add": it takes a contract with an output',
  });
  for (const wrong of [undefined, null, 5, {}, add] as unknown as string[]) {
    await assert.rejects(
      client.unary(wrong, options),
      /^TypeError: Cannot call unary with .* a handler's name$/,
    );
  }
  for (const wrong of [undefined, null, "add", 5, {}] as unknown as (typeof add)[]) {
    assert.throws(() => client.client({ add: wrong }, { to: peer }), TypeError);
    assert.throws(() => server.handle(wrong, () => ({ sum: 1 })), TypeError);
  }
  for (const wrong of [undefined, null, "text", {}] as unknown as (() => { sum: number })[]) {
    assert.throws(() => server.handle(add, wrong), TypeError);
    assert.throws(() => unaryHandler("x", wrong as never), TypeError);
  }
  assert.throws(() => unaryHandler("x", () => {}, { dispatch: "later" as "spawn" }), TypeError);
  for (const wrong of [undefined, null, 5, {}] as unknown as string[]) {
    assert.throws(() => unaryHandler(wrong, () => {}), TypeError);
    assert.throws(() => amHandler(wrong, () => {}), TypeError);
  }
});

test("a payload that JSON cannot say is ENCODING_FAILED before anything is sent", async () => {
  await using t = await leakCheck();
  const { client, peer } = await pair(t);
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  for (
    const payload of [10n, circle, () => {}, Symbol("x"), {
      toJSON: () => {
        throw new Error("no");
      },
    }]
  ) {
    await allFail(client, "x", { to: peer, payload }, { code: "ENCODING_FAILED", ran: "no" });
  }
  const anything = contract("any", { input: z.unknown(), output: z.unknown() });
  await fails(client.typedUnary(anything, { to: peer, payload: 10n }), {
    code: "ENCODING_FAILED",
    ran: "no",
  });
});

test("more calls than maxPendingCalls are QUEUE_FULL, and room comes back when one ends", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { client: { maxPendingCalls: 3 } });
  const hold = gate(t);
  server.registerHandler(unaryHandler("slow", async () => {
    await hold.opened;
    return bytes("done");
  }));
  const calls = [1, 2, 3].map(() => client.unary("slow", { to: peer }));
  await fails(client.unary("slow", { to: peer }), {
    code: "QUEUE_FULL",
    ran: "no",
    message: /maxPendingCalls/,
  });
  await fails(client.amSync("slow", { to: peer }), { code: "QUEUE_FULL", ran: "no" });
  await client.amSend("nowhere", { to: peer });
  assert.equal(client.stats().calls.refused, 2);
  hold.open();
  for (const call of calls) assert.equal(text(await call), "done");
  assert.equal(text(await client.unary("slow", { to: peer })), "done");
});

test("more peers than maxConnections, all of them connected, are LIMIT_REACHED", async () => {
  await using t = await leakCheck();
  const [first, second] = [await t.messenger(), await t.messenger()];
  const alone = await t.messenger({ maxConnections: 1 });
  const peer = await alone.connect(first.endpoint);
  const refused = { code: "LIMIT_REACHED", message: /maxConnections/ };
  looksLike(thrown(() => alone.registerPeer(second.peerInfo())), refused);
  await fails(alone.connect(second.endpoint), refused);
  alone.disconnect(peer);
  assert.equal(await alone.connect(second.endpoint), second.instanceId);
});

test("more handlers than maxHandlers are LIMIT_REACHED", async () => {
  await using t = await leakCheck();
  const system = (await t.messenger()).stats; // how many the system has is its own affair
  void system;
  const probe = await t.messenger();
  const own = (await probe.availableHandlers(probe.instanceId)).length;
  const alone = await t.messenger({ maxHandlers: own + 2 });
  const first = alone.registerHandler(unaryHandler("a", () => {}));
  alone.registerHandler(unaryHandler("b", () => {}));
  looksLike(thrown(() => alone.registerHandler(unaryHandler("c", () => {}))), {
    code: "LIMIT_REACHED",
    message: /maxHandlers/,
  });
  first[Symbol.dispose]();
  alone.registerHandler(unaryHandler("c", () => {}));
});
