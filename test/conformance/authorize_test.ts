/** Tests of `authorize` of a messenger and of a handler, which is asked before a payload is read. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { z } from "zod";
import {
  amHandler,
  type Authorize,
  type CallToAuthorize,
  contract,
  curveKeyPair,
  type HandlerOptions,
  type Messenger,
  type StandardSchema,
  typedUnaryHandler,
  unaryHandler,
  ZeromeshError,
} from "../../src/mod.ts";
import { portOf } from "../../src/messenger/mod.ts";
import { noCurve } from "../support/curve.ts";
import { leakCheck } from "../support/fixture.ts";
import { Kind, PlainVelo } from "../support/plain_velo.ts";
import { until } from "../support/until.ts";
import { balanced, bytes, counts, fails, gate, keptLog, pair, text, thrown } from "./messenger_kit.ts";

const double = contract("double", { input: z.number(), output: z.number() });
const note = contract("note", { input: z.string() });

type Seen = Omit<CallToAuthorize, "subject">;

/** Copies the facts about a call that `authorize` gets. */
function seenOf(call: CallToAuthorize): Seen {
  const { handlerName, senderInstanceId, peerKey, headers, address } = call;
  return { handlerName, senderInstanceId, peerKey, headers, address };
}

/** Gives a value a type that it does not have. */
const untyped = (value: unknown) => value as never;

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

test("authorize sees caller, handler, address and headers, and true admits the message", async () => {
  await using t = await leakCheck();
  const seen: Seen[] = [];
  const authorize: Authorize = (call) => {
    seen.push(seenOf(call));
    return true;
  };
  const { server, client, peer } = await pair(t, { server: { authorize } });
  const notes: string[] = [];
  server.handle(double, ({ input }) => 2 * input, { dispatch: "inline" });
  server.handle(note, ({ input }) => void notes.push(input));
  assert.equal(await client.typedUnary(double, { to: peer, payload: 2, headers: { token: "t" } }), 4);
  await client.amSend(note, { to: peer, payload: "over TCP" });
  await until(() => notes.length === 1);
  assert.equal(await server.typedUnary(double, { to: server.instanceId, payload: 1 }), 2);
  const from = { senderInstanceId: client.instanceId, peerKey: null, address: "127.0.0.1" };
  const headers = (of: Record<string, string>) => Object.assign(Object.create(null), of);
  assert.deepEqual(seen, [
    { handlerName: "double", ...from, headers: headers({ token: "t" }) },
    { handlerName: "note", ...from, headers: headers({}) },
    {
      handlerName: "double",
      senderInstanceId: server.instanceId,
      peerKey: null,
      headers: headers({}),
      address: null,
    },
  ]);
  // Over a connection that this side has dialled it is the address it has dialled.
  client.handle(double, ({ input }) => input, { authorize });
  await server.typedUnary(double, { to: client.instanceId, payload: 1 });
  const back = await t.messenger();
  back.handle(double, ({ input }) => input, { authorize });
  await back.connect(server.endpoint);
  await server.typedUnary(double, { to: back.instanceId, payload: 1 });
  assert.deepEqual(seen.slice(3).map(({ address }) => address), ["127.0.0.1", "127.0.0.1"]);
});

test("authorize is told ipc of a process of this host and user", {
  skip: process.platform !== "linux",
}, async () => {
  await using t = await leakCheck();
  const seen: (string | null)[] = [];
  const authorize: Authorize = ({ address }) => (seen.push(address), true);
  const server = await t.messenger({ authorize });
  const client = await t.messenger({ authorize });
  server.handle(double, ({ input }) => input);
  client.handle(double, ({ input }) => input);
  const peer = client.registerPeer(server.peerInfo());
  await client.typedUnary(double, { to: peer, payload: 1 });
  await server.typedUnary(double, { to: client.instanceId, payload: 1 });
  assert.deepEqual(seen, ["ipc", "ipc"]);
});

