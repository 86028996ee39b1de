/** Tests that an error names the caller's own time, or the option from which the time comes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { type PeerDiscovery, StaticDiscovery } from "../../src/discovery/mod.ts";
import { amHandler, contract, type Messenger, service, unaryHandler } from "../../src/mod.ts";
import { peerInfoOf } from "../../src/wire/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { pause, until, within } from "../support/until.ts";
import { lead, work } from "./cohort_kit.ts";
import { fails, gate, pair } from "./messenger_kit.ts";

// Enough to show in a text, whose numbers are whole milliseconds.
const usedUpMs = 40;

/** An instance that offers the service, whose only place is taken. */
async function busyWorker(t: LeakCheck, discovery: StaticDiscovery, held: Promise<void>): Promise<Messenger> {
  const one = await t.messenger({ discovery, services: ["work"] });
  one.registerHandler(unaryHandler("work", () => held.then(() => null), { concurrency: 1 }));
  await one.announce();
  one.unary("work", { to: one.instanceId }).catch(() => {});
  await until(() => one.stats().handlers.running === 1);
  return one;
}

test("a call that one instance of a service gave back, and no other answered, names its own time", async () => {
  await using t = await leakCheck();
  const discovery = new StaticDiscovery();
  const held = gate(t);
  const workers = [
    await busyWorker(t, discovery, held.opened),
    await busyWorker(t, discovery, held.opened),
  ];
  const client = await t.messenger({ discovery });
  const call = client.unary("work", { to: service("work"), timeoutMs: 600 });
  call.catch(() => {});
  const first = await until(() => workers.find((one) => one.stats().handlers.queued === 1));
  await pause(usedUpMs);
  const closing = first.close({ timeoutMs: 2_000 });
  const other = workers.find((one) => one !== first)!.instanceId;
  await fails(call, {
    code: "TIMEOUT",
    message: `Call of "work" on peer ${other} got no answer within 600 ms`,
  });
  assert.equal(client.stats().calls.repeated, 1);
  held.open();
  await closing;
});

test("a call that found no further instance names its own time", async () => {
  await using t = await leakCheck();
  const discovery = new StaticDiscovery();
  const held = gate(t);
  const only = await busyWorker(t, discovery, held.opened);
  const client = await t.messenger({ discovery });
  const call = client.unary("work", { to: service("work"), timeoutMs: 600 });
  call.catch(() => {});
  await until(() => only.stats().handlers.queued === 1);
  await pause(usedUpMs);
  const closing = only.close({ timeoutMs: 2_000 });
  await fails(call, { code: "TIMEOUT", message: /^Cannot call service "work" within 600 ms: / });
  held.open();
  await closing;
});

test("a call that is sent again names its own time, and the one before it is given that, too", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const held = [gate(t), gate(t)];
  let runs = 0;
  server.registerHandler(
    unaryHandler("work", () => held[runs++ < 2 ? 0 : 1]!.opened.then(() => null), {
      concurrency: 1,
      maxQueued: 1,
    }),
  );
  const own = [1, 2].map(() => server.unary("work", { to: server.instanceId }));
  await until(() => server.stats().handlers.queued === 1);
  const retry = { attempts: 2, backoffMs: usedUpMs };
  const call = client.unary("work", { to: peer, timeoutMs: 600, retry });
  call.catch(() => {});
  await until(() => server.stats().handlers.overloaded === 1);
  held[0]!.open();
  await Promise.all(own);
  await fails(call, { code: "TIMEOUT", message: /got no answer within 600 ms$/, ran: "maybe" });
  assert.equal(runs, 3);
});

test("a call whose input was checked for a while names its own time", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const held = gate(t);
  server.registerHandler(unaryHandler("slow", () => held.opened.then(() => null)));
  const slow = contract("slow", {
    input: z.string().refine(async () => {
      await pause(usedUpMs);
      return true;
    }),
    output: z.string(),
  });
  await fails(client.typedUnary(slow, { to: peer, payload: "x", timeoutMs: 300 }), {
    code: "TIMEOUT",
    message: /got no answer within 300 ms$/,
  });
});

test("the error of a cohort's collective at a worker names the collective's own time", async () => {
  await using t = await leakCheck();
  const led = await lead(t, { size: 1, lostAfterMs: 5_000 });
  const held = gate(t);
  await work(t, led, {}, (worker) => {
    worker.registerHandler(unaryHandler("hold", () => held.opened.then(() => null)));
    worker.registerHandler(amHandler("silent", () => {}));
  });
  const { cohort } = led;
  const message = (failed: Promise<unknown>) =>
    failed.then(() => assert.fail("it succeeded"), (error: AggregateError) => error.errors[0].message);
  const timeoutMs = 200;
  // A busy worker may be late with its "no".
  assert.match(
    await message(cohort.awaitHandlerOnAllWorkers("never", { timeoutMs })),
    /(has no handler "never" after|got no answer within) 200 ms$/,
  );
  const results = await cohort.map("hold", () => pause(usedUpMs), { timeoutMs });
  assert.match(results.failures[0]!.error.message, /got no answer within 200 ms$/);
  const acks = await cohort.sync("silent", { ack: "handler", payload: {}, timeoutMs });
  assert.match(acks.failures[0]!.error.message, /^ACK \S+ did not come from \S+ within 200 ms$/);
  held.open();
});

test("an event whose owner had to be found first names the awaiter's own time", async () => {
  await using t = await leakCheck();
  const owner = await t.messenger();
  const discovery: PeerDiscovery = {
    discoverByInstanceId: () => Promise.resolve(null),
    discoverByWorkerId: async () => {
      await pause(usedUpMs);
      return peerInfoOf(owner.instanceId, owner.endpoints);
    },
  };
  const other = await t.messenger({ discovery });
  const { handle } = owner.events.newEvent();
  await fails(other.events.awaiter(handle, { timeoutMs: 300 }), {
    code: "TIMEOUT",
    message: `Event ${handle} did not complete within 300 ms`,
  });
});

test("an error names the option that limits the time of dialling, if it is not the caller's", async () => {
  await using t = await leakCheck();
  const gone = await t.messenger();
  const info = peerInfoOf(gone.instanceId, gone.endpoints);
  const discovery = new StaticDiscovery();
  await discovery.registerPeer(info);
  await discovery.registerService("work", info.instanceId);
  await gone.close();
  const client = await t.messenger({ connectTimeoutMs: 100, discovery });
  await fails(client.unary("x", { to: client.registerPeer(gone.peerInfo()), timeoutMs: 5_000 }), {
    code: "PEER_UNREACHABLE",
    message:
      /^Cannot reach .* within 100 ms \(connectTimeoutMs\): .*no process answers there; check that it runs, and at this address$/,
  });
  await fails(client.unary("x", { to: service("work"), timeoutMs: 5_000 }), {
    code: "PEER_UNREACHABLE",
    message:
      /^Cannot call service "work" within 100 ms \(connectTimeoutMs\): none of its instances \(1\) can be called now/,
  });
  const connecting = client.connect(gone.endpoint, { timeoutMs: 150 });
  await within(fails(connecting, { message: /^Cannot reach \S+ within 150 ms: / }), 2_000);
});
