import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  amHandler,
  contract,
  type Feature,
  Messenger,
  type MessengerOptions,
  unaryHandler,
  ZeromeshError,
} from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { pause, until, within } from "../support/until.ts";
import { bytes, fails, gate, pair, text } from "./messenger_kit.ts";
import { RawRouter, requestIn, response } from "./messenger_raw_peer.ts";

const all: readonly Feature[] = ["batch", "errors", "same-connection", "deadline", "cancel", "msgpack"];
const off = (...names: readonly Feature[]): MessengerOptions => ({
  features: Object.fromEntries(names.map((name) => [name, false])),
});

const divide = contract("divide", {
  input: z.object({ a: z.number(), b: z.number() }),
  output: z.number(),
  errors: { DIVISION_BY_ZERO: z.object({ a: z.number() }) },
});
const note = contract("note", { input: z.string() });

/** Registers what {@link exercise} calls. */
function serve(messenger: Messenger): { readonly lines: string[] } {
  const lines: string[] = [];
  messenger.handle(divide, ({ input: { a, b } }) => {
    if (b === 0) throw new ZeromeshError("DIVISION_BY_ZERO", `${a} by nothing`, { details: { a } });
    return a / b;
  });
  messenger.handle(note, async ({ input }) => {
    await Promise.resolve();
    lines.push(input);
  });
  messenger.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  messenger.registerHandler(unaryHandler("bad", () => {
    throw new Error("on purpose");
  }));
  return { lines };
}

/** All patterns, the errors that both kinds of peers can tell, and the order of messages. */
async function exercise(
  from: Messenger,
  to: Messenger["instanceId"],
  seen: { readonly lines: string[] },
  errors: boolean,
) {
  // Without feature errors all there is is a text, which a handler may have from elsewhere.
  const ran = errors ? "no" : "maybe";
  assert.equal(await from.typedUnary(divide, { to, payload: { a: 6, b: 3 } }), 2);
  assert.equal(text(await from.unary("echo", { to, rawPayload: bytes("e"), headers: { h: "1" } })), "e");
  await from.amSync(note, { to, payload: "sync" });
  for (let i = 0; i < 20; i++) void from.amSend(note, { to, payload: `send ${i}` });
  await until(() => seen.lines.length === 21);
  assert.deepEqual(seen.lines, ["sync", ...Array.from({ length: 20 }, (_, i) => `send ${i}`)]);
  seen.lines.length = 0;
  const big = new Uint8Array(300_000).fill(5);
  assert.deepEqual(await from.unary("echo", { to, rawPayload: big }), big);
  const many = await Promise.all(
    Array.from({ length: 100 }, (_, i) => from.typedUnary(divide, { to, payload: { a: i, b: 2 } })),
  );
  assert.deepEqual(many, Array.from({ length: 100 }, (_, i) => i / 2));
  await fails(from.unary("nowhere", { to }), { code: "HANDLER_NOT_FOUND", ran: "no" }, 1_000);
  await fails(from.amSync("nowhere", { to }), { code: "HANDLER_NOT_FOUND", ran }, 1_000);
  await fails(
    from.unary("divide", { to, payload: { a: "x" } }),
    { code: "PAYLOAD_INVALID", ran },
    1_000,
  );
  await fails(from.unary("bad", { to }), { ran: "yes", message: /on purpose/ }, 1_000);
  await fails(from.amSync("bad", { to }), { ran: "yes", message: /on purpose/ }, 1_000);
  assert.ok((await from.availableHandlers(to)).includes("divide"));
}

const sets: readonly (readonly [title: string, names: readonly Feature[]])[] = [
  ...all.map((name) => [name, [name]] as const),
  ["everything", all],
];

for (const [title, names] of sets) {
  for (const where of ["server", "client", "both sides"] as const) {
    test(`without ${title} at ${where} all patterns work in both directions`, async () => {
      await using t = await leakCheck();
      const { server, client, peer } = await pair(t, {
        server: where === "client" ? {} : off(...names),
        client: where === "server" ? {} : off(...names),
      });
      const [atServer, atClient] = [serve(server), serve(client)];
      const errors = !names.includes("errors");
      await exercise(client, peer, atServer, errors);
      await exercise(server, client.instanceId, atClient, errors);
      assert.deepEqual(client.stats().transport.drops, {});
      assert.deepEqual(server.stats().transport.drops, {});
    });
  }
}

