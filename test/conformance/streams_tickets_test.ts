/** Tickets over real connections: streams that are opened without asking the reader. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { StaticDiscovery } from "../../src/discovery/mod.ts";
import { contract } from "../../src/mod.ts";
import { streams, type StreamTicket } from "../../src/streams/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { pair } from "./messenger_kit.ts";

const count = contract("count", {
  input: z.object({ to: z.number(), into: z.string(), ticket: z.custom<StreamTicket>() }),
});

test("a ticket travels in a payload with its handle, and the items come without a question", async () => {
  await using t = await leakCheck();
  const asked: string[] = [];
  const authorize = ({ handlerName }: { handlerName: string }) => {
    asked.push(handlerName);
    return true;
  };
  const { server, client } = await pair(t, { client: { authorize } });
  server.handle(count, async ({ input: { to, into, ticket } }) => {
    const sender = await streams(server).attach(into, { ticket });
    for (let i = 1; i <= to; i++) await sender.send(i);
    await sender.finalize();
  });
  const anchor = streams(client).anchor({ schema: z.number() });
  const input = { to: 3_000, into: String(anchor.handle), ticket: anchor.ticket() };
  const call = client.client({ count }, { to: server.instanceId }).count(input);
  assert.deepEqual(await Array.fromAsync(anchor), Array.from({ length: 3_000 }, (_, i) => i + 1));
  await call;
  assert.deepEqual(asked, []);
  for (const messenger of [server, client]) {
    await until(() => {
      const { writers, readers, unreadBytes, anchors, senders } = messenger.stats().streams!;
      return writers + readers + unreadBytes + anchors + senders === 0;
    }, { message: "the end of the stream" });
  }
});

test("a sender that has no connection yet is attached as without a ticket", async () => {
  await using t = await leakCheck();
  const discovery = new StaticDiscovery();
  const reader = await t.messenger({ discovery });
  const writer = await t.messenger({ discovery });
  const anchor = streams(reader).anchor();
  const sender = await streams(writer).attach(anchor.handle, { ticket: anchor.ticket() });
  assert.equal(anchor.senders, 1);
  await sender.send("hello");
  await sender.finalize();
  assert.deepEqual(await Array.fromAsync(anchor), ["hello"]);
});

test("a thousand tickets at once are used, given up and left alone, and nothing is left of them", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t);
  await Promise.all(Array.from({ length: 1_000 }, async (_, i) => {
    const anchor = streams(server).anchor();
    const ticket = anchor.ticket(i % 4 === 3 ? { timeoutMs: 1 } : {});
    if (i % 4 === 3) return await assert.rejects(anchor.next(), { code: "TIMEOUT" });
    if (i % 4 === 2) return anchor.cancel();
    const sender = await streams(client).attach(anchor.handle, { ticket });
    await sender.send(i);
    if (i % 4 === 1) {
      sender.close();
      await anchor.next();
      return await assert.rejects(anchor.next(), { code: "STREAM_DROPPED" });
    }
    await sender.finalize();
    assert.deepEqual(await Array.fromAsync(anchor), [i]);
  }));
  for (const messenger of [server, client]) {
    await until(() => {
      const { writers, readers, unreadBytes, anchors, senders } = messenger.stats().streams!;
      return writers + readers + unreadBytes + anchors + senders === 0;
    }, { message: "the end of all streams" });
  }
});
