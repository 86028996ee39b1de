/** What strangers send must not hurt: the process lives, good peers are answered, memory stays bounded. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import type { InstanceId, Messenger, MessengerStats } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { prng } from "../support/prng.ts";
import { longRun } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { start, startRole } from "../support/transport_peers.ts";
import { until } from "../support/until.ts";
import { hasVitals, vitals } from "../support/vitals.ts";

const program = "test/support/peers/hostile_peer.ts";
const frames = longRun ? 10_000_000 : 100_000;
const netPermissions = ["--allow-ffi", "--allow-read", "--allow-env", "--allow-net=127.0.0.1,localhost"];

interface Victim {
  readonly child: SpawnedProcess;
  readonly endpoint: string;
  readonly client: Messenger;
  readonly peer: InstanceId;
}

/** A serving process, and a good peer of it here. */
async function victim(t: LeakCheck): Promise<Victim> {
  const child = t.use(spawnScript(program, ["serve"]));
  const [, endpoint] = (await child.waitForLine("ready")).split(" ");
  const client = await t.messenger();
  return { child, endpoint: endpoint!, client, peer: await client.connect(endpoint!) };
}

/** Calls the victim one call after another until `done`; returns how long each took, in milliseconds, sorted. */
async function latencies({ client, peer, child }: Victim, done: () => boolean): Promise<number[]> {
  const took: number[] = [];
  const rawPayload = new Uint8Array(64).fill(7);
  do {
    const start = performance.now();
    const answer = await client.unary("echo", { to: peer, rawPayload, timeoutMs: 10_000 });
    took.push(performance.now() - start);
    assert.deepEqual(answer, rawPayload);
    assert.equal(child.ended, undefined, child.errorText);
  } while (!done());
  return took.sort((a, b) => a - b);
}

function report(what: string, took: readonly number[]): void {
  const at = (share: number): string => took[Math.floor((took.length - 1) * share)]!.toFixed(2);
  console.log(
    `# ${what}: ${took.length} good calls meanwhile, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${
      at(1)
    } ms`,
  );
}

async function statsOf({ client, peer }: Victim): Promise<MessengerStats> {
  return JSON.parse(new TextDecoder().decode(await client.unary("stats", { to: peer })));
}

test(
  `${frames} frames from hostile connections: good peers are answered, drops are counted, memory is bounded`,
  async () => {
    await using t = await leakCheck();
    const one = await victim(t);
    const seed = prng("the hostile process").seed;
    const warm = t.use(spawnScript(program, ["frames", one.endpoint, "20000", String(seed + 1)]));
    await latencies(one, () => warm.ended !== undefined);
    const before = hasVitals ? await vitals(one.child.pid) : null;
    const attacker = t.use(spawnScript(program, ["frames", one.endpoint, String(frames), String(seed)]));
    const took = await latencies(one, () => attacker.ended !== undefined);
    assert.match(attacker.outputText, /^done \d+$/m, attacker.errorText);
    report(`${frames} hostile frames`, took);
    const { transport } = await statsOf(one);
    const dropped = Object.values(transport.drops).reduce((sum, count) => sum + count, 0);
    console.log(`# dropped ${dropped}: ${JSON.stringify(transport.drops)}`);
    assert.ok(dropped > frames / 4, `only ${dropped} drops of ${frames} frames are counted`);
    // A stranger's unknown handlers are answered, and the answers have nowhere to go: neither may pile up.
    assert.ok(took[Math.floor(took.length * 0.99)]! < 1_000, "good calls took over a second");
    if (before !== null) {
      const after = await vitals(one.child.pid);
      assert.ok(
        after.residentMiB < before.residentMiB + 128,
        `resident memory went from ${before.residentMiB} to ${after.residentMiB} MiB`,
      );
      assert.ok(
        after.descriptors <= before.descriptors + 8,
        `${before.descriptors} → ${after.descriptors} descriptors`,
      );
    }
  },
);

