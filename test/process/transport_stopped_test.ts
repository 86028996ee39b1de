/** A peer that is stopped, is slow, or never comes back: what waits for it is bounded, and nobody else is held up. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import type { Messenger, Status } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { numbered } from "../support/raw_sockets.ts";
import { currentRuntime, longRun } from "../support/runtime.ts";
import { counts, otherRuntime, start, startRole, stop } from "../support/transport_peers.ts";
import { pause, until, within } from "../support/until.ts";

/** Collects the entries of a client's status(), with their time. */
function told(messenger: Messenger): { at: number; status: Status }[] {
  const all: { at: number; status: Status }[] = [];
  void (async () => {
    for await (const status of messenger.status()) all.push({ at: performance.now(), status });
  })();
  return all;
}

for (const [batch, runtime] of [[true, currentRuntime], [false, otherRuntime]] as const) {
  const count = longRun ? 1_000_000 : batch ? 50_000 : 15_000;
  test(`${count} messages to ${runtime}, which naps, through a high-water mark of 10, arrive once and in order (batch ${batch})`, async () => {
    await using t = await leakCheck();
    const options = { highWaterMark: 10, features: { batch } };
    const { endpoint } = await start(t, options, 5_000, runtime);
    const client = await t.messenger({ ...options, timeoutMs: 120_000 });
    const peer = await client.connect(endpoint);
    for (let i = 0; i < count; i++) {
      const sent = client.amSend("n", { to: peer, rawPayload: numbered(i, 192) });
      if (i % 1_000 === 999) await sent;
    }
    assert.deepEqual(await counts(client, peer), { next: count, wrong: 0, held: 0 });
    const { transport } = client.stats();
    assert.ok(transport.blocked > 0, "the high-water mark was never reached");
    assert.deepEqual([transport.queuedMessages, transport.queuedBytes, transport.drops], [0, 0, {}]);
  });
}

test(`a peer on ${otherRuntime} that is stopped and flooded holds nobody else up, and gets everything once it goes on`, async () => {
  await using t = await leakCheck();
  const stuck = await start(t, { highWaterMark: 10 }, 0, otherRuntime);
  const fine = await start(t);
  const client = await t.messenger({
    highWaterMark: 10,
    maxQueuedMessages: 2_000,
    maxQueuedBytes: 1_000_000,
    overflow: "fail",
    // Credit would hold them back before the queue does.
    features: { credit: false },
  });
  const to = await client.connect(stuck.endpoint);
  const other = await client.connect(fine.endpoint);
  const calls = async (): Promise<number> => {
    const began = performance.now();
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 64 }, () => client.unary("echo", { to: other })));
    }
    return performance.now() - began;
  };
  await calls();
  const alone = Math.min(await calls(), await calls());
  stop(t, stuck.child);
  let accepted = 0;
  await until(async () => {
    for (let i = 0; i < 200; i++) {
      try {
        await client.amSend("n", { to, rawPayload: numbered(accepted, 1_000) });
        accepted++;
      } catch (error) {
        const { code, ran, peer } = error as { code: string; ran: string; peer: string };
        assert.deepEqual([code, ran, peer], ["QUEUE_FULL", "no", to]);
        return true;
      }
    }
    return false;
  }, { intervalMs: 0 });
  const { queuedBytes, queuedMessages } = client.stats().transport;
  assert.ok(queuedMessages > 500 && queuedMessages <= 2_200, `${queuedMessages} messages wait`);
  assert.ok(queuedBytes > 500_000 && queuedBytes <= 1_100_000, `${queuedBytes} bytes wait`);
  const beside = Math.min(await calls(), await calls());
  assert.ok(beside < 2 * alone + 50, `${beside} ms beside a stopped peer, ${alone} ms without`);
  await assert.rejects(client.flush(to, { timeoutMs: 50 }), { code: "TIMEOUT", peer: to });
  await client.flush(other, { timeoutMs: 50 });
  process.kill(stuck.child.pid, "SIGCONT");
  await client.flush(to, { timeoutMs: 5_000 });
  assert.deepEqual(client.stats().transport.queuedMessages, 0);
  assert.deepEqual(await counts(client, to), { next: accepted, wrong: 0, held: 0 });
});