const refusing: Readonly<Record<string, { answer: () => unknown; reason?: RegExp; fault?: true }>> = {
  "false": { answer: () => false },
  "a promise of false": { answer: () => Promise.resolve(false) },
  "an error": {
    answer: () => new ZeromeshError("OVERLOADED", "only on Mondays"),
    reason: /only on Mondays$/,
  },
  "a promise of an error": {
    answer: () => Promise.resolve(new ZeromeshError("X", "only on Mondays")),
    reason: /only on Mondays$/,
  },
  "an error that is thrown": {
    answer: () => {
      throw new ZeromeshError("FORBIDDEN", "only on Mondays");
    },
    reason: /only on Mondays$/,
  },
  "a promise that rejects with an error": {
    answer: () => Promise.reject(new ZeromeshError("X", "only on Mondays")),
    reason: /only on Mondays$/,
  },
  "nothing": { answer: () => undefined, fault: true },
  "a number": { answer: () => 1, fault: true },
  "a text": { answer: () => "true", fault: true },
  "a promise of a number": { answer: () => Promise.resolve(1), fault: true },
  "somebody else's error": {
    answer: () => {
      throw new Error("secret");
    },
    fault: true,
  },
  "a promise that rejects": { answer: () => Promise.reject(new Error("secret")), fault: true },
  "what cannot be looked at": { answer: revoked, fault: true },
  "what cannot be looked at, thrown": {
    answer: () => {
      throw revoked();
    },
    fault: true,
  },
  "a promise that rejects with nothing": { answer: () => Promise.reject(undefined), fault: true },
};

for (const [what, { answer, reason, fault }] of Object.entries(refusing)) {
  test(`authorize that answers with ${what} lets nobody in`, async () => {
    await using t = await leakCheck();
    const { logger, lines } = keptLog();
    const { server, client, peer } = await pair(t, { server: { logger, authorize: untyped(answer) } });
    let validated = 0;
    const counting: StandardSchema<unknown, string> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) => (validated++, { value: String(value) }),
      },
    };
    let ran = 0;
    server.handle(double, ({ input }) => (ran++, input));
    server.registerHandler(amHandler("note", () => void ran++, { schema: counting }));
    server.registerHandler(unaryHandler("raw", () => (ran++, bytes("raw"))));
    const message = reason ?? /does not let this caller call it$/;
    const payload = "confidential";
    for (
      const call of [
        client.typedUnary(double, { to: peer, payload: 1 }),
        client.amSync("note", { to: peer, payload }),
        client.unary("raw", { to: peer, payload }),
      ]
    ) {
      const error = await fails(call, { code: "FORBIDDEN", ran: "no", peer, message });
      assert.doesNotMatch(error.message, /secret/);
    }
    await client.amSend("note", { to: peer, payload });
    await until(() => counts(server, "note").rejected === 2);
    assert.deepEqual(server.stats().transport.drops, { forbidden: 1 });
    assert.equal(counts(server, "note").dropped, 1);
    assert.equal(server.stats().handlers.refused, 4);
    for (const name of ["double", "note", "raw"]) balanced(counts(server, name));
    assert.equal(server.stats().faults.authorize, fault === true ? 4 : 0);
    assert.deepEqual([ran, validated, server.stats().handlers.heldMessages], [0, 0, 0]);
    // The first of each handler is logged at once, with why, and never with what was sent.
    const told = lines.filter((line) => line.message === "authorize did not let a message in");
    assert.deepEqual(told.map(({ fields }) => fields["handler"]), ["double", "note", "raw"]);
    for (const { fields } of told) {
      assert.equal(fields["peer"], client.instanceId);
      assert.equal(fields["address"], "127.0.0.1");
      assert.match(String(fields["reason"]), reason ?? /^it did not answer true$/);
    }
    assert.doesNotMatch(JSON.stringify(lines), /confidential/);
    assert.equal(lines.some((line) => line.message === "authorize failed"), fault === true);
  });
}

