import assert from "node:assert/strict";
import { test } from "node:test";
import { type Messenger, type Status, unaryHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { portOf } from "../support/ports.ts";
import { startProxy } from "../support/proxy.ts";
import { until, within } from "../support/until.ts";
import { fails, pair } from "./messenger_kit.ts";

/** Collects what an instance's status tells, until the instance closes. */
function listen(messenger: Messenger): { readonly entries: Status[]; readonly ended: Promise<void> } {
  const entries: Status[] = [];
  const changes = messenger.status();
  const ended = (async () => {
    for await (const entry of changes) entries.push(entry);
  })();
  return { entries, ended };
}

test("status() tells peerUp on both sides, with the endpoint only where this side dialled", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const client = await t.messenger();
  const [atServer, atClient] = [listen(server), listen(client)];
  await client.connect(server.endpoint);
  await until(() => atServer.entries.length === 1 && atClient.entries.length === 1);
  assert.deepEqual(atClient.entries, [
    { type: "peerUp", peer: server.instanceId, endpoint: server.endpoint, zeromesh: true, name: null },
  ]);
  assert.deepEqual(atServer.entries, [
    { type: "peerUp", peer: client.instanceId, endpoint: null, zeromesh: true, name: null },
  ]);
});

test("status() tells peerUp once though both sides dial", async () => {
  await using t = await leakCheck();
  const [one, two] = [await t.messenger(), await t.messenger()];
  const [atOne, atTwo] = [listen(one), listen(two)];
  await one.connect(two.endpoint);
  await two.connect(one.endpoint);
  await Promise.all([one.availableHandlers(two.instanceId), two.availableHandlers(one.instanceId)]);
  assert.deepEqual(atOne.entries.map(({ type }) => type), ["peerUp"]);
  assert.deepEqual(atTwo.entries.map(({ type }) => type), ["peerUp"]);
});

test("status() tells peerDown on both sides when a connection is lost, and peerUp when it is back", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const proxy = t.use(await startProxy({ targetPort: portOf(server.endpoint) }));
  const client = await t.messenger();
  const [atServer, atClient] = [listen(server), listen(client)];
  const peer = await client.connect(proxy.endpoint);
  proxy.cut();
  for (const [entries, who] of [[atClient.entries, peer], [atServer.entries, client.instanceId]] as const) {
    const down = await until(() => entries.find(({ type }) => type === "peerDown"));
    assert.ok(down.type === "peerDown");
    assert.equal(down.peer, who);
    assert.equal(down.code, "PEER_DISCONNECTED");
    assert.match(down.reason, /lost/);
  }
  await client.availableHandlers(peer);
  const types = ["peerUp", "peerDown", "peerUp"];
  await until(() => atServer.entries.length === 3 && atClient.entries.length === 3);
  assert.deepEqual(atServer.entries.map(({ type }) => type), types);
  assert.deepEqual(atClient.entries.map(({ type }) => type), types);
});

test("status() reports peerDown with code CLOSED to the side that disconnects", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const [atServer, atClient] = [listen(server), listen(client)];
  client.disconnect(peer);
  const down = await until(() => atClient.entries[0]);
  assert.ok(down.type === "peerDown" && down.code === "CLOSED" && down.peer === peer);
  const seen = await until(() => atServer.entries[0]);
  assert.ok(seen.type === "peerDown" && seen.code === "PEER_DISCONNECTED" && seen.peer === client.instanceId);
});

test("status() tells which handlers come and go, once each", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger();
  const { entries } = listen(alone);
  const registered = alone.registerHandler(unaryHandler("one", () => {}));
  registered[Symbol.dispose]();
  registered[Symbol.dispose]();
  alone.registerHandler(unaryHandler("one", () => {}));
  assert.throws(() => alone.registerHandler(unaryHandler("one", () => {})));
  await until(() => entries.length === 3);
  assert.deepEqual(entries, [
    { type: "handlerRegistered", handler: "one" },
    { type: "handlerUnregistered", handler: "one" },
    { type: "handlerRegistered", handler: "one" },
  ]);
});

test("status() ends with draining, the peers' downs and closed", async () => {
  await using t = await leakCheck();
  const { client, peer } = await pair(t);
  const { entries, ended } = listen(client);
  await client.close();
  await within(ended, 1_000, "the iteration to end");
  assert.deepEqual(entries.map(({ type }) => type), ["draining", "peerDown", "closed"]);
  assert.ok(entries[1]?.type === "peerDown" && entries[1].peer === peer && entries[1].code === "CLOSED");
});

