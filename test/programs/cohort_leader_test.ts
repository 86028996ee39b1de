/** A leader in a process of its own that is killed or stands still: workers of the other runtime notice, and end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { crewTimes, placeOf, spawnWorker } from "../support/cohort_crew.ts";
import { leakCheck } from "../support/fixture.ts";
import { allRuntimes } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";
import { within } from "../support/until.ts";

const rejoinForMs = 300;
// Silence, then asking again; the rest is for a machine that does other things as well.
const boundMs = crewTimes.lostAfterMs + 2 * crewTimes.heartbeatMs + rejoinForMs + 1_600;
const [here, there] = allRuntimes;

for (const [signal, leads, works] of [["SIGKILL", here!, there!], ["SIGSTOP", there!, here!]] as const) {
  test(`workers on ${works} whose leader on ${leads} gets ${signal} leave its barrier and end, each with the reason`, async () => {
    await using t = await leakCheck();
    const options = JSON.stringify({ size: 2, ...crewTimes });
    const leader = t.use(spawnScript("test/support/peers/cohort_leader.ts", [options], { runtime: leads }));
    const endpoint = (await leader.waitForLine("listening ")).slice("listening ".length);
    const workers = [0, 1].map(() => spawnWorker(t, endpoint, works, { rejoinForMs }));
    await leader.waitForLine("complete");
    for (const worker of workers) await worker.waitForLine("joined ");
    const [waits, idles] = workers as [typeof leader, typeof leader];
    waits.write("gather start 1\nbarrier never\n");
    idles.write("gather start 2\n");
    const { rank } = placeOf(waits);
    const all = rank === 0 ? "[1,2]" : "[2,1]";
    for (const worker of workers) await worker.waitForLine(`gather start ${all}`);

    leader.signal(signal);
    const noticed = workers.map((worker) => worker.waitForLine(/^ended the leader \S+ was lost: /, boundMs));
    await within(Promise.all(noticed), boundMs, "the workers to notice");
    await waits.waitForLine(/^barrier never failed (COHORT_ENDED|PEER_DISCONNECTED) /, 1_000);
    for (const worker of workers) {
      await worker.waitForLine("signal COHORT_ENDED");
      assert.deepEqual(await within(worker.exit, 5_000), { code: 0, signal: null });
      assert.equal(worker.errorText, "");
    }
    if (signal === "SIGKILL") return;
    leader.signal("SIGCONT");
    assert.deepEqual(await within(leader.exit, boundMs + 15_000), { code: 0, signal: null });
    assert.match(leader.outputText, /^lost$[^]*^ending$[^]*^ended$/m);
  });
}