test("a forbidden sender gets FORBIDDEN and nothing else, whatever else is wrong with its message", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.handle(double, ({ input }) => input, { authorize: () => false });
  const wrong = contract("double", { input: z.string() });
  await fails(client.unary("double", { to: peer, payload: "x" }), { code: "FORBIDDEN" });
  await fails(client.amSync(wrong, { to: peer, payload: "x" }), { code: "FORBIDDEN" });
  await fails(client.unary("double", { to: peer, rawPayload: bytes("{") }), { code: "FORBIDDEN" });
});

test("the messenger's authorize and the handler's own must both agree, wherever it is given", async () => {
  await using t = await leakCheck();
  const asked: string[] = [];
  const authorize: Authorize = ({ handlerName, headers }) => {
    asked.push(`all ${handlerName}`);
    return headers["all"] === "yes";
  };
  const { server, client, peer } = await pair(t, { server: { authorize } });
  const own: Authorize = async ({ handlerName, headers }) => {
    await Promise.resolve();
    asked.push(`own ${handlerName}`);
    return headers["own"] === "yes";
  };
  const options: HandlerOptions = { authorize: own };
  const nothing = (): void => {};
  const made: Readonly<Record<string, (name: string) => Disposable>> = {
    handle: (name) => server.handle(contract(name, { input: z.undefined() }), nothing, options),
    serve: (name) =>
      server.serve({ one: contract(name, { input: z.undefined() }) }, { one: nothing }, options),
    amHandler: (name) => server.registerHandler(amHandler(name, nothing, options)),
    unaryHandler: (name) => server.registerHandler(unaryHandler(name, nothing, options)),
    typedUnaryHandler: (name) => {
      const one = contract(name, { input: z.undefined(), output: z.undefined() });
      return server.registerHandler(typedUnaryHandler(one, () => undefined, options));
    },
    registerHandler: (name) => server.registerHandler(unaryHandler(name, nothing), { authorize: own }),
    object: (name) => server.registerHandler({ name, options, handle: nothing }),
    "object registered": (name) => server.registerHandler({ name, handle: nothing }, { authorize: own }),
  };
  for (const [name, make] of Object.entries(made)) {
    make(name);
    const call = (headers: Record<string, string>) => client.amSync(name, { to: peer, headers });
    await fails(call({ own: "yes" }), { code: "FORBIDDEN" });
    await fails(call({ all: "yes" }), { code: "FORBIDDEN" });
    await call({ all: "yes", own: "yes" });
    // If one refuses a caller, the other is not asked.
    assert.deepEqual(asked.splice(0), [
      `all ${name}`,
      `all ${name}`,
      `own ${name}`,
      `all ${name}`,
      `own ${name}`,
    ]);
  }
  const twice = unaryHandler("twice", nothing, { authorize: ({ headers }) => headers["own"] === "yes" });
  server.registerHandler(twice, { authorize: ({ headers }) => headers["registered"] === "yes" });
  for (const headers of [{ all: "yes", own: "yes" }, { all: "yes", registered: "yes" }]) {
    await fails(client.unary("twice", { to: peer, headers }), { code: "FORBIDDEN" });
  }
  await client.unary("twice", { to: peer, headers: { all: "yes", own: "yes", registered: "yes" } });
});

test("the second authorize is asked when the first has decided later", async () => {
  await using t = await leakCheck();
  const authorize = () => Promise.resolve(true);
  const { server, client, peer } = await pair(t, { server: { authorize } });
  const own: Authorize = ({ headers }) => headers["own"] === "yes";
  server.handle(double, ({ input }) => input, { authorize: own });
  await fails(client.typedUnary(double, { to: peer, payload: 1 }), { code: "FORBIDDEN" });
  assert.equal(await client.typedUnary(double, { to: peer, payload: 1, headers: { own: "yes" } }), 1);
});

