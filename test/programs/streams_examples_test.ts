/** The examples of streams, as processes on both runtimes. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { discoveryPermissions } from "../support/discovery_peers.ts";
import { allRuntimes, type RuntimeName } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { until, within } from "../support/until.ts";

function start(name: string, args: readonly string[], runtime?: RuntimeName): SpawnedProcess {
  return spawnScript(`examples/streams/${name}.ts`, args, { runtime, permissions: discoveryPermissions });
}

test("tokens of two workers on Deno come through a gateway on Bun, and a browser that leaves stops its worker", async () => {
  await using all = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), "streams-"));
  all.defer(() => rmSync(directory, { recursive: true, force: true }));
  const workers = [1, 2].map(() => all.use(start("worker", [directory], "deno")));
  const gateway = all.use(start("gateway", [directory, "0"], "bun"));
  for (const worker of workers) await worker.waitForLine("worker is ready");
  const line = await gateway.waitForLine("gateway at ");
  const url = line.slice("gateway at ".length, line.indexOf("?"));

  const answers = await within(
    Promise.all(["a", "b", "c", "d"].map(async (name) => {
      const response = await fetch(`${url}?prompt=${name}+word&tokens=3`);
      assert.equal(response.headers.get("content-type"), "text/event-stream");
      return await response.text();
    })),
    20_000,
    "the answers",
  );
  for (const [i, name] of ["a", "b", "c", "d"].entries()) {
    assert.equal(answers[i], `data: "${name}"\n\ndata: "word"\n\ndata: "${name}"\n\nevent: end\ndata:\n\n`);
  }
  const finished = () => workers.map(({ outputText }) => outputText.match(/^finished/gm)?.length ?? 0);
  await until(() => finished().reduce((sum, count) => sum + count) === 4);
  assert.ok(finished().every((count) => count > 0), `the workers finished ${finished()}`);

  const browser = new AbortController();
  const response = await fetch(`${url}?prompt=endless&tokens=1000000`, { signal: browser.signal });
  const { value } = await response.body!.getReader().read();
  assert.match(new TextDecoder().decode(value), /^data: "endless"/);
  browser.abort();
  await until(() => workers.some(({ outputText }) => outputText.includes('stopped "endless"')));
});

for (const [serving, sending] of [["deno", "bun"], ["bun", "deno"]] as const) {
  test(`an upload from ${sending} to ${serving} reports its progress`, async () => {
    await using server = start("upload", [], serving);
    const endpoint = (await server.waitForLine("upload with: ")).split(" ")[3]!;
    await using sender = start("upload", [endpoint, "5000000"], sending);
    const exit = await within(sender.exit, 30_000, "the upload");
    assert.deepEqual({ ...exit, errors: sender.errorText }, { code: 0, signal: null, errors: "" });
    assert.equal(sender.outputText, "25 %\n50 %\n75 %\n100 %\n5000000 bytes are stored\n");
  });
}

test("in a room everybody hears everybody, until they leave", async () => {
  await using room = start("chat", []);
  const endpoint = (await room.waitForLine("enter with: ")).split(" ")[3]!;
  await using ann = start("chat", [endpoint, "Ann"], allRuntimes[0]);
  await ann.waitForLine("room: Ann has come");
  await using bob = start("chat", [endpoint, "Bob"], allRuntimes[1]);
  await ann.waitForLine("room: Bob has come");
  ann.write("hello\n");
  await bob.waitForLine("Ann: hello");
  bob.write("hello Ann\n");
  await ann.waitForLine("Bob: hello Ann");
  bob.endInput();
  assert.equal((await within(bob.exit, 20_000, "Bob to leave")).code, 0);
  await ann.waitForLine("room: Bob has left");
  await ann.kill();
  await using cid = start("chat", [endpoint, "Cid"]);
  await cid.waitForLine("room: Cid has come");
});
