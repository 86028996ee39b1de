/** The commands `zeromesh broker` and `zeromesh channels`, as people type them. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { BrokerClient } from "../../src/broker/mod.ts";
import { readKeyPair } from "../../src/mod.ts";
import { news, numbers } from "../conformance/broker_kit.ts";
import { runCli, startCli } from "../support/cli.ts";
import { leakCheck } from "../support/fixture.ts";
import { within } from "../support/until.ts";

test("zeromesh broker serves until SIGTERM, and zeromesh channels shows what it has", async () => {
  await using t = await leakCheck();
  const endpoints = ["--endpoint", "tcp://127.0.0.1:0", "--plain-endpoint", "tcp://127.0.0.1:0"];
  await using broker = startCli(["broker", ...endpoints, "--heartbeat", "200"]);
  const endpoint = (await broker.waitForLine("listening on ")).slice("listening on ".length);
  await broker.waitForLine(/^foreign programs register at tcp:\/\/127.0.0.1:\d+$/);
  await broker.waitForLine("without CURVE keys");
  const none = await runCli("channels", "--connect", endpoint);
  assert.equal(none.output, "the broker has no channels\n");

  const messenger = await t.messenger({ name: "sensor" });
  const client = t.use(await BrokerClient.connect(messenger, endpoint, { name: "sensor", required: true }));
  t.use(await client.createChannel(numbers, { metadata: { unit: "K" }, sharedMemory: "/numbers" }));
  t.use(await client.createChannel(news));
  const list = await runCli("channels", "--connect", endpoint);
  assert.match(
    list.output,
    /^CHANNEL +PATTERN +STATE +CONSUMERS +PRODUCER +SCHEMA\nhouse\/news +pubsub +ready +0 /,
  );
  assert.match(list.output, /\nlab\/numbers +pipeline +ready +0 +sensor /);
  const some = JSON.parse((await runCli("channels", "lab/*", "--connect", endpoint, "--json")).output);
  assert.deepEqual(some.map(({ name }: { name: string }) => name), ["lab/numbers"]);
  const one = await runCli("channels", "lab/numbers", "--connect", endpoint);
  assert.match(one.output, /^channel +lab\/numbers\n/);
  assert.match(one.output, /\nshared memory +\/numbers\nmetadata +\{"unit":"K"\}\n/);
  assert.match(one.output, /\nschema +\{"encoding":"json","message":\{.*"type":"number"\}\}\n/);
  const missing = await runCli("channels", "lab/none", "--connect", endpoint);
  assert.deepEqual([missing.code, missing.output], [1, ""]);
  assert.match(missing.errors, /there is no channel "lab\/none"/);

  broker.signal("SIGTERM");
  assert.deepEqual(await within(broker.exit, 10_000), { code: 0, signal: null });
});

test("zeromesh broker with a file of keys serves who is in its list, also who comes in later", async () => {
  const folder = mkdtempSync(join(tmpdir(), "broker-"));
  try {
    const at = (name: string): string => join(folder, name);
    for (const name of ["broker", "a", "b"]) await runCli("keys", "new", at(`${name}.json`));
    const keys = (name: string) => readKeyPair(at(`${name}.json`));
    writeFileSync(at("clients.txt"), `# who may connect\n${keys("a").publicKey}\n`);
    const options = ["--keys", at("broker.json"), "--allow", at("clients.txt"), "--json"];
    await using broker = startCli(["broker", "--endpoint", "tcp://127.0.0.1:0", ...options]);
    const { listening: [endpoint], publicKey } = JSON.parse(await broker.waitForLine("listening"));
    assert.equal(publicKey, keys("broker").publicKey);
    const channels = (name: string) =>
      runCli(
        ...["channels", "--connect", endpoint, "--keys", at(`${name}.json`), `--server-key=${publicKey}`],
        ...["--timeout", "2000"],
      );
    assert.equal((await channels("a")).code, 0);
    assert.equal((await channels("b")).code, 1);
    writeFileSync(at("clients.txt"), `${keys("a").publicKey}\n${keys("b").publicKey}\n`);
    // The file is looked at once a second.
    let code: number | null = 1;
    for (let i = 0; i < 10 && code !== 0; i++) ({ code } = await channels("b"));
    assert.equal(code, 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("wrong options of both commands are named", async () => {
  for (
    const [args, text] of [
      [["broker", "--endpoint", "udp://x"], /udp/],
      [["broker", "more"], /too many arguments: more/],
      [["broker", "--heartbeat", "0"], /--heartbeat must be a positive number/],
      [["channels", "--interval", "5"], /--interval needs --watch/],
      [["channels", "--server-key=abc"], /--keys FILE and --server-key KEY need each other/],
    ] as const
  ) {
    const run = await runCli(...args);
    assert.notEqual(run.code, 0, args.join(" "));
    assert.match(run.errors, text);
  }
  for (const name of ["broker", "channels"]) {
    assert.match((await runCli(name, "--help")).output, new RegExp(`^Usage: zeromesh ${name} `));
  }
});
