/** Many calls with a stream: at once, and one after another, ended in every way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, type Messenger, stream } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { fails, gate, pair, turn } from "./messenger_kit.ts";

const generate = contract("generate", { input: z.number(), output: stream(z.number()) });
const upload = contract("upload", { input: stream(z.string()), output: z.number() });
const chat = contract("chat", { input: stream(z.string()), output: stream(z.string()) });
const forbidden = contract("forbidden", { input: stream(z.string()), output: stream(z.string()) });
const missing = contract("missing", { input: stream(z.string()), output: z.number() });

/** What calls have not given back. */
function left(messenger: Messenger) {
  const { streams, calls, handlers } = messenger.stats();
  const { readers = 0, writers = 0, unclaimed = 0, unreadBytes = 0 } = streams ?? {};
  return { readers, writers, unclaimed, unreadBytes, pending: calls.pending, running: handlers.running };
}

const nothing = { readers: 0, writers: 0, unclaimed: 0, unreadBytes: 0, pending: 0, running: 0 };

test("calls ended in every way, ten thousand of them, leave nothing behind", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, {
    server: { authorize: ({ handlerName }) => handlerName !== "forbidden" },
  });
  let running = 0;
  server.handle(generate, async function* ({ input }) {
    running++;
    try {
      for (let i = 0; i < input; i++) yield i;
      if (input === 7) throw new Error("it broke");
    } finally {
      running--;
    }
  });
  server.handle(upload, async ({ input }) => {
    let count = 0;
    for await (const item of input) {
      if (item === "stop") return -1;
      if (item === "throw") throw new Error("it broke");
      count++;
    }
    return count;
  });
  server.handle(chat, async function* ({ input }) {
    for await (const item of input) yield item;
  });
  const remote = client.client({ generate, upload, chat, forbidden, missing }, { to: peer });
  const ways: (() => Promise<unknown>)[] = [
    () => Array.fromAsync(remote.generate(3)),
    () => Array.fromAsync(remote.generate(7)),
    async () => {
      for await (const _ of remote.generate(100)) break;
    },
    () => remote.generate(2).close(),
    () => remote.generate(2)[Symbol.asyncDispose](),
    () => remote.upload(["a", "b"]).result,
    () => remote.upload([]).result,
    () => remote.upload(["a", "stop", "b"]).result,
    () => remote.upload(["throw", "b"]).result,
    () => remote.upload(["a", 3 as never]).result,
    async () => {
      const call = remote.upload();
      await call.send("a");
      await call.close();
    },
    () => Array.fromAsync(remote.chat(["a", "b"])),
    async () => {
      await using talk = remote.chat();
      await talk.send("a");
      for await (const _ of talk) break;
    },
    async () => {
      const controller = new AbortController();
      const { closed } = remote.chat(["a"], { signal: controller.signal });
      await turn();
      controller.abort();
      await closed;
    },
    () => remote.chat(null, { timeoutMs: 0 }).closed,
    () => Array.fromAsync(remote.forbidden(["a", "b"])),
    () => Array.fromAsync(remote.forbidden()),
    () => remote.forbidden(["a"]).closed,
    () => remote.missing(["a"]).result,
    () => remote.missing([]).result,
  ];
  for (let round = 0; round < 10; round++) {
    const calls = Array.from({ length: 1_000 }, (_, i) => ways[i % ways.length]!().catch(() => {}));
    await Promise.all(calls);
  }
  await until(() => left(client).pending === 0 && left(server).running === 0);
  for (let i = 0; i < 10; i++) await turn();
  assert.deepEqual([left(client), left(server)], [nothing, nothing]);
});

test("a thousand calls are open at once, in every direction, and each gets its own items", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const numbers = contract("numbers", { input: stream(z.number()), output: stream(z.number()) });
  const { opened, open } = gate(t);
  server.handle(numbers, async function* ({ input }) {
    for await (const item of input) yield item * 2;
  });
  server.handle(generate, async function* ({ input }) {
    yield input;
    await opened;
    yield input + 1;
  });
  server.handle(upload, async ({ input }) => {
    await opened;
    return (await Array.fromAsync(input)).reduce((sum, text) => sum + Number(text), 0);
  });
  const remote = client.client({ numbers, generate, upload }, { to: peer });
  const calls = Array.from({ length: 333 }, (_, i) => ({
    i,
    talk: remote.numbers(),
    output: remote.generate(i)[Symbol.asyncIterator](),
    input: remote.upload(),
  }));
  for (const { i, talk, input } of calls) void (talk.send(i), input.send(String(i)));
  await until(() => left(server).running === 999);
  const answers = calls.map(({ talk }) => talk[Symbol.asyncIterator]());
  for (const { i, output, talk, input } of calls) {
    assert.equal((await answers[i]!.next()).value, 2 * i);
    assert.equal((await output.next()).value, i);
    void (talk.send(i + 1), input.send("1"));
  }
  assert.equal(left(client).pending, 999);
  open();
  for (const { i, output, talk, input } of calls) {
    assert.equal((await answers[i]!.next()).value, 2 * i + 2);
    void (talk.end(), input.end());
    assert.deepEqual([(await output.next()).value, (await output.next()).done], [i + 1, true]);
    assert.equal((await answers[i]!.next()).done, true);
    assert.equal(await input.result, i + 1);
  }
  await until(() => left(server).running === 0);
  assert.deepEqual([left(client), left(server)], [nothing, nothing]);
});

test("calls that are refused leave room for others, however many they are and whatever they have sent", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: { streams: { maxUnclaimed: 3 } } });
  server.handle(upload, async ({ input }) => (await Array.fromAsync(input)).length);
  const remote = client.client({ missing, upload }, { to: peer });
  for (let i = 0; i < 20; i++) {
    await fails(remote.missing(["a", "b"].slice(0, i % 3)).result, { code: "HANDLER_NOT_FOUND", ran: "no" });
  }
  assert.equal(await remote.upload(["a", "b"]).result, 2);
  assert.deepEqual([left(client), left(server)], [nothing, nothing]);
});
