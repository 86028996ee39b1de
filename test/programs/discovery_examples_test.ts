import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { discoveryPermissions } from "../support/discovery_peers.ts";
import { allRuntimes } from "../support/runtime.ts";
import { missing, startEtcd } from "../support/servers.ts";
import { spawnScript } from "../support/spawn.ts";
import { within } from "../support/until.ts";

async function findEachOther(args: readonly string[], first: 0 | 1): Promise<void> {
  const start = (name: string, index: number) =>
    spawnScript(`examples/discovery/${name}.ts`, args, {
      runtime: allRuntimes[(index + first) % allRuntimes.length],
      permissions: discoveryPermissions,
    });
  // The client first: who waits for a service gets it as soon as it is there.
  await using client = start("client", 0);
  await using count = start("count_service", 1);
  await using shout = start("shout_service", 2);
  await shout.waitForLine("shout is ready");
  await count.waitForLine("count is ready");
  const { code } = await within(client.exit, 20_000, "the client to end");
  assert.deepEqual({ code, output: client.outputText }, { code: 0, output: "HELLO!\n6\n" }, client.errorText);
}

test("examples/discovery: services and client find each other with nothing configured", () =>
  findEachOther([], 0));

test("examples/discovery: the same with etcd", { skip: missing("etcd") }, async () => {
  await using server = await startEtcd();
  await findEachOther(["--etcd", server.url], 1);
});
