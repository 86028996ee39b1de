/** The times of calls with a stream, on a clock that stands still until it is told to go on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, type Messenger, stream } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { FakeClock } from "../unit/core_fake_clock.ts";
import { counts, fails, gate, pair, turn } from "./messenger_kit.ts";

const generate = contract("generate", { input: z.number(), output: stream(z.number()) });
const upload = contract("upload", { input: stream(z.string()), output: z.number() });
const chat = contract("chat", { input: stream(z.string()), output: stream(z.string()) });

/** Handlers whose streams end when a gate opens, and a client whose clock stands still. */
async function scene(t: LeakCheck, options: { concurrency?: number } = {}) {
  const clock = new FakeClock();
  const { server, client, peer } = await pair(t, { client: { clock } });
  const { opened, open } = gate(t);
  server.handle(generate, async function* ({ input }) {
    for (let i = 1; i <= input; i++) yield i;
    await opened;
    yield 0;
  }, options);
  server.handle(upload, async ({ input }) => {
    await opened;
    return (await Array.fromAsync(input)).length;
  }, options);
  server.handle(chat, async function* ({ input }) {
    for await (const item of input) yield item;
  }, options);
  return { clock, server, client, open, remote: client.client({ generate, upload, chat }, { to: peer }) };
}

/** Waits until the other side has shown that it takes a call's streams. */
async function accepted(client: Messenger, batches = 0): Promise<void> {
  await until(() => (client.stats().streams?.batchesReceived ?? 0) > batches, { message: "the acceptance" });
}

/** Whether a promise is still open after some turns. */
async function pending(promise: Promise<unknown>): Promise<boolean> {
  for (let i = 0; i < 3; i++) await turn();
  return await Promise.race([promise.then(() => false, () => false), Promise.resolve(true)]);
}

test("timeoutMs ends a call that its handler has not accepted, at its moment", async () => {
  await using t = await leakCheck();
  const { clock, server, client, open, remote } = await scene(t, { concurrency: 1 });
  const first = [remote.generate(0), remote.upload()] as const;
  await until(() => counts(server, "generate").inFlight === 1 && counts(server, "upload").inFlight === 1);
  const second = remote.generate(0, { timeoutMs: 1_000 })[Symbol.asyncIterator]().next();
  const result = remote.upload(["a"], { timeoutMs: 1_000 }).result;
  await until(() => counts(server, "generate").queued === 1 && counts(server, "upload").queued === 1);
  clock.advance(999);
  assert.ok(await pending(second) && await pending(result));
  clock.advance(5); // the deadlines of calls have slots of 4 ms
  for (const late of [second, result]) {
    const { message } = await fails(late, { code: "TIMEOUT", ran: "maybe" });
    assert.match(message, /1000 ms/);
  }
  await until(() => counts(server, "generate").queued === 0 && counts(server, "upload").queued === 0);
  open();
  assert.deepEqual(await Array.fromAsync(first[0]), [0]);
  await first[1].end();
  assert.equal(await first[1].result, 0);
  assert.equal(counts(server, "upload").succeeded, 1);
  assert.equal(client.stats().streams!.readers + client.stats().streams!.writers, 0);
});

test("timeoutMs does not bound the first item of an accepted call, nor an upload's result", async () => {
  await using t = await leakCheck();
  const { clock, client, open, remote } = await scene(t);
  const output = Array.fromAsync(remote.generate(0, { timeoutMs: 1_000 }));
  await accepted(client);
  const { batchesReceived } = client.stats().streams!;
  const { result } = remote.upload(["a"], { timeoutMs: 1_000 });
  await accepted(client, batchesReceived);
  clock.advance(4_000);
  assert.ok(await pending(output) && await pending(result));
  open();
  assert.deepEqual(await output, [0]);
  assert.equal(await result, 1);
});

test("without idleTimeoutMs a pause ends no call", async () => {
  await using t = await leakCheck();
  const { clock, client, open, remote } = await scene(t);
  const output = Array.fromAsync(remote.generate(1));
  await accepted(client);
  clock.advance(9_000);
  assert.ok(await pending(output));
  open();
  assert.deepEqual(await output, [1, 0]);
});

test("idleTimeoutMs ends a call so long after its last item, in whichever direction that went", async () => {
  await using t = await leakCheck();
  const { clock, remote } = await scene(t);
  await using talk = remote.chat(null, { idleTimeoutMs: 1_000 });
  await talk.send("a");
  const items = talk[Symbol.asyncIterator]();
  assert.equal((await items.next()).value, "a");
  for (const pause of [620, 990, 510]) {
    clock.advance(pause);
    await talk.send("b");
    assert.equal((await items.next()).value, "b");
  }
  clock.advance(999);
  const next = items.next();
  assert.ok(await pending(next));
  clock.advance(1);
  const { message } = await fails(next, { code: "TIMEOUT", ran: "yes", handler: "chat" });
  assert.match(message, /no item for 1000 ms \(idleTimeoutMs\)/);
  await fails(talk.send("c"), { code: "TIMEOUT" });
});

test("idleTimeoutMs ends a call without an output so long after the last item that it sent", async () => {
  await using t = await leakCheck();
  const { clock, client, remote } = await scene(t);
  await using call = remote.upload(null, { idleTimeoutMs: 1_000 });
  await accepted(client);
  clock.advance(700);
  await call.send("a");
  clock.advance(999);
  assert.ok(await pending(call.result));
  clock.advance(1);
  await fails(call.result, { code: "TIMEOUT", ran: "yes", handler: "upload" });
});

test("items that wait to be read are no pause, nor is the time after the end of the input", async () => {
  await using t = await leakCheck();
  const { clock, client, open, remote } = await scene(t);
  const output = remote.generate(3, { idleTimeoutMs: 1_000 });
  await until(() => client.stats().streams?.itemsReceived === 3);
  const upload = remote.upload(["a"], { idleTimeoutMs: 1_000 });
  const { batchesReceived } = client.stats().streams!;
  await accepted(client, batchesReceived);
  clock.advance(3_500);
  const items = output[Symbol.asyncIterator]();
  for (let i = 1; i <= 3; i++) assert.equal((await items.next()).value, i);
  const next = items.next();
  clock.advance(999);
  assert.ok(await pending(next));
  clock.advance(1);
  await fails(next, { code: "TIMEOUT", ran: "yes" });
  assert.ok(await pending(upload.result));
  open();
  assert.equal(await upload.result, 1);
});
