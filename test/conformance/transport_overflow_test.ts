/** A peer that takes nothing: what waits where, what stats() tell of it, and how the waiting ends. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { amHandler, Messenger, type MessengerOptions } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { pause, until, within } from "../support/until.ts";
import { fails, pair } from "./messenger_kit.ts";
import { RawRouter } from "./messenger_raw_peer.ts";

const size = 300_000;

function numbered(value: number): Uint8Array {
  const payload = new Uint8Array(size);
  new DataView(payload.buffer).setUint32(0, value);
  return payload;
}

/** A client whose peer reads only when the test does. */
async function deafened(t: LeakCheck, options: MessengerOptions) {
  const router = await RawRouter.open(t, { small: true });
  const client = await t.messenger({ highWaterMark: 1, maxQueuedMessages: 4, ...options });
  const [peer] = await Promise.all([client.connect(router.endpoint), router.hello(["same-connection"])]);
  return { router, client, peer };
}

/** Sends until nothing more leaves: also libzmq's threads have brought away what they can. */
async function fill(client: Messenger, send: () => void, waiting = 1): Promise<void> {
  const waits = () => client.stats().transport.waitingSends;
  do {
    while (waits() < waiting) {
      send();
      await Promise.resolve();
    }
    await pause(50);
  } while (waits() < waiting);
}

test("stats() tell how much waits for a peer, how many sends wait for room, and how often it came to that", async () => {
  await using t = await leakCheck();
  const { router, client, peer } = await deafened(t, {});
  const before = client.stats().transport;
  assert.deepEqual(
    [before.queuedMessages, before.queuedBytes, before.waitingSends, before.blocked],
    [0, 0, 0, 0],
  );
  let accepted = 0;
  const sends: Promise<void>[] = [];
  const send = () => {
    const sending = client.amSend("n", { to: peer, rawPayload: numbered(sends.length) });
    sends.push(sending.then(() => void accepted++));
  };
  await fill(client, send, 3);
  const full = client.stats().transport;
  assert.equal(full.queuedMessages, 4);
  assert.ok(full.queuedBytes > 4 * size && full.queuedBytes < 4 * (size + 100), `${full.queuedBytes} bytes`);
  assert.ok(full.blocked > 0);
  assert.equal(full.waitingSends, 3);
  assert.equal(accepted, sends.length - 3, "a send that waits has not been accepted");
  for (let i = 0; i < sends.length; i++) {
    const { payload } = await router.next();
    assert.equal(new DataView(payload.buffer, payload.byteOffset).getUint32(0), i, "out of turn");
  }
  await within(Promise.all(sends), 2_000, "the sends that waited");
  const after = client.stats().transport;
  assert.deepEqual([after.queuedMessages, after.queuedBytes, after.waitingSends], [0, 0, 0]);
  assert.deepEqual(after.drops, {});
});

test("sends that wait are let go in their order, those that gave up are skipped", async () => {
  await using t = await leakCheck();
  const { router, client, peer } = await deafened(t, {});
  let sent = 0;
  const first: Promise<void>[] = [];
  await fill(client, () => first.push(client.amSend("n", { to: peer, rawPayload: numbered(sent++) })));
  const controller = new AbortController();
  const wait = (options: { timeoutMs?: number; signal?: AbortSignal }) =>
    client.amSend("n", { to: peer, rawPayload: numbered(sent++), ...options });
  const late = wait({ timeoutMs: 20 });
  const stays = wait({});
  const aborted = wait({ signal: controller.signal });
  const last = wait({});
  aborted.catch(() => {});
  await fails(late, { code: "TIMEOUT", ran: "no", peer });
  controller.abort("enough");
  await assert.rejects(aborted, (error) => error === "enough");
  const skipped = [sent - 4, sent - 2];
  for (let i = 0; i < sent; i++) {
    if (skipped.includes(i)) continue;
    const { payload } = await router.next();
    assert.equal(new DataView(payload.buffer, payload.byteOffset).getUint32(0), i);
  }
  await within(Promise.all([...first, stays, last]), 2_000, "the others");
  assert.equal(client.stats().transport.waitingSends, 0);
});

