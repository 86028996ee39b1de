/** Tests that the last messages arrive, also when they are read slowly and when others come meanwhile. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { amHandler, type InstanceId } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { spawnScript } from "../support/spawn.ts";
import { until, within } from "../support/until.ts";

const program = "test/support/peers/links_peer.ts";
const back = new Uint8Array(100);

/** An instance that takes its time for each `note`, sends something back, and takes no more than a few at a time. */
async function slowReader(t: LeakCheck, endpoint: string | undefined) {
  const server = await t.messenger({ highWaterMark: 16, ...(endpoint === undefined ? {} : { endpoint }) });
  const seen = { notes: 0 };
  const over = new AbortController();
  t.defer(() => over.abort());
  server.registerHandler(amHandler("note", ({ senderInstanceId }) => {
    seen.notes++;
    const until = performance.now() + 0.05;
    while (performance.now() < until);
    if (seen.notes % 4 > 0) return;
    const to = senderInstanceId as InstanceId;
    server.amSend("back", { to, rawPayload: back, signal: over.signal }).catch(() => {});
  }));
  return { server, seen };
}

for (const how of ["exit", "close"]) {
  for (const scheme of ["tcp", "ipc"]) {
    test(`a slow reader that sends as well gets all of what was sent before the sender's ${how} (${scheme})`, async () => {
      if (scheme === "ipc" && process.platform !== "linux") return;
      const folder = mkdtempSync(join(tmpdir(), "zeromesh-"));
      try {
        await using t = await leakCheck();
        const { server, seen } = await slowReader(t, scheme === "ipc" ? `ipc://${folder}/s` : undefined);
        await using child = spawnScript(program, ["fireAndEnd", server.endpoint, "1600", how]);
        const exit = await within(child.exit, 4_500, "the end of the sender");
        assert.deepEqual(exit, { code: 0, signal: null }, child.errorText);
        await until(() => seen.notes === 1_600, {
          timeoutMs: 3_000,
          message: () => `1600 messages, of which ${seen.notes} came`,
        });
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
}
