/** Peers that nobody here has asked for: what they may take, and what they must leave to others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { newInstanceId, workerIdOf } from "../../src/core/mod.ts";
import {
  type InstanceId,
  type Messenger,
  type MetricInfo,
  type Observe,
  unaryHandler,
} from "../../src/mod.ts";
import type { Socket } from "../../src/libzmq/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { addressBlob, Kind, le, PlainVelo, requestHeader, unhex } from "../support/plain_velo.ts";
import { rawContext } from "../support/raw_sockets.ts";
import { until, within } from "../support/until.ts";
import { bytes, fails, gate, looksLike, text } from "./messenger_kit.ts";

const workerOf = (id: InstanceId) => le(workerIdOf(id), 8);
const digits = (id: string) => unhex(id.replaceAll("-", ""));

/** The frames of a `_hello` in plain Velo's manner. */
function hello(worker: string, slot: number, instanceId: string, endpoint: string): Uint8Array[] {
  const header = requestHeader(Kind.unary, `${worker}${le(slot & 0xffff, 2)}${le(0, 6)}`, "_hello");
  const peerInfo = { instance_id: instanceId, worker_address: addressBlob({ zmq: endpoint }) };
  return [Uint8Array.of(0), unhex(header), bytes(JSON.stringify({ peer_info: peerInfo }))];
}

/** Dials in under an id of its own and introduces itself, with an address where nobody answers. */
async function stranger(
  node: PlainVelo,
  server: Messenger,
  address = "tcp://127.0.0.1:1",
): Promise<{ socket: Socket; id: string }> {
  const id = newInstanceId();
  const socket = node.open(server.endpoint, digits(id));
  socket.send(hello(workerOf(id), 0, id, address));
  await until(() => server.peers().some(({ instanceId }) => instanceId === id), {
    intervalMs: 1,
    message: `stranger ${id} to be met`,
  });
  return { socket, id };
}

async function leave(socket: Socket, server: Messenger): Promise<void> {
  const { accepted } = server.stats().transport;
  socket.close();
  await until(() => server.stats().transport.accepted < accepted, { intervalMs: 1 });
}

/** An instance that is registered, but not connected yet. */
async function registered(t: LeakCheck, server: Messenger): Promise<() => Promise<void>> {
  const friend = await t.messenger();
  friend.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  server.registerPeer(friend.peerInfo());
  return async () =>
    assert.equal(
      text(await server.unary("echo", { to: friend.instanceId, rawPayload: bytes("friend") })),
      "friend",
    );
}

test("strangers push out each other, those first that left first, and no peer that was registered", async () => {
  await using t = await leakCheck();
  const server = await t.messenger({ maxConnections: 3 });
  const reach = await registered(t, server);
  const node = await PlainVelo.open(t);
  const stays = await stranger(node, server);
  const first = await stranger(node, server);
  const second = await stranger(node, server);
  await leave(first.socket, server);
  await leave(second.socket, server);
  const known = () => server.peers().map(({ instanceId }) => instanceId as string);
  const third = await stranger(node, server);
  assert.ok(!known().includes(first.id));
  assert.ok(known().includes(second.id));
  await leave(third.socket, server);
  for (let i = 0; i < 8; i++) await leave((await stranger(node, server)).socket, server);
  assert.equal(known().length, 4, "three strangers, and the one that is registered");
  assert.ok(known().includes(stays.id), "one whose connection is open stays");
  await reach();
});

