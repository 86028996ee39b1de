/** Errors of calls with a stream: what either side throws, and items that are invalid where they arrive. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, stream, ZeromeshError } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { gate, pair, turn } from "./messenger_kit.ts";

const generate = contract("generate", { input: z.number(), output: stream(z.string()) });
const upload = contract("upload", { input: stream(z.string()), output: z.number() });
const chat = contract("chat", { input: stream(z.string()), output: stream(z.string()) });

/** The same contracts without a check of the items, as a side that is wrong about them has them. */
const lax = {
  generate: contract("generate", { input: z.number(), output: stream(z.unknown()) }),
  upload: contract("upload", { input: stream(z.unknown()), output: z.number() }),
  chat: contract("chat", { input: stream(z.unknown()), output: stream(z.unknown()) }),
};

/** The items of a call or an input until it ends, and its error. */
async function drained(items: AsyncIterable<unknown>): Promise<{ got: unknown[]; error: unknown }> {
  const got: unknown[] = [];
  try {
    for await (const item of items) got.push(item);
    return { got, error: null };
  } catch (error) {
    return { got, error };
  }
}

/** Checks the error of an invalid third item. */
function aboutThird(error: unknown, code: string, direction: string, handler: string): void {
  assert.ok(error instanceof ZeromeshError, String(error));
  assert.match(
    error.message,
    new RegExp(`^Item 3 of the ${direction} of "${handler}" is invalid: .*expected string`),
  );
  assert.deepEqual([error.code, error.ran, error.handler], [code, "yes", handler]);
  const { item, issues } = error.details as { item: number; issues: unknown[] };
  assert.deepEqual([item, issues.length], [3, 1]);
}

test("an item of the input that is invalid where it arrives is PAYLOAD_INVALID at both sides", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const seen: { got: unknown[]; error: unknown }[] = [];
  server.handle(upload, async ({ input }) => {
    seen.push(await drained(input));
    throw seen.at(-1)!.error;
  });
  server.handle(chat, async function* ({ input }) {
    for await (const item of input) yield item;
  });
  const remote = client.client(lax, { to: peer });
  let returned = 0;
  const call = remote.upload((async function* () {
    try {
      yield* ["a", "b", 3];
      for (;;) yield await turn().then(() => "d");
    } finally {
      returned++;
    }
  })());
  aboutThird(await call.result.catch((error) => error), "PAYLOAD_INVALID", "input", "upload");
  assert.deepEqual(seen[0]!.got, ["a", "b"]);
  aboutThird(seen[0]!.error, "PAYLOAD_INVALID", "input", "upload");
  await until(() => returned === 1, { message: "the caller's source is ended" });
  const { got, error } = await drained(remote.chat(["a", "b", 3, "d"]));
  assert.deepEqual(got, ["a", "b"]);
  aboutThird(error, "PAYLOAD_INVALID", "input", "chat");
});

test("an item of the output that is invalid where it arrives is RESULT_INVALID, and ends the handler", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const ended: unknown[] = [];
  server.handle(lax.generate, async function* ({ signal }) {
    try {
      yield* ["a", "b", 3];
      for (;;) yield await turn().then(() => "d");
    } finally {
      ended.push(signal.aborted, (signal.reason as ZeromeshError).code);
    }
  });
  const call = client.client({ generate }, { to: peer }).generate(1);
  const { got, error } = await drained(call);
  assert.deepEqual(got, ["a", "b"]);
  aboutThird(error, "RESULT_INVALID", "output", "generate");
  assert.equal(await call.closed, error);
  await until(() => ended.length > 0);
  assert.deepEqual(ended, [true, "CANCELLED"]);
});

test("bytes that are no item are invalid where they arrive", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const packed = contract("upload", { input: stream(z.number()), output: z.number(), encoding: "msgpack" });
  server.handle(upload, async ({ input }) => (await Array.fromAsync(input)).length);
  const error = await client.client({ packed }, { to: peer }).packed([300]).result.catch((error) => error);
  assert.equal((error as ZeromeshError).code, "PAYLOAD_INVALID");
  assert.match((error as ZeromeshError).message, /^Item 1 of the input of "upload" is invalid/);
});

test("what a handler throws in the middle ends its caller after the items before it, in every direction", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.handle(generate, async function* ({ input }) {
    for (let i = 0; i < input; i++) yield `item ${i}`;
    throw new Error("it broke");
  });
  server.handle(upload, async ({ input }) => {
    for await (const item of input) if (item === "b") throw new Error("it broke");
    return 0;
  });
  server.handle(chat, async function* ({ input }) {
    for await (const item of input) {
      if (item === "b") throw new Error("it broke");
      yield item;
    }
  });
  const remote = client.client({ generate, upload, chat }, { to: peer });
  const broken = (error: unknown, handler: string): void => {
    assert.ok(error instanceof ZeromeshError, String(error));
    const { code, ran, message } = error;
    assert.deepEqual([code, ran, error.handler, error.peer], ["HANDLER_FAILED", "yes", handler, peer]);
    assert.match(message, /it broke/);
  };
  for (const count of [0, 3, 3_000]) {
    const { got, error } = await drained(remote.generate(count));
    assert.equal(got.length, count);
    broken(error, "generate");
  }
  await using call = remote.upload();
  await call.send("a");
  await call.send("b");
  broken(await call.result.catch((error) => error), "upload");
  broken(await call.send("c").catch((error) => error), "upload");
  broken(await call.closed, "upload");
  const { got, error } = await drained(remote.chat(["a", "b", "c"]));
  assert.deepEqual(got, ["a"]);
  broken(error, "chat");
});

test("what a caller throws in its loop, or its source throws, ends the handler", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const ended: unknown[] = [];
  server.handle(chat, async function* ({ input, signal }) {
    try {
      for await (const item of input) yield item;
    } catch (error) {
      ended.push((error as ZeromeshError).code, signal.aborted);
    } finally {
      ended.push(signal.aborted);
    }
  });
  const remote = client.client({ chat }, { to: peer });
  const own = new Error("the caller's own");
  await using talk = remote.chat();
  await talk.send("a");
  await assert.rejects(async () => {
    for await (const _ of talk) throw own;
  }, own);
  assert.equal(await talk.closed, "closed");
  await until(() => ended.length === 3);
  assert.deepEqual(ended.splice(0), ["CANCELLED", true, true]);
  const { opened, open } = gate(t);
  const got: string[] = [];
  const call = remote.chat((async function* () {
    yield "a";
    await opened;
    throw own;
  })());
  await assert.rejects(async () => {
    for await (const item of call) got.push(item), open();
  }, own);
  assert.deepEqual(got, ["a"]);
  await until(() => ended.length === 3);
  assert.deepEqual(ended, ["CANCELLED", true, true]);
});
