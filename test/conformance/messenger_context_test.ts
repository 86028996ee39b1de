import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { amHandler, contract, type HandlerContext, unaryHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { bytes, fails, gate, pair, text } from "./messenger_kit.ts";

test("a handler sees the sender, the message and the receiver", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let seen: HandlerContext | undefined;
  server.registerHandler(unaryHandler("look", async (context) => {
    await Promise.resolve();
    seen = context;
  }));
  await client.unary("look", {
    to: peer,
    payload: { a: 1 },
    headers: { "x-trace": "t-1", "ключ": "значение" },
  });
  assert.ok(seen);
  assert.equal(seen.handlerName, "look");
  assert.equal(text(seen.payload), '{"a":1}');
  assert.deepEqual(seen.json(), { a: 1 });
  assert.deepEqual({ ...seen.headers }, { "x-trace": "t-1", "ключ": "значение" });
  assert.equal(seen.senderInstanceId, client.instanceId);
  assert.equal(seen.senderWorkerId, client.workerId);
  assert.equal(seen.messenger.instanceId, server.instanceId);
  assert.match(seen.messageId, /^[0-9a-f]{32}$/);
  assert.ok(seen.signal instanceof AbortSignal);
  assert.equal(seen.signal.aborted, false);
});

test("messageId differs between calls under way and ends with the sender's worker id", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  const ids = new Set<string>();
  server.registerHandler(unaryHandler("id", async ({ messageId }) => {
    ids.add(messageId);
    await hold.opened;
  }));
  const calls = Array.from({ length: 100 }, () => client.unary("id", { to: peer }));
  await until(() => ids.size === 100);
  hold.open();
  await Promise.all(calls);
  await Promise.all(Array.from({ length: 100 }, () => client.unary("id", { to: peer })));
  assert.equal(ids.size, 200);
  const worker = client.workerId.toString(16).padStart(16, "0");
  for (const id of ids) assert.ok(id.endsWith(worker), `${id} ends with ${worker}`);
});

test("headers holds the caller's own only, is frozen, and has no prototype to trip over", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const seen: Readonly<Record<string, string>>[] = [];
  server.registerHandler(amHandler("look", (context) => seen.push(context.headers)));
  await client.amSync("look", { to: peer, timeoutMs: 5_000 });
  await client.amSync("look", { to: peer, headers: {} });
  await client.amSync("look", { to: peer, headers: { a: "" } });
  await client.amSync("look", { to: peer, headers: JSON.parse('{"constructor":"c","toString":"t"}') });
  assert.deepEqual(seen.map((headers) => Object.entries(headers)), [
    [],
    [],
    [["a", ""]],
    [["constructor", "c"], ["toString", "t"]],
  ]);
  for (const headers of seen) {
    assert.ok(Object.isFrozen(headers));
    assert.equal("hasOwnProperty" in headers, false);
  }
});

test("a small payload keeps at most 16 KiB alive, and transferring its buffer harms no later one", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const kept: Uint8Array[] = [];
  server.registerHandler(amHandler("keep", ({ payload }) => kept.push(payload)));
  const send = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const sent = client.amSend("keep", { to: peer, rawPayload: new Uint8Array(700).fill(i) });
      if (i % 64 === 0) await sent;
    }
    await client.amSync("keep", { to: peer, rawPayload: new Uint8Array(2_000) });
  };
  await send(100);
  assert.ok(kept.every(({ buffer, length }) => buffer.byteLength <= Math.max(length, 16_384)));
  assert.deepEqual(
    kept.slice(0, 100).map((payload) => payload[699]),
    Array.from({ length: 100 }, (_, i) => i),
  );
  const last = kept[99]!;
  structuredClone(null, { transfer: [last.buffer as ArrayBuffer] });
  assert.equal(last.length, 0);
  await send(100);
  assert.deepEqual(
    kept.slice(101, 201).map((payload) => payload[0]),
    Array.from({ length: 100 }, (_, i) => i),
  );
});

test("the payload belongs to the handler for good: a thousand of them, changed and kept", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const kept: Uint8Array[] = [];
  server.registerHandler(amHandler("keep", ({ payload }) => {
    payload[0] = 255 - payload[0]!;
    kept.push(payload);
  }));
  const make = (i: number) => new Uint8Array(10 + (i % 50) * 7).fill(i % 200);
  for (let i = 0; i < 1_000; i++) void client.amSend("keep", { to: peer, rawPayload: make(i) });
  await until(() => kept.length === 1_000);
  await Promise.all(
    Array.from({ length: 200 }, (_, i) => client.amSync("keep", { to: peer, rawPayload: make(i + 7) })),
  );
  for (let i = 0; i < 1_000; i++) {
    const expected = make(i);
    expected[0] = 255 - expected[0]!;
    assert.deepEqual(kept[i], expected);
  }
});

