/** A process that reads slowly or not at all for a while: it gets everything later, and nothing else comes late. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { percentile } from "../support/fairness.ts";
import { leakCheck } from "../support/fixture.ts";
import { numbered } from "../support/raw_sockets.ts";
import { currentRuntime, longRun } from "../support/runtime.ts";
import { counts, otherRuntime, start } from "../support/transport_peers.ts";
import { pause, within } from "../support/until.ts";

test("a peer whose JavaScript stands still at its high-water mark gets all of it later, others nothing late", async () => {
  await using t = await leakCheck();
  // Longer, and the heartbeats of what stands still with a full pipe would be missed.
  const stuckMs = 2_000;
  const [stuck, fine] = [await start(t, { highWaterMark: 10 }), await start(t)];
  // Credit would hold them back before the queue does.
  const features = { credit: false };
  const client = await t.messenger({
    highWaterMark: 10,
    maxQueuedMessages: 5_000,
    timeoutMs: 120_000,
    features,
  });
  const to = await client.connect(stuck.endpoint);
  const other = await client.connect(fine.endpoint);
  const sends: Promise<void>[] = [];
  stuck.child.write(`block ${stuckMs}\n`);
  await stuck.child.waitForLine("blocking");
  const began = performance.now();
  const probe = client.unary("who", { to });
  let back = false;
  probe.then(() => back = true, () => {});
  for (let i = 0; i < 8_000; i++) sends.push(client.amSend("n", { to, rawPayload: numbered(i, 1_000) }));
  const took: number[] = [];
  while (performance.now() - began < stuckMs - 500) {
    const asked = performance.now();
    await client.unary("echo", { to: other, rawPayload: new Uint8Array(100) });
    took.push(performance.now() - asked);
    await pause(1);
  }
  assert.equal(back, false, "it was never stuck: this test shows nothing");
  assert.ok(client.stats().transport.queuedMessages > 1_000);
  assert.ok(percentile(took, 0.99) < 100, `p99 of calls to another peer: ${percentile(took, 0.99)} ms`);
  await within(Promise.all(sends), stuckMs + 20_000, "every send");
  assert.deepEqual(await counts(client, to), { next: sends.length, wrong: 0, held: 0 });
});

// Daily one on each runtime; both with --long.
for (const credit of longRun ? [false, true] : [currentRuntime === "deno"]) {
  test(
    `a peer that crawls at its high-water mark for long is no lost peer: it gets everything, others nothing late (credit ${credit})`,
    async () => {
      await using t = await leakCheck();
      // Longer than a peer may be silent.
      const crawlMs = longRun ? 60_000 : 5_000;
      const [slow, fine] = [await start(t, { highWaterMark: 10 }, 1, otherRuntime), await start(t)];
      const client = await t.messenger({
        highWaterMark: 10,
        maxQueuedMessages: 200,
        timeoutMs: 120_000,
        features: { credit },
      });
      const to = await client.connect(slow.endpoint);
      const other = await client.connect(fine.endpoint);
      const downs: string[] = [];
      void (async () => {
        for await (const status of client.status()) if (status.type === "peerDown") downs.push(status.peer);
      })();
      const ends = performance.now() + crawlMs;
      let sent = 0;
      const flood = async (): Promise<void> => {
        while (performance.now() < ends) {
          // Large, so that what the system's buffers hold is read before heartbeats behind it are missed.
          await client.amSend("n", { to, rawPayload: numbered(sent++, 20_000) });
          // What was full runs dry now and then, and fills again.
          if (sent % 1_000 === 0) await client.flush(to, { timeoutMs: 30_000 });
        }
      };
      const took: number[] = [];
      const ask = async (): Promise<void> => {
        while (performance.now() < ends) {
          const asked = performance.now();
          await client.unary("echo", { to: other, rawPayload: new Uint8Array(100) });
          took.push(performance.now() - asked);
          // Enough of them for a measure, and the processors are the flood's.
          await pause(2);
        }
      };
      const seen: { queued: number; blocked: number }[] = [];
      const look = async (): Promise<void> => {
        while (performance.now() < ends) {
          const { queuedMessages, blocked } = client.stats().transport;
          seen.push({ queued: queuedMessages, blocked });
          await pause(20);
        }
      };
      await Promise.all([flood(), ask(), look()]);
      if (credit) {
        assert.ok(client.stats().credit.waited > 10, "it kept up: this test shows nothing");
      } else {
        const full = seen.filter(({ queued }) => queued > 0).length / seen.length;
        assert.ok(full > 0.9, `messages waited at the mark only in ${full} of ${seen.length} looks`);
        const [early, late] = [seen[Math.floor(seen.length / 4)]!, seen.at(-1)!];
        assert.ok(late.blocked > early.blocked, `blocked ${early.blocked} times, then ${late.blocked} times`);
      }
      assert.ok(percentile(took, 0.99) < 100, `p99 of calls to another peer: ${percentile(took, 0.99)} ms`);
      assert.deepEqual(await counts(client, to), { next: sent, wrong: 0, held: 0 });
      assert.deepEqual(downs, []);
    },
  );
}
