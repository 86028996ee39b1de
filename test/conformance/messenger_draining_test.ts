/** Tests of close() while handlers run, and of the errors of their callers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { amHandler, contract, Messenger, unaryHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { Kind, PlainVelo, requestHeader } from "../support/plain_velo.ts";
import { pause, until, within } from "../support/until.ts";
import { nodeA } from "../vectors/velo_headers.ts";
import { bytes, fails, gate, pair, text } from "./messenger_kit.ts";

test("close() lets a handler finish that hands its signal on", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("nap", async ({ signal }) => {
    await sleep(50, undefined, { signal });
    return bytes("rested");
  }));
  const call = client.unary("nap", { to: peer });
  await until(() => server.stats().handlers.running === 1);
  const began = performance.now();
  await server.close();
  assert.ok(performance.now() - began < 2_000);
  assert.equal(text(await call), "rested");
});

test("a running handler's signal stays untouched until the time of close() is over, and aborts then", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const seen: { readonly signal: AbortSignal; abortedAt: number }[] = [];
  const wait = async ({ signal }: { signal: AbortSignal }) => {
    const entry = { signal, abortedAt: 0 };
    seen.push(entry);
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    entry.abortedAt = performance.now();
  };
  server.registerHandler(unaryHandler("wait", wait));
  server.registerHandler(amHandler("note", wait));
  const calls = [client.unary("wait", { to: peer }), client.amSync("note", { to: peer })];
  await client.amSend("note", { to: peer });
  await until(() => seen.length === 3);
  const began = performance.now();
  await server.close({ timeoutMs: 150 });
  for (const { signal, abortedAt } of seen) {
    assert.equal((signal.reason as { code?: string }).code, "CLOSED");
    assert.ok(abortedAt - began >= 145, `${abortedAt - began} ms`);
  }
  // Both heeded it at once, and so they answer for themselves.
  await Promise.all(calls);
});

test("a signal first looked at while the instance drains is not aborted", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("late", async (context) => {
    await hold.opened;
    return bytes(String(context.signal.aborted));
  }));
  const call = client.unary("late", { to: peer });
  await until(() => server.stats().handlers.running === 1);
  const closing = server.close();
  hold.open();
  assert.equal(text(await call), "false");
  await closing;
});

test("callers of handlers that are cut short are told before the sockets close, with PEER_DRAINING and ran maybe", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("stuck", () => hold.opened));
  server.registerHandler(amHandler("heeds", async ({ signal }) => {
    await sleep(60_000, undefined, { signal });
  }));
  const told = {
    code: "PEER_DRAINING",
    ran: "maybe",
    peer,
    message: /did not finish: the instance was closed/,
  };
  const calls = [
    fails(client.unary("stuck", { to: peer }), told),
    fails(client.amSync("stuck", { to: peer }), told),
    fails(client.amSync("heeds", { to: peer }), told),
  ];
  await until(() => server.stats().handlers.running === 3);
  await server.close({ timeoutMs: 50 });
  await within(Promise.all(calls), 1_000);
  hold.open();
  await until(() => server.stats().handlers.running === 0);
});

test("callers of handlers that are cut short are told when there was no time at all", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("stuck", () => hold.opened));
  const call = fails(client.unary("stuck", { to: peer }), { code: "PEER_DRAINING", ran: "maybe" });
  await until(() => server.stats().handlers.running === 1);
  await server.close({ timeoutMs: 0 });
  await call;
  hold.open();
  await until(() => server.stats().handlers.running === 0);
});

for (const introduced of [true, false]) {
  const who = introduced
    ? "a plain Velo caller"
    : "a plain Velo caller that is registered and was never answered";
  test(`${who} of a handler that is cut short gets a nack`, async () => {
    await using t = await leakCheck();
    const server = await t.messenger();
    const node = await PlainVelo.open(t, { instanceId: nodeA.instanceId });
    const hold = gate(t);
    server.registerHandler(unaryHandler("stuck", () => hold.opened));
    if (introduced) await node.introduce(server.endpoint);
    else server.registerPeer(node.peerInfo() as Parameters<Messenger["registerPeer"]>[0]);
    const ids = [node.nextId(), node.nextId()];
    node.send(server.endpoint, 0, requestHeader(Kind.unary, ids[0]!, "stuck"));
    node.send(server.endpoint, 0, requestHeader(Kind.ack, ids[1]!, "stuck"));
    await until(() => server.stats().handlers.running === 2);
    await server.close({ timeoutMs: 50 });
    for (const id of ids) {
      const nack = await node.next();
      assert.equal(nack.type, 2);
      assert.equal(nack.header, `02${id}`);
      assert.equal(nack.text, "Handler failed: the instance was closed before the handler had finished");
    }
    hold.open();
    await until(() => server.stats().handlers.running === 0);
  });
}

test("a message that is still validated when the time is over did not run, and never does", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  let runs = 0;
  const input = z.string().refine(() => hold.opened.then(() => true));
  server.handle(contract("slowly", { input }), () => void runs++);
  const call = fails(client.amSync("slowly", { to: peer, payload: "x" }), {
    code: "PEER_DRAINING",
    ran: "no",
  });
  await until(() => server.stats().handlers.running === 1);
  await server.close({ timeoutMs: 20 });
  await call;
  hold.open();
  await until(() => server.stats().handlers.running === 0);
  assert.equal(runs, 0);
});

test("a message that waits for its turn when the instance closes is given back and did not run", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  let runs = 0;
  server.registerHandler(unaryHandler("one", async () => {
    runs++;
    await hold.opened;
  }, { concurrency: 1 }));
  const [first, ...waiting] = Array.from({ length: 5 }, () => client.unary("one", { to: peer }));
  for (const call of waiting) call.catch(() => {});
  await until(() => server.stats().handlers.queued === 4);
  const closing = server.close();
  for (const call of waiting) await fails(call, { code: "PEER_DRAINING", ran: "no" }, 1_000);
  hold.open();
  await first;
  await closing;
  assert.equal(runs, 1);
});

test("context.messenger.close() does not wait for the handler that awaits it, and waits for the others", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  const order: string[] = [];
  server.registerHandler(unaryHandler("other", async () => {
    await hold.opened;
    order.push("other");
    return bytes("done");
  }));
  server.registerHandler(unaryHandler("stop", async ({ messenger }) => {
    await messenger.close();
    order.push("closed");
  }));
  const other = client.unary("other", { to: peer });
  await until(() => server.stats().handlers.running === 1);
  const began = performance.now();
  const stop = fails(client.unary("stop", { to: peer }), { code: "PEER_DRAINING", ran: "maybe" });
  await until(() => server.stats().handlers.running === 2);
  hold.open();
  assert.equal(text(await other), "done");
  await stop;
  await server.closed;
  assert.ok(performance.now() - began < 2_000, `${performance.now() - began} ms`);
  await until(() => server.stats().handlers.running === 0);
  assert.deepEqual(order, ["other", "closed"]);
});

test("several handlers may call context.messenger.close(), also after others have begun to close it", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(amHandler("stop", async ({ messenger }) => {
    await Promise.resolve();
    await messenger.close();
  }));
  const calls = Array.from({ length: 3 }, () => client.amSync("stop", { to: peer }).catch(() => {}));
  await within(server.closed, 2_000, "the close");
  await Promise.all(calls);
  await until(() => server.stats().handlers.running === 0);
});

test("a handler that closes its instance and does not wait for that still answers, and so do the others", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("other", () => hold.opened.then(() => bytes("done"))));
  server.registerHandler(unaryHandler("stop", async ({ messenger }) => {
    void messenger.close();
    // It runs on for a moment while its instance closes.
    await sleep(5);
    return bytes("stopping");
  }));
  const other = client.unary("other", { to: peer });
  await until(() => server.stats().handlers.running === 1);
  assert.equal(text(await client.unary("stop", { to: peer })), "stopping");
  // Its end is not the end of the wait for the other one.
  await pause(50);
  hold.open();
  assert.equal(text(await other), "done");
  assert.equal(await server.closed, "closed");
});

test("messenger.close() awaited in a handler of its own ends with its time", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  server.registerHandler(amHandler("stop", () => server.close({ timeoutMs: 100 })));
  const began = performance.now();
  await fails(client.amSync("stop", { to: peer }), { code: "PEER_DRAINING", ran: "maybe" });
  await server.closed;
  const took = performance.now() - began;
  assert.ok(took >= 95 && took < 1_500, `${took} ms`);
});

test("context.messenger is the messenger in all it does, and two of them are about one instance", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const seen: unknown[] = [];
  server.registerHandler(unaryHandler("look", ({ messenger }) => {
    assert.ok(messenger instanceof Messenger);
    seen.push(messenger.instanceId, messenger.endpoint, messenger.peers().length, messenger.closed);
    messenger.registerHandler(unaryHandler("made", () => bytes("here")));
  }));
  await client.unary("look", { to: peer });
  assert.deepEqual(seen, [server.instanceId, server.endpoint, 1, server.closed]);
  assert.equal(text(await client.unary("made", { to: peer })), "here");
});
