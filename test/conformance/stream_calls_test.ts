/** Contracts with a stream as input, output or both, between two instances. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, type Messenger, stream } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { pause, until } from "../support/until.ts";
import { fails, pair } from "./messenger_kit.ts";

const generate = contract("generate", {
  input: z.object({ n: z.number() }),
  output: stream(z.string()),
  errors: { TIRED: z.object({ at: z.number() }) },
});
const upload = contract("upload", { input: stream(z.string()), output: z.number() });
const chat = contract("chat", { input: stream(z.string()), output: stream(z.string()) });

test("a server stream's items arrive in order, and then its declared error with code and details", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.handle(generate, async function* ({ input, fail }) {
    for (let i = 0; i < input.n; i++) yield `t${i}`;
    if (input.n === 3) throw fail("TIRED", { at: input.n });
  });
  const remote = client.client({ generate }, { to: peer });
  const got: string[] = [];
  const failed = await fails(
    (async () => {
      for await (const item of remote.generate({ n: 3 })) got.push(item);
    })(),
    { code: "TIRED", details: { at: 3 }, ran: "yes" },
  );
  assert.ok(generate.isError(failed, "TIRED"));
  assert.deepEqual(got, ["t0", "t1", "t2"]);
  // A loop that begins when all is over gets the same.
  const call = remote.generate({ n: 3 });
  assert.ok(generate.isError(await call.closed, "TIRED"));
  const items = call[Symbol.asyncIterator]();
  for (const value of ["t0", "t1", "t2"]) assert.deepEqual(await items.next(), { done: false, value });
  await fails(items.next(), { code: "TIRED", details: { at: 3 } });
  assert.equal((await Array.fromAsync(remote.generate({ n: 5000 }))).length, 5000);
  assert.deepEqual(await Array.fromAsync(remote.generate({ n: 0 })), []);
});

test("leaving the loop aborts the handler's signal before its generator returns", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const ended: boolean[] = [];
  server.handle(generate, async function* ({ signal }) {
    try {
      for (let i = 0;; i++) {
        yield `t${i}`;
        await pause(1);
      }
    } finally {
      ended.push(signal.aborted);
    }
  });
  const remote = client.client({ generate }, { to: peer });
  for await (const item of remote.generate({ n: 1 })) {
    assert.equal(item, "t0");
    break;
  }
  await until(() => ended.length === 1);
  assert.deepEqual(ended, [true]);
});

test("a handler whose input is validated later streams, and ends once", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const checked = contract("checked", {
    input: z.object({ n: z.number() }).refine(() => pause(1).then(() => true)),
    output: stream(z.number()),
  });
  server.handle(checked, async function* ({ input, payload }) {
    for (let i = 0; i < input.n; i++) yield i;
    if (input.n === 2) throw new Error(`after ${payload.length} bytes`);
  });
  const remote = client.client({ checked }, { to: peer });
  assert.deepEqual(await Array.fromAsync(remote.checked({ n: 3 })), [0, 1, 2]);
  await fails(Array.fromAsync(remote.checked({ n: 2 })), { code: "HANDLER_FAILED", ran: "yes" });
  const { running, byHandler } = server.stats().handlers;
  const { succeeded, failed, inFlight } = byHandler["checked"]!;
  assert.deepEqual({ running, succeeded, failed, inFlight }, {
    running: 0,
    succeeded: 1,
    failed: 1,
    inFlight: 0,
  });
});

test("a client stream sends items one by one or from an iterable, and has the handler's result", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.handle(upload, async ({ input }) => {
    let n = 0;
    for await (const part of input) n += part.length;
    return n;
  });
  const remote = client.client({ upload }, { to: peer });
  await using call = remote.upload();
  await call.send("abc");
  await call.send("de");
  await call.end();
  assert.equal(await call.result, 5);
  assert.equal(await call.closed, "closed");
  assert.equal(await remote.upload(["a", "b"]).result, 2);
  assert.equal(await remote.upload(Array.from({ length: 5000 }, () => "ab").values()).result, 10_000);
  assert.throws(() => remote.upload("abc" as never), TypeError);
});

test("a call with streams both ways sends and receives", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.handle(chat, async function* ({ input }) {
    for await (const line of input) yield `you said ${line}`;
  });
  const remote = client.client({ chat }, { to: peer });
  await using talk = remote.chat();
  await talk.send("hi");
  for await (const line of talk) {
    assert.equal(line, "you said hi");
    break;
  }
  assert.deepEqual(await Array.fromAsync(remote.chat(["a", "b"])), ["you said a", "you said b"]);
});

test("an invalid item is refused where it leaves, with its number", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.handle(upload, async ({ input }) => (await Array.fromAsync(input)).length);
  server.handle(generate, async function* () {
    yield "a";
    yield 3 as never;
  });
  const remote = client.client({ upload, generate }, { to: peer });
  await using call = remote.upload();
  await call.send("a");
  const refused = await fails(call.send(3 as never), { code: "PAYLOAD_INVALID" });
  assert.match(refused.message, /Item 2 of the input of "upload"/);
  assert.equal((refused.details as { item: number }).item, 2);
  await call.end();
  assert.equal(await call.result, 1);
  await fails(remote.upload(["a", 3 as never]).result, { code: "PAYLOAD_INVALID" });
  const got: string[] = [];
  await fails(
    (async () => {
      for await (const item of remote.generate({ n: 1 })) got.push(item);
    })(),
    { code: "RESULT_INVALID", message: /Item 2 of the output of "generate"/ },
  );
  assert.deepEqual(got, ["a"]);
});

/** Types only: what neither end may do with such contracts. */
export async function types(messenger: Messenger, to: Messenger["instanceId"]): Promise<void> {
  const remote = messenger.client({ generate, upload, chat }, { to });
  // @ts-expect-error TS2345: a text is not taken for an iterable of characters
  remote.upload("abc");
  // @ts-expect-error TS2322: the items are texts
  remote.upload([1]);
  // @ts-expect-error TS2345: the items are texts
  void remote.chat().send(1);
  // @ts-expect-error TS2339: its input is no stream
  void remote.generate({ n: 1 }).send;
  // @ts-expect-error TS2339: its output is no stream
  void remote.upload()[Symbol.asyncIterator];
  const result: number = await remote.upload(new Set(["a"])).result;
  // @ts-expect-error TS2345: the items are texts
  messenger.handle(generate, async function* () {
    yield result;
  });
  // @ts-expect-error TS2345: nor is the output one text
  messenger.handle(generate, () => "abc");
  messenger.handle(generate, ({ input }) => Promise.resolve(new Set([String(input.n)])));
}
