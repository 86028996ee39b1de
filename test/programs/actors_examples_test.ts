/** The examples of actors, as people start them. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { runCli, startCli } from "../support/cli.ts";
import { discoveryPermissions } from "../support/discovery_peers.ts";
import { allRuntimes, type RuntimeName } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { within } from "../support/until.ts";

const start = (name: string, args: readonly string[], runtime: RuntimeName): SpawnedProcess =>
  spawnScript(`examples/actors/${name}.ts`, args, { runtime });

async function ends(child: SpawnedProcess): Promise<void> {
  const exit = await within(child.exit, 20_000, "the example to end");
  assert.deepEqual(
    { ...exit, errors: child.errorText },
    { code: 0, signal: null, errors: "" },
    child.outputText,
  );
}

async function listeningAt(server: SpawnedProcess): Promise<string> {
  return (await server.waitForLine("listening on ")).slice("listening on ".length);
}

for (const runtime of allRuntimes) {
  test(`clients of both runtimes count with the counter of a server on ${runtime}`, async () => {
    await using server = start("counter/server", ["--endpoint", "tcp://127.0.0.1:0"], runtime);
    const endpoint = await listeningAt(server);
    for (const other of allRuntimes) {
      await using client = start("counter/client", ["--endpoint", endpoint], other);
      await ends(client);
      assert.equal(
        client.outputText,
        "10 and 2 are 12\nthe feed begins with 12\nthe text has 17 characters\n",
      );
    }
    process.kill(server.pid, "SIGTERM");
    await ends(server);
  });

  test(`the example of a hot update keeps the state and undoes bad versions (${runtime})`, async () => {
    await using child = spawnScript("examples/actors/hot_update/main.ts", [], {
      runtime,
      permissions: discoveryPermissions,
    });
    await ends(child);
    assert.deepEqual(child.outputText.trimEnd().split("\n"), [
      "Ada has 1",
      "updated from version 1 to 2",
      "Ada leads with 2",
      "refused: ACTOR_UPDATE_FAILED",
      "Ada leads with 3",
      "failed: version 3 is broken",
      "Ada leads with 4",
      "version 2 runs",
    ]);
  });
}

test("three guests of both runtimes talk in a room, and hear who comes and goes", async () => {
  const [first, second] = allRuntimes;
  await using server = start("chat/server", ["--endpoint", "tcp://127.0.0.1:0"], first!);
  const endpoint = await listeningAt(server);
  const guest = (name: string, runtime: RuntimeName) =>
    start("chat/guest", ["--name", name, "--endpoint", endpoint], runtime);
  await using ada = guest("Ada", first!);
  await ada.waitForLine("room: Ada comes");
  await using ben = guest("Ben", second!);
  await ada.waitForLine("room: Ben comes");
  await using eve = guest("Eve", first!);
  await ben.waitForLine("room: Eve comes");
  ada.write("hello all\n");
  for (const one of [ada, ben, eve]) await one.waitForLine("Ada: hello all");
  await using again = guest("Eve", second!);
  assert.equal((await within(again.exit, 20_000)).code, 1);
  assert.match(again.errorText, /Eve is here/);
  await eve.kill();
  await ada.waitForLine("room: Eve goes");
  ben.endInput();
  await ada.waitForLine("room: Ben goes");
  await ends(ben);
  assert.equal(ben.outputText, "room: Ben comes\nroom: Eve comes\nAda: hello all\nroom: Eve goes\n");
});

test("the command line alone runs the echo actor and talks with it", async () => {
  await using child = startCli(["actors", "run", "examples/actors/echo/echo.ts", "--name", "mirror"]);
  const connect = `--connect=${await listeningAt(child)}`;
  const prints = async (output: string, ...args: string[]) => {
    const { code, output: printed, errors } = await runCli("actors", ...args, connect);
    assert.deepEqual({ code, printed }, { code: 0, printed: output }, errors);
  };
  await prints("hello\n", "ask", "mirror", "say", "hello");
  await prints("", "tell", "mirror", "say", "more");
  await using talk = startCli(["actors", "channel", "mirror", "talk", connect]);
  talk.write("one\ntwo\n");
  await talk.waitForLine("two");
  await prints('{\n  "echoed": 4\n}\n', "state", "mirror");
  await prints("stopped\n", "stop", "mirror");
  assert.equal((await within(talk.exit, 20_000)).code, 0, talk.errorText);
  assert.match(talk.errorText, /closed by the target: peerStopped/);
  assert.deepEqual(await within(child.exit, 20_000), { code: 0, signal: null }, child.errorText);
});
