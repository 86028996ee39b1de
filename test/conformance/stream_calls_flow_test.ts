/** The flow of calls with a stream: windows, readers that are slow, and what waits. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, stream, unaryHandler } from "../../src/mod.ts";
import { prometheusMeter } from "../../src/prometheus/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { fails, gate, pair, turn } from "./messenger_kit.ts";

const produce = contract("produce", {
  input: z.object({ size: z.number(), count: z.number() }),
  output: stream(z.string()),
});
const upload = contract("upload", { input: stream(z.string()), output: z.number() });

/** Waits until a count stays as it is for some turns. */
async function settled(count: () => number): Promise<number> {
  for (let last = -1;;) {
    for (let i = 0; i < 20; i++) await turn();
    if (count() === last) return last;
    last = count();
  }
}

/** An upload whose handler reads nothing until `open` is called. */
async function heldUpload(t: LeakCheck) {
  const { server, client, peer } = await pair(t);
  const { opened, open } = gate(t);
  server.handle(upload, async ({ input }) => {
    await opened;
    return (await Array.fromAsync(input)).length;
  });
  return { call: t.use(client.client({ upload }, { to: peer }).upload()), open };
}

for (const { size, items } of [{ size: 20, items: 1_024 }, { size: 40_000, items: 27 }]) {
  test(`a slow reader of items of ${size} characters holds its writer at the window, and nobody else`, async () => {
    await using t = await leakCheck();
    const { server, client, peer } = await pair(t);
    const produced: number[] = [];
    server.handle(produce, async function* ({ input }) {
      const own = produced.push(0) - 1;
      const text = "x".repeat(input.size);
      while (produced[own]! < input.count) {
        yield text;
        produced[own]!++;
      }
    });
    const taken: number[] = [];
    const { opened, open } = gate(t);
    server.handle(upload, async ({ input }) => {
      const own = taken.push(0) - 1;
      for await (const _ of input) {
        taken[own]!++;
        if (own === 0) await opened;
      }
      return taken[own]!;
    });
    server.registerHandler(unaryHandler("ping", () => {}));
    const remote = client.client({ produce, upload }, { to: peer });
    const total = items * 5;
    const slow = remote.produce({ size, count: total })[Symbol.asyncIterator]();
    await slow.next();
    let sent = 0;
    const input = remote.upload((function* () {
      for (; sent < total; sent++) yield "x".repeat(size);
    })());
    const fast = async (): Promise<void> => {
      assert.equal((await Array.fromAsync(remote.produce({ size, count: total }))).length, total);
      assert.equal(await remote.upload(Array.from({ length: total }, () => "x".repeat(size))).result, total);
      await client.unary("ping", { to: peer });
    };
    await until(() => taken.length === 1);
    await fast();
    // The one that was read, those of the window, and the one that waits.
    assert.ok(await settled(() => produced[0]!) <= items + 1, `${produced[0]} items were produced`);
    assert.ok(await settled(() => sent) <= items + 1, `${sent} items were sent`);
    assert.ok(produced[0]! >= items - 1 && sent >= items - 1, `${produced[0]} and ${sent} items`);
    for (const messenger of [client, server]) {
      const { unreadBytes, creditWaits } = messenger.stats().streams!;
      assert.ok(unreadBytes <= 1024 * 1024 + size + 1 && creditWaits > 0, `${unreadBytes} bytes are unread`);
    }
    for (let i = 0; i < 2 * items; i++) assert.equal((await slow.next()).done, false);
    await until(() => produced[0]! > 2 * items, { message: "it goes on" });
    await fast();
    await slow.return!();
    open();
    assert.equal(await input.result, total);
  });
}

test("unread items are part of their peer's share of memory, and no other peer's", async () => {
  await using t = await leakCheck();
  const maxPeerBytes = 1024 * 1024;
  const { server, client, peer } = await pair(t, { server: { maxPeerBytes } });
  const other = await t.messenger();
  await other.connect(server.endpoint);
  const { opened, open } = gate(t);
  const first = Promise.withResolvers<void>();
  server.handle(upload, async ({ input }) => {
    await opened;
    return (await Array.fromAsync(input)).length;
  });
  let large = 0;
  server.registerHandler(unaryHandler("large", async ({ payload }) => {
    large += payload.length;
    await first.promise;
    large -= payload.length;
  }));
  const remote = client.client({ upload }, { to: peer });
  const text = "x".repeat(30_000);
  const calls = Array.from({ length: 40 }, () => remote.upload([text, text, text]));
  // The streams stop at the share, which their reader has told: each may have one item beyond a half of it.
  await until(() => (server.stats().streams?.unreadBytes ?? 0) > maxPeerBytes / 2 - 100_000);
  await settled(() => server.stats().streams!.unreadBytes);
  const { unreadBytes } = server.stats().streams!;
  assert.ok(unreadBytes <= maxPeerBytes + text.length + 3, `${unreadBytes} bytes are unread`);
  const payload = new Uint8Array(maxPeerBytes / 2);
  const { message } = await fails(client.unary("large", { to: peer, rawPayload: payload }), {
    code: "OVERLOADED",
    ran: "no",
  });
  assert.match(message, /unread items of this peer.*maxPeerBytes/);
  const answers = [other.unary("large", { to: peer, rawPayload: payload })];
  await until(() => large === payload.length);
  open();
  assert.deepEqual(await Promise.all(calls.map(({ result }) => result)), calls.map(() => 3));
  answers.push(client.unary("large", { to: peer, rawPayload: payload }));
  await until(() => large === 2 * payload.length);
  first.resolve();
  await Promise.all(answers);
  assert.equal(server.stats().streams!.dropped["bytesExceeded"], 0);
});

