/** Many peers at one instance: instances that do not listen, connections that come and go, one id twice. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { unaryHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { longRun } from "../support/runtime.ts";
import { spawnScript } from "../support/spawn.ts";
import { program } from "../support/transport_peers.ts";
import { until, within } from "../support/until.ts";

const [processes, each] = longRun ? [4, 250] : [2, 50];
const total = processes * each;

test(`${total} instances that do not listen are called, answered, listed and drained`, async () => {
  await using t = await leakCheck();
  const server = await t.messenger({ timeoutMs: 60_000 });
  const gate = Promise.withResolvers<void>();
  t.defer(() => gate.resolve());
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  server.registerHandler(unaryHandler("late", async ({ payload }) => {
    await gate.promise;
    return payload;
  }));
  const children = Array.from(
    { length: processes },
    () => t.use(spawnScript(program, ["clients", server.endpoint, String(each)])),
  );
  await Promise.all(children.map((child) => child.waitForLine(`ready ${each}`, 60_000)));
  const peers = server.peers();
  assert.equal(peers.filter(({ up }) => up).length, total);
  assert.equal(server.stats().transport.accepted, total);
  const ids = await Promise.all(
    peers.map(async ({ instanceId }) => [
      instanceId,
      new TextDecoder().decode(await server.unary("who", { to: instanceId })),
    ]),
  );
  assert.equal(new Set(ids.map(([id]) => id)).size, total);
  for (const [asked, answered] of ids) assert.equal(answered, asked);
  for (const child of children) child.write("call echo\n");
  await Promise.all(children.map((child) => child.waitForLine(`answers echo ${each}`, 60_000)));
  for (const child of children) child.write("call late\n");
  await until(() => server.stats().handlers.running === total, { timeoutMs: 30_000 });
  const closing = server.close({ timeoutMs: 30_000 });
  gate.resolve();
  await within(closing, 30_000, "the server to close");
  await Promise.all(children.map((child) => child.waitForLine(`answers late ${each}`, 30_000)));
  for (const child of children) child.write("close\n");
  for (const child of children) {
    assert.deepEqual(await within(child.exit, 20_000), { code: 0, signal: null }, child.errorText);
  }
});

test("of two processes with one id the second is refused while the first lives, and let in when it is gone", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const options = JSON.stringify({ instanceId: crypto.randomUUID() });
  const start = () => t.use(spawnScript(program, ["clients", server.endpoint, "1", options]));
  const first = start();
  await first.waitForLine("ready");
  const second = start();
  await within(second.exit, 10_000, "the second one to be refused");
  assert.match(second.errorText, /Two instances have the id/);
  first.write("call echo\n");
  await first.waitForLine("answers echo 1");
  await first.kill();
  const third = start();
  await third.waitForLine("ready");
  third.write("call echo\n");
  await third.waitForLine("answers echo 1");
});
