/** Tests of programs that end without closing anything, and of the messages that are not lost then. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { amHandler, type InstanceId } from "../../src/mod.ts";
import { discoveryPermissions } from "../support/discovery_peers.ts";
import { leakCheck } from "../support/fixture.ts";
import { missing, startEtcd, type TestServer } from "../support/servers.ts";
import { type Exit, type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { test } from "../support/testing.ts";
import { pause, until, within } from "../support/until.ts";

const clean: Exit = { code: 0, signal: null };

function start(...args: readonly string[]): SpawnedProcess {
  return spawnScript("test/support/peers/ending_peer.ts", args, {
    permissions: discoveryPermissions,
  });
}

async function ended(child: SpawnedProcess): Promise<Exit> {
  return await within(child.exit, 10_000, `the end of the program, which said ${child.outputText}`);
}

test("the runtime's own exit loses nothing of what was sent before", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  let noted = 0;
  server.registerHandler(amHandler("note", () => void noted++));
  for (let run = 1; run <= 3; run++) {
    await using child = start("sendAndExit", server.endpoint, "200");
    assert.deepEqual(await ended(child), clean, child.errorText);
    await until(() => noted === run * 200, {
      timeoutMs: 2_000,
      message: () => `${run * 200} messages, of which ${noted} came`,
    });
  }
});

test("the runtime's own exit removes the file of an ipc endpoint", async () => {
  const folder = mkdtempSync(`${tmpdir()}/e-`);
  try {
    await using child = start("listenAndExit", `ipc://${folder}/socket`);
    assert.deepEqual(await ended(child), clean, child.errorText);
    assert.equal(existsSync(`${folder}/socket`), false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Where a back end keeps what it knows, as long as a test lasts. */
interface Place extends AsyncDisposable {
  readonly where: string;
}

function folder(): Promise<Place> {
  const where = mkdtempSync(`${tmpdir()}/e-`);
  const remove = () => Promise.resolve(rmSync(where, { recursive: true }));
  return Promise.resolve({ where, [Symbol.asyncDispose]: remove });
}

async function server(started: Promise<TestServer>): Promise<Place> {
  const running = await started;
  return { where: running.url, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}

const backEnds: readonly { kind: string; skip: string | false; open(): Promise<Place> }[] = [
  { kind: "static", skip: false, open: folder },
  { kind: "file", skip: false, open: folder },
  { kind: "local", skip: false, open: folder },
  { kind: "etcd", skip: missing("etcd"), open: () => server(startEtcd()) },
];

for (const { kind, skip, open } of backEnds) {
  test(`a program that does not listen ends by itself after a call to a service found by ${kind} discovery`, {
    skip,
  }, async () => {
    await using place = await open();
    await using offering = start("offer", kind, place.where);
    const offered = (await offering.waitForLine(/^ready /)).slice("ready ".length);
    await using child = start("callOnce", kind, kind === "static" ? offered : place.where);
    await child.waitForLine("answered");
    assert.deepEqual(await ended(child), clean, child.errorText);
    await pause(50);
    assert.equal(offering.ended, undefined, offering.errorText);
  });
}

test("ref() keeps a program with handlers alive that does not listen, until its signal closes the instance", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  await using child = start("serveAtTheEdge", server.endpoint, "ref");
  const [, id] = (await child.waitForLine("ready")).split(" ");
  for (let call = 0; call < 3; call++) {
    await pause(50);
    await server.unary("hello", { to: id as InstanceId });
  }
  child.signal("SIGTERM");
  await child.waitForLine("closed");
  assert.deepEqual(await ended(child), clean, child.errorText);
});
