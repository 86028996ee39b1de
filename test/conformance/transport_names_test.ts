/** Host names: resolved at each dial, every address tried, and waited for where there is none yet. */
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { test } from "../support/testing.ts";
import { Messenger, type MessengerOptions, unaryHandler } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { freePort, portOf } from "../support/ports.ts";
import { until } from "../support/until.ts";
import { bytes, fails, text } from "./messenger_kit.ts";

const noIpv6 = await Messenger.create({ endpoint: "tcp://[::1]:0", ipc: false }).then(
  async (messenger): Promise<false> => {
    await messenger.close();
    return false;
  },
  () => "this host has no IPv6",
);

/** An instance that says who it is, on a port of its own or a given one. */
async function service(t: LeakCheck, options: MessengerOptions): Promise<Messenger> {
  const messenger = await t.messenger({ ipc: false, ...options });
  messenger.registerHandler(unaryHandler("where", () => bytes(messenger.endpoint)));
  return messenger;
}

async function where(client: Messenger, peer: Messenger): Promise<string> {
  return text(await client.unary("where", { to: peer.instanceId, timeoutMs: 3_000 }));
}

test("a service that moves to another address under its name is found again", async () => {
  await using t = await leakCheck();
  const port = await freePort();
  let address = "127.0.0.1";
  const asked: string[] = [];
  const first = await service(t, { endpoint: `tcp://127.0.0.1:${port}` });
  const client = await t.messenger({
    resolveHost: (host) => {
      asked.push(host);
      return [address];
    },
  });
  const endpoint = `tcp://service.example:${port}`;
  assert.equal(await client.connect(endpoint), first.instanceId);
  assert.deepEqual(client.peers().map(({ endpoints }) => endpoints), [[endpoint]]);
  await first.close();
  await until(() => client.peers()[0]?.up === false);
  address = "127.0.0.2";
  const second = await service(t, {
    endpoint: `tcp://127.0.0.2:${port}`,
    instanceId: first.instanceId,
  });
  assert.equal(await where(client, second), second.endpoint);
  assert.deepEqual([...new Set(asked)], ["service.example"]);
  assert.ok(asked.length >= 2);
});

test("the name a user dialled counts after the peer has told addresses of its own", async () => {
  await using t = await leakCheck();
  const port = await freePort();
  let address = "127.0.0.1";
  const first = await service(t, { endpoint: `tcp://127.0.0.1:${port}` });
  const client = await t.messenger({ resolveHost: () => Promise.resolve([address]) });
  await client.connect(`tcp://service.example:${port}`);
  await first.connect(client.endpoint);
  assert.deepEqual(client.peers().map(({ endpoints }) => endpoints), [[first.endpoint]]);
  await first.close();
  await until(() => client.peers()[0]?.up === false);
  address = "127.0.0.3";
  const second = await service(t, {
    endpoint: `tcp://127.0.0.3:${port}`,
    instanceId: first.instanceId,
  });
  assert.equal(await where(client, second), second.endpoint);
});

test("every address of a name is tried, of both families", { skip: noIpv6 }, async () => {
  await using t = await leakCheck();
  for (const endpoint of ["tcp://127.0.0.1:0", "tcp://[::1]:0"]) {
    const server = await service(t, { endpoint });
    for (const addresses of [["::1", "127.0.0.1"], ["127.0.0.1", "::1"], ["127.0.0.9", "127.0.0.1", "::1"]]) {
      const client = await t.messenger({ resolveHost: () => addresses });
      const peer = await client.connect(`tcp://both.example:${portOf(server.endpoint)}`);
      assert.equal(peer, server.instanceId, addresses.join());
    }
  }
});

test("localhost is both loopback addresses", { skip: noIpv6 }, async () => {
  await using t = await leakCheck();
  const client = await t.messenger();
  for (const endpoint of ["tcp://127.0.0.1:0", "tcp://[::1]:0", "tcp://localhost:0"]) {
    const server = await service(t, { endpoint });
    assert.equal(await client.connect(`tcp://localhost:${portOf(server.endpoint)}`), server.instanceId);
    assert.equal(await where(client, server), server.endpoint);
  }
});