test("with errors, a declared error keeps code and data; without, only its text crosses", async () => {
  await using t = await leakCheck();
  const withErrors = await pair(t);
  const without = await pair(t, { client: off("errors") });
  for (const { server } of [withErrors, without]) serve(server);
  const payload = { a: 1, b: 0 };
  const full = await fails(withErrors.client.typedUnary(divide, { to: withErrors.peer, payload }), {
    code: "DIVISION_BY_ZERO",
    message: "1 by nothing",
  });
  assert.deepEqual(full.details, { a: 1 });
  const bare = await fails(without.client.typedUnary(divide, { to: without.peer, payload }), {
    code: "REMOTE_ERROR",
    message: "1 by nothing",
    ran: "yes",
  });
  assert.equal(bare.details, undefined);
});

test("without errors a result that fails its schema is RESULT_INVALID by its text", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: off("errors") });
  server.handle(divide, () => "text" as unknown as number);
  await fails(client.typedUnary(divide, { to: peer, payload: { a: 1, b: 1 } }), {
    code: "RESULT_INVALID",
    ran: "yes",
  });
});

test("without deadline or cancel the remote handler goes on undisturbed", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { client: off("deadline", "cancel") });
  const hold = gate(t);
  let signal: AbortSignal | undefined;
  server.registerHandler(unaryHandler("slow", async (context) => {
    signal = context.signal;
    await hold.opened;
  }));
  await fails(client.unary("slow", { to: peer, timeoutMs: 30 }), { code: "TIMEOUT", ran: "maybe" });
  const controller = new AbortController();
  const call = client.unary("slow", { to: peer, signal: controller.signal });
  await until(() => server.stats().handlers.running === 2);
  controller.abort("enough");
  await within(call.then(() => assert.fail(), (error) => assert.equal(error, "enough")), 1_000);
  await pause(30);
  assert.equal(signal?.aborted, false);
  hold.open();
  await until(() => server.stats().handlers.running === 0);
});

test("without same-connection, a handler's signal still aborts when the time of close() is over", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { client: off("same-connection") });
  let signal: AbortSignal | undefined;
  server.registerHandler(amHandler("wait", async (context) => {
    signal = context.signal;
    await new Promise<void>((resolve) => signal!.addEventListener("abort", () => resolve()));
  }));
  const call = client.amSync("wait", { to: peer });
  await until(() => signal);
  await within(server.close({ timeoutMs: 50 }), 1_000, "close()");
  assert.equal(signal?.aborted, true);
  await call.catch(() => {});
});

test("msgpack towards a peer that does not speak it is PEER_LACKS_FEATURE before anything is sent", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t, { server: off("msgpack") });
  const packed = contract("packed", { input: z.date(), output: z.date(), encoding: "msgpack" });
  server.handle(packed, ({ input }) => input);
  const before = client.stats().transport.sentMessages;
  for (
    const call of [
      client.typedUnary(packed, { to: peer, payload: new Date(0) }),
      client.amSync(packed, { to: peer, payload: new Date(0) }),
      client.amSend(packed, { to: peer, payload: new Date(0) }),
    ]
  ) {
    await fails(call, {
      code: "PEER_LACKS_FEATURE",
      ran: "no",
      peer,
      handler: "packed",
      message: /MessagePack/,
    });
  }
  assert.equal(client.stats().transport.sentMessages, before);
});

test("an instance that does not listen needs same-connection, and says so at once", async () => {
  await using t = await leakCheck();
  const server = await t.messenger(off("same-connection"));
  const client = await t.messenger({ listen: false });
  await fails(client.connect(server.endpoint), { code: "PEER_LACKS_FEATURE", ran: "no" }, 2_000);
  await assert.rejects(Messenger.create({ listen: false, ...off("same-connection") }), TypeError);
});

test("towards a plain peer the own additions stay away, and it is told apart", async () => {
  await using t = await leakCheck();
  const plain = await RawRouter.open(t);
  const client = await t.messenger();
  const peer = client.registerPeer({
    instance_id: plain.instanceId,
    worker_address: [0x81, 0xa3, ...bytes("zmq"), 0xc4, plain.endpoint.length, ...bytes(plain.endpoint)],
  });
  const call = client.unary("echo", { to: peer, rawPayload: bytes("x"), timeoutMs: 4_000 });
  await plain.hello(null);
  const message = await plain.next();
  const header = requestIn(message);
  assert.equal(header.name, "echo");
  assert.equal(header.headersEnd, header.headersStart, "no header map, since there is no _ttl");
  assert.deepEqual(client.peers().map(({ zeromesh, up }) => ({ zeromesh, up })), [{
    zeromesh: false,
    up: true,
  }]);
  plain.send(message.from, response(header, bytes("answer")));
  assert.equal(text(await call), "answer");
});
