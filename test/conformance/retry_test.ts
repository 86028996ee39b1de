/** Calls that are sent again, because their caller asked for it or because an instance of a service gave them back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StaticDiscovery } from "../../src/discovery/mod.ts";
import { contract, type InstanceId, type Messenger, service, unaryHandler } from "../../src/mod.ts";
import { z } from "zod";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { bytes, fails, gate, pair, text, thrown } from "./messenger_kit.ts";

const often = { attempts: 200, backoffMs: 5 };

/** A server with room for two calls, which calls of its own take until the gate opens. */
async function full(t: LeakCheck): Promise<{
  server: Messenger;
  client: Messenger;
  peer: InstanceId;
  free: () => void;
  runs: () => number;
}> {
  const { server, client, peer } = await pair(t);
  const held = gate(t);
  let runs = 0;
  server.registerHandler(unaryHandler("work", async ({ payload }) => {
    runs++;
    if (text(payload) === "hold") await held.opened;
    return payload;
  }, { concurrency: 1, maxQueued: 1 }));
  // One runs, and one waits for its turn.
  for (let i = 0; i < 2; i++) {
    server.unary("work", { to: server.instanceId, rawPayload: bytes("hold") }).catch(() => {});
  }
  await until(() => server.stats().handlers.queued === 1);
  return { server, client, peer, free: held.open, runs: () => runs };
}

test("a call that was refused is sent once, unless its caller asks for more", async () => {
  await using t = await leakCheck();
  const { client, peer, free, runs } = await full(t);
  await fails(client.unary("work", { to: peer }), { code: "OVERLOADED", ran: "no" });
  assert.equal(client.stats().calls.repeated, 0);
  const call = client.unary("work", { to: peer, rawPayload: bytes("later"), retry: often });
  await until(() => client.stats().calls.repeated >= 3);
  free();
  assert.equal(text(await call), "later");
  assert.equal(runs(), 3);
});

test("a client and a messenger can be told once for all their calls", async () => {
  await using t = await leakCheck();
  const { server, peer, free } = await full(t);
  const work = contract("work", { input: z.string(), output: z.string() });
  const patient = await t.messenger({ retry: often });
  const other = await t.messenger();
  await patient.connect(server.endpoint);
  await other.connect(server.endpoint);
  const calls = [
    patient.typedUnary(work, { to: peer, payload: "a" }),
    patient.amSync(contract("work", { input: z.string() }), { to: peer, payload: "b" }).catch(({ code }) =>
      code
    ),
    other.client({ work }, { to: peer, retry: often }).work("c"),
  ];
  await until(() => patient.stats().calls.repeated >= 4 && other.stats().calls.repeated >= 2);
  free();
  assert.deepEqual(await Promise.all(calls), ["a", "HANDLER_NOT_FOUND", "c"]);
});

test("a call is sent as often as it says, and then ends with its last error", async () => {
  await using t = await leakCheck();
  const { client, peer } = await full(t);
  await fails(client.unary("work", { to: peer, retry: { attempts: 3, backoffMs: 1 } }), {
    code: "OVERLOADED",
  });
  assert.equal(client.stats().calls.repeated, 2);
});

test("attempts end with the deadline, with the caller's signal and with the messenger", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await full(t);
  const retry = { attempts: 1_000, backoffMs: 20 };
  // The pause before the second attempt would be longer than the call may take.
  const long = { attempts: 1_000, backoffMs: 120_000 };
  await fails(client.unary("work", { to: peer, retry: long, timeoutMs: 60_000 }), {
    code: "OVERLOADED",
    ran: "no",
  });
  assert.equal(client.stats().calls.repeated, 0);
  // On a busy machine the deadline may come while the last attempt is under way.
  const ended = client.unary("work", { to: peer, retry, timeoutMs: 300 });
  assert.match(await ended.then(() => "done", ({ code }) => code), /^(OVERLOADED|TIMEOUT)$/);
  const giveUp = new AbortController();
  const given = client.unary("work", { to: peer, retry, signal: giveUp.signal });
  given.catch(() => {});
  await until(() => client.stats().calls.pending >= 1);
  giveUp.abort("changed my mind");
  assert.equal(await given.catch((reason) => reason), "changed my mind");
  // Its earlier messages are refused before this call is answered.
  await client.healthCheck(peer);
  const { refused } = server.stats().handlers;
  const closed = client.unary("work", {
    to: peer,
    retry: { attempts: 5, backoffMs: 60_000 },
    timeoutMs: 600_000,
  });
  closed.catch(() => {});
  await until(() => server.stats().handlers.refused > refused);
  // The refusal arrives before this answer.
  await client.healthCheck(peer);
  await client.close();
  await fails(closed, { code: "CLOSED", ran: "no" });
});

test("a call that would fail again is not retried, and one that may have run only where that is allowed", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  let runs = 0;
  server.registerHandler(unaryHandler("fails", () => {
    runs++;
    throw new Error("as ever");
  }));
  await fails(client.unary("fails", { to: peer, retry: often }), { code: "HANDLER_FAILED", ran: "yes" });
  await fails(client.unary("nobody", { to: peer, retry: often }), { code: "HANDLER_NOT_FOUND" });
  assert.equal(runs, 1);
  assert.equal(client.stats().calls.repeated, 0);
});

