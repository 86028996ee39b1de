/** A fast `amSend` loop against a handler that takes a millisecond, in processes of their own. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import type { Messenger } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { allRuntimes, longRun, type RuntimeName, takesTurn } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";
import { pause, until } from "../support/until.ts";
import { hasVitals, vitals } from "../support/vitals.ts";

const program = "test/support/peers/credit_peer.ts";
const skip = hasVitals ? false : "what a process holds is read from /proc";
const floodMs = longRun ? 10_000 : 1_500;

/** The 99th percentile of calls, one after the other, for so long: that of the quietest third. */
async function callsFor(client: Messenger, endpoint: string, ms: number): Promise<number> {
  const to = await client.connect(endpoint);
  const thirds: number[] = [];
  for (let third = 0; third < 3; third++) {
    const took: number[] = [];
    const end = performance.now() + ms / 3;
    while (performance.now() < end) {
      const asked = performance.now();
      await client.unary("echo", { to, rawPayload: new Uint8Array(64) });
      took.push(performance.now() - asked);
      await pause(1);
    }
    took.sort((a, b) => a - b);
    thirds.push(took[Math.floor(took.length * 0.99)]!);
  }
  return Math.min(...thirds);
}

type Loop = "await" | "count" | "fail";

const loops: Record<Loop, string> = {
  await: "awaited",
  count: "not awaited",
  fail: "that fails instead of waiting",
};
const [self, other] = allRuntimes as [RuntimeName, RuntimeName];
// Each loop, each of both runtimes at each end.
const runs: readonly [how: Loop, sender: RuntimeName, receiver: RuntimeName][] = [
  ["await", self, self],
  ["await", other, self],
  ["count", self, other],
  ["fail", self, self],
];
for (const [how, sender, receiver] of runs.filter((_, i) => takesTurn(i))) {
  // The default otherwise. A loop that does not wait fills it, and then what waits takes its millisecond each.
  const limit = how === "count" && !longRun ? ["1000"] : [];
  test(
    `a fast loop on ${sender}, ${
      loops[how]
    }, against a handler of 1 ms on ${receiver} for ${floodMs} ms: memory is bounded, nothing taken is lost`,
    { skip },
    async () => {
      await using t = await leakCheck();
      const server = t.use(spawnScript(program, ["serve"], { runtime: receiver }));
      const endpoint = (await server.waitForLine("ready")).slice("ready ".length);
      const flood = t.use(
        spawnScript(program, ["flood", endpoint, String(floodMs), how, ...limit], { runtime: sender }),
      );
      await flood.waitForLine("ready");
      const client = await t.messenger();
      const before = await Promise.all([vitals(server.pid), vitals(flood.pid)]);
      const most = [0, 0];
      let done = false;
      // It starts shells: while nothing is sent as well, for both figures to have that in them.
      const watched = (async () => {
        while (!done) {
          const now = await Promise.all([vitals(server.pid), vitals(flood.pid)]);
          now.forEach(({ residentMiB }, i) => most[i] = Math.max(most[i]!, residentMiB));
          await pause(300);
        }
      })();
      const idle = await callsFor(client, endpoint, 1_000);
      flood.write("go\n");
      const busy = await callsFor(client, endpoint, floodMs - 500);
      const line = await flood.waitForLine("done", 60_000);
      done = true;
      await watched;
      const { tried, taken, refused, credit } = JSON.parse(line.slice("done ".length));
      const to = await client.connect(endpoint);
      const told = async () =>
        JSON.parse(new TextDecoder().decode(await client.unary("told", { to }))) as Record<string, unknown>;
      await until(async () => (await told())["came"] === taken, {
        timeoutMs: 20_000,
        message: `${taken} messages`,
      });
      const end = await told();
      assert.deepEqual([end["came"], end["wrong"], end["held"], end["drops"]], [taken, 0, 0, {}]);
      assert.equal(tried, taken + refused);
      assert.ok(taken > 500, `only ${taken} messages were taken`);
      assert.ok(how === "await" ? credit.waited > 0 : refused > 0, "the loop was never held back");
      most.forEach((mib, i) => {
        const grown = mib - before[i]!.residentMiB;
        assert.ok(grown < 64, `the ${i === 0 ? "receiver" : "sender"} grew by ${grown} MiB`);
      });
      console.log(`# p99 of other calls ${idle.toFixed(2)} ms idle, ${busy.toFixed(2)} ms under load`);
      // Behind the messages themselves it would be seconds. The loops that await nothing take a core of their own, and
      // other files may run beside this one.
      const bound = 10 * idle + 50;
      assert.ok(busy < bound, `p99 of calls to another handler: ${idle} ms idle, ${busy} ms under load`);
    },
  );
}
