/** Tests of what remains of a Worker with an instance after it is terminated. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { leakCheck } from "../support/fixture.ts";
import { longRun } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";
import { within } from "../support/until.ts";

const skip = process.platform !== "linux";

test(
  "terminated Workers leave no socket, descriptor or thread, and their callers learn of it within the heartbeat bound",
  { skip },
  async () => {
    await using t = await leakCheck();
    const workers = longRun ? "20" : "8";
    const child = t.use(
      spawnScript("test/process/worker_terminated_program.ts", [workers], { permissions: ["-A"] }),
    );
    assert.deepEqual(
      await within(child.exit, 30_000, "the program"),
      { code: 0, signal: null },
      child.errorText,
    );
    assert.equal(await child.waitForLine("outcomes"), "outcomes PEER_DISCONNECTED maybe");
    const slowest = Number((await child.waitForLine("slowest")).slice("slowest ".length));
    assert.ok(slowest < 4_000, `a caller waited for ${slowest} ms`);
    const [descriptors, threads] = JSON.parse(
      (await child.waitForLine("left")).slice("left ".length),
    ) as number[];
    // Eight Workers had some 140 descriptors and 16 threads of libzmq's; a busy runtime opens a few more of its own.
    assert.ok(
      descriptors! <= 8 && threads! <= 4,
      `${descriptors} descriptors and ${threads} threads are left`,
    );
  },
);
