/** Tests of who owns the bytes of a payload: senders change theirs at once, and receivers keep theirs for ever. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { amHandler, type Messenger, type MessengerOptions, unaryHandler } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { turn } from "../support/raw_sockets.ts";
import { allBytes } from "../support/same_bytes.ts";
import { until } from "../support/until.ts";
import { pair } from "./messenger_kit.ts";

/** A view in the middle of a buffer, all bytes of which tell the number. */
function view(value: number, size: number): Uint8Array<ArrayBuffer> {
  const around = new Uint8Array(size + 10).fill(0xee);
  return around.subarray(3, 3 + size).fill(value & 0x7f);
}

/** Overwrites the bytes and gives their memory away, which a sender may do as soon as its call has returned. */
function spoil(payload: Uint8Array<ArrayBuffer>): void {
  payload.fill(0xff);
  payload.buffer.transfer();
}

const isWhole = (payload: Uint8Array, value: number, size: number) => allBytes(payload, value & 0x7f, size);

/** A pair that is connected, or of which the client has to dial first. */
async function met(t: LeakCheck, options: MessengerOptions, dialled: boolean) {
  if (dialled) return await pair(t, { client: options, server: options });
  const server = await t.messenger(options);
  const client = await t.messenger(options);
  return { server, client, peer: client.registerPeer(server.peerInfo()) };
}

const ways: [how: string, options: MessengerOptions, sizes: number[], dialled: boolean][] = [
  ["in batches", {}, [1, 64, 1_000], true],
  ["one by one", { features: { batch: false } }, [1, 64, 1_000], true],
  ["too large for batches", {}, [5_000, 70_000, 300_000], true],
  ["at the high-water mark", { highWaterMark: 1 }, [64, 5_000, 100_000], true],
  ["waiting for room", { highWaterMark: 1, maxQueuedMessages: 2 }, [64, 5_000, 100_000], true],
  ["waiting for the connection", {}, [1, 64, 5_000, 100_000], false],
];

for (const [how, options, sizes, dialled] of ways) {
  test(`bytes may be changed and their buffer detached right after a call returned (${how})`, async () => {
    await using t = await leakCheck();
    const { server, client, peer } = await met(t, options, dialled);
    let [came, wrong] = [0, 0];
    const take = (payload: Uint8Array) => {
      if (!isWhole(payload, came, sizes[came % sizes.length]!)) wrong++;
      came++;
    };
    server.registerHandler(amHandler("am", ({ payload }) => take(payload)));
    server.registerHandler(unaryHandler("unary", ({ payload }) => {
      take(payload);
      return payload;
    }));
    const calls: Promise<unknown>[] = [];
    for (let i = 0; i < 300; i++) {
      const payload = view(i, sizes[i % sizes.length]!);
      const options = { to: peer, rawPayload: payload };
      if (i % 3 === 0) calls.push(client.amSend("am", options));
      else if (i % 3 === 1) calls.push(client.amSync("am", options));
      else calls.push(client.unary("unary", options));
      spoil(payload);
    }
    const answers = await Promise.all(calls);
    await until(() => came === 300);
    assert.equal(wrong, 0);
    answers.forEach((answer, i) => {
      if (i % 3 === 2) assert.ok(isWhole(answer as Uint8Array, i, sizes[i % sizes.length]!), `answer ${i}`);
    });
  });
}

for (const [how, options, sizes] of ways.filter(([, , , dialled]) => dialled)) {
  test(`a handler may answer with bytes that it goes on using (${how})`, async () => {
    await using t = await leakCheck();
    const { server, client, peer } = await pair(t, { client: options, server: options });
    const scratch = new Uint8Array(100_000);
    const fill = ([value, size]: Uint8Array) => {
      const bytes = scratch.subarray(7, 7 + sizes[size!]!);
      return bytes.fill(value!);
    };
    server.registerHandler(unaryHandler("sync", ({ payload }) => fill(payload)));
    server.registerHandler(unaryHandler("async", async ({ payload }) => {
      await Promise.resolve();
      return fill(payload).slice();
    }));
    const calls = Array.from({ length: 200 }, async (_, i) => {
      const rawPayload = Uint8Array.of(i & 0x7f, i % sizes.length);
      const answer = await client.unary(i % 2 === 0 ? "sync" : "async", { to: peer, rawPayload });
      const size = Math.min(sizes[i % sizes.length]!, scratch.length - 7);
      assert.ok(isWhole(answer, i, size), `answer ${i}`);
    });
    await Promise.all(calls);
  });
}

/** The memory behind payloads: what keeping them costs. */
function heldBytes(payloads: readonly Uint8Array[]): number {
  let sum = 0;
  for (const buffer of new Set(payloads.map(({ buffer }) => buffer))) sum += buffer.byteLength;
  return sum;
}

async function keptBy(server: Messenger, send: (i: number) => Promise<unknown>): Promise<Uint8Array[]> {
  const kept: Uint8Array[] = [];
  using _handler = server.registerHandler(amHandler("keep", ({ payload }) => void kept.push(payload)));
  await Promise.all(Array.from({ length: 2_000 }, (_, i) => send(i)));
  await until(() => kept.length === 2_000);
  return kept;
}

for (const features of [{}, { batch: false }]) {
  const how = "batch" in features ? "one by one" : "in batches";
  test(`2000 small payloads that are kept hold less than 5 MB, at both ends (${how})`, async () => {
    await using t = await leakCheck();
    const { server, client, peer } = await pair(t, { client: { features }, server: { features } });
    for (const size of [1, 64, 1_000]) {
      const kept = await keptBy(
        server,
        (i) => client.amSend("keep", { to: peer, rawPayload: view(i, size) }),
      );
      await turn();
      kept.forEach((payload, i) => assert.ok(isWhole(payload, i, size)));
      assert.ok(heldBytes(kept) < 5_000_000, `${heldBytes(kept)} bytes for payloads of ${size}`);
    }
    server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
    const answers = await Promise.all(
      Array.from({ length: 2_000 }, (_, i) => client.unary("echo", { to: peer, rawPayload: view(i, 64) })),
    );
    answers.forEach((answer, i) => assert.ok(isWhole(answer, i, 64)));
    assert.ok(heldBytes(answers) < 5_000_000, `${heldBytes(answers)} bytes of answers`);
  });
}
