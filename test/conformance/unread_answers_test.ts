/** Callers that do not read their answers: what they hold of a service is bounded, and so is the time that they may take. */
import assert from "node:assert/strict";
import process from "node:process";
import { instanceIdToBytes, newInstanceId } from "../../src/core/mod.ts";
import {
  amHandler,
  type Messenger,
  type MessengerOptions,
  type Status,
  unaryHandler,
} from "../../src/mod.ts";
import { MessageType, ResponseKind } from "../../src/wire/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { test } from "../support/testing.ts";
import { pause, until } from "../support/until.ts";
import { bytes, fails, gate, pair, text } from "./messenger_kit.ts";
import { RawDealer, RawRouter, request, responseIn } from "./messenger_raw_peer.ts";

const mebibyte = 2 ** 20;
const answerBytes = mebibyte / 4;
const share = 4 * mebibyte;
const asked = 100;
const skip = process.platform !== "linux" && "only Linux tells what has left";
const small = { small: true };
const features = ["same-connection", "errors"] as const;

/** A service that answers with much, and with little, and a caller that reads. */
async function service(t: LeakCheck, options: MessengerOptions = {}) {
  const both = await pair(t, { server: { maxPeerBytes: share, ...options } });
  both.server.registerHandler(unaryHandler("big", () => new Uint8Array(answerBytes)));
  both.server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  return both;
}

function ask(caller: RawDealer, name = "big"): void {
  for (let slot = 2; slot < asked + 2; slot++) caller.send(request(name, caller.id(slot), new Uint8Array()));
}

const held = (server: Messenger) => server.stats().transport.heldBytes;
const overloaded = (server: Messenger) => server.stats().handlers.overloaded;

/** Checks that the memory for a peer that does not read is bounded, and that all others are served. */
async function bounded(server: Messenger, client: Messenger): Promise<void> {
  await until(() => overloaded(server) > 0);
  assert.equal(text(await client.unary("echo", { to: server.instanceId, rawPayload: bytes("hi") })), "hi");
  await until(() => server.stats().handlers.byHandler["big"]?.issued === asked);
  assert.ok(
    held(server) >= share - answerBytes && held(server) < share + 2 * answerBytes,
    `${held(server)} bytes`,
  );
}

for (const kind of ["tcp", "ipc"] as const) {
  test(
    `over ${kind} a caller that reads no answer holds no more than its share, and gets an answer to each call once it reads`,
    { skip },
    async () => {
      await using t = await leakCheck();
      const endpoint = kind === "tcp" ? "tcp://127.0.0.1:0" : `ipc://@zeromesh-test-${crypto.randomUUID()}`;
      const { server, client } = await service(t, { endpoint });
      const caller = await RawDealer.open(
        t,
        endpoint.startsWith("ipc") ? endpoint : server.endpoint,
        undefined,
        undefined,
        small,
      );
      await caller.hello(features);
      ask(caller);
      await bounded(server, client);
      const answers = { whole: 0, refused: 0 };
      for (let i = 0; i < asked; i++) {
        const message = await caller.next();
        assert.equal(message.type, MessageType.response);
        if (!responseIn(message).failed) answers.whole++;
        else if (text(message.payload).includes("maxPeerBytes")) answers.refused++;
        if (answers.whole > 0 && !responseIn(message).failed) {
          assert.equal(message.payload.length, answerBytes);
        }
      }
      assert.equal(answers.whole + answers.refused, asked);
      assert.equal(answers.refused, overloaded(server));
      await until(() => held(server) === 0);
      caller.send(request("echo", caller.id(500), bytes("again")));
      assert.equal(text((await caller.next()).payload), "again");
    },
  );
}

test("a plain caller that reads no answer holds no more than its share either", { skip }, async () => {
  await using t = await leakCheck();
  const { server, client } = await service(t);
  const plain = await RawRouter.open(t, small);
  const caller = await RawDealer.open(t, server.endpoint, undefined, plain.instanceId);
  await caller.hello(null, [plain.endpoint]);
  // The answer comes to where it listens, over a connection that the service has dialled.
  assert.equal((await plain.next()).type, MessageType.response);
  ask(caller);
  await bounded(server, client);
});

test(
  "a caller that reads nothing for slowPeerMs loses its connection, and everything held for it is free again",
  { skip },
  async () => {
    await using t = await leakCheck();
    const { server, client } = await service(t, { slowPeerMs: 300 });
    const down: Status[] = [];
    void (async () => {
      for await (const status of server.status()) if (status.type === "peerDown") down.push(status);
    })();
    // A routing id as instances choose theirs: such a caller is known, and its loss is told.
    const mine = newInstanceId();
    const routing = Uint8Array.of(...instanceIdToBytes(mine), 1, 2, 3, 4, 5, 6, 7, 8);
    const caller = await RawDealer.open(t, server.endpoint, routing, mine, small);
    await caller.hello(features);
    ask(caller);
    await until(() => down.length === 1);
    assert.ok(down[0]?.type === "peerDown" && down[0].peer === mine);
    assert.match(down[0].reason, /slowPeerMs/);
    assert.deepEqual([server.stats().transport.drops.slowPeer, held(server)], [1, 0]);
    await until(() => server.stats().transport.accepted === 1);
    assert.equal(text(await client.unary("echo", { to: server.instanceId, rawPayload: bytes("hi") })), "hi");
  },
);

