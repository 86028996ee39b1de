import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { runCli, startCli } from "../support/cli.ts";
import { discoveryPermissions, startPeer, temporaryFolder } from "../support/discovery_peers.ts";
import { leakCheck } from "../support/fixture.ts";
import { takesTurn } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";
import { within } from "../support/until.ts";

let declared = 0;

/**
 * Declares a test that runs daily on one runtime. `ping`, `peers`, `call` and `keys` have others that run on both, here
 * and with keys; the package's tests run `libzmq` on Bun.
 */
function inTurn(name: string, body: () => Promise<void>): void {
  if (takesTurn(declared++)) test(name, body);
}

inTurn("zeromesh peers lists instances with services and load, as a table and as JSON", async () => {
  await using t = await leakCheck();
  const path = `${temporaryFolder(t, "cli")}/peers.json`;
  const peer = await startPeer(t, `file:${path}`, ["resize"]);
  const table = await runCli("peers", "--discovery", `file:${path}`);
  assert.equal(table.code, 0, table.errors);
  assert.match(table.output, /^INSTANCE +ENDPOINTS +SERVICES +LATENCY +IN FLIGHT$/m);
  assert.match(table.output, new RegExp(`^${peer.id} +tcp://.* resize +[\\d.]+ ms +\\d+ / 0$`, "m"));
  const json = await runCli("peers", "--discovery", `file:${path}`, "--json");
  const [row, ...more] = JSON.parse(json.output) as Record<string, unknown>[];
  assert.deepEqual(more, []);
  assert.equal(row?.["instance"], peer.id);
  assert.deepEqual(row?.["services"], ["resize"]);
  const endpoint = (row?.["endpoints"] as string[])[0]!;
  const connected = await runCli("peers", "--connect", endpoint, "--json");
  assert.equal((JSON.parse(connected.output) as { instance: string }[])[0]?.instance, peer.id);
});

inTurn("zeromesh call calls by id, by endpoint and by service", async () => {
  await using t = await leakCheck();
  const path = `${temporaryFolder(t, "cli")}/peers.json`;
  const peer = await startPeer(t, `file:${path}`, ["resize"]);
  const listed = JSON.parse((await runCli("peers", "--discovery", `file:${path}`, "--json")).output);
  for (const to of [peer.id, listed[0].endpoints[0], "service:resize"]) {
    const { code, output, errors } = await runCli(
      "call",
      to,
      "whoami",
      "null",
      "--discovery",
      `file:${path}`,
    );
    assert.deepEqual({ code, output }, { code: 0, output: `${peer.id}\n` }, errors);
  }
  const missing = await runCli("call", peer.id, "nothing", "--discovery", `file:${path}`);
  assert.equal(missing.code, 1);
  assert.match(missing.errors, /HANDLER_NOT_FOUND/);
});

test("zeromesh ping measures, and fails without an answer", async () => {
  await using t = await leakCheck();
  const path = `${temporaryFolder(t, "cli")}/peers.json`;
  const peer = await startPeer(t, `file:${path}`, []);
  const args = ["ping", peer.id, "--discovery", `file:${path}`, "--count", "2", "--interval", "10"];
  const { code, output, errors } = await runCli(...args);
  assert.equal(code, 0, errors);
  assert.match(output, /^2 sent, 2 answered: min [\d.]+ ms, p50 [\d.]+ ms, max [\d.]+ ms$/m);
  const nobody = await runCli("ping", "tcp://127.0.0.1:1", "--timeout", "200");
  assert.equal(nobody.code, 1);
  assert.match(nobody.errors, /PEER_UNREACHABLE/);
});

test("zeromesh exits with 130 when it is interrupted", async () => {
  await using t = await leakCheck();
  const path = `${temporaryFolder(t, "cli")}/peers.json`;
  const peer = await startPeer(t, `file:${path}`, []);
  await using child = startCli(["ping", peer.id, "--discovery", `file:${path}`, "--count", "1000"]);
  await child.waitForLine(/: 1 /);
  process.kill(child.pid, "SIGINT");
  assert.deepEqual(await within(child.exit, 10_000), { code: 130, signal: null });
});

const wrongUsages = [[], ["nothing"], ["call"], ["ping"], ["peers", "--what"], ["call", "x", "y"]];
for (const args of wrongUsages.filter((_, index) => takesTurn(index))) {
  test(`zeromesh ${args.join(" ")}: wrong usage exits with 2 and says why`, async () => {
    const { code, output, errors } = await runCli(...args);
    assert.deepEqual({ code, output }, { code: 2, output: "" });
    assert.notEqual(errors, "");
  });
}

const questions = [["--help"], ["peers", "--help"], ["call", "-h"], ["ping", "--help"]];
for (const args of questions.filter((_, index) => takesTurn(index))) {
  test(`zeromesh ${args.join(" ")} tells how to use it`, async () => {
    const { code, output } = await runCli(...args);
    assert.equal(code, 0);
    assert.match(output, /^Usage: zeromesh /);
  });
}

inTurn("zeromesh call --sync and --send print nothing, and not both can be asked for", async () => {
  await using t = await leakCheck();
  const path = `${temporaryFolder(t, "cli")}/peers.json`;
  const peer = await startPeer(t, `file:${path}`, []);
  const call = ["call", peer.id, "whoami", "--discovery", `file:${path}`];
  for (const how of ["--sync", "--send"]) {
    const { code, output, errors } = await runCli(...call, how);
    assert.deepEqual({ code, output }, { code: 0, output: "" }, errors);
  }
  assert.equal((await runCli(...call, "--sync", "--send")).code, 2);
});

inTurn("zeromesh libzmq names the library in use, and copies one to embed", async () => {
  const { code, output, errors } = await runCli("libzmq");
  assert.equal(code, 0, errors);
  assert.match(output, /^libzmq \d+\.\d+\.\d+, (?:system|bundled): \S+\ncapabilities: .*\bcurve\b/);
  await using t = await leakCheck();
  const copy = `${temporaryFolder(t, "cli")}/libzmq.so`;
  const permissions = [...discoveryPermissions, "--allow-write"];
  await using copying = spawnScript("src/cli/main.ts", ["libzmq", "--copy", copy], { permissions });
  assert.deepEqual(await copying.exit, { code: 0, signal: null }, copying.errorText);
  const copied = await runCli("libzmq", "--library", copy);
  assert.match(copied.output, /^libzmq \d+\.\d+\.\d+, option: /, copied.errors);
  const relative = await runCli("libzmq", "--copy", copy, "--library", "libzmq.so.5");
  assert.notEqual(relative.code, 0);
  assert.equal((await runCli("libzmq", "more")).code, 2);
});

inTurn("zeromesh peers names an instance that does not answer, and exits with 1", async () => {
  await using t = await leakCheck();
  const path = `${temporaryFolder(t, "cli")}/peers.json`;
  const [dead, living] = [await startPeer(t, `file:${path}`, []), await startPeer(t, `file:${path}`, [])];
  await dead.process.kill();
  const { code, output, errors } = await runCli("peers", "--discovery", `file:${path}`, "--timeout", "500");
  assert.equal(code, 1, output);
  assert.match(output, new RegExp(`^${living.id} .* ms `, "m"));
  assert.match(errors, new RegExp(`^${dead.id}: `, "m"));
});
