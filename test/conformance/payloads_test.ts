import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, type InstanceId, type Messenger, unaryHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { fails, pair } from "./messenger_kit.ts";

const json = contract("json", { input: z.unknown(), output: z.unknown() });
const msgpack = contract("msgpack", { input: z.unknown(), output: z.unknown(), encoding: "msgpack" });

class Order {
  readonly id = 7;
}

/** Serves both contracts with handlers that return their input, or what `answer` is; counts what ran. */
function serve(server: Messenger): { runs: number; answer: (() => unknown) | null } {
  const state: { runs: number; answer: (() => unknown) | null } = { runs: 0, answer: null };
  for (const one of [json, msgpack]) {
    server.handle(one, ({ input }) => {
      state.runs++;
      return state.answer === null ? input : state.answer();
    });
  }
  return state;
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

function cycle(): unknown {
  const inner: Record<string, unknown> = {};
  inner["self"] = inner;
  return inner;
}

function detached(): Uint8Array {
  const bytes = new Uint8Array(4);
  bytes.buffer.transfer();
  return bytes;
}

/** The values that neither encoding carries, with their names in the error. */
const neither: readonly (readonly [what: string, value: () => unknown])[] = [
  ["a function", () => () => {}],
  ["a symbol", () => Symbol("s")],
  ["a RegExp", () => /x/],
  ["an Error", () => Object.assign(new Error("x"), { code: "E" })],
  ["a Promise", () => Promise.resolve()],
  ["a WeakMap", () => new WeakMap()],
  ["a Number", () => Object(5)],
  ["a String", () => Object("x")],
  ["an Array Iterator", () => [1].values()],
  ["an invalid Date", () => new Date(Number.NaN)],
  ["a hole in an array", () => Array(1)],
  ["a cycle: it is deep.1 again", cycle],
];

const onlyMsgpack: readonly (readonly [what: string, value: () => unknown])[] = [
  ["a Uint8Array", () => Uint8Array.of(1, 2)],
  ["a Uint8Array", () => new Uint8Array()],
  ["a Float64Array", () => new Float64Array([1.5, 2.5])],
  ["a DataView", () => new DataView(new ArrayBuffer(3), 1)],
  ["an ArrayBuffer", () => new ArrayBuffer(3)],
  ["a Map", () => new Map<unknown, unknown>([["a", 1], [2, new Set([3n])], [{ k: 1 }, undefined]])],
  ["a Set", () => new Set<unknown>([1, "a", [undefined]])],
  ["a bigint", () => 5n],
  ["a bigint", () => -(2n ** 200n)],
  ["NaN", () => Number.NaN],
  ["Infinity", () => Number.POSITIVE_INFINITY],
  ["-Infinity", () => Number.NEGATIVE_INFINITY],
  ["undefined", () => undefined],
  ...["Int8", "Uint8Clamped", "Int16", "Uint16", "Int32", "Uint32", "Float32", "BigInt64", "BigUint64"].map(
    (name) => {
      const made =
        (globalThis as unknown as Record<string, { from(values: unknown[]): unknown }>)[`${name}Array`]!;
      const values = name.startsWith("Big") ? [1n, 2n ** 40n] : [1, 2, 100];
      return [`${name.startsWith("I") ? "an" : "a"} ${name}Array`, () => made.from(values)] as const;
    },
  ),
];

const onlyJson: readonly (readonly [what: string, value: () => unknown, arrives: unknown])[] = [
  ["an instance of Order", () => new Order(), { id: 7 }],
  ["a URL", () => new URL("http://a/b"), "http://a/b"],
  ["a property that no decoder may set", () => JSON.parse('{"__proto__":1}'), JSON.parse('{"__proto__":1}')],
  ["text with a lone surrogate", () => "\ud800", "\ud800"],
];

/** That a call with a value is refused with its place before it is sent, and as a result after the handler ran. */
async function refused(
  { client, peer, state }: { client: Messenger; peer: InstanceId; state: ReturnType<typeof serve> },
  [what, value]: readonly [what: string, value: () => unknown, ...rest: unknown[]],
  one: typeof json,
): Promise<void> {
  const inside: Record<string, string> = { hole: ".0", cycle: ".self", property: ".__proto__" };
  const path = `deep.1${inside[/^a (\w+)/.exec(what)?.[1] ?? ""] ?? ""}`;
  const end = what.startsWith("a cycle") ? "$" : ", which (JSON|MessagePack) cannot carry$";
  const message = new RegExp(
    `^(Payload|Result) of "${one.name}" cannot be encoded: ${path} is ${what}${end}`,
  );
  const before = state.runs;
  const wrong = { deep: [0, value()] };
  const failure = { code: "ENCODING_FAILED", message, handler: one.name, peer, details: { path } };
  await fails(client.typedUnary(one, { to: peer, payload: wrong }), { ...failure, ran: "no" });
  assert.equal(state.runs, before, what);
  state.answer = () => wrong;
  await fails(client.typedUnary(one, { to: peer, payload: 1 }), { ...failure, ran: "yes" });
  state.answer = null;
}

test("values that JSON would change or drop are refused with their path, as a payload and as a result", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const state = serve(server);
  for (const one of [...neither, ...onlyMsgpack]) await refused({ client, peer, state }, one, json);
});

