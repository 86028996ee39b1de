/** Keys and restarts: the other end comes back with another key, and nobody waits in vain. */
import assert from "node:assert/strict";
import { noCurve } from "../support/curve.ts";
import { test } from "../support/testing.ts";
import { curveKeyPair, type Messenger, type MessengerOptions, unaryHandler } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { bytes, fails, gate, text } from "./messenger_kit.ts";

type Keys = { publicKey: string; secretKey: string };

function threePairs(): Promise<[Keys, Keys, Keys]> {
  return Promise.all([curveKeyPair(), curveKeyPair(), curveKeyPair()]);
}

async function secured(t: LeakCheck, keys: Keys, options: MessengerOptions = {}): Promise<Messenger> {
  const messenger = await t.messenger({ ipc: false, ...options, curve: { ...keys, allow: "any" } });
  messenger.registerHandler(unaryHandler("who", () => bytes(messenger.instanceId)));
  return messenger;
}

for (const same of [true, false]) {
  const who = same ? "the same id" : "another id";
  test(
    `a server that comes back with ${who} and another key gets nothing, and its callers are told in time`,
    { skip: noCurve },
    async () => {
      await using t = await leakCheck();
      const keys = await threePairs();
      const [first, second, own] = keys;
      const hold = gate(t);
      let held = 0;
      const server = await secured(t, first);
      server.registerHandler(unaryHandler("hold", async () => {
        held++;
        await hold.opened;
      }));
      const client = await secured(t, own, { listen: false, connectTimeoutMs: 1_000 });
      const peer = await client.connect(server.endpoint, { serverKey: first.publicKey });
      const call = fails(client.unary("hold", { to: peer, timeoutMs: 3_000 }), { ran: "maybe" });
      await until(() => held === 1);
      const { endpoint, instanceId } = server;
      await Promise.all([call, server.close({ timeoutMs: 0 })]);
      hold.open();
      await until(() => client.peers().every(({ up }) => !up));
      const stranger = await secured(t, second, { endpoint, ...(same ? { instanceId } : {}) });
      for (const pattern of ["unary", "amSync", "amSend"] as const) {
        const began = performance.now();
        const error = await fails(client[pattern]("who", { to: peer, timeoutMs: 2_500 }), {
          code: "FORBIDDEN",
          ran: "no",
        });
        assert.match(error.message, /wrong server key/);
        assert.ok(performance.now() - began < 2_500, `${performance.now() - began} ms`);
      }
      assert.equal(stranger.stats().handlers.started, 0);
      // With the key that it has now it is another instance, or a thief of the first one's id.
      const again = client.connect(endpoint, { serverKey: second.publicKey });
      if (same) await fails(again, { code: "IDENTITY_MISMATCH" });
      else assert.equal(await again, stranger.instanceId);
      // The owner of the first key is welcome.
      await stranger.close();
      const owner = await secured(t, first, { endpoint, instanceId });
      assert.equal(text(await client.unary("who", { to: peer, timeoutMs: 3_000 })), owner.instanceId);
    },
  );
}

test(
  "a client that comes back with its id and another key is IDENTITY_MISMATCH, also after the first one left",
  { skip: noCurve },
  async () => {
    await using t = await leakCheck();
    const keys = await threePairs();
    const [serverKeys, first, second] = keys;
    const server = await secured(t, serverKeys);
    const { publicKey: serverKey } = serverKeys;
    const client = await secured(t, first, { listen: false });
    await client.connect(server.endpoint, { serverKey });
    const { instanceId } = client;
    await client.close();
    await until(() => server.peers()[0]?.up === false);
    const thief = await secured(t, second, { listen: false, instanceId });
    const began = performance.now();
    await fails(thief.connect(server.endpoint, { serverKey, timeoutMs: 2_500 }), {
      code: "IDENTITY_MISMATCH",
    });
    assert.ok(performance.now() - began < 2_500);
    assert.equal(server.peers()[0]!.up, false);
    const owner = await secured(t, first, { listen: false, instanceId });
    assert.equal(await owner.connect(server.endpoint, { serverKey }), server.instanceId);
    assert.equal(text(await server.unary("who", { to: instanceId })), instanceId);
  },
);

test("an allow function is asked for each new connection, so that a removed client stays out", {
  skip: noCurve,
}, async () => {
  await using t = await leakCheck();
  const keys = await threePairs();
  const [serverKeys, own] = keys;
  const allowed = new Set([own.publicKey]);
  const server = await t.messenger({
    ipc: false,
    curve: { ...serverKeys, allow: (key) => allowed.has(key) },
  });
  server.registerHandler(unaryHandler("who", () => bytes(server.instanceId)));
  const { publicKey: serverKey } = serverKeys;
  const client = await secured(t, own, { listen: false });
  const peer = await client.connect(server.endpoint, { serverKey });
  allowed.delete(own.publicKey);
  client.disconnect(peer);
  await until(() => server.stats().transport.accepted === 0);
  await fails(client.connect(server.endpoint, { serverKey }), { code: "FORBIDDEN", ran: "no" }, 3_000);
  allowed.add(own.publicKey);
  assert.equal(await client.connect(server.endpoint, { serverKey }), peer);
  assert.equal(text(await client.unary("who", { to: peer })), peer);
});