test("TCP connections that speak broken ZMTP, HTTP or TLS are thrown out, and good peers are answered", async () => {
  await using t = await leakCheck();
  const one = await victim(t);
  const seed = prng("the broken handshakes").seed;
  const rounds = longRun ? 100 : 3;
  const attacker = t.use(
    spawnScript(program, ["zmtp", one.endpoint, String(rounds), String(seed)], {
      permissions: netPermissions,
    }),
  );
  const took = await latencies(one, () => attacker.ended !== undefined);
  const [, opened] = /^done (\d+)$/m.exec(attacker.outputText) ?? assert.fail(attacker.errorText);
  assert.ok(Number(opened) > 200 * rounds, `only ${opened} connections came about`);
  report(`${opened} broken handshakes`, took);
  assert.ok(took[Math.floor(took.length * 0.99)]! < 1_000);
});

test("1000 connections that never speak cost good peers nothing, and are forgotten when they go", async () => {
  await using t = await leakCheck();
  const one = await victim(t);
  const before = hasVitals ? await vitals(one.child.pid) : null;
  const silent = t.use(
    spawnScript(program, ["silent", one.endpoint, "1000"], { permissions: netPermissions }),
  );
  await silent.waitForLine("open 1000", 30_000);
  const start = performance.now();
  const took = await latencies(one, () => performance.now() - start > 1_000);
  report("1000 silent connections", took);
  assert.ok(took[Math.floor(took.length * 0.99)]! < 1_000);
  if (before !== null) {
    const during = await vitals(one.child.pid);
    assert.ok(
      during.residentMiB < before.residentMiB + 64,
      `${before.residentMiB} → ${during.residentMiB} MiB`,
    );
  }
  await silent.kill();
  if (before === null) return;
  await until(async () => (await vitals(one.child.pid)).descriptors <= before.descriptors + 8, {
    timeoutMs: 10_000,
    intervalMs: 200,
    message: "the descriptors of the silent connections to go",
  });
});

test("5000 connections that come and go while a server's JavaScript stands still hurt nobody afterwards", async () => {
  await using t = await leakCheck();
  const server = await start(t);
  const client = await t.messenger({ timeoutMs: 20_000 });
  const peer = await client.connect(server.endpoint);
  const guests = [];
  for (let i = 0; i < 2; i++) {
    const guest = startRole(t, ["clients", server.endpoint, "1"]);
    await guest.waitForLine("ready");
    guests.push(guest);
  }
  const counted = async (): Promise<{ accepted: number; silent: number }> =>
    JSON.parse(new TextDecoder().decode(await client.unary("guests", { to: peer })));
  assert.deepEqual(await counted(), { accepted: 3, silent: 0 });
  const before = hasVitals ? await vitals(server.child.pid) : null;
  const storm = spawnScript(program, ["storm", server.endpoint, "5000"], { permissions: netPermissions });
  t.use(storm);
  server.child.write("block 3000\n");
  await server.child.waitForLine("blocking");
  let awake = false;
  const woken = client.unary("who", { to: peer }).then(() => awake = true);
  assert.equal(await storm.waitForLine("done", 15_000), "done 5000");
  // One dies while nobody looks, one afterwards.
  await guests[0]!.kill();
  assert.equal(
    awake,
    false,
    "it was awake before all of them had come: its context stood still, or this machine is too slow",
  );
  await woken;
  const newcomer = await t.messenger();
  assert.equal(await newcomer.connect(server.endpoint, { timeoutMs: 3_000 }), peer);
  const rawPayload = new Uint8Array(100).fill(7);
  assert.deepEqual(await newcomer.unary("echo", { to: peer, rawPayload }), rawPayload);
  await until(async () => isDeepStrictEqual(await counted(), { accepted: 3, silent: 0 }), {
    timeoutMs: 3_000,
    message: "the strangers and the guest that died meanwhile to be forgotten",
  });
  await guests[1]!.kill();
  await until(async () => (await counted()).accepted === 2, {
    timeoutMs: 1_500,
    message: "the loss of a peer to be noticed",
  });
  assert.equal(server.child.ended, undefined, server.child.errorText);
  if (before === null) return;
  await until(async () => (await vitals(server.child.pid)).descriptors <= before.descriptors + 2, {
    message: "the descriptors of the strangers to go",
  });
});
