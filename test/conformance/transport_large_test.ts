/** Payloads at and over their limits: refused before they cost anything, or carried whole. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { unaryHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { longRun } from "../support/runtime.ts";
import { until } from "../support/until.ts";
import { bytes, fails, pair, text } from "./messenger_kit.ts";

const mebibyte = 1_048_576;

/** Bytes in which every 4 KiB say where they are. */
function pattern(size: number): Uint8Array {
  const all = new Uint8Array(size);
  const view = new DataView(all.buffer);
  for (let at = 0; at + 4 <= size; at += 4_096) view.setUint32(at, at + 1);
  if (size > 0) all[size - 1] = 0xa5;
  return all;
}

function assertPattern(all: Uint8Array, size: number): void {
  assert.equal(all.length, size);
  const view = new DataView(all.buffer, all.byteOffset, all.length);
  for (let at = 0; at + 4 < size; at += 4_096) {
    if (view.getUint32(at) !== at + 1) assert.fail(`another byte at ${at}`);
  }
  assert.equal(all[size - 1], 0xa5);
}

// Only long runs need the one below the limit as well.
for (const size of longRun ? [64 * mebibyte - 1, 64 * mebibyte] : [64 * mebibyte]) {
  test(`${size} bytes, up to the limit that is the default, go there and back`, async () => {
    await using t = await leakCheck();
    const { server, client, peer } = await pair(t);
    server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
    server.registerHandler(unaryHandler("late echo", async ({ payload }) => {
      await Promise.resolve();
      return payload;
    }));
    const rawPayload = pattern(size);
    for (const name of ["echo", "late echo"]) {
      assertPattern(await client.unary(name, { to: peer, rawPayload, timeoutMs: 20_000 }), size);
    }
  });
}

test("one byte over the limit is refused here, before anything is sent", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let ran = 0;
  server.registerHandler(unaryHandler("echo", () => void ran++));
  const sent = client.stats().transport.sentMessages;
  const rawPayload = new Uint8Array(64 * mebibyte + 1);
  for (const pattern of ["unary", "amSend", "amSync"] as const) {
    await fails(client[pattern]("echo", { to: peer, rawPayload }), { code: "PAYLOAD_TOO_LARGE", ran: "no" });
  }
  assert.equal(client.stats().transport.sentMessages, sent);
  assert.equal(ran, 0);
});

for (const limit of [1, 100, 5_000, 100_000]) {
  test(`a peer that takes ${limit} bytes at most is never sent more, and the connection lives`, async () => {
    await using t = await leakCheck();
    const { server, client, peer } = await pair(t, { server: { maxPayloadBytes: limit } });
    const sizes: number[] = [];
    server.registerHandler(unaryHandler("size", ({ payload }) => void sizes.push(payload.length)));
    for (const size of [limit, limit + 1, limit + 200_000, 2 * mebibyte, limit]) {
      const call = client.unary("size", { to: peer, rawPayload: new Uint8Array(size) });
      if (size <= limit) await call;
      else {
        await fails(call, { code: "PAYLOAD_TOO_LARGE", ran: "no", details: { bytes: size, limit } });
        await fails(client.amSend("size", { to: peer, rawPayload: new Uint8Array(size) }), {
          code: "PAYLOAD_TOO_LARGE",
          ran: "no",
        });
      }
    }
    assert.deepEqual(sizes, [limit, limit]);
    assert.deepEqual(server.stats().transport.drops, {});
    assert.equal(client.peers()[0]!.up, true);
    // Handshakes and lists are no payloads of the user's.
    assert.ok((await client.availableHandlers(peer)).includes("size"));
  });
}

test("many small messages to a peer with a small limit still share frames and arrive", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: { maxPayloadBytes: 64 } });
  let seen = 0;
  server.registerHandler(unaryHandler("n", () => void seen++));
  for (let i = 0; i < 5_000; i++) void client.amSend("n", { to: peer, rawPayload: new Uint8Array(64) });
  await until(() => seen === 5_000, { message: () => `${seen} of 5000` });
});

test("an answer over the caller's limit is an error for the caller, and the connection lives", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { client: { maxPayloadBytes: 1_000 } });
  server.registerHandler(unaryHandler("sized", ({ payload }) => new Uint8Array(Number(text(payload)))));
  const ask = (size: number) => client.unary("sized", { to: peer, rawPayload: bytes(String(size)) });
  for (const size of [1_000, 1_001, 200_000, 3 * mebibyte, 1_000]) {
    if (size <= 1_000) assert.equal((await ask(size)).length, size);
    else await fails(ask(size), { code: "PAYLOAD_TOO_LARGE", ran: "yes" });
  }
  assert.deepEqual(client.stats().transport.drops, {});
  assert.equal(client.peers()[0]!.up, true);
});

test("large and small messages side by side: none waits for ever, all are whole", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const size = 8 * mebibyte;
  const rawPayload = pattern(size);
  const large = Array.from({ length: 6 }, () => client.unary("echo", { to: peer, rawPayload }));
  const small = Array.from(
    { length: 500 },
    (_, i) => client.unary("echo", { to: peer, rawPayload: bytes(`${i}`) }),
  );
  assert.deepEqual((await Promise.all(small)).map(text), small.map((_, i) => `${i}`));
  for (const answer of await Promise.all(large)) assertPattern(answer, size);
});

test("a message larger than all that may wait goes alone", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, {
    client: { maxQueuedBytes: 10_000, highWaterMark: 1 },
    server: { highWaterMark: 1 },
  });
  const sizes: number[] = [];
  server.registerHandler(unaryHandler("size", ({ payload }) => void sizes.push(payload.length)));
  const wanted = [5, mebibyte, 5, 3 * mebibyte, 9_000, 2 * mebibyte, 5, 5];
  const calls = wanted.map((size) => client.unary("size", { to: peer, rawPayload: new Uint8Array(size) }));
  await Promise.all(calls);
  assert.deepEqual(sizes, wanted);
});