test(
  "messages that nobody answers count as well: without credit those above the share are dropped, with credit they wait",
  { skip },
  async () => {
    await using t = await leakCheck();
    const { server, client, peer } = await service(t);
    const hold = gate(t);
    server.registerHandler(amHandler("keep", () => hold.opened));
    const sender = await RawDealer.open(t, server.endpoint);
    await sender.hello(features);
    const payload = new Uint8Array(answerBytes);
    for (let i = 0; i < 40; i++) sender.send(request("keep", sender.id(2), payload, ResponseKind.fire));
    await until(() => server.stats().handlers.byHandler["keep"]!.dropped === 24);
    assert.equal(server.stats().handlers.heldBytes, share);
    // Its credit is its own, whatever its calls hold besides.
    server.registerHandler(unaryHandler("wait", () => hold.opened.then(() => bytes("done"))));
    const calls = Array.from({ length: 8 }, () => client.unary("wait", { to: peer, rawPayload: payload }));
    await until(() => server.stats().handlers.running === 16 + 8);
    const sends = Array.from({ length: 40 }, () => client.amSend("keep", { to: peer, rawPayload: payload }));
    await until(() => client.stats().credit.waiting > 0 && server.stats().handlers.running === 16 + 8 + 16);
    hold.open();
    await Promise.all([...sends, ...calls]);
    await until(() => server.stats().handlers.byHandler["keep"]!.succeeded === 16 + 40);
    assert.equal(server.stats().handlers.byHandler["keep"]!.dropped, 24);
  },
);

test("a caller that goes on asking and reads no refusal either loses its connection", { skip }, async () => {
  await using t = await leakCheck();
  const server = await t.messenger({ highWaterMark: 10, maxQueuedMessages: 10, maxPeerBytes: 2 ** 18 });
  const caller = await RawDealer.open(t, server.endpoint, undefined, undefined, small);
  await caller.hello(features);
  const unknown = request("nobody has this", caller.id(2), new Uint8Array());
  await until(() => {
    for (let i = 0; i < 100; i++) caller.send(unknown);
    return server.stats().transport.drops.slowPeer === 1;
  }, { intervalMs: 0, timeoutMs: 20_000 });
  assert.equal(held(server), 0);
});

test("a caller that reads slowly keeps its connection beyond slowPeerMs", { skip }, async () => {
  await using t = await leakCheck();
  const { server } = await service(t, { slowPeerMs: 700, maxPeerBytes: 64 * mebibyte });
  const caller = await RawDealer.open(t, server.endpoint, undefined, undefined, small);
  await caller.hello(features);
  ask(caller);
  await until(() => held(server) > share);
  const end = performance.now() + 1_600;
  while (performance.now() < end) {
    await caller.next();
    await pause(60);
  }
  assert.equal(server.stats().transport.drops.slowPeer, undefined);
  assert.equal(server.stats().transport.accepted, 2);
});

test(
  "answers of handlers that have begun are kept above the share as long as there is room, and then their callers are told",
  { skip },
  async () => {
    await using t = await leakCheck();
    const { server, client } = await service(t, { maxInFlightBytes: 32 * mebibyte });
    const hold = gate(t);
    server.registerHandler(unaryHandler("later", async () => {
      await hold.opened;
      return new Uint8Array(answerBytes);
    }));
    const caller = await RawDealer.open(t, server.endpoint, undefined, undefined, small);
    await caller.hello(features);
    for (let slot = 2; slot < asked + 2; slot++) {
      caller.send(
        request("later", caller.id(slot), new Uint8Array()),
      );
    }
    await until(() => server.stats().handlers.running === asked);
    hold.open();
    await until(() => server.stats().handlers.running === 0);
    assert.ok(held(server) > 7 * mebibyte && held(server) < 9 * mebibyte, `${held(server)} bytes`);
    assert.ok(overloaded(server) > 0);
    await fails(client.unary("later", { to: server.instanceId, timeoutMs: 0 }), { code: "TIMEOUT" });
    const ran: boolean[] = [];
    for (let i = 0; i < asked; i++) {
      const message = await caller.next();
      if (responseIn(message).failed) ran.push(text(message.header).includes("yes"));
    }
    assert.deepEqual([...new Set(ran)], [true]);
    assert.equal(ran.length, overloaded(server));
  },
);

for (const late of [false, true]) {
  test(
    `ten callers that read no answer hold together less than maxInFlightBytes, and an eleventh is served (${
      late ? "handlers end at once" : "one call after the other"
    })`,
    { skip },
    async () => {
      await using t = await leakCheck();
      const maxInFlightBytes = 8 * mebibyte;
      const { server, client } = await service(t, { maxInFlightBytes });
      const hold = gate(t);
      server.registerHandler(
        unaryHandler("late", () => hold.opened.then(() => new Uint8Array(answerBytes))),
      );
      const opening = Array.from({ length: 10 }, async () => {
        const caller = await RawDealer.open(t, server.endpoint, undefined, undefined, small);
        await caller.hello(features);
        return caller;
      });
      const name = late ? "late" : "big";
      for (const caller of await Promise.all(opening)) ask(caller, name);
      const counts = () => server.stats().handlers.byHandler[name]!;
      await until(() => counts().issued === 10 * asked);
      hold.open();
      let most = 0;
      await until(() => {
        most = Math.max(most, held(server));
        return counts().inFlight === 0;
      }, { intervalMs: 0 });
      assert.ok(overloaded(server) > 0);
      // The refusals of a thousand calls come on top.
      assert.ok(
        most > maxInFlightBytes / 2 && most < maxInFlightBytes + answerBytes,
        `${most} bytes at most`,
      );
      const echo = client.unary("echo", { to: server.instanceId, rawPayload: bytes("hi") });
      assert.equal(text(await echo), "hi");
    },
  );
}
