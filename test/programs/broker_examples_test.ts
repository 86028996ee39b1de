/** The examples of the broker, as people start them. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { runCli } from "../support/cli.ts";
import { discoveryPermissions } from "../support/discovery_peers.ts";
import { allRuntimes, type RuntimeName } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { within } from "../support/until.ts";

const start = (name: string, args: readonly string[], runtime: RuntimeName): SpawnedProcess =>
  spawnScript(`examples/broker/${name}.ts`, args, { runtime, permissions: discoveryPermissions });

async function ends(child: SpawnedProcess): Promise<void> {
  const exit = await within(child.exit, 20_000, "the example to end");
  assert.deepEqual(
    { ...exit, errors: child.errorText },
    { code: 0, signal: null, errors: "" },
    child.outputText,
  );
}

async function said(child: SpawnedProcess, what: string): Promise<string> {
  return (await child.waitForLine(what)).slice(what.length);
}

const [first, second] = allRuntimes as [RuntimeName, RuntimeName];

for (const [one, other] of [[first, second], [second, first]] as const) {
  test(`producer and broker on ${one}, and a consumer on ${other}, each with its own keys`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "broker-"));
    try {
      const keys = Object.fromEntries(
        ["broker", "producer", "consumer"].map((name) => [name, join(folder, `${name}.json`)]),
      ) as Record<"broker" | "producer" | "consumer", string>;
      for (const path of Object.values(keys)) await runCli("keys", "new", path);
      await using broker = start("broker", ["--endpoint", "tcp://127.0.0.1:0", "--keys", keys.broker], one);
      const endpoint = await said(broker, "listening on ");
      const with_ = ["--broker", endpoint, `--server-key=${await said(broker, "public key ")}`];
      await using consumer = start("consumer", [...with_, "--keys", keys.consumer], other);
      await using producer = start("producer", [...with_, "--keys", keys.producer], one);
      await ends(producer);
      await ends(consumer);
      assert.equal(producer.outputText, "created lab/temperature\nsent 5 readings\n");
      assert.equal(consumer.outputText, "1: 21 °C\n2: 22 °C\n3: 23 °C\n4: 24 °C\n5: 25 °C\n");
      process.kill(broker.pid, "SIGTERM");
      await ends(broker);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test(`broker, producer and consumer run in one file (${one})`, async () => {
    await using child = start("embedded", [], one);
    await ends(child);
    assert.equal(child.outputText, "the kettle boils\n");
  });

  test(`a channel outlives its broker, and the next one knows it (${one})`, async () => {
    await using child = start("survives_restart", [], one);
    await ends(child);
    assert.equal(
      child.outputText,
      "with the broker: 21\nwithout it: 22\nthe new broker has lab/temperature\n",
    );
  });
}