test("values that MessagePack cannot carry are refused with their path, as a payload and as a result", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const state = serve(server);
  const gone = ["a detached Uint8Array", detached] as const;
  for (const one of [...neither, ...onlyJson, gone]) await refused({ client, peer, state }, one, msgpack);
});

test("MessagePack carries every other kind as what it is, alone and inside", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  serve(server);
  const both = [
    null,
    true,
    -0,
    1.5,
    2 ** 53,
    -1,
    "größe 🌍",
    [],
    {},
    { a: [{ b: null }] },
    new Date(-1),
    new Date(2e12),
  ];
  for (const value of [...onlyMsgpack.map(([, make]) => make()), ...both]) {
    assert.deepStrictEqual(await client.typedUnary(msgpack, { to: peer, payload: value }), value);
    const payload = { deep: [0, value, new Map([[value, value]])] };
    assert.deepStrictEqual(await client.typedUnary(msgpack, { to: peer, payload }), payload);
  }
  const typed = contract("typed", {
    input: z.object({ n: z.bigint(), at: z.date(), seen: z.map(z.string(), z.set(z.number())) }),
    output: z.bigint(),
    encoding: "msgpack",
  });
  server.handle(typed, ({ input }) => input.n + 1n);
  const payload = { n: 5n, at: new Date(), seen: new Map([["a", new Set([1])]]) };
  assert.equal(await client.typedUnary(typed, { to: peer, payload }), 6n);
});

test("JSON carries what JSON.stringify writes of dates, of objects with toJSON and of instances", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  serve(server);
  const values = [
    ...onlyJson.map(([, make]) => make()),
    new Date(0),
    { at: new Date(0), price: { toJSON: () => ({ cents: 5 }) }, list: [{ toJSON: (key: string) => key }] },
    Object.assign(new Map([[1, 2]]), { toJSON: () => "a map of its own" }),
    { gone: undefined, nothing: { toJSON: () => undefined } },
    Object.assign(Object.create({ inherited: () => {} }), { own: 1 }),
    Object.assign(Object.create(null), { a: -0 }),
    nested(256),
  ];
  for (const value of values) {
    const got = await client.typedUnary(json, { to: peer, payload: value });
    assert.deepStrictEqual(got, JSON.parse(JSON.stringify(value)));
  }
  for (
    const payload of [{ toJSON: () => new Map() }, { a: { toJSON: () => Number.NaN } }, [{
      toJSON: () => undefined,
    }]]
  ) {
    await fails(client.typedUnary(json, { to: peer, payload }), { code: "ENCODING_FAILED", ran: "no" });
  }
});