test("streams of calls are counted: open, items, bytes, waits for credit, and ends by reason", async () => {
  await using t = await leakCheck();
  const meter = prometheusMeter();
  const { server, client, peer } = await pair(t, { client: { meter } });
  server.handle(produce, async function* ({ input }) {
    for (let i = 0; i < input.count; i++) yield "x".repeat(input.size);
  });
  const { opened, open } = gate(t);
  server.handle(upload, async ({ input }) => {
    await opened;
    return (await Array.fromAsync(input)).length;
  });
  const remote = client.client({ produce, upload }, { to: peer });
  await Array.fromAsync(remote.produce({ size: 3, count: 7 }));
  for await (const _ of remote.produce({ size: 3, count: 1e9 })) break;
  const call = remote.upload(Array.from({ length: 2_000 }, () => "abc"));
  await until(() => client.stats().streams!.creditWaits === 1);
  const text = await meter.text();
  const has = (name: string, value: string) =>
    assert.match(text, new RegExp(`^zeromesh_streams_${name} ${value}$`, "m"));
  has("writers", "1");
  has("readers", "0");
  has("items_sent_total", "1024");
  has("sent_bytes_total", "4096");
  has("credit_waits_total", "1");
  has('ended_total\\{reason="finalized"\\}', "1");
  has('ended_total\\{reason="cancelled"\\}', "1");
  open();
  assert.equal(await call.result, 2_000);
  const { itemsSent, bytesSent, ends, writers } = client.stats().streams!;
  assert.deepEqual([itemsSent, bytesSent, ends.finalized, writers], [2_000, 8_000, 2, 0]);
});

test("un-awaited sends are bounded: QUEUE_FULL refuses the item, and the call goes on", async () => {
  await using t = await leakCheck();
  const { call, open } = await heldUpload(t);
  await call.send("first");
  const sends = Array.from({ length: 4000 }, (_, i) => call.send(String(i)));
  await fails(sends[3999]!, { code: "QUEUE_FULL", ran: "no" });
  await fails(call.send("late", { timeoutMs: 20 }), { code: "QUEUE_FULL" });
  open();
  const settled = await Promise.allSettled(sends);
  const sent = settled.filter(({ status }) => status === "fulfilled").length;
  assert.ok(sent >= 1024 && sent <= 2 * 1024, `${sent} were sent`);
  await call.end();
  assert.equal(await call.result, sent + 1);
});

test("send() waits for the reader within its own time, and can be taken back", async () => {
  await using t = await leakCheck();
  const { call, open } = await heldUpload(t);
  let sent = 0;
  while (await Promise.race([call.send("x").then(() => true), turn().then(turn).then(() => false)])) sent++;
  await fails(call.send("late", { timeoutMs: 30 }), { code: "TIMEOUT", ran: "no" });
  const controller = new AbortController();
  const taken = call.send("taken back", { signal: controller.signal });
  const reason = new Error("not this one");
  controller.abort(reason);
  await assert.rejects(taken, reason);
  open();
  await call.end();
  assert.equal(await call.result, sent + 1);
});

test("un-awaited sends are bounded in bytes as well, and one large item may always wait", async () => {
  await using t = await leakCheck();
  const { call, open } = await heldUpload(t);
  const text = "x".repeat(100_000);
  const sends = Array.from({ length: 40 }, () => call.send(text));
  const { details } = await fails(sends[39]!, { code: "QUEUE_FULL", ran: "no" });
  const { item, waitingItems, waitingBytes } = details as Record<string, number>;
  assert.ok(waitingBytes! <= 1024 * 1024 && waitingBytes! > 900_000, `${waitingBytes} bytes wait`);
  assert.equal(item, 11 + waitingItems! + 1);
  open();
  const sent = (await Promise.allSettled(sends)).filter(({ status }) => status === "fulfilled").length;
  assert.equal(sent, 11 + waitingItems!);
  await call.send("x".repeat(3_000_000));
  await Promise.all([call.send("x".repeat(3_000_000)), call.end()]);
  assert.equal(await call.result, sent + 2);
});

test("the windows of an output are options of its reader", async () => {
  await using t = await leakCheck();
  const windows = [{ windowItems: 5 }, { windowBytes: 4_000 }, { windowItems: 1, windowBytes: 1 }];
  for (const [i, most] of [5, 4, 1].entries()) {
    const { server, client, peer } = await pair(t, { client: { streams: windows[i] } });
    let produced = 0;
    server.handle(produce, async function* ({ input }) {
      for (; produced < input.count; produced++) yield "x".repeat(input.size);
    });
    const items = client.client({ produce }, { to: peer }).produce({ size: 999, count: 100 });
    await until(() => produced === most);
    assert.equal(await settled(() => produced), most);
    assert.equal((await Array.fromAsync(items)).length, 100);
  }
});
