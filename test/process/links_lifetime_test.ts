/** Tests of how long a process with instances lives, how it ends, and which messages are not lost then. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { amHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { longRun } from "../support/runtime.ts";
import { type Exit, type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { pause, until, within } from "../support/until.ts";

const program = "test/support/peers/links_peer.ts";
const clean: Exit = { code: 0, signal: null };

function start(role: string, ...args: readonly string[]): SpawnedProcess {
  return spawnScript(program, [role, ...args]);
}

async function ended(child: SpawnedProcess, timeoutMs = 10_000): Promise<Exit> {
  return await within(child.exit, timeoutMs, `the end of the program, which said ${child.outputText}`);
}

test("a process with a listening instance stays alive", async () => {
  await using child = start("listen");
  await child.waitForLine("ready");
  await pause(400);
  assert.equal(child.ended, undefined, child.errorText);
});

for (const role of ["unref", "close", "using"]) {
  test(`a process ends by itself with 0 after its instance was told so (${role})`, async () => {
    await using child = start(role);
    await child.waitForLine("ready");
    assert.deepEqual(await ended(child, 5_000), clean, child.errorText);
    assert.equal(child.errorText, "");
  });
}

test("an instance that does not listen keeps its process only while something is in flight", async () => {
  await using server = start("serve");
  const [, endpoint] = (await server.waitForLine("ready")).split(" ");
  await using client = start("client", endpoint!, "20");
  await client.waitForLine("answered 20");
  assert.deepEqual(await ended(client, 5_000), clean, client.errorText);
  await using waiting = start("inFlight", endpoint!, "500");
  await waiting.waitForLine("called");
  const called = performance.now();
  await waiting.waitForLine("answered");
  assert.ok(performance.now() - called > 250);
  assert.deepEqual(await ended(waiting, 5_000), clean, waiting.errorText);
});

for (const how of ["plain", "awaited", "large", "client"]) {
  test(`process.exit right after a thousand sends loses none of them (${how})`, async () => {
    await using t = await leakCheck();
    const server = await t.messenger();
    let noted = 0;
    server.registerHandler(amHandler("note", () => void noted++));
    await using child = start("fireAndExit", server.endpoint, "1000", how);
    assert.deepEqual(await ended(child), clean, child.errorText);
    await until(() => noted === 1_000, {
      timeoutMs: 2_000,
      message: () => `1000 messages, of which ${noted} came`,
    });
    await pause(30);
    assert.equal(noted, 1_000);
  });
}

test("messages flushed by flush() arrive although the process ends", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  let noted = 0;
  server.registerHandler(amHandler("note", () => void noted++));
  await using child = start("flushAndExit", server.endpoint, "5000");
  assert.deepEqual(await ended(child), clean, child.errorText);
  await until(() => noted === 5_000, {
    timeoutMs: 2_000,
    message: () => `5000 messages, of which ${noted} came`,
  });
});

for (const role of ["uncaught", "rejected"]) {
  test(`an error that nobody catches ends a process under traffic with 1, and never by a signal (${role})`, async () => {
    const runs = longRun ? 30 : role === "uncaught" ? 6 : 2;
    for (let run = 0; run < runs; run += 2) {
      const children = [start(role), start(role)];
      for (const child of children) {
        assert.deepEqual(await ended(child), { code: 1, signal: null }, child.errorText);
        assert.match(child.errorText, /on purpose/);
      }
    }
  });
}

test("SIGTERM and SIGINT end a process under traffic as they end any other", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    await using child = start("busy");
    await child.waitForLine("ready");
    await pause(50);
    process.kill(child.pid, signal);
    const exit = await ended(child, 5_000);
    assert.ok(
      exit.signal === signal || exit.code === (signal === "SIGTERM" ? 143 : 130),
      JSON.stringify(exit),
    );
  }
});

test("a service that closes on SIGTERM answers what it has taken and ends with 0", async () => {
  await using t = await leakCheck();
  await using child = start("graceful");
  const [, endpoint] = (await child.waitForLine("ready")).split(" ");
  const client = await t.messenger();
  const peer = await client.connect(endpoint!);
  const call = client.unary("slow", { to: peer, rawPayload: new TextEncoder().encode("300") });
  await client.unary("echo", { to: peer });
  process.kill(child.pid, "SIGTERM");
  assert.equal(new TextDecoder().decode(await call), "300");
  assert.deepEqual(await ended(child, 5_000), clean, child.errorText);
  assert.match(child.outputText, /closed/);
});

test("an instance in a Worker calls and is called, and both end cleanly", async () => {
  await using child = start("worker");
  await child.waitForLine("answers 200");
  await child.waitForLine("closed");
  assert.deepEqual(await ended(child), clean, child.errorText);
});

test("a Worker that is terminated with a live instance disturbs no other instance, and calls to it end in time", async () => {
  const rounds = longRun ? 10 : 2;
  await using child = start("terminated", String(rounds));
  await child.waitForLine("closed", 30_000);
  assert.deepEqual(await ended(child), clean, child.errorText);
  // Where nothing ends what the Worker held, its connections stay, and the deadline ends the call.
  const outcome = process.platform === "linux" ? "PEER_DISCONNECTED" : "(?:TIMEOUT|PEER_DISCONNECTED)";
  assert.equal(child.outputText.match(new RegExp(`^outcome ${outcome}$`, "gm"))?.length, rounds);
  assert.match(child.outputText, /self fine/);
});
