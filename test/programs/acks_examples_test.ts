import assert from "node:assert/strict";
import { test } from "node:test";
import { allRuntimes, productPermissions, type RuntimeName } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { within } from "../support/until.ts";

function start(name: string, args: readonly string[], runtime?: RuntimeName): SpawnedProcess {
  return spawnScript(`examples/acks/${name}.ts`, args, { runtime, permissions: productPermissions });
}

const pairs = allRuntimes.flatMap((server) => allRuntimes.map((client) => ({ server, client })));

for (const { server: serverRuntime, client: clientRuntime } of pairs) {
  test(`a client on ${clientRuntime} gets the ACKs of a server on ${serverRuntime}`, async () => {
    await using server = start("server", ["--endpoint", "tcp://127.0.0.1:0"], serverRuntime);
    const endpoint = (await server.waitForLine("listening on ")).slice("listening on ".length);
    await using client = start("client", ["--endpoint", endpoint], clientRuntime);
    const { code } = await within(client.exit, 30_000, "the client to end");
    assert.deepEqual({ code, errors: client.errorText }, { code: 0, errors: "" });
    assert.equal(
      client.outputText,
      "ACK received\nACK received again\nHANDLER_FAILED: there is no operation guess\nACK timeout\n",
    );
    assert.match(server.outputText, /^sum of 1, 2, 3 is 6\nsum of 4, 5 is 9$/m);
  });
}

for (const [index, name] of ["server", "client"].entries()) {
  const runtime = allRuntimes[index]!;
  test(`acks/${name} --help names its options (${runtime})`, async () => {
    await using child = start(name, ["--help"], runtime);
    assert.equal((await within(child.exit, 30_000)).code, 0);
    for (const option of ["--endpoint", "--help"]) assert.ok(child.outputText.includes(`  ${option} `));
  });
}
