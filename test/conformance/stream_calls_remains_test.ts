/** What calls with a stream leave behind at both sides, when they have ended. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, type Messenger, stream, type ZeromeshError } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { counts, fails, gate, pair } from "./messenger_kit.ts";

const generate = contract("generate", { input: z.number(), output: stream(z.number()) });
const upload = contract("upload", { input: stream(z.string()), output: z.number() });
const chat = contract("chat", { input: stream(z.string()), output: stream(z.string()) });

/** Whether a messenger holds nothing of any stream. */
function empty(messenger: Messenger): boolean {
  const stats = messenger.stats().streams;
  return stats === null ||
    stats.writers + stats.readers + stats.unclaimed + stats.unreadBytes === 0;
}

test("a call that fails before its output was opened leaves no stream behind", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, {
    server: { authorize: (call) => call.handlerName !== "chat" },
  });
  server.handle(generate, () => {
    throw new Error("no model");
  });
  server.handle(chat, () => []);
  const remote = client.client({ generate, chat, absent: { ...generate, name: "absent" } }, { to: peer });
  const outcomes = [
    [remote.generate(1), "HANDLER_FAILED"],
    [remote.absent(1), "HANDLER_NOT_FOUND"],
    [remote.chat(["a"]), "FORBIDDEN"],
  ] as const;
  for (const [call, code] of outcomes) {
    assert.equal((await call.closed as ZeromeshError).code, code);
  }
  assert.ok(empty(client), JSON.stringify(client.stats().streams));
  await until(() => empty(server));
  for (const [call, code] of outcomes) await fails(Array.fromAsync(call as AsyncIterable<unknown>), { code });
});

test("the input of a refused call is dropped at the handler's side, finished or not", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, {
    server: { authorize: (call) => call.handlerName !== "chat" },
  });
  server.handle(chat, () => []);
  const remote = client.client({ chat, upload }, { to: peer });
  const calls = [remote.chat(["a"]), remote.chat([]), remote.chat(), remote.upload(["a"]), remote.upload()];
  for (const call of calls) assert.match((await call.closed as ZeromeshError).code, /FORBIDDEN|NOT_FOUND/);
  await until(() => empty(client) && empty(server), {
    message: () => JSON.stringify(server.stats().streams),
  });
});

test("a call that ends while it waits for its place takes its finished input along", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { opened, open } = gate(t);
  server.handle(upload, async ({ input }) => {
    await opened;
    return (await Array.fromAsync(input)).length;
  }, { concurrency: 1 });
  const remote = client.client({ upload }, { to: peer });
  const first = remote.upload(["a"]);
  await until(() => counts(server, "upload").inFlight === 1);
  const second = remote.upload(["b", "c"]);
  await until(() => server.stats().streams?.unclaimed === 1);
  await second.close();
  await until(() => server.stats().streams?.unclaimed === 0);
  open();
  assert.equal(await first.result, 1);
  await until(() => empty(client) && empty(server));
});

test("a call whose input its peer does not keep fails at once", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: { streams: { maxUnclaimed: 1 } } });
  const { opened, open } = gate(t);
  server.handle(upload, async ({ input }) => {
    await opened;
    return (await Array.fromAsync(input)).length;
  }, { concurrency: 1 });
  const remote = client.client({ upload }, { to: peer });
  const running = remote.upload(["a"]);
  await until(() => counts(server, "upload").inFlight === 1);
  const waiting = remote.upload(["b"]);
  await until(() => server.stats().streams?.unclaimed === 1);
  for (const items of [["c"], [], null]) {
    const late = remote.upload(items);
    await fails(late.result, { code: "LIMIT_REACHED", ran: "maybe", message: /maxUnclaimed/ });
  }
  open();
  assert.deepEqual([await running.result, await waiting.result], [1, 1]);
  await until(() => empty(client) && empty(server), {
    message: () => JSON.stringify([client.stats().streams, server.stats().streams]),
  });
});