test(`a send that waits for a stopped peer on ${otherRuntime} ends with its deadline or its signal, and did not run`, async () => {
  await using t = await leakCheck();
  const stuck = await start(t, { highWaterMark: 2 }, 0, otherRuntime);
  const client = await t.messenger({ highWaterMark: 2, maxQueuedMessages: 20, features: { batch: false } });
  const to = await client.connect(stuck.endpoint);
  stop(t, stuck.child);
  let accepted = 0;
  const waiting = await until(async () => {
    const send = client.amSend("n", { to, rawPayload: numbered(accepted, 100_000), timeoutMs: 150 });
    const outcome = await send.then(() => null, (error: { code: string; ran: string }) => error);
    if (outcome === null) accepted++;
    return outcome;
  }, { intervalMs: 0 });
  assert.deepEqual([waiting.code, waiting.ran], ["TIMEOUT", "no"]);
  const controller = new AbortController();
  const reason = new Error("waited enough");
  const aborted = client.amSend("n", { to, rawPayload: numbered(9_999, 8), signal: controller.signal });
  const patient = client.amSend("n", { to, rawPayload: numbered(accepted, 8), timeoutMs: 20_000 });
  aborted.catch(() => {});
  controller.abort(reason);
  await assert.rejects(aborted, (error) => error === reason);
  process.kill(stuck.child.pid, "SIGCONT");
  await within(patient, 5_000, "the send that waits on");
  assert.deepEqual(await counts(client, to), { next: accepted + 1, wrong: 0, held: 0 });
});

test(`a peer on ${otherRuntime} that stays stopped is noticed by heartbeat, whichever side dialled`, async () => {
  await using t = await leakCheck();
  const server = await start(t, {}, 0, otherRuntime);
  const listener = await t.messenger();
  const guest = startRole(t, ["clients", listener.endpoint, "1"], otherRuntime);
  await guest.waitForLine("ready");
  const client = await t.messenger({ redialForMs: 0 });
  const peer = await client.connect(server.endpoint);
  await until(() => listener.peers().some(({ up }) => up));
  // The one who dialled says with its first heartbeat, a second after the handshake, when to give it up.
  await pause(1_300);
  const guestId = listener.peers()[0]!.instanceId;
  const [ofClient, ofListener] = [told(client), told(listener)];
  const stopped = performance.now();
  for (const child of [server.child, guest]) stop(t, child);
  const call = client.unary("hold", { to: peer, timeoutMs: 20_000 });
  const back = listener.unary("hold", { to: guestId, timeoutMs: 20_000 });
  await Promise.all(
    [call, back].map((lost) =>
      assert.rejects(within(lost, 8_000, "the end of a call"), { code: "PEER_DISCONNECTED", ran: "maybe" })
    ),
  );
  for (const [what, all, id] of [["dialled", ofClient, peer], ["accepted", ofListener, guestId]] as const) {
    const down = await until(() => all.find(({ status }) => status.type === "peerDown"));
    assert.deepEqual([down.status.type, (down.status as { peer: string }).peer], ["peerDown", id]);
    const after = down.at - stopped;
    assert.ok(after > 1_000 && after < 5_500, `${what}: noticed after ${after} ms`);
  }
  assert.deepEqual([client.peers()[0]!.up, listener.peers()[0]!.up], [false, false]);
});

test("a stopped peer that is waited for costs no processor time", async () => {
  await using t = await leakCheck();
  const stuck = await start(t, { highWaterMark: 2 });
  const client = await t.messenger({ highWaterMark: 2, overflow: "fail", maxQueuedMessages: 50 });
  const to = await client.connect(stuck.endpoint);
  stop(t, stuck.child);
  await until(async () => {
    const send = client.amSend("n", { to, rawPayload: numbered(0, 100_000) });
    return await send.then(() => false, () => true);
  }, { intervalMs: 0 });
  await pause(100);
  const [wakes, cpu] = [client.stats().transport.reactor.wakes, process.cpuUsage()];
  await pause(1_000);
  const used = process.cpuUsage(cpu);
  assert.ok((used.user + used.system) / 1_000 < 300, `${(used.user + used.system) / 1_000} ms in a second`);
  assert.ok(client.stats().transport.reactor.wakes - wakes < 100, "it wakes all the time");
  await client.close({ timeoutMs: 0 });
});

test("a server dies while thousands of its answers are unread: the stopped caller is not aborted", async () => {
  await using t = await leakCheck();
  const dying = await start(t);
  const victim = startRole(t, ["victim", dying.endpoint]);
  await victim.waitForLine("blocking");
  // The answers are there, as far as they find room; the caller stands still for another while.
  await pause(1_000);
  await dying.child.kill();
  assert.match(await victim.waitForLine("awake", 15_000), /^awake 3000/);
  assert.deepEqual(await within(victim.exit, 10_000, "the end"), { code: 0, signal: null }, victim.errorText);
});

test("a guest dies while thousands of its messages are unread: the listener, which stands still, is not aborted", async () => {
  await using t = await leakCheck();
  const victim = await start(t);
  // With credit it would not be sent that many.
  const dying = startRole(t, ["flood", victim.endpoint, '{"features":{"credit":false}}'], otherRuntime);
  await dying.waitForLine("ready");
  victim.child.write("block 4000\n");
  await victim.child.waitForLine("blocking");
  await pause(1_000);
  await dying.kill();
  const client = await t.messenger();
  const peer = await client.connect(victim.endpoint, { timeoutMs: 15_000 });
  assert.equal(new TextDecoder().decode(await client.unary("who", { to: peer, timeoutMs: 15_000 })), peer);
});
