/** Streams that have much to send leave timers, sockets and other calls their turns. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, stream } from "../../src/mod.ts";
import { streams } from "../../src/streams/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { pair, turn } from "./messenger_kit.ts";

test("endless streams with wide windows leave others their turns", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, {
    client: { streams: { windowItems: 65_535, windowBytes: 64 * 1024 * 1024 } },
  });
  let sent = 0;
  const endless = contract("endless", { input: z.number(), output: stream(z.number()) });
  server.handle(endless, async function* ({ input }) {
    for (;;) {
      sent++;
      yield input;
    }
  });
  const remote = client.client({ endless }, { to: peer });
  const calls = Array.from({ length: 40 }, (_, i) => remote.endless(i));
  let [before, most] = [0, 0];
  await until(async () => {
    await turn();
    most = Math.max(most, sent - before);
    before = sent;
    return sent > 200_000;
  }, { timeoutMs: 20_000, intervalMs: 0 });
  assert.ok(most < 100_000, `${most} items in one turn`);
  for (const call of calls) await call.close();
});

test("a sender and a reader in one process leave others their turns", async () => {
  await using t = await leakCheck();
  const messenger = await t.messenger();
  const upload = contract("upload", { input: stream(z.number()), output: z.number() });
  messenger.handle(upload, async ({ input }) => {
    let read = 0;
    for await (const _ of input) read++;
    return read;
  });
  const most = 1_000_000;
  for (const kind of ["call", "anchor"]) {
    const call = messenger.client({ upload }, { to: messenger.instanceId }).upload();
    const anchor = streams(messenger).anchor();
    const reading = Array.fromAsync(anchor, () => null);
    const sender = await streams(messenger).attach(anchor.handle);
    let turns = 0;
    const turning = until(() => ++turns > 10);
    let sent = 0;
    for (; turns <= 10 && sent < most; sent++) await (kind === "call" ? call : sender).send(sent);
    assert.ok(sent < most, `no turn while ${sent} items were sent by a ${kind}`);
    await turning;
    await call.end();
    await sender.finalize();
    assert.equal(kind === "call" ? await call.result : (await reading).length, sent);
  }
});

test("items that are awaited or yielded one by one share their messages", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const upload = contract("upload", { input: stream(z.number()), output: z.number() });
  const numbers = contract("numbers", { input: z.number(), output: stream(z.number()) });
  server.handle(upload, async ({ input }) => (await Array.fromAsync(input)).length);
  server.handle(numbers, async function* ({ input }) {
    for (let i = 0; i < input; i++) yield i;
  });
  const remote = client.client({ upload, numbers }, { to: peer });
  const count = 4_000;
  const call = remote.upload();
  for (let i = 0; i < count; i++) await call.send(i);
  await call.end();
  assert.equal(await call.result, count);
  let read = 0;
  for await (const _ of remote.numbers(count)) read++;
  assert.equal(read, count);
  for (const messenger of [client, server]) {
    const { batchesSent } = messenger.stats().streams!;
    assert.ok(
      batchesSent < count / 40,
      `${batchesSent} messages for ${count} items, with credit for as many`,
    );
  }
});
