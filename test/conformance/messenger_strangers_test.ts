/** Peers that nobody here has asked for: what they may take, and what they must leave to others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { newInstanceId } from "../../src/core/mod.ts";
import { type Messenger, unaryHandler } from "../../src/mod.ts";
import type { Socket } from "../../src/zmq/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { addressBlob, Kind, le, PlainVelo, requestHeader, unhex } from "../support/plain_velo.ts";
import { until } from "../support/until.ts";
import { bytes, text } from "./messenger_kit.ts";

const digits = (id: string) => unhex(id.replaceAll("-", ""));

/** The frames of a `_hello` in plain Velo's manner. */
function hello(worker: string, slot: number, instanceId: string, endpoint: string): Uint8Array[] {
  const header = requestHeader(Kind.unary, `${worker}${le(slot & 0xffff, 2)}${le(0, 6)}`, "_hello");
  const peerInfo = { instance_id: instanceId, worker_address: addressBlob({ zmq: endpoint }) };
  return [Uint8Array.of(0), unhex(header), bytes(JSON.stringify({ peer_info: peerInfo }))];
}

/** Dials in under an id of its own and introduces itself, with an address where nobody listens. */
async function stranger(node: PlainVelo, server: Messenger): Promise<{ socket: Socket; id: string }> {
  const id = newInstanceId();
  const socket = node.open(server.endpoint, digits(id));
  socket.send(hello(node.worker, 0, id, "tcp://127.0.0.1:1"));
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
