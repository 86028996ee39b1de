/** Tests that handlers of features with the admission of users have the limits of users' handlers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Messenger, MessengerOptions } from "../../src/mod.ts";
import { portOf, type SystemHandlerOptions } from "../../src/messenger/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { Kind, PlainVelo, requestHeader } from "../support/plain_velo.ts";
import { until } from "../support/until.ts";
import { bytes, fails, gate, pair, text } from "./messenger_kit.ts";

const small: MessengerOptions = { maxCreditMessages: 4 };
const name = "_work";
const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => String(from + i));

/** Makes a server with a handler `_work` that answers once `hold` opens, and a client whose feature sends to it. */
async function held(
  t: LeakCheck,
  options: { server?: MessengerOptions; client?: MessengerOptions; handler?: SystemHandlerOptions } = {},
) {
  const both = await pair(t, { server: small, ...options });
  const [at, from] = [portOf(both.server)!, portOf(both.client)!];
  const hold = gate(t);
  const seen: string[] = [];
  const run = async ({ lentPayload }: { readonly lentPayload: Uint8Array }): Promise<void> => {
    seen.push(text(lentPayload));
    await hold.opened;
  };
  const handler = at.handle(name, "am", run, options.handler ?? { admission: "user" });
  const send = (what: string) => from.amSend(name, both.peer, bytes(what), {});
  return { ...both, at, from, hold, seen, handler, send };
}

/** Checks that a user's handler that is held begins as many messages as the window has. */
async function usersWindow(t: LeakCheck, { server, client, peer }: Awaited<ReturnType<typeof held>>) {
  const hold = gate(t);
  let begun = 0;
  server.registerHandler({ name: "users", handle: () => (begun++, hold.opened) });
  for (let i = 0; i < 10; i++) void client.amSend("users", { to: peer });
  await until(() => client.stats().credit.waiting === 6);
  await client.unary("nothing", { to: peer }).catch(() => {});
  assert.equal(begun, 4);
  hold.open();
  await until(() => begun === 10);
  assert.equal(client.stats().credit.ignored, 0);
}

test("messages that flood it wait for credit at their sender, and run in order", async () => {
  await using t = await leakCheck();
  const { server, client, hold, seen, send } = await held(t);
  const sends = numbers(0, 100).map(send);
  await until(() => seen.length === 4);
  assert.equal(client.stats().credit.waiting, 96);
  assert.equal(server.stats().handlers.heldMessages, 4);
  hold.open();
  await Promise.all(sends);
  await until(() => seen.length === 100);
  assert.deepEqual(seen, numbers(0, 100));
  await until(() => server.stats().handlers.heldMessages === 0);
  assert.equal(client.stats().credit.ignored, 0);
  assert.deepEqual(server.stats().transport.drops, {});
  assert.equal(server.stats().handlers.byHandler[name], undefined, "users do not hear of it");
});

test("it takes the window that the handlers of users take, and messages to oneself take it, too", async () => {
  await using t = await leakCheck();
  const { client, server, peer, at, hold, seen, send } = await held(t);
  const sends = numbers(0, 3).map(send);
  let users = 0;
  server.registerHandler({ name: "users", handle: () => void users++ });
  await until(() => seen.length === 3);
  await client.amSend("users", { to: peer });
  await until(() => users === 1);
  sends.push(...numbers(3, 6).map(send));
  await until(() => client.stats().credit.waiting === 2);
  hold.open();
  await Promise.all(sends);
  await until(() => seen.length === 6);
  const own = numbers(6, 60).map((what) => at.amSend(name, server.instanceId, bytes(what), {}));
  await Promise.all(own);
  await until(() => seen.length === 60);
  assert.ok(server.stats().credit.waited > 0);
});

