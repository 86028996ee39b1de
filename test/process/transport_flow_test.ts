/** Traffic between processes that is too much for one of them: everything arrives, and nothing else comes late. */
import assert from "node:assert/strict";
import { lookup } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { test } from "../support/testing.ts";
import { amHandler, type InstanceId, type Messenger } from "../../src/mod.ts";
import { startEcho } from "../support/echo.ts";
import { durations, percentile, roundTrips, ticks } from "../support/fairness.ts";
import { leakCheck } from "../support/fixture.ts";
import { numbered } from "../support/raw_sockets.ts";
import { currentRuntime, longRun, repositoryRoot } from "../support/runtime.ts";
import { counts, otherRuntime, start, startRole } from "../support/transport_peers.ts";
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

// Daily one on each runtime, since this file runs alone; both with --long.
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

test("full load both ways starves neither timers nor sockets, files and names of the process", async (context) => {
  await using t = await leakCheck();
  const echo = t.use(await startEcho());
  const server = await start(t);
  const client = await t.messenger();
  let flooded = 0;
  client.registerHandler(amHandler("flood", () => void flooded++));
  const child = startRole(t, ["flood", client.endpoint]);
  await child.waitForLine("ready");
  const peer = await client.connect(server.endpoint);
  const load = { stopped: false, calls: 0 };
  const lanes = Array.from({ length: 32 }, () => callUntilStopped(client, peer, load));
  t.defer(async () => {
    load.stopped = true;
    await Promise.all(lanes);
  });
  const ms = longRun ? 5_000 : 1_000;
  // The first one is the compiler's, and a machine that is busy with something else may spoil some more; what starves,
  // starves every time.
  for (let attempt = 1;; attempt++) {
    const [flood, calls] = [flooded, load.calls];
    const [late, echoes, files, names] = await Promise.all([
      ticks(ms),
      roundTrips(echo.port, ms),
      durations(ms, () => readFile(`${repositoryRoot}/package.json`)),
      durations(ms, () => lookup("localhost")),
    ]);
    const found = { received: flooded - flood, calls: load.calls - calls, ticks: late.length };
    const p99 = {
      late: percentile(late, 0.99),
      echoes: percentile(echoes, 0.99),
      files: percentile(files, 0.99),
      names: percentile(names, 0.99),
    };
    const counted = { echoes: echoes.length, files: files.length, names: names.length };
    context.diagnostic(JSON.stringify({ ...found, counted, p99 }));
    const served = Object.values(p99).every((one) => one < 25);
    if (found.received > 5_000 && found.calls > 500 && served) break;
    assert.ok(
      attempt < 7,
      `in each of seven measurements, in the last one ${JSON.stringify({ ...found, p99 })}`,
    );
  }
});

async function callUntilStopped(
  client: Messenger,
  to: InstanceId,
  load: { stopped: boolean; calls: number },
): Promise<void> {
  for (; !load.stopped; load.calls++) await client.unary("echo", { to, rawPayload: new Uint8Array(64) });
}
