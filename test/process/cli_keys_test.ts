import assert from "node:assert/strict";
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { Messenger, readKeyPair, unaryHandler } from "../../src/mod.ts";
import { runCli } from "../support/cli.ts";
import { temporaryFolder } from "../support/discovery_peers.ts";
import { leakCheck } from "../support/fixture.ts";

const z85 = /^[0-9a-zA-Z.:+=^!/*?&<>()[\]{}@%$#-]{40}$/;

test("zeromesh keys new writes a pair that only its owner can read, and never over a file", async () => {
  await using t = await leakCheck();
  const file = `${temporaryFolder(t, "keys")}/me.json`;
  const made = await runCli("keys", "new", file);
  assert.equal(made.code, 0, made.errors);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const { publicKey, secretKey } = readKeyPair(file);
  assert.match(publicKey, z85);
  assert.match(secretKey, z85);
  assert.equal(made.output, `${publicKey}\n`);

  const before = readFileSync(file, "utf8");
  const again = await runCli("keys", "new", file);
  assert.equal(again.code, 1);
  assert.match(again.errors, /exists already/);
  assert.equal(readFileSync(file, "utf8"), before);

  const shown = await runCli("keys", "show", file, "--json");
  assert.deepEqual(JSON.parse(shown.output), { file, publicKey });
  assert.ok(!`${made.output}${made.errors}${shown.output}${shown.errors}`.includes(secretKey));
});

test("zeromesh ping, peers and call reach a service that wants keys, and say that it wants them", async () => {
  await using t = await leakCheck();
  const folder = temporaryFolder(t, "keys");
  for (const name of ["me", "service"]) await runCli("keys", "new", `${folder}/${name}.json`);
  const [me, its] = [readKeyPair(`${folder}/me.json`), readKeyPair(`${folder}/service.json`)];
  await using service = await Messenger.create({ curve: { ...its, allow: [me.publicKey] } });
  service.registerHandler(unaryHandler("reverse", ({ payload }) => payload.toReversed()));
  const keys = ["--keys", `${folder}/me.json`, "--server-key", its.publicKey];
  const pinged = await runCli("ping", service.endpoint, "--count", "1", ...keys);
  assert.equal(pinged.code, 0, pinged.errors);
  const listed = await runCli("peers", "--connect", service.endpoint, "--json", ...keys);
  assert.equal((JSON.parse(listed.output) as { instance: string }[])[0]?.instance, service.instanceId);
  const called = await runCli("call", service.endpoint, "reverse", '"ab"', ...keys);
  assert.equal(called.output, '"ba"\n', called.errors);

  const without = await runCli("ping", service.endpoint, "--timeout", "2000");
  assert.equal(without.code, 1);
  assert.match(without.errors, /no keys were given: see --keys and --server-key/);
  const keyless = await runCli("ping", service.endpoint, "--keys", `${folder}/me.json`);
  assert.equal(keyless.code, 2);
  assert.match(keyless.errors, /--server-key KEY/);

  chmodSync(`${folder}/me.json`, 0o640);
  const readable = await runCli("ping", service.endpoint, ...keys);
  assert.equal(readable.code, 1);
  assert.match(readable.errors, /FORBIDDEN.*mode 640.*chmod 600/);
});

test("readKeyPair refuses a file with a torn or foreign content, and never quotes it", async () => {
  await using t = await leakCheck();
  const file = `${temporaryFolder(t, "keys")}/keys.json`;
  const secretKey = "s".repeat(40);
  for (
    const text of [`{"secretKey":"${secretKey}`, `{"secretKey":"${secretKey}"}`, "null", '{"publicKey":5}']
  ) {
    writeFileSync(file, text, { mode: 0o600 });
    assert.throws(() => readKeyPair(file), (error: unknown) => {
      assert.ok(error instanceof TypeError);
      assert.ok(error.message.includes(file) && !error.message.includes(secretKey), error.message);
      return true;
    });
  }
  assert.throws(() => readKeyPair(`${file}.none`), { code: "ENOENT" });
});