test("there is room for as many of its messages as for a user's, and calls beyond are OVERLOADED", async () => {
  await using t = await leakCheck();
  const server = { maxInFlightMessages: 16 };
  const { server: at, from, peer, hold, seen } = await held(t, { server });
  const calls = numbers(0, 30).map((what) => from.sync(name, peer, bytes(what), {}));
  const refused = calls.map((call) => call.then(() => null, (error: { code?: string }) => error.code));
  await until(() => seen.length + at.stats().handlers.overloaded === 30);
  assert.ok(seen.length >= 8 && seen.length < 16, `${seen.length} were taken`);
  hold.open();
  const ends = await Promise.all(refused);
  assert.equal(ends.filter((end) => end === "OVERLOADED").length, 30 - seen.length);
  assert.equal(ends.filter((end) => end === null).length, seen.length);
});

test("its messages wait in lanes: one after the other, in order, and readable when their turn comes", async () => {
  await using t = await leakCheck();
  const dispatch = { ordered: "sender" } as const;
  const { client, server, peer, from, hold, seen } = await held(t, {
    server: {},
    handler: { admission: "user", dispatch, maxQueued: 5 },
  });
  const calls = numbers(0, 6).map((what) => from.sync(name, peer, bytes(what), {}));
  await fails(from.sync(name, peer, bytes("no room"), {}), { code: "OVERLOADED" });
  assert.deepEqual(seen, ["0"]);
  hold.open();
  await Promise.all(calls);
  assert.deepEqual(seen, numbers(0, 6));
  // The handler has a limit of its own beside those of the messenger.
  assert.equal(server.stats().handlers.overloaded, 1);
  assert.equal(client.stats().handlers.overloaded, 0);
});

test("a handler without the option runs whatever comes, at once and beside all limits", async () => {
  await using t = await leakCheck();
  const { client, server, from, peer, hold, seen } = await held(t, {
    server: { ...small, maxInFlightMessages: 4, concurrency: 1 },
    handler: {},
  });
  const name = new TextEncoder().encode("_work");
  for (const what of numbers(0, 50)) assert.equal(from.notify(name, peer, bytes(what)), true);
  await until(() => seen.length === 50);
  assert.equal(server.stats().handlers.heldMessages, 0);
  assert.equal(client.stats().credit.waited, 0);
  hold.open();
});

test("messages for a handler that is gone, or that never gives credit back, cost their sender no window", async () => {
  await using t = await leakCheck();
  const all = await held(t);
  all.handler[Symbol.dispose]();
  for (const what of numbers(0, 50)) await all.send(what);
  await until(() => all.server.stats().handlers.refused === 50);
  all.hold.open();
  all.at.handle(name, "am", ({ lentPayload }) => void all.seen.push(text(lentPayload)));
  for (const what of numbers(0, 50)) await all.send(what);
  await until(() => all.seen.length === 50);
  await usersWindow(t, all);
});

for (const side of ["client", "server"] as const) {
  test(`without the feature at the ${side} its messages need no credit, and give none back`, async () => {
    await using t = await leakCheck();
    const off: MessengerOptions = { features: { admission: false } };
    const all = await held(t, {
      client: side === "client" ? off : {},
      server: side === "server" ? { ...small, ...off } : small,
    });
    for (const what of numbers(0, 50)) await all.send(what);
    await until(() => all.seen.length === 50);
    assert.equal(all.client.stats().credit.waited, 0);
    all.hold.open();
    await until(() => all.server.stats().handlers.heldMessages === 0);
    await usersWindow(t, all);
  });
}

test("plain Velo sends and gets such messages as it does others", async () => {
  await using t = await leakCheck();
  const plain = await PlainVelo.open(t);
  const server: Messenger = await t.messenger(small);
  const at = portOf(server)!;
  const seen: string[] = [];
  at.handle(name, "am", ({ lentPayload }) => void seen.push(text(lentPayload)), { admission: "user" });
  for (const what of numbers(0, 20)) {
    plain.send(server.endpoint, 0, requestHeader(Kind.fire, plain.nextId(), name), bytes(what));
  }
  await until(() => seen.length === 20);
  assert.deepEqual(seen, numbers(0, 20));
  const to = server.registerPeer(plain.peerInfo());
  const sent = at.amSend(name, to, bytes("to plain"), {});
  await plain.answerHello(server);
  await sent;
  const { request, payload } = await plain.nextRequest(name);
  assert.deepEqual([request.kind, text(payload)], [Kind.fire, "to plain"]);
});
