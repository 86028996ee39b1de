/** Tests of the descriptors, threads and memory that both sides hold after connections and traffic. */
import assert from "node:assert/strict";
import process from "node:process";
import { writeFileSync } from "node:fs";
import { test } from "../support/testing.ts";
import { newInstanceId } from "../../src/core/mod.ts";
import type { Messenger } from "../../src/mod.ts";
import { ResponseKind } from "../../src/wire/mod.ts";
import { idOf, request } from "../conformance/messenger_raw_peer.ts";
import { collectGarbage } from "../support/collect.ts";
import { temporaryFolder } from "../support/discovery_peers.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { rawContext } from "../support/raw_sockets.ts";
import { longRun } from "../support/runtime.ts";
import type { SpawnedProcess } from "../support/spawn.ts";
import { start, startRole } from "../support/transport_peers.ts";
import { pause, until, within } from "../support/until.ts";
import { hasVitals, type Vitals, vitals } from "../support/vitals.ts";

const skip = hasVitals ? false : "what a process holds is read from /proc";

/** A process that collects what it does not need when told. */
interface Looked {
  readonly pid: number;
  collect(): void;
}

const looked = (child: SpawnedProcess): Looked => ({
  pid: child.pid,
  collect: () => child.write("collect\n"),
});
const self: Looked = { pid: process.pid, collect: collectGarbage };

/** Measures what a process holds after a collection, as the least of a few looks: a collector frees memory in steps. */
async function least(of: Looked): Promise<Vitals> {
  const seen: Vitals[] = [];
  for (let look = 0; look < 4; look++) {
    of.collect();
    await pause(60);
    seen.push(await vitals(of.pid));
  }
  const smallest = (key: keyof Vitals): number => Math.min(...seen.map((one) => one[key]));
  return {
    descriptors: smallest("descriptors"),
    threads: smallest("threads"),
    residentMiB: smallest("residentMiB"),
  };
}

/** Waits until processes hold no more than they did, but for a few MiB. */
async function noMoreThan(before: readonly Vitals[], of: readonly Looked[], moreMiB: number): Promise<void> {
  let now: readonly Vitals[] = [];
  await until(async () => {
    now = await Promise.all(of.map(least));
    return now.every(({ descriptors, threads, residentMiB }, i) => {
      const one = before[i]!;
      // A thread of a runtime's own, for its collector or for a name to look up, may come late and stay.
      return descriptors <= one.descriptors + 2 && threads <= one.threads + 2 &&
        residentMiB <= one.residentMiB + moreMiB;
    });
  }, {
    timeoutMs: 15_000,
    intervalMs: 100,
    message: () => `the growth to go: ${JSON.stringify(before)} before, ${JSON.stringify(now)} now`,
  });
  const shown = now.map((one, i) =>
    `${before[i]!.residentMiB.toFixed(1)} → ${one.residentMiB.toFixed(1)} MiB`
  );
  console.log(`# ${shown.join(", ")}`);
}

/**
 * How many are made at first, while a runtime's compiler is at work, and how many afterwards may take how much more: an
 * instance that is kept takes 200 KiB and more. On a busy machine the compiler comes late, and takes 16 MiB once; only a
 * long run is sure to be past it.
 */
const stages = longRun
  ? [["create", 1_000, 5_000, 8], ["cycle", 2_000, 10_000, 8]] as const
  : [["create", 400, 800, 24], ["cycle", 150, 550, 12]] as const;
test(
  stages.map(([kind, first, all]) =>
    `${all} ${kind === "create" ? "instances" : "connections"} hold no more than ${first}`
  ).join(", and ") + ", at either end",
  { skip },
  async () => {
    await using t = await leakCheck();
    const { child: server, endpoint } = await start(t);
    const client = startRole(t, ["cycle", endpoint]);
    await client.waitForLine("ready");
    const both = [server, client].map(looked);
    for (const [kind, first, all, moreMiB] of stages) {
      client.write(`${kind} ${first}\n`);
      await client.waitForLine(`done ${kind} ${first}`, 120_000);
      const before = await Promise.all(both.map(least));
      client.write(`${kind} ${all - first}\n`);
      await client.waitForLine(`done ${kind} ${all}`, 120_000);
      await noMoreThan(before, both, moreMiB);
    }
  },
);

// Each round holds 100 MB.
const rounds = longRun ? 5 : 2;
test(
  `peers killed one after the other with 1000 calls in flight, ${rounds} times: they end before a heartbeat is missed, and the system gets their memory back`,
  { skip },
  async () => {
    await using t = await leakCheck();
    const client = await t.messenger({ redialForMs: 0 });
    const before = await least(self);
    const held: Vitals[] = [];
    for (let round = 0; round < rounds; round++) {
      await callsOfTheKilled(t, client);
      held.push(await least(self));
      // Some seconds have to pass between two returns, so the first one stands for all.
      if (round === 0) await noMoreThan([before], [self], 40);
    }
    await noMoreThan([held[0]!], [self], 40);
  },
);

