/** Many peers at one instance: instances that do not listen, connections that come and go, one id twice. */
import assert from "node:assert/strict";
import process from "node:process";
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

test(`two processes with one id at one instance are both answered, and one's death leaves the other`, async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const id = crypto.randomUUID();
  const children = [];
  for (const options of [{ instanceId: id }, { instanceId: id }, {}]) {
    const child = t.use(spawnScript(program, ["clients", server.endpoint, "1", JSON.stringify(options)]));
    await child.waitForLine("ready");
    children.push(child);
  }
  for (const child of children) child.write("call echo\n");
  await Promise.all(children.map((child) => child.waitForLine("answers echo 1")));
  process.kill(children[0]!.pid, "SIGKILL");
  await until(() => server.stats().transport.accepted === 2);
  for (const { instanceId, up } of server.peers()) {
    assert.ok(up);
    assert.equal(new TextDecoder().decode(await server.unary("who", { to: instanceId })), instanceId);
  }
});