test("a limit of bytes holds as the one of messages does", async () => {
  await using t = await leakCheck();
  const { router, client, peer } = await deafened(t, { maxQueuedMessages: 1_000, maxQueuedBytes: 3 * size });
  const sends: Promise<void>[] = [];
  await fill(
    client,
    () => sends.push(client.amSend("n", { to: peer, rawPayload: numbered(sends.length) })),
    5,
  );
  const { queuedBytes, queuedMessages } = client.stats().transport;
  assert.ok(queuedBytes <= 3 * size, `${queuedBytes} bytes wait`);
  assert.equal(queuedMessages, 2);
  for (let i = 0; i < sends.length; i++) await router.next();
  await Promise.all(sends);
});

test('overflow: "fail" lets nobody wait, and what was accepted before arrives', async () => {
  await using t = await leakCheck();
  const { router, client, peer } = await deafened(t, { overflow: "fail" });
  let accepted = 0;
  const send = () =>
    client.amSend("n", { to: peer, rawPayload: numbered(accepted) }).then(() => void accepted++);
  const refusal = await until(() => send().then(() => null, (error: unknown) => error));
  await fails(Promise.reject(refusal), { code: "QUEUE_FULL", ran: "no", peer });
  for (const pattern of ["unary", "amSync", "amSend"] as const) {
    await fails(client[pattern]("n", { to: peer }), { code: "QUEUE_FULL", ran: "no", peer });
  }
  assert.equal(client.stats().transport.waitingSends, 0);
  for (let i = 0; i < accepted; i++) {
    const { payload } = await router.next();
    assert.equal(new DataView(payload.buffer, payload.byteOffset).getUint32(0), i);
  }
  await until(() => client.stats().transport.queuedMessages === 0);
  await send();
});

test("there is no other overflow than waiting and failing", async () => {
  for (const overflow of ["dropOldest", "", 1] as unknown as "wait"[]) {
    await assert.rejects(Messenger.create({ overflow }).then((messenger) => messenger.close()), (error) => {
      return error instanceof TypeError;
    });
  }
});

test("broadcast() waits for a full peer until its deadline, and the others have it by then", async () => {
  await using t = await leakCheck();
  const { client, peer } = await deafened(t, {});
  const listening = await t.messenger({ ipc: false });
  let came = 0;
  listening.registerHandler(amHandler("n", () => void came++));
  await client.connect(listening.endpoint);
  const filling: Promise<unknown>[] = [];
  await fill(client, () => {
    filling.push(client.amSend("n", { to: peer, rawPayload: numbered(0) }).catch(() => {}));
  });
  const began = performance.now();
  const broadcast = client.broadcast("n", { rawPayload: new Uint8Array(10), timeoutMs: 400 });
  await until(() => came === 1, { timeoutMs: 300, message: "the other peer to get it meanwhile" });
  const { sent, failed } = await broadcast;
  assert.ok(performance.now() - began >= 390);
  assert.deepEqual(sent, [listening.instanceId]);
  assert.deepEqual(failed.map(({ peer, error }) => [peer, (error as { code: string }).code]), [
    [peer, "TIMEOUT"],
  ]);
  client.disconnect(peer);
  await Promise.all(filling);
});

test("flush() waits for one peer and not for another", async () => {
  await using t = await leakCheck();
  const { router, client, peer } = await deafened(t, { maxQueuedMessages: 100 });
  const other = await pair(t);
  const second = await client.connect(other.server.endpoint);
  const sends: Promise<void>[] = [];
  while (client.stats().transport.queuedMessages < 3) {
    sends.push(client.amSend("n", { to: peer, rawPayload: numbered(0) }));
  }
  void client.amSend("n", { to: second, rawPayload: new Uint8Array(10) });
  await within(client.flush(second), 1_000, "flush() of the peer that reads");
  let flushed = false;
  const all = client.flush().then(() => void (flushed = true));
  const one = client.flush(peer);
  assert.equal(flushed, false);
  for (let i = 0; i < sends.length; i++) await router.next();
  await within(Promise.all([all, one, ...sends]), 2_000, "flush() of all");
  assert.equal(client.stats().transport.queuedMessages, 0);
});