test("payload and headers read only after an await are still those of the message", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  const seen: string[] = [];
  server.registerHandler(amHandler("later", async (context) => {
    await hold.opened;
    seen.push(`${text(context.payload)} ${context.headers["n"]} ${JSON.stringify(context.json())}`);
  }));
  const calls = Array.from(
    { length: 100 },
    (_, i) => client.amSync("later", { to: peer, payload: i, headers: { n: `h${i}` } }),
  );
  await until(() => server.stats().handlers.running === 100);
  hold.open();
  await Promise.all(calls);
  assert.deepEqual(seen, Array.from({ length: 100 }, (_, i) => `${i} h${i} ${i}`));
});

test("a context that outlives a synchronous handler never shows another message's payload or headers", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const kept: HandlerContext[] = [];
  server.registerHandler(amHandler("keep", (context) => {
    kept.push(context); // as a handler does that leaves its work to somebody else
  }));
  const count = 50;
  for (let i = 0; i < count; i++) {
    void client.amSend("keep", { to: peer, payload: `message ${i}`, headers: { n: `h${i}` } });
  }
  await until(() => kept.length === count);
  await client.amSync("keep", { to: peer, payload: "the last", headers: { n: "last" } });
  for (let i = 0; i < count; i++) {
    const { payload, headers } = readable(kept[i]!);
    if (payload !== undefined) assert.equal(payload, `"message ${i}"`);
    if (headers !== undefined) assert.equal(headers, `h${i}`);
    assert.equal(kept[i]!.handlerName, "keep");
    assert.equal(kept[i]!.senderInstanceId, client.instanceId);
  }
});

/** Reads every property of a context; a clear error is as good as the right value. */
function readable(context: HandlerContext): { payload?: string; headers?: string | undefined } {
  const read = <T>(get: () => T): T | undefined => {
    try {
      return get();
    } catch (error) {
      assert.match(String(error), /before the handler/);
      return undefined;
    }
  };
  const payload = read(() => text(context.payload));
  const headers = read(() => context.headers["n"]);
  return { ...(payload === undefined ? {} : { payload }), headers };
}

test("payload and headers that a synchronous handler has read stay readable", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const kept: HandlerContext[] = [];
  server.registerHandler(amHandler("keep", (context) => {
    void context.payload;
    void context.headers;
    kept.push(context);
  }));
  for (let i = 0; i < 50; i++) void client.amSend("keep", { to: peer, payload: i, headers: { n: `h${i}` } });
  await until(() => kept.length === 50);
  for (let i = 0; i < 50; i++) {
    assert.equal(text(kept[i]!.payload), `${i}`);
    assert.equal(kept[i]!.headers["n"], `h${i}`);
    assert.equal(kept[i]!.json(), i);
  }
});

test("a handler with a contract still has the bytes, and its changes of them change no input", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const list = contract("list", { input: z.array(z.number()), output: z.array(z.number()) });
  server.handle(list, ({ input, payload, json }) => {
    assert.equal(text(payload), "[1,2,3]");
    payload.fill(0);
    assert.equal(typeof json, "function");
    return input.map((item) => item * 2);
  });
  assert.deepEqual(await client.typedUnary(list, { to: peer, payload: [1, 2, 3] }), [2, 4, 6]);
});

test("json() of no bytes is null, and of what is no JSON PAYLOAD_INVALID", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("read", (context) => bytes(String(context.json()))));
  assert.equal(text(await client.unary("read", { to: peer })), "null");
  for (const wrong of [bytes("{"), Uint8Array.of(0xff, 0xfe)]) {
    await fails(client.unary("read", { to: peer, rawPayload: wrong }), {
      code: "PAYLOAD_INVALID",
      handler: "read",
      message: /Payload of "read" is invalid/,
    });
  }
  assert.equal(server.stats().handlers.running, 0);
});

test("the bytes a synchronous handler returns are sent as they were, whatever happens to them then", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const shared = new Uint8Array(64);
  let next = 0;
  server.registerHandler(unaryHandler("shared", () => {
    shared.fill(++next);
    return shared;
  }));
  const answers = await Promise.all(Array.from({ length: 100 }, () => client.unary("shared", { to: peer })));
  const first = answers.map((answer) => answer[0]);
  assert.deepEqual(first, Array.from({ length: 100 }, (_, i) => i + 1));
  for (const answer of answers) assert.ok(answer.every((byte) => byte === answer[0]));
});

test("a synchronous handler may return its own payload while messages keep coming", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const sizes = [0, 1, 100, 4_000, 65_536, 65_537, 200_000];
  const calls = Array.from({ length: 70 }, async (_, i) => {
    const rawPayload = new Uint8Array(sizes[i % sizes.length]!).fill(i + 1);
    const answer = await client.unary("echo", { to: peer, rawPayload });
    assert.deepEqual(answer, rawPayload);
  });
  await Promise.all(calls);
});

test("the members of the context can be destructured in the handler's parameters, json() too", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("sum", ({ json, handlerName }) => {
    const { a, b } = json() as { a: number; b: number };
    return bytes(`${handlerName} ${a + b}`);
  }));
  assert.equal(text(await client.unary("sum", { to: peer, payload: { a: 1, b: 2 } })), "sum 3");
});
