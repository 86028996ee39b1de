/** A group of contracts is registered with its functions at once, or not at all. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, type ContractHandlers, type Messenger, semaphore, unaryHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { counts, fails, gate, pair, thrown } from "./messenger_kit.ts";

const add = contract("math.add", {
  input: z.object({ a: z.number(), b: z.number() }),
  output: z.number(),
  errors: { TOO_LARGE: z.object({ most: z.number() }) },
});
const log = contract("log", { input: z.string() });
/** A module as `import * as` gives it, with contracts and other exports. */
const contracts = { add, log, version: 1, helper: () => {} };

/** Gives a value a type that it does not have. */
const untyped = (value: unknown) => value as never;

/** The names of the user's handlers. */
function names(messenger: Messenger): string[] {
  return Object.keys(messenger.stats().handlers.byHandler).sort();
}

test("serve() registers a function for each contract, and disposing its result unregisters them all", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const seen: string[] = [];
  const served = server.serve(contracts, {
    add: ({ input, fail }) => {
      if (input.a > 9) throw fail("TOO_LARGE", { most: 9 });
      return input.a + input.b;
    },
    log: ({ input }) => void seen.push(input),
  });
  assert.deepEqual(names(server), ["log", "math.add"]);
  const remote = client.client(contracts, { to: peer });
  assert.equal(await remote.add({ a: 3, b: 4 }), 7);
  await remote.log("here");
  await remote.log.send("there");
  await until(() => seen.length === 2);
  await fails(remote.add({ a: 10, b: 1 }), { code: "TOO_LARGE", details: { most: 9 } });
  await fails(remote.add(untyped({ a: 1 })), { code: "PAYLOAD_INVALID" });
  served[Symbol.dispose]();
  served[Symbol.dispose]();
  assert.deepEqual(names(server), []);
  await fails(remote.add({ a: 3, b: 4 }), { code: "HANDLER_NOT_FOUND", ran: "no" });
});

test("serve() registers nothing when one of its contracts cannot be registered", async () => {
  await using t = await leakCheck();
  const full = await t.messenger();
  const own = (await full.availableHandlers(full.instanceId)).length;
  const messenger = await t.messenger({ maxHandlers: own + 2 });
  const controller = new AbortController();
  const changes: unknown[] = [];
  const watching = (async () => {
    for await (const change of messenger.status({ signal: controller.signal })) changes.push(change);
  })().catch(() => {});
  const functions: ContractHandlers<typeof contracts> = { add: () => 1, log: () => {} };
  const taken = messenger.registerHandler(unaryHandler("log", () => {}));
  assert.equal(thrown(() => messenger.serve(contracts, functions)).code, "HANDLER_EXISTS");
  assert.deepEqual(names(messenger), ["log"]);
  messenger.serve(contracts, functions, { replace: true })[Symbol.dispose]();
  taken[Symbol.dispose]();
  messenger.registerHandler(unaryHandler("other", () => {}));
  assert.equal(thrown(() => messenger.serve(contracts, functions)).code, "LIMIT_REACHED");
  assert.deepEqual(names(messenger), ["other"]);
  assert.match(
    thrown(() => messenger.serve({ add, plus: add }, { add: () => 1, plus: () => 2 })).message,
    /^Cannot serve: the contracts "add" and "plus" have the same name, "math.add"$/,
  );
  await until(() => changes.length >= 6);
  assert.deepEqual(changes, [
    { type: "handlerRegistered", handler: "log" },
    { type: "handlerRegistered", handler: "math.add" },
    { type: "handlerReplaced", handler: "log" },
    { type: "handlerUnregistered", handler: "math.add" },
    { type: "handlerUnregistered", handler: "log" },
    { type: "handlerRegistered", handler: "other" },
  ]);
  controller.abort();
  await watching;
  await messenger.close();
  const closed = thrown(() => messenger.serve(contracts, functions));
  assert.equal(closed.code, "CLOSED");
  assert.match(closed.message, /"math.add", "log"/);
});

test("a function that is missing, and one for no contract, are a TypeError that says which was meant", async () => {
  await using t = await leakCheck();
  const messenger = await t.messenger();
  const run = (): void => {};
  const wrong: readonly (readonly [contracts: unknown, functions: unknown, message: RegExp])[] = [
    [contracts, { add: run }, /^Cannot serve: there must be a function "log", got undefined$/],
    [contracts, { add: run, log: 1 }, /there must be a function "log", got 1$/],
    [
      contracts,
      { add: run, logg: run },
      /there is no contract "logg", did you mean "log"\? \(there are add, log\)$/,
    ],
    [contracts, { add: run, log: run, helper: run }, /there is no contract "helper"/],
    [contracts, { add: run, log: run, toString: run }, /there is no contract "toString"/],
    [contracts, undefined, /the functions must be an object with one for each contract, got undefined$/],
    [{ version: 1 }, {}, /none of "version" is a contract$/],
    [null, {}, /the contracts must be an object that holds them, got null$/],
  ];
  for (const [group, functions, message] of wrong) {
    const error = thrown(() => messenger.serve(untyped(group), untyped(functions)));
    assert.ok(error instanceof TypeError, error.message);
    assert.match(error.message, message);
  }
  assert.deepEqual(names(messenger), []);
});

test("the functions may be the methods of an object of a class, which has other things as well", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  class Adder {
    #calls = 0;
    readonly offset = 100;
    add({ input }: { input: { a: number; b: number } }): number {
      return input.a + input.b + this.offset + ++this.#calls;
    }
  }
  server.serve({ add }, new Adder());
  const remote = client.client({ add }, { to: peer });
  assert.deepEqual([await remote.add({ a: 1, b: 1 }), await remote.add({ a: 1, b: 1 })], [103, 104]);
});

test("options of serve() are those of each of its handlers", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { opened, open } = gate(t);
  const ping = contract("ping", { input: z.void(), output: z.void() });
  const pong = contract("pong", { input: z.void(), output: z.void() });
  const limits = [semaphore(3)];
  server.serve({ ping, pong }, { ping: () => opened, pong: () => opened }, { concurrency: 2, limits });
  const remote = client.client({ ping, pong }, { to: peer });
  const calls = [1, 2, 3].flatMap(() => [remote.ping(), remote.pong()]);
  await until(() => counts(server, "ping").issued === 3 && counts(server, "pong").issued === 3);
  // Two of each could run, and three of both.
  assert.equal(counts(server, "ping").inFlight, 2);
  assert.equal(counts(server, "pong").inFlight, 1);
  open();
  await Promise.all(calls);
});

test("unregisterHandler() says whether there was one", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { opened, open } = gate(t);
  const first = server.handle(log, () => opened);
  const call = client.amSync(log, { to: peer, payload: "here" });
  await until(() => counts(server, "log").inFlight === 1);
  assert.equal(server.unregisterHandler("log"), true);
  assert.equal(server.unregisterHandler("log"), false);
  await fails(client.amSync(log, { to: peer, payload: "there" }), { code: "HANDLER_NOT_FOUND" });
  // The instance finishes the calls that it has begun.
  open();
  await call;
  const second = server.handle(log, () => {});
  first[Symbol.dispose]();
  await client.amSync(log, { to: peer, payload: "here" });
  second[Symbol.dispose]();
  assert.equal(server.unregisterHandler("log"), false);
  for (const name of ["_hello", ""]) {
    assert.equal(thrown(() => server.unregisterHandler(name)).code, "NAME_INVALID");
  }
  assert.ok(thrown(() => server.unregisterHandler(untyped(1))) instanceof TypeError);
  assert.ok((await client.availableHandlers(peer)).includes("_hello"));
});
