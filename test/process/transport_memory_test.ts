/** What connections and traffic leave behind: descriptors, threads and memory, of both sides. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { unaryHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { longRun } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";
import { program, start } from "../support/transport_peers.ts";
import { pause, until, within } from "../support/until.ts";
import { hasVitals, vitals } from "../support/vitals.ts";

const skip = hasVitals ? false : "what a process holds is read from /proc";

const cycles = longRun ? 10_000 : 400;
test(`${cycles} times connect, call and disconnect leave no descriptor, no thread and no memory behind`, {
  skip,
}, async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const client = await t.messenger();
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const cycle = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      const to = await client.connect(server.endpoint);
      await client.unary("echo", { to, rawPayload: new Uint8Array(100) });
      client.disconnect(to);
    }
    await until(() => server.stats().transport.accepted === 0);
  };
  await cycle(100);
  const before = await vitals(process.pid);
  await cycle(cycles);
  await until(async () => {
    const now = await vitals(process.pid);
    // A runtime opens some of its own when it likes: for the programs that look at it, for its collector.
    return now.descriptors <= before.descriptors + 8 && now.threads <= before.threads + 4;
  }, { timeoutMs: 5_000, intervalMs: 100 });
  const after = await vitals(process.pid);
  assert.ok(
    after.residentMiB < before.residentMiB + 48,
    `resident memory went from ${before.residentMiB} to ${after.residentMiB} MiB`,
  );
});

test(
  "when a peer is killed with 1000 calls in flight they all end within a second, and their memory returns",
  { skip },
  async () => {
    await using t = await leakCheck();
    const { child, endpoint } = await start(t);
    const client = await t.messenger({ redialForMs: 0 });
    const to = await client.connect(endpoint);
    await client.unary("echo", { to, rawPayload: new Uint8Array(100_000) });
    const before = await vitals(process.pid);
    const calls = Array.from(
      { length: 1_000 },
      () =>
        client.unary("hold", { to, rawPayload: new Uint8Array(100_000) }).then(
          () => assert.fail("a call succeeded that nobody answers"),
          (error: { code: string; ran: string }) => error,
        ),
    );
    await until(() => client.stats().calls.pending === 1_000);
    const began = performance.now();
    child.signal("SIGKILL");
    const ended = await within(Promise.all(calls), 5_000, "the calls to end");
    const took = performance.now() - began;
    assert.ok(took < 1_000, `it took ${took} ms`);
    assert.ok(ended.every(({ code }) => code === "PEER_DISCONNECTED"));
    assert.ok(ended.every(({ ran }) => ran === "no" || ran === "maybe"));
    const { calls: left, transport } = client.stats();
    assert.deepEqual([left.pending, transport.queuedMessages, transport.queuedBytes], [0, 0, 0]);
    // The collector comes when it likes: what is asked is that new work fits where the old was.
    await until(async () => {
      for (let i = 0; i < 20; i++) new Uint8Array(1_000_000).fill(1);
      return (await vitals(process.pid)).residentMiB < before.residentMiB + 160;
    }, { timeoutMs: 10_000, intervalMs: 100, message: "the memory of the calls to return" });
  },
);

const minutes = longRun ? 8 : 0.05;
test(
  `traffic of every kind for ${minutes} minutes ends as it should, and memory stops growing`,
  { skip },
  async () => {
    await using t = await leakCheck();
    const { child: server, endpoint } = await start(t);
    const client = t.use(spawnScript(program, ["mix", endpoint]));
    await client.waitForLine("ready");
    const began = performance.now();
    const seen: { minute: number; resident: number }[] = [];
    for (let minute = 0; minute < minutes;) {
      await pause(longRun ? 5_000 : 500);
      minute = (performance.now() - began) / 60_000;
      const both = await Promise.all([server, client].map(({ pid }) => vitals(pid)));
      seen.push({ minute, resident: both.reduce((sum, { residentMiB }) => sum + residentMiB, 0) });
    }
    client.write("stop\n");
    const [, done, wrong] = (await client.waitForLine("mixed", 30_000)).split(" ", 3);
    assert.equal(wrong, "[]");
    console.log(
      `# ${done} calls; resident memory of both ${seen[0]!.resident.toFixed(0)} MiB, then ${
        seen.at(-1)!.resident.toFixed(0)
      } MiB`,
    );
    if (!longRun) return;
    const late = seen.filter(({ minute }) => minute > 3);
    const slope = slopeOf(late.map(({ minute, resident }) => [minute, resident]));
    console.log(`# slope after the third minute: ${slope.toFixed(2)} MiB a minute for both together`);
    assert.ok(slope < 2, `memory grows by ${slope} MiB a minute`);
  },
);

/** The slope of the line nearest to these points. */
function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (of: 0 | 1): number => points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const [x0, y0] = [mean(0), mean(1)];
  const over = points.reduce((sum, [x, y]) => sum + (x - x0) * (y - y0), 0);
  return over / points.reduce((sum, [x]) => sum + (x - x0) ** 2, 0);
}