/** A thousand calls of 100 kB to a process that is killed; nobody refers to any of it afterwards. */
async function callsOfTheKilled(t: LeakCheck, client: Messenger): Promise<void> {
  const { child, endpoint } = await start(t, { maxPeerBytes: 2 ** 28 });
  const to = await client.connect(endpoint);
  await client.unary("echo", { to, rawPayload: new Uint8Array(100_000) });
  const calls = Array.from(
    { length: 1_000 },
    () =>
      client.unary("hold", { to, rawPayload: new Uint8Array(100_000) }).then(
        () => assert.fail("a call succeeded that nobody answers"),
        ({ code, ran }: { code: string; ran: string }) => ({ code, ran }),
      ),
  );
  await until(() => client.stats().calls.pending === 1_000);
  const began = performance.now();
  child.signal("SIGKILL");
  const ended = await within(Promise.all(calls), 5_000, "the calls to end");
  const took = performance.now() - began;
  // A second, and more on a machine with much to do; by heartbeats alone it would be noticed after four.
  assert.ok(took < 3_000, `it took ${took} ms`);
  assert.ok(ended.every(({ code }) => code === "PEER_DISCONNECTED"));
  assert.ok(ended.every(({ ran }) => ran === "no" || ran === "maybe"));
  const { calls: left, transport } = client.stats();
  assert.deepEqual([left.pending, transport.queuedMessages, transport.queuedBytes], [0, 0, 0]);
}

const senders = longRun ? 50 : 8;
test(
  `${senders} connections that send while JavaScript is busy fill no more than highWaterMark messages each, and that is free again`,
  { skip },
  async () => {
    await using t = await leakCheck();
    const highWaterMark = 10;
    const { child, endpoint } = await start(t, { highWaterMark });
    const client = await t.messenger();
    const to = await client.connect(endpoint);
    const context = await rawContext(t);
    const id = idOf(newInstanceId(), 0);
    const frames = request("nobody has this", id, new Uint8Array(65_536), ResponseKind.fire);
    const sockets = Array.from({ length: senders }, () => {
      const socket = context.socket("DEALER").set("LINGER", 0).set("SNDHWM", 1).set("SNDBUF", 65_536);
      socket.connect(endpoint);
      return socket;
    });
    // Who has a connection is known before JavaScript stands still.
    for (const socket of sockets) await until(() => socket.send(frames));
    const before = await least(looked(child));
    const file = `${temporaryFolder(t, "busy")}/enough`;
    child.write(`block 10 ${file}\n`);
    await child.waitForLine("blocking");
    // What each would send is 25 MiB.
    const sent = sockets.map(() => 0);
    let idle = 0;
    await until(() => {
      idle++;
      for (const [i, socket] of sockets.entries()) {
        for (; sent[i]! < 400 && socket.send(frames); idle = 0) sent[i]!++;
      }
      return idle > 100;
    }, { intervalMs: 1, timeoutMs: 20_000 });
    const busy = await vitals(child.pid);
    writeFileSync(file, "");
    console.log(`# ${sent} messages; ${before.residentMiB} → ${busy.residentMiB} MiB`);
    assert.ok(sent.every((count) => count > highWaterMark && count < 400), `${sent} messages`);
    // The messages themselves, as much again for what libzmq reads at once, and what the runtime takes for itself.
    const most = before.residentMiB + (senders * highWaterMark * 2) / 16 + 16;
    assert.ok(busy.residentMiB < most, `${before.residentMiB} MiB before, ${busy.residentMiB} meanwhile`);
    assert.equal((await client.unary("echo", { to, rawPayload: new Uint8Array(3) })).length, 3);
    await noMoreThan([before], [looked(child)], 24);
  },
);

const minutes = longRun ? 8 : 0.015;
test(
  `traffic of every kind for ${minutes} minutes ends as it should, and memory stops growing`,
  { skip },
  async () => {
    await using t = await leakCheck();
    const { child: server, endpoint } = await start(t);
    const client = startRole(t, ["mix", endpoint]);
    await client.waitForLine("ready");
    const began = performance.now();
    const processes = { server, client };
    const seen: { minute: number; residents: number[] }[] = [];
    for (let minute = 0; minute < minutes;) {
      await pause(longRun ? 5_000 : 500);
      minute = (performance.now() - began) / 60_000;
      const both = await Promise.all(Object.values(processes).map(({ pid }) => vitals(pid)));
      seen.push({ minute, residents: both.map(({ residentMiB }) => residentMiB) });
    }
    client.write("stop\n");
    const [, done, wrong] = (await client.waitForLine("mixed", 30_000)).split(" ", 3);
    assert.equal(wrong, "[]");
    console.log(`# ${done} calls`);
    const late = seen.filter(({ minute }) => minute > 3);
    for (const [i, name] of Object.keys(processes).entries()) {
      const [first, last] = [seen[0]!, seen.at(-1)!].map(({ residents }) => residents[i]!.toFixed(0));
      console.log(`# ${name}: ${first} MiB, then ${last} MiB`);
      if (!longRun) continue;
      const slope = slopeOf(late.map(({ minute, residents }) => [minute, residents[i]!]));
      console.log(`# ${name}: slope after the third minute ${slope.toFixed(2)} MiB a minute`);
      assert.ok(slope < 1, `the memory of the ${name} grows by ${slope} MiB a minute`);
    }
  },
);

/** The slope of the line nearest to these points. */
function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (of: 0 | 1): number => points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const [x0, y0] = [mean(0), mean(1)];
  const over = points.reduce((sum, [x, y]) => sum + (x - x0) * (y - y0), 0);
  return over / points.reduce((sum, [x]) => sum + (x - x0) ** 2, 0);
}