test("authorize is not asked about the library's own handlers", async () => {
  await using t = await leakCheck();
  let asked = 0;
  const { server, client, peer } = await pair(t, { server: { authorize: () => (asked++, false) } });
  server.registerHandler(amHandler("log", () => {}));
  assert.ok((await client.availableHandlers(peer)).includes("log"));
  await client.waitForHandler(peer, "log");
  await client.healthCheck(peer);
  using event = server.events.newEvent();
  const waiting = client.events.awaiter(event.handle);
  await server.flush();
  event.trigger();
  await waiting;
  assert.equal(asked, 0);
});

test("a feature asks authorize with fields of its own, and true alone lets it go on", async () => {
  await using t = await leakCheck();
  const asked: unknown[] = [];
  let answer: (actor: string | undefined) => unknown = () => true;
  const authorize: Authorize = ({ handlerName, senderInstanceId, subject }) => {
    asked.push({ handlerName, senderInstanceId, subject });
    return answer(subject?.["actor"]) as boolean;
  };
  const { server, client, peer } = await pair(t, { server: { authorize } });
  const port = portOf(server)!;
  using _handling = port.handle("_tell", "unary", async (message) => {
    await port.authorize(message, { actor: "clerk", verb: "tell" });
    return bytes("told");
  });
  const tell = () => portOf(client)!.call("_tell", peer, bytes("hello"), { timeoutMs: 2_000 });
  assert.equal(text(await tell()), "told");
  const from = { handlerName: "_tell", senderInstanceId: client.instanceId };
  assert.deepEqual(asked, [{ ...from, subject: { actor: "clerk", verb: "tell" } }]);
  for (
    const no of [false, "yes", 1, undefined, Promise.resolve(false), new ZeromeshError("FORBIDDEN", "closed")]
  ) {
    answer = () => no;
    await fails(tell(), { code: "FORBIDDEN" });
  }
  answer = async (actor) => await Promise.resolve(actor === "clerk");
  assert.equal(text(await tell()), "told");
});

test("messages that are refused give their credit back", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: { maxCreditMessages: 4 } });
  server.registerHandler(amHandler("now", () => {}, { authorize: () => false }));
  server.registerHandler(amHandler("later", () => {}, { authorize: () => Promise.resolve(false) }));
  for (let i = 0; i < 20; i++) {
    await client.amSend("now", { to: peer, timeoutMs: 5_000 });
    await client.amSend("later", { to: peer, timeoutMs: 5_000 });
  }
  await until(() => server.stats().transport.drops.forbidden === 40);
});

/** An `authorize` that decides when the test says so, by the header `is`. */
function deciding(): { authorize: Authorize; asked: string[]; decide(is: string, answer: unknown): void } {
  const asked: string[] = [];
  const waiting = new Map<string, (answer: boolean) => void>();
  return {
    asked,
    authorize: ({ headers }) => {
      const is = headers["is"] ?? "";
      asked.push(is);
      if (is.startsWith("now")) return true;
      return new Promise<boolean>((resolve) => waiting.set(is, resolve));
    },
    decide: (is, answer) => waiting.get(is)!(untyped(answer)),
  };
}

/** Makes calls that are told apart by the header `is`. */
function caller(client: Messenger, to: Messenger, name: string) {
  return (is: string, options: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<string> =>
    client.unary(name, { to: to.instanceId, headers: { is }, ...options }).then(text);
}

test("messages of one sender keep their order for an ordered handler, however late authorize decides", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t);
  const other = await t.messenger();
  await other.connect(server.endpoint);
  const { authorize, asked, decide } = deciding();
  const ran: string[] = [];
  server.registerHandler(unaryHandler("ordered", ({ headers }) => {
    ran.push(headers["is"]!);
    return bytes(headers["is"]!);
  }, { dispatch: { ordered: "sender" }, authorize }));
  const call = caller(client, server, "ordered");
  const calls = ["a", "b", "now c", "d", "e"].map((is) => call(is));
  await until(() => asked.length === 5);
  decide("d", true);
  decide("b", false);
  await fails(calls[1]!, { code: "FORBIDDEN", ran: "no" });
  // Another sender waits for none of them.
  assert.equal(await caller(other, server, "ordered")("now other"), "now other");
  assert.deepEqual(ran.splice(0), ["now other"]);
  assert.equal(counts(server, "ordered").queued, 4);
  decide("a", true);
  assert.deepEqual(await Promise.all([calls[0], calls[2], calls[3]]), ["a", "now c", "d"]);
  decide("e", true);
  assert.equal(await calls[4], "e");
  const last = [call("f"), call("now g")];
  await until(() => asked.includes("now g"));
  decide("f", false);
  await fails(last[0]!, { code: "FORBIDDEN" });
  assert.equal(await last[1], "now g");
  assert.equal(await call("now h"), "now h");
  assert.deepEqual(ran, ["a", "now c", "d", "e", "now g", "now h"]);
  balanced(counts(server, "ordered"));
});