test("status() of a closed instance ends at once", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger();
  await alone.close();
  assert.deepEqual(await within(alone.status().next(), 1_000), { done: true, value: undefined });
});

test("a slow reader of status() loses the oldest entries and is told how many", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger();
  const slow = alone.status({ maxBuffered: 3 });
  const quick = alone.status();
  for (let i = 0; i < 10; i++) alone.registerHandler(unaryHandler(`h${i}`, () => {}));
  assert.deepEqual((await slow.next()).value, { type: "dropped", count: 7 });
  for (let i = 7; i < 10; i++) {
    assert.deepEqual((await slow.next()).value, { type: "handlerRegistered", handler: `h${i}` });
  }
  for (let i = 0; i < 10; i++) {
    assert.deepEqual((await quick.next()).value, { type: "handlerRegistered", handler: `h${i}` });
  }
  await alone.close();
  assert.equal((await slow.next()).value?.type, "draining");
});

test("status() stops for break and for its signal, and the others go on", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger();
  const other = listen(alone);
  const controller = new AbortController();
  const stopped = alone.status({ signal: controller.signal });
  const broken = (async () => {
    for await (const entry of alone.status()) return entry.type;
  })();
  alone.registerHandler(unaryHandler("a", () => {}));
  assert.equal(await broken, "handlerRegistered");
  assert.equal((await stopped.next()).value?.type, "handlerRegistered");
  const waiting = stopped.next();
  controller.abort();
  assert.equal((await waiting).done, true);
  alone.registerHandler(unaryHandler("b", () => {}));
  await until(() => other.entries.length === 2);
});

test("status() refuses a buffer of no size", async () => {
  await using t = await leakCheck();
  const alone = await t.messenger();
  for (const maxBuffered of [0, -1]) assert.throws(() => alone.status({ maxBuffered }), RangeError);
  for (const maxBuffered of [1.5, Number.NaN]) assert.throws(() => alone.status({ maxBuffered }), TypeError);
});

test("the name of an instance is in peers(), status(), logs and errors", async () => {
  await using t = await leakCheck();
  const lines: string[] = [];
  const log = (message: string, fields?: object) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const logger = { debug: log, info: log, warn: log, error: log };
  const server = await t.messenger({ name: "till-3@shop:1" });
  const client = await t.messenger({ name: "desk", logger, redialForMs: 200 });
  const changes = listen(client);
  const peer = await client.connect(server.endpoint);
  server.registerHandler(unaryHandler("slow", ({ signal }) =>
    new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve(new Uint8Array()));
    })));
  assert.deepEqual(client.peers().map(({ name }) => name), ["till-3@shop:1"]);
  assert.deepEqual(server.peers().map(({ name }) => name), ["desk"]);
  const named = new RegExp(`${peer} \\(till-3@shop:1\\)`);
  await fails(client.unary("none", { to: peer }), { code: "HANDLER_NOT_FOUND", message: named });
  await fails(client.unary("slow", { to: peer, timeoutMs: 30 }), { code: "TIMEOUT", message: named });
  await server.close();
  await until(() => changes.entries.some(({ type }) => type === "peerDown"));
  const told = changes.entries.map((entry) => "name" in entry ? entry.name : null);
  assert.deepEqual(told, ["till-3@shop:1", "till-3@shop:1"]);
  const other = await t.messenger({ listen: false, name: "guest" });
  await other.connect(client.endpoint);
  await other.close();
  await until(() => client.peers().some(({ name, up }) => name === "guest" && !up));
  await fails(client.unary("x", { to: other.instanceId }), { message: /\(guest\) is not connected/ });
  const two = await t.messenger({ listen: false });
  const twin = await t.messenger({ listen: false, instanceId: two.instanceId, name: "twin" });
  await twin.connect(client.endpoint);
  await fails(two.connect(client.endpoint), { code: "IDENTITY_MISMATCH", message: /\(twin\)/ });
  assert.ok(lines.some((line) => line.includes("(twin)")), lines.join("\n"));
});

test("a name that is none is refused at create", async () => {
  await using t = await leakCheck();
  for (const name of ["", " ", "-x", "a b", "a\n", "\u00fcber", "x".repeat(65), 5, {}]) {
    await assert.rejects(t.messenger({ name: name as string }), TypeError, String(name));
  }
});