test("an address where nothing answers leaves time for the name's others", async () => {
  await using t = await leakCheck();
  const server = await service(t, { endpoint: "tcp://127.0.0.4:0" });
  const port = portOf(server.endpoint);
  const held: Socket[] = [];
  const silent = createServer((socket) => held.push(socket));
  await new Promise<void>((resolve) => silent.listen(port, "127.0.0.1", resolve));
  t.defer(() => {
    for (const socket of held) socket.destroy();
    return new Promise((resolve) => silent.close(() => resolve()));
  });
  const client = await t.messenger({ resolveHost: () => ["127.0.0.1", "127.0.0.4"] });
  assert.equal(
    await client.connect(`tcp://half.example:${port}`, { timeoutMs: 1_000 }),
    server.instanceId,
  );
  assert.ok(held.length > 0);
});

test("connect() goes on while a name does not resolve yet", async () => {
  await using t = await leakCheck();
  const server = await service(t, {});
  let asked = 0;
  const client = await t.messenger({
    resolveHost: () => {
      asked++;
      if (asked === 1) throw new Error("getaddrinfo ENOTFOUND later.example");
      return asked === 2 ? [] : ["127.0.0.1"];
    },
  });
  const peer = await client.connect(`tcp://later.example:${portOf(server.endpoint)}`, { timeoutMs: 5_000 });
  assert.equal(peer, server.instanceId);
  assert.equal(asked, 3);
});

test("a call to a registered peer waits for its name too", async () => {
  await using t = await leakCheck();
  const server = await service(t, { advertise: "later.example" });
  let asked = 0;
  const client = await t.messenger({
    resolveHost: (host) => {
      if (++asked < 3) return Promise.reject(new Error(`getaddrinfo ENOTFOUND ${host}`));
      return Promise.resolve(["127.0.0.1"]);
    },
  });
  client.registerPeer(server.peerInfo());
  assert.match(await where(client, server), /later\.example/);
});

test("a name without a usable address is PEER_UNREACHABLE with the reason when the time is up", async () => {
  await using t = await leakCheck();
  const cases: [resolve: () => unknown, why: RegExp][] = [
    [
      () => Promise.reject(new Error("no such host")),
      /name none\.example cannot be resolved \(no such host\)/,
    ],
    [() => [], /it has no address/],
    [() => ["somewhere"], /"somewhere" is no IP address/],
    [() => "127.0.0.1", /no array of addresses/],
    [() => new Promise(() => {}), /within 100 ms: .*none\.example:5555 was not resolved in time/],
  ];
  for (const [resolve, message] of cases) {
    const client = await t.messenger({ listen: false, resolveHost: resolve as () => string[] });
    const began = performance.now();
    await fails(client.connect("tcp://none.example:5555", { timeoutMs: 100 }), {
      code: "PEER_UNREACHABLE",
      ran: "no",
      message,
    });
    const took = performance.now() - began;
    assert.ok(took >= 95 && took < 1_500, `${took} ms`);
  }
});

test("a program that may not resolve names is told so at once", async () => {
  await using t = await leakCheck();
  const resolveHost = () => Promise.reject(Object.assign(new Error("getaddrinfo EPERM"), { code: "EPERM" }));
  const client = await t.messenger({ resolveHost });
  await fails(client.connect("tcp://none.example:5555", { timeoutMs: 20_000 }), {
    code: "FORBIDDEN",
    ran: "no",
    message: /--allow-net=none\.example/,
  });
});

test("a signal and close() end the wait for a name", async () => {
  await using t = await leakCheck();
  const client = await t.messenger({ listen: false, resolveHost: () => new Promise(() => {}) });
  const controller = new AbortController();
  const aborted = client.connect("tcp://none.example:5555", { signal: controller.signal });
  const closed = client.connect("tcp://other.example:5555");
  controller.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  await Promise.all([fails(closed, { code: "CLOSED" }), client.close()]);
});

test("resolveHost must be a function", async () => {
  await using t = await leakCheck();
  await assert.rejects(t.messenger({ resolveHost: "dns" as unknown as () => string[] }), TypeError);
});