test("all messages keep their order for a globally ordered handler, also behind one that is given up", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t);
  const other = await t.messenger();
  await other.connect(server.endpoint);
  const { authorize, asked, decide } = deciding();
  const ran: string[] = [];
  server.registerHandler(unaryHandler("ordered", ({ headers }) => {
    ran.push(headers["is"]!);
    return bytes(headers["is"]!);
  }, { dispatch: { ordered: "global" }, authorize }));
  const controller = new AbortController();
  const first = caller(client, server, "ordered")("a", { signal: controller.signal });
  await until(() => asked.length === 1);
  const second = caller(other, server, "ordered")("now b");
  await until(() => asked.length === 2);
  assert.deepEqual(ran, []);
  controller.abort("changed my mind");
  await assert.rejects(first, (reason) => reason === "changed my mind");
  assert.equal(await second, "now b");
  decide("a", true);
  assert.equal(await caller(other, server, "ordered")("now c"), "now c");
  assert.deepEqual(ran, ["now b", "now c"]);
  assert.equal(counts(server, "ordered").cancelled, 1);
});

test("a call whose deadline passes while authorize decides does not run, and holds its place until it has", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t);
  const { authorize, asked, decide } = deciding();
  server.registerHandler(unaryHandler("slow", () => bytes("ran"), { authorize }));
  const call = caller(client, server, "slow");
  await fails(call("a", { timeoutMs: 60 }), { code: "TIMEOUT" });
  await until(() => counts(server, "slow").cancelled === 1);
  assert.deepEqual(asked, ["a"]);
  // The memory that the user's promise keeps alive is bounded as well.
  assert.equal(server.stats().handlers.heldMessages, 1);
  decide("a", true);
  await until(() => server.stats().handlers.heldMessages === 0);
  assert.equal(counts(server, "slow").started, 0);
  balanced(counts(server, "slow"));
});

test("calls about which nothing is decided are given back when the instance closes", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t);
  const { authorize, asked, decide } = deciding();
  let ran = 0;
  const run = () => (ran++, bytes("ran"));
  server.registerHandler(unaryHandler("any", run, { authorize }));
  server.registerHandler(unaryHandler("ordered", run, { dispatch: { ordered: "sender" }, authorize }));
  const calls = ["any", "ordered"].flatMap((name) =>
    ["a", "b", "now c"].map((is) => caller(client, server, name)(`${is} ${name}`))
  );
  await until(() => asked.length === 6);
  assert.equal(await calls[2], "ran");
  decide("b ordered", true);
  // The instance waits for what runs, and who does not run does not wait for it.
  const { opened, open } = gate(t);
  server.registerHandler(
    unaryHandler("busy", () => opened.then(() => bytes("done")), { authorize: () => true }),
  );
  const busy = caller(client, server, "busy")("now");
  await until(() => counts(server, "busy").inFlight === 1);
  const closing = server.close({ timeoutMs: 20_000 });
  for (const at of [0, 1, 3, 4, 5]) await fails(calls[at]!, { code: "PEER_DRAINING", ran: "no" });
  for (const is of ["a any", "b any", "a ordered"]) decide(is, true);
  open();
  assert.equal(await busy, "done");
  await closing;
  assert.equal(ran, 1);
});

