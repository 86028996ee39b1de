/** An executor in a process of its own on the other runtime. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { executorHandlerName, parseNotification, sendToExecutor } from "../../src/executor/mod.ts";
import { bytes, fails } from "../conformance/messenger_kit.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { allRuntimes } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";
import { until, within } from "../support/until.ts";

const runtime = allRuntimes[1]!;

async function served(t: LeakCheck, name?: string) {
  const args = name === undefined ? [] : [name];
  const server = t.use(spawnScript("test/support/peers/executor_peer.ts", args, { runtime }));
  const endpoint = (await server.waitForLine("ready ")).slice("ready ".length);
  const client = await t.messenger();
  const to = await client.connect(endpoint);
  const send = (messageType: string, responseNotification?: string, messageData = bytes("abc")) =>
    sendToExecutor(client, { messageType, messageData, responseNotification }, { to, name });
  return { server, client, to, send };
}

test(`an executor on ${runtime} runs what is sent to it, and answers with the notification, whatever the prefix is`, async () => {
  await using t = await leakCheck();
  const { send } = await served(t);
  const prefixes = ["job", "job:7", "a:b:c", ":", "::ok", "x:err(y)", "a:ok", "größe:1", ""];
  const results = await Promise.all(
    Array.from({ length: 300 }, (_, i) => send("add", `${prefixes[i % prefixes.length]}`)),
  );
  results.forEach((result, i) => {
    const prefix = prefixes[i % prefixes.length]!;
    assert.deepEqual(result, { notification: `${prefix}:ok`, isSuccess: true });
  });
  // Without a prefix a message is answered when it has its place, and runs nevertheless.
  for (let i = 0; i < 50; i++) assert.equal(await send("add"), null);
  await until(async () => (await send("total", "t:1"))?.notification === "t:1:err(1050 bytes)");
  for (const prefix of prefixes) {
    const unknown = await send("nobody", prefix);
    assert.equal(unknown?.isSuccess, false);
    assert.equal(
      parseNotification(unknown.notification, prefix)?.error,
      "No handler for message type: nobody",
    );
  }
});

test(`an executor on ${runtime} that is killed: whoever waits is told who is gone and that it may have run`, async () => {
  await using t = await leakCheck();
  const name = "my_executor";
  const { server, client, to, send } = await served(t, name);
  assert.equal((await send("add", "before:1"))?.notification, "before:1:ok");
  await fails(
    sendToExecutor(client, { messageType: "add", messageData: bytes("x") }, { to }),
    { code: "HANDLER_NOT_FOUND", handler: executorHandlerName, ran: "no" },
  );
  // Four hang and the others wait for a place in the executor.
  const expected = { code: "PEER_DISCONNECTED", peer: to, handler: name, ran: "maybe" };
  const waiting = Array.from({ length: 10 }, (_, i) => fails(send("hang", `stuck:${i}`), expected, 20_000));
  await until(() => server.outputText.split("hangs").length === 5);
  await server.kill();
  await within(Promise.all(waiting), 10_000, "those who wait");
  await fails(
    sendToExecutor(client, { messageType: "add", messageData: bytes("x") }, { to, name, timeoutMs: 500 }),
    { ran: "no", peer: to },
  );
});
