/** Calls with streams whose connection is lost in the middle. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, type Messenger, stream, ZeromeshError } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { startProxy } from "../support/proxy.ts";
import { until, within } from "../support/until.ts";

const generate = contract("generate", { input: z.number(), output: stream(z.number()) });
const upload = contract("upload", { input: stream(z.string()), output: z.number() });

test("a lost connection ends both sides once, after the items that had arrived", async () => {
  await using t = await leakCheck();
  const server: Messenger = await t.messenger();
  const client = await t.messenger({ listen: false, redialForMs: 0 });
  const proxy = t.use(await startProxy({ targetPort: Number(server.endpoint.split(":").at(-1)) }));
  const peer = await client.connect(proxy.endpoint);
  const ended: string[] = [];
  server.handle(generate, async function* ({ input, signal }) {
    try {
      for (let i = 1; i <= input; i++) yield i;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    } finally {
      ended.push(`output ${signal.aborted} ${(signal.reason as ZeromeshError).code}`);
    }
  });
  const got: string[] = [];
  server.handle(upload, async ({ input }) => {
    try {
      for await (const item of input) got.push(item);
    } catch (error) {
      ended.push(`input ${(error as ZeromeshError).code}`);
    }
    return 0;
  });
  const remote = client.client({ generate, upload }, { to: peer });
  const output = remote.generate(3);
  await using input = remote.upload();
  await input.send("a");
  await input.send("b");
  const items = output[Symbol.asyncIterator]();
  assert.deepEqual(await items.next(), { done: false, value: 1 });
  await until(() => got.length === 2);
  proxy.cut();
  assert.deepEqual(await items.next(), { done: false, value: 2 });
  assert.deepEqual(await items.next(), { done: false, value: 3 });
  const lost = { code: "PEER_DISCONNECTED", peer, ran: "yes" };
  await within(assert.rejects(items.next(), { ...lost, handler: "generate" }), 5_000);
  await within(assert.rejects(input.result, { ...lost, handler: "upload" }), 5_000);
  await within(assert.rejects(input.send("c"), lost), 5_000);
  assert.deepEqual(await items.next(), { done: true, value: undefined });
  await until(() => ended.length === 2);
  assert.deepEqual(ended.sort(), ["input PEER_DISCONNECTED", "output true PEER_DISCONNECTED"]);
  assert.deepEqual(got, ["a", "b"]);
});