test("a call of a sender that is gone does not run, and a message without an answer still does", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t);
  const { authorize, asked, decide } = deciding();
  const ran: string[] = [];
  server.registerHandler(
    amHandler("note", ({ headers }) => void ran.push(headers["is"]!), { authorize }),
  );
  const waits = client.amSync("note", { to: server.instanceId, headers: { is: "a" } });
  await client.amSend("note", { to: server.instanceId, headers: { is: "b" } });
  await until(() => asked.length === 2);
  await Promise.all([client.close({ timeoutMs: 0 }), fails(waits, { code: "CLOSED" })]);
  await until(() => counts(server, "note").cancelled === 1);
  decide("a", true);
  decide("b", true);
  await until(() => ran.length === 1);
  assert.deepEqual(ran, ["b"]);
  assert.equal(server.stats().handlers.heldMessages, 0);
  balanced(counts(server, "note"));
});

test("messages about which nothing is decided take up the room that there is", async () => {
  await using t = await leakCheck();
  const { server, client } = await pair(t, { server: { maxInFlightMessages: 8 } });
  const { authorize, asked, decide } = deciding();
  server.registerHandler(unaryHandler("slow", () => bytes("ran"), { authorize }));
  const call = caller(client, server, "slow");
  const calls = Array.from({ length: 20 }, (_, i) => call(`${i}`));
  const outcomes = Promise.all(calls.map((one) => one.catch((error) => `${error.code} ${error.ran}`)));
  await until(() => counts(server, "slow").issued === 20);
  const held = server.stats().handlers.heldMessages;
  assert.ok(held >= 4 && held <= 8, `${held} are held`);
  // No further call is asked about.
  assert.equal(asked.length, held);
  for (const is of asked) decide(is, true);
  const said = await outcomes;
  assert.deepEqual(said.filter((one) => one === "ran").length, held);
  assert.deepEqual(said.filter((one) => one === "OVERLOADED no").length, 20 - held);
  assert.equal(await call("now"), "ran");
});

test("a message without a deadline waits for authorize no longer than a call that names none", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: { timeoutMs: 50 } });
  const authorize = () => new Promise<boolean>(() => {});
  let ran = 0;
  server.registerHandler(amHandler("hung", () => void ran++, { authorize, dispatch: { ordered: "sender" } }));
  await client.amSend("hung", { to: peer });
  await fails(client.amSync("hung", { to: peer, timeoutMs: Infinity }), { code: "FORBIDDEN", ran: "no" });
  assert.equal(server.stats().faults.authorize, 2);
  assert.equal(server.stats().transport.drops.forbidden, 1);
  assert.equal(ran, 0);
});

test("a handler that was stopped, or unregistered, meanwhile", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const { authorize, asked, decide } = deciding();
  server.registerHandler(unaryHandler("odd", ({ headers }) => {
    if (headers["is"] === "now boom") throw new Error("boom");
    return bytes("ran");
  }, { authorize, onError: { failed: () => "cancel" } }));
  const call = caller(client, server, "odd");
  const waiting = call("a");
  await until(() => asked.length === 1);
  await fails(call("now boom"), { code: "HANDLER_FAILED" });
  decide("a", true);
  await fails(waiting, { code: "CANCELLED" });
  balanced(counts(server, "odd"));
  const registration = server.registerHandler(unaryHandler("gone", () => bytes("ran"), { authorize }));
  const taken = client.unary("gone", { to: peer, headers: { is: "b" } });
  await until(() => asked.includes("b"));
  registration[Symbol.dispose]();
  // It was there when the message came.
  decide("b", true);
  assert.equal(text(await taken), "ran");
});