test("a call that may have run is sent again only where its caller allows that", async () => {
  await using t = await leakCheck();
  const discovery = new StaticDiscovery();
  const [a, b] = [
    await t.messenger({ discovery, services: ["work"] }),
    await t.messenger({ discovery, services: ["work"] }),
  ];
  const began: Messenger[] = [];
  const held = gate(t);
  for (const one of [a, b]) {
    one.registerHandler(unaryHandler("work", () => {
      began.push(one);
      return held.opened.then(() => bytes("late"));
    }));
    await one.announce();
  }
  const client = await t.messenger({ discovery });
  const to = service("work");
  const retry = { attempts: 5, backoffMs: 1 };
  const once = client.unary("work", { to, retry });
  once.catch(() => {});
  await until(() => began.length === 1);
  const twice = client.unary("work", { to, retry: { ...retry, ran: "maybe" } });
  await until(() => began.length === 2);
  // Both were begun, each at an instance of its own; these are gone without a word.
  await Promise.all([
    a.close({ timeoutMs: 0 }),
    (async () => {
      const c = await t.messenger({ discovery, services: ["work"] });
      c.registerHandler(unaryHandler("work", () => bytes("done")));
      await c.announce();
      await b.close({ timeoutMs: 0 });
    })(),
  ]);
  await fails(once, { code: "PEER_DRAINING", ran: "maybe" });
  assert.equal(text(await twice), "done");
});

test("a retried call to a service goes to an instance that has not failed it, whatever the balance", async () => {
  await using t = await leakCheck();
  const discovery = new StaticDiscovery();
  const held = gate(t);
  const instances = await Promise.all([1, 2, 3].map(() => t.messenger({ discovery, services: ["work"] })));
  for (const [index, one] of instances.entries()) {
    const last = index === 2;
    one.registerHandler(
      unaryHandler("work", () => last ? bytes("done") : held.opened.then(() => bytes("late")), {
        concurrency: 1,
        maxQueued: last ? 100 : 1,
      }),
    );
    await one.announce();
    // One runs, and one waits for its turn: there is no room for more.
    for (let i = 0; i < 2 && !last; i++) one.unary("work", { to: one.instanceId }).catch(() => {});
  }
  await until(() => instances.every((one, index) => index === 2 || one.stats().handlers.queued === 1));
  const client = await t.messenger({ discovery });
  for (const { endpoint } of instances) await client.connect(endpoint);
  const to = service("work", { balance: "random" });
  const retry = { attempts: 3, backoffMs: 1 };
  await Promise.all(Array.from({ length: 4 }, async () => {
    for (let i = 0; i < 10; i++) assert.equal(text(await client.unary("work", { to, retry })), "done");
  }));
  held.open();
  await until(() => instances.every((one) => one.stats().handlers.running === 0));
});

test("a call to a service that an instance gave back goes to another one, without retry", async () => {
  await using t = await leakCheck();
  const discovery = new StaticDiscovery();
  const instances = await Promise.all([1, 2].map(() => t.messenger({ discovery, services: ["work"] })));
  const held = gate(t);
  const answers: InstanceId[] = [];
  for (const one of instances) {
    one.registerHandler(unaryHandler("work", async ({ payload }) => {
      if (text(payload) === "hold") await held.opened;
      answers.push(one.instanceId);
      return payload;
    }));
    await one.announce();
  }
  const client = await t.messenger({ discovery });
  const to = service("work");
  await Promise.all([1, 2, 3, 4].map(() => client.unary("work", { to })));
  assert.equal(new Set(answers).size, 2);
  // One drains: what comes to it is given back, since discovery in this test says nothing of its leave.
  const [leaving, staying] = instances as [Messenger, Messenger];
  const holding = client.unary("work", { to: leaving.instanceId, rawPayload: bytes("hold") });
  await until(() => leaving.stats().handlers.running === 1);
  const closing = leaving.close();
  answers.length = 0;
  await Promise.all(Array.from({ length: 20 }, () => client.unary("work", { to, timeoutMs: 5_000 })));
  assert.deepEqual([...new Set(answers)], [staying.instanceId]);
  held.open();
  assert.equal(text(await holding), "hold");
  await closing;
});

test("wrong retry options are refused where they are given", async () => {
  await using t = await leakCheck();
  const { client, peer } = await pair(t);
  for (
    const [retry, expected] of [
      [{ attempts: 0 }, /retry\.attempts must be an integer between 1 and/],
      [{ attempts: "3" }, /retry\.attempts must be an integer/],
      [{ backoffMs: -1 }, /retry\.backoffMs must be a number of milliseconds, 0 or more, got -1/],
      [{ ran: "yes" }, /retry\.ran must be "no" or "maybe", got "yes"/],
      [{ attempt: 3 }, /attempt/],
      [3, /retry must be an object/],
    ] as const
  ) {
    await assert.rejects(client.unary("work", { to: peer, retry: retry as never }), expected);
    await assert.rejects(t.messenger({ retry: retry as never }), expected);
  }
  assert.ok(thrown(() => service("")) instanceof TypeError);
});