test("a payload nested deeper than 256 levels, and one that fails while it is read, is refused in both", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  serve(server);
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const failing = {
    get a() {
      throw new Error("not now");
    },
  };
  for (const one of [json, msgpack]) {
    const send = (payload: unknown) => client.typedUnary(one, { to: peer, payload });
    assert.deepEqual(await send(nested(256)), nested(256));
    const deep = {
      code: "ENCODING_FAILED",
      message: /0\.0\.0\.0\.0\.0\.…\.0.* is nested deeper than 256 levels/,
    };
    await fails(send(nested(257)), { ...deep, ran: "no" });
    await fails(send(nested(100_000)), { ...deep, ran: "no" });
    await fails(send(failing), {
      code: "ENCODING_FAILED",
      message: /cannot be encoded: not now$/,
      ran: "no",
    });
    await fails(send([proxy]), { code: "ENCODING_FAILED", ran: "no" });
  }
});

test("JSON nested deeper than 256 levels that comes from elsewhere is refused before its handler runs", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const state = serve(server);
  const text = (depth: number) => new TextEncoder().encode(`${"[".repeat(depth)}1${"]".repeat(depth)}`);
  const send = (depth: number) => client.unary("json", { to: peer, rawPayload: text(depth) });
  await send(256);
  for (const depth of [257, 50_000]) {
    await fails(send(depth), { code: "PAYLOAD_INVALID", message: /it nests deeper than 256$/, ran: "no" });
  }
  assert.equal(state.runs, 1);
  server.registerHandler(unaryHandler("deep", () => text(50_000)));
  const deep = contract("deep", { input: z.void(), output: z.unknown() });
  await fails(client.typedUnary(deep, { to: peer }), {
    code: "RESULT_INVALID",
    message: /it nests deeper than 256/,
    ran: "yes",
  });
});

test("payloads by handler name and values of events are held to the same", async () => {
  await using t = await leakCheck();
  const { client, peer } = await pair(t);
  const wrong = { code: "ENCODING_FAILED", message: /a\.0 is a Map/, ran: "no" };
  for (const send of ["unary", "amSync", "amSend"] as const) {
    await fails(client[send]("anything", { to: peer, payload: { a: [new Map()] } }), wrong);
  }
  const event = client.events.newEvent();
  await fails((async () => await event.trigger({ a: [new Map()] }))(), wrong);
  await event.trigger();
});

test("nothing travels as a value: void, optional and default, in both encodings", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  for (const encoding of ["json", "msgpack"] as const) {
    const reset = contract(`reset ${encoding}`, { input: z.void(), output: z.void(), encoding });
    const find = contract(`find ${encoding}`, {
      input: z.string().default("world"),
      output: z.string().nullable().optional(),
      encoding,
    });
    const ring = contract(`ring ${encoding}`, { input: z.number().optional(), encoding });
    const seen: unknown[] = [];
    server.handle(reset, ({ input }) => void seen.push(input));
    server.handle(find, ({ input }) => input === "world" ? undefined : input === "null" ? null : input);
    server.handle(ring, ({ input }) => seen.push(input));
    const remote = client.client({ reset, find, ring }, { to: peer });
    assert.equal(await remote.reset(), undefined);
    assert.equal(await remote.find(), undefined);
    assert.equal(await remote.find("null"), null);
    assert.equal(await remote.find("x"), "x");
    assert.equal(await client.typedUnary(find, { to: peer }), undefined);
    await remote.ring();
    await client.amSync(ring, { to: peer, payload: 7 });
    assert.deepEqual(seen, [undefined, undefined, 7]);
    assert.equal(await server.typedUnary(reset, { to: server.instanceId }), undefined);
  }
});

test("an empty payload is null where the schema takes only that, and null is never nothing between instances", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const nullable = contract("nullable", { input: z.string().nullable(), output: z.string().nullable() });
  const strict = contract("strict", { input: z.unknown(), output: z.void() });
  server.handle(nullable, ({ input }) => input);
  server.handle(strict, () => null as unknown as void);
  assert.equal((await client.unary("nullable", { to: peer })).length, 4);
  await fails(client.typedUnary(strict, { to: peer }), {
    code: "RESULT_INVALID",
    message: /null/,
    ran: "yes",
  });
});