test("plain Velo is refused with a nack", async () => {
  await using t = await leakCheck();
  const seen: Seen[] = [];
  const authorize: Authorize = (call) => {
    seen.push(seenOf(call));
    return call.handlerName === "later" ? Promise.resolve(false) : new ZeromeshError("X", "only on Mondays");
  };
  const server = await t.messenger({ authorize });
  for (const name of ["now", "later"]) server.registerHandler(unaryHandler(name, () => bytes("ran")));
  const node = await PlainVelo.open(t);
  await node.introduce(server.endpoint);
  for (const kind of [Kind.unary, Kind.ack]) {
    for (const [name, reason] of [["now", ": only on Mondays"], ["later", ""]] as const) {
      const id = node.nextId();
      const reply = await node.ask(server.endpoint, name, "{}", { kind, id });
      const why = `"${name}" did not run: its instance does not let this caller call it${reason}`;
      assert.deepEqual([reply.type, reply.header, reply.text], [2, `02${id}`, `Request forbidden: ${why}`]);
    }
  }
  assert.equal(seen[0]!.senderInstanceId, node.instanceId);
  assert.equal(seen[0]!.address, "127.0.0.1");
});

test("a caller that takes no codes is told FORBIDDEN all the same", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { client: { features: { errors: false } } });
  server.handle(double, ({ input }) => input, { authorize: () => false });
  await fails(client.typedUnary(double, { to: peer, payload: 1 }), { code: "FORBIDDEN", ran: "no" });
});

test("with keys authorize is told the key that the sender has proved to own", { skip: noCurve }, async () => {
  await using t = await leakCheck();
  const [own, friend, stranger] = [await curveKeyPair(), await curveKeyPair(), await curveKeyPair()];
  const authorize: Authorize = ({ peerKey }) => peerKey === friend.publicKey || peerKey === own.publicKey;
  const server = await t.messenger({ curve: { ...own, allow: "any" }, authorize });
  server.handle(double, ({ input }) => 2 * input);
  for (const [keys, may] of [[friend, true], [stranger, false]] as const) {
    const client = await t.messenger({ curve: keys });
    const peer = await client.connect(server.endpoint, { serverKey: own.publicKey });
    const call = client.typedUnary(double, { to: peer, payload: 1 });
    if (may) assert.equal(await call, 2);
    else await fails(call, { code: "FORBIDDEN", ran: "no" });
  }
  // An instance sends its own messages as the owner of its key.
  assert.equal(await server.typedUnary(double, { to: server.instanceId, payload: 1 }), 2);
});

test("the message of a question to authorize can be read until it has answered, and never is another one", async () => {
  await using t = await leakCheck();
  const asked: CallToAuthorize[] = [];
  const authorize: Authorize = (call) => {
    asked.push(call);
    return call.handlerName === "later" ? Promise.resolve(false) : call.handlerName === "now";
  };
  const { server, client, peer } = await pair(t, { server: { authorize } });
  for (const name of ["refused", "later", "now"]) server.registerHandler(unaryHandler(name, () => {}));
  for (const name of ["refused", "later", "now"]) {
    await client.unary(name, { to: peer, headers: { name } }).catch(() => {});
  }
  const [refused, later, now] = asked as [CallToAuthorize, CallToAuthorize, CallToAuthorize];
  assert.deepEqual({ ...later.headers }, { name: "later" });
  for (
    const { handlerName, headers } of [refused, now].map((call) => ({
      handlerName: call.handlerName,
      headers: () => call.headers,
    }))
  ) {
    assert.match(thrown(headers).message, new RegExp(`the headers of a "${handlerName}" message any more`));
  }
});

test("authorize must be a function", async () => {
  await using t = await leakCheck();
  const messenger = await t.messenger();
  const handler = { name: "x", kind: "unary", contract: null, dispatch: "spawn", run() {}, authorize: true };
  const error = thrown(() => messenger.registerHandler(untyped(handler)));
  assert.ok(error instanceof TypeError);
  assert.match(error.message, /"x": its authorize must be a function$/);
});