test("a stranger that says hello under seventeen thousand ids is one peer, and registered ones are reached", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const reach = await registered(t, server);
  const node = await PlainVelo.open(t);
  const { socket, id } = await stranger(node, server);
  const before = server.stats().handlers.started;
  const count = 17_000;
  for (let i = 0; i < count; i++) {
    const message = hello(node.worker, i, newInstanceId(), `tcp://127.0.0.1:${1 + i}`);
    while (!socket.send(message)) {
      socket.events();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  await until(() => server.stats().handlers.started === before + count, { timeoutMs: 20_000 });
  assert.deepEqual(server.peers().filter(({ up }) => !up).map(({ instanceId }) => instanceId).length, 2);
  assert.ok(server.peers().some(({ instanceId }) => instanceId === id));
  assert.ok(server.stats().transport.dialled <= 1);
  await reach();
});

/** An instance with an echo that dials few strangers, and what it does of it. */
async function dialsFew(t: LeakCheck, maxStrangerDials: number): Promise<Messenger> {
  const server = await t.messenger({ maxStrangerDials });
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  return server;
}

test("a stranger is dialled for its answer once it asks a question, and the link ends with its connection", async () => {
  await using t = await leakCheck();
  const server = await dialsFew(t, 10);
  const node = await PlainVelo.open(t);
  node.send(server.endpoint, 0, requestHeader(Kind.fire, node.nextId(), "_hello"), {
    peer_info: node.peerInfo(),
  });
  await until(() => server.peers().length === 1);
  assert.equal(server.stats().transport.dialled, 0);
  assert.equal((await node.ask(server.endpoint, "echo", "first")).text, "first");
  assert.deepEqual(server.stats().strangerDials, { open: 1, replaced: 0 });
  node.hangUp(server.endpoint);
  await until(() => server.stats().transport.dialled === 0, { message: "what was dialled to end" });
  assert.deepEqual(server.stats().strangerDials, { open: 0, replaced: 0 });
  // It connects again, and does not say hello.
  assert.equal((await node.ask(server.endpoint, "echo", "again")).text, "again");
});

test("more strangers than may be dialled are all answered, and those without a listener make room first", async () => {
  await using t = await leakCheck();
  const server = await dialsFew(t, 3);
  const nodes: PlainVelo[] = [];
  for (let i = 0; i < 2; i++) nodes.push(await PlainVelo.open(t));
  for (const node of nodes) await node.introduce(server.endpoint);
  // A STREAM takes the connection, and says nothing of ZMTP.
  const silent = (await rawContext(t)).socket("STREAM").set("LINGER", 0).bind("tcp://127.0.0.1:*");
  for (let i = 0; i < 5; i++) await stranger(nodes[0]!, server, silent);
  const { dialled } = server.stats().transport;
  assert.ok(dialled <= 3, `${dialled} are dialled`);
  const before = server.stats().strangerDials.replaced;
  for (const node of nodes) assert.equal((await node.ask(server.endpoint, "echo", "here")).text, "here");
  assert.equal(server.stats().strangerDials.replaced, before, "those that answer were kept");
  for (let i = 0; i < 4; i++) nodes.push(await PlainVelo.open(t));
  for (const node of nodes) await node.introduce(server.endpoint);
  for (const node of nodes) assert.equal((await node.ask(server.endpoint, "echo", "here")).text, "here");
  assert.ok(server.stats().strangerDials.replaced > before);
  await until(() => server.stats().transport.dialled <= 3);
});

test("a peer that left for good is forgotten after forgetAfterMs; one that returned in time, or may, is not", async () => {
  await using t = await leakCheck();
  const hub = await t.messenger({ forgetAfterMs: 150 });
  const [leaves, returns] = [await t.messenger({ listen: false }), await t.messenger({ listen: false })];
  const says = await t.messenger();
  for (const each of [leaves, returns, says]) await each.connect(hub.endpoint);
  const node = await PlainVelo.open(t);
  const silent = await stranger(node, hub);
  await leave(silent.socket, hub);
  const known = () => hub.peers().map(({ instanceId }) => instanceId as string).sort();
  returns.disconnect(hub.instanceId);
  await until(() => hub.peers().filter(({ up }) => up).length === 2);
  await fails(hub.unary("x", { to: returns.instanceId }), { code: "PEER_DISCONNECTED" });
  await returns.connect(hub.endpoint);
  await Promise.all([leaves.close(), says.close()]);
  assert.equal(known().length, 4);
  await until(() => known().length === 2, { message: "those that left to be forgotten" });
  assert.deepEqual(known(), [returns.instanceId, silent.id].sort());
  await fails(hub.unary("x", { to: leaves.instanceId }), { code: "PEER_UNKNOWN" });
});

test("broadcast() keeps no time for strangers that have left, and none of them is a row of metrics", async () => {
  await using t = await leakCheck();
  const rows = new Map<string, () => string[]>();
  const meter = {
    counter: () => ({ [Symbol.dispose]: () => {} }),
    gauge: (info: MetricInfo, read: (observe: Observe) => void) => {
      rows.set(info.name, () => {
        const labels: string[] = [];
        read((_value, ...values) => void labels.push(values.join()));
        return labels;
      });
      return { [Symbol.dispose]: () => {} };
    },
    histogram: () => ({ series: () => ({ record: () => {} }) }),
  };
  const hub = await t.messenger({ connectTimeoutMs: 20_000, redialForMs: 0, meter });
  const guest = await t.messenger({ listen: false });
  await guest.connect(hub.endpoint);
  const lost = await t.messenger();
  await hub.connect(lost.endpoint);
  await lost.close();
  const node = await PlainVelo.open(t);
  for (let i = 0; i < 10; i++) await leave((await stranger(node, hub)).socket, hub);
  await until(() => hub.peers().filter(({ up }) => up).length === 1);
  const { sent, failed } = await within(hub.broadcast("note", { timeoutMs: 20_000 }), 3_000);
  assert.deepEqual(sent, [guest.instanceId]);
  assert.deepEqual(failed.map(({ peer }) => peer), [lost.instanceId]);
  looksLike(failed[0]?.error, { code: "PEER_DISCONNECTED", ran: "no" });
  const expected = [guest.instanceId, lost.instanceId].sort();
  assert.deepEqual(rows.get("zeromesh_peer_up")?.().sort(), expected);
});

test("answers for a stranger whose name is not resolved are bounded, and the rest leaves when it is", async () => {
  await using t = await leakCheck();
  const resolved = gate(t);
  const server = await t.messenger({
    maxQueuedBytes: 100_000,
    resolveHost: async () => {
      await resolved.opened;
      return ["127.0.0.1"];
    },
  });
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const node = await PlainVelo.open(t);
  const address = node.endpoint.replace("127.0.0.1", "slow.test");
  node.send(server.endpoint, 0, requestHeader(Kind.fire, node.nextId(), "_hello"), {
    peer_info: node.peerInfo({ zmq: address }),
  });
  await until(() => server.peers().length === 1);
  const payload = new Uint8Array(10_000);
  for (let i = 0; i < 20; i++) {
    node.send(server.endpoint, 0, requestHeader(Kind.unary, node.nextId(), "echo"), payload);
  }
  await until(() => server.stats().handlers.started === 21);
  assert.equal(server.stats().transport.drops.noRoute, 12);
  resolved.open();
  await until(() => node.inbox.length === 8);
  node.inbox.length = 0;
  assert.equal((await node.ask(server.endpoint, "echo", "now")).text, "now");
});