test("a server that uses no keys any more gets nothing from those that do, and the reverse", {
  skip: noCurve,
}, async () => {
  await using t = await leakCheck();
  const keys = await threePairs();
  const [serverKeys, own] = keys;
  const server = await secured(t, serverKeys);
  const { endpoint, instanceId } = server;
  const client = await secured(t, own, { listen: false, connectTimeoutMs: 1_500 });
  const peer = await client.connect(endpoint, { serverKey: serverKeys.publicKey });
  await server.close();
  await until(() => client.peers()[0]!.up === false);
  const open = await t.messenger({ ipc: false, endpoint, instanceId });
  const plain = await t.messenger({ ipc: false, listen: false, connectTimeoutMs: 1_500 });
  assert.equal(await plain.connect(endpoint), instanceId);
  const refused = { code: "FORBIDDEN", ran: "no", message: /CURVE/ };
  await fails(client.unary("who", { to: peer, timeoutMs: 2_500 }), refused, 3_000);
  await open.close();
  await until(() => plain.peers()[0]!.up === false);
  await secured(t, serverKeys, { endpoint, instanceId });
  await fails(plain.unary("who", { to: instanceId, timeoutMs: 2_500 }), refused, 3_000);
  assert.equal(text(await client.unary("who", { to: peer, timeoutMs: 3_000 })), instanceId);
});

test(
  "an id belongs to a key until its owner has been gone for forgetAfterMs",
  { skip: noCurve },
  async () => {
    await using t = await leakCheck();
    const [serverKeys, thiefKeys, ownerKeys] = await threePairs();
    const server = await secured(t, serverKeys, { redialForMs: 0, forgetAfterMs: 400 });
    const serverKey = serverKeys.publicKey;
    const thief = await secured(t, thiefKeys, { listen: false });
    await thief.connect(server.endpoint, { serverKey });
    const owner = await secured(t, ownerKeys, { listen: false, instanceId: thief.instanceId });
    const refused = { code: "IDENTITY_MISMATCH", ran: "no", message: /forgetAfterMs/ };
    await fails(owner.connect(server.endpoint, { serverKey }), refused);
    await thief.close();
    await until(() => server.peers()[0]?.up === false);
    const left = performance.now();
    await fails(owner.connect(server.endpoint, { serverKey }), refused);
    await until(() => owner.connect(server.endpoint, { serverKey }).then(() => true, () => false));
    assert.ok(performance.now() - left >= 350, `${performance.now() - left} ms`);
    assert.equal(text(await server.unary("who", { to: owner.instanceId })), owner.instanceId);
  },
);

test("an id that was registered with a key belongs to it until disconnect()", { skip: noCurve }, async () => {
  await using t = await leakCheck();
  const [serverKeys, ownerKeys, thiefKeys] = await threePairs();
  const server = await secured(t, serverKeys, { redialForMs: 0, forgetAfterMs: 0 });
  const serverKey = serverKeys.publicKey;
  const owner = await secured(t, ownerKeys);
  server.registerPeer(owner.peerInfo());
  const thief = await secured(t, thiefKeys, { listen: false, instanceId: owner.instanceId });
  const refused = { code: "IDENTITY_MISMATCH", ran: "no", message: /until disconnect\(\)/ };
  await fails(thief.connect(server.endpoint, { serverKey }), refused);
  server.disconnect(owner.instanceId);
  assert.equal(await thief.connect(server.endpoint, { serverKey }), server.instanceId);
});

test("a peer is registered by hand with its key", { skip: noCurve }, async () => {
  await using t = await leakCheck();
  const [serverKeys, own, other] = await threePairs();
  const server = await secured(t, serverKeys);
  const { instanceId, endpoint } = server;
  const client = await secured(t, own, { listen: false });
  client.registerPeer({ instanceId, endpoint, serverKey: serverKeys.publicKey });
  assert.equal(text(await client.unary("who", { to: instanceId })), instanceId);
  const wrong = { instanceId, endpoint, serverKey: other.publicKey };
  assert.throws(() => client.registerPeer(wrong), { code: "IDENTITY_MISMATCH" });
  const second = await secured(t, own, { listen: false, connectTimeoutMs: 1_000 });
  second.registerPeer(wrong);
  await fails(second.unary("who", { to: instanceId }), { code: "FORBIDDEN", ran: "no" });
});
