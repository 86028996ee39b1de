/** `zeromesh/zmq/draft`: programs in the manner of `zeromq/draft` of the npm package. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { noDrafts as skip } from "../support/draft_library.ts";
import * as zmq from "zeromesh/zmq";
import { Client, Dish, Gather, Radio, Scatter, Server } from "zeromesh/zmq/draft";
import { threadLoop } from "../../src/zmq/loop.ts";
import { test } from "../support/testing.ts";
import { pause, until, within } from "../support/until.ts";
import { socketCheck } from "../support/zmq_sockets.ts";
import { failure, linked } from "./zmq_sockets_kit.ts";

/** Two groups with all that a name may have, besides one of each length at the ends. */
const groups = ["news", "", "ä 字", "x".repeat(15), "x".repeat(16), "x".repeat(255)];

test("a Server answers each of its Clients by the routing id of its message", { skip }, async () => {
  await using _ = await socketCheck();
  using server = new Server();
  await server.bind("tcp://127.0.0.1:*");
  const clients = [1, 2, 3].map(() => new Client());
  for (const client of clients) client.connect(server.lastEndpoint!);
  const serving = (async () => {
    const waiting: [string, number][] = [];
    for await (const [message, { routingId }] of server) {
      waiting.push([String(message), routingId]);
      // Answered in the opposite order.
      if (waiting.length % 3 === 0) {
        for (const [text, id] of waiting.splice(0).reverse()) {
          await server.send(`${text}!`, { routingId: id });
        }
      }
    }
  })();
  for (let round = 0; round < 3; round++) {
    for (const [i, client] of clients.entries()) await client.send(`${round} ${i}`);
    for (const [i, client] of clients.entries()) {
      assert.deepEqual((await within(client.receive(), 5_000)).map(String), [`${round} ${i}!`]);
    }
  }
  for (const client of clients) client.close();
  server.close();
  await serving;
});

test(
  "a Dish receives what a Radio sends to the groups that it has joined, with their names",
  { skip },
  async () => {
    await using _ = await socketCheck();
    using radio = new Radio();
    using dish = new Dish();
    await linked(radio, dish);
    const bytes = Buffer.from([255, 1, 254]);
    dish.join(...groups);
    dish.join(bytes);
    dish.join("left");
    // A name ends before its first NUL.
    dish.leave("left\0over", Buffer.from(`${"x".repeat(15)}\0${"y".repeat(300)}`));
    // The last one that it has left arrives no more when all of the names have arrived.
    const sending = (async () => {
      for (let i = 0; !dish.closed; i++) {
        for (const group of ["left", "never joined", ...groups, bytes]) await radio.send(`${i}`, { group });
        await pause(5);
      }
    })();
    const seen = new Set<string>();
    for await (const [message, { group }] of dish) {
      assert.ok(Buffer.isBuffer(message) && Buffer.isBuffer(group));
      seen.add(group.toString("latin1"));
      if (Number(message) >= 3 && seen.size >= groups.length) break;
    }
    dish.close();
    await sending;
    const wanted = [
      ...groups.filter((group) => group.length !== 15).map((group) => Buffer.from(group)),
      bytes,
    ];
    assert.deepEqual([...seen].sort(), wanted.map((group) => group.toString("latin1")).sort());
  },
);

test("Scatter shares its messages among Gather sockets, in order for each", { skip }, async () => {
  await using _ = await socketCheck();
  using scatter = new Scatter();
  await scatter.bind("tcp://127.0.0.1:*");
  const gathers = [new Gather(), new Gather()];
  for (const gather of gathers) gather.connect(scatter.lastEndpoint!);
  const seen: number[][] = [[], []];
  const reading = gathers.map(async (gather, i) => {
    for await (const [message] of gather) seen[i]!.push(Number(message));
  });
  const count = 3_000;
  for (let i = 0; i < count || seen.some((numbers) => numbers.length === 0); i++) await scatter.send(i);
  await until(() => seen[0]!.length + seen[1]!.length >= count);
  for (const gather of gathers) gather.close();
  await Promise.all(reading);
  for (const numbers of seen) assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b));
});

test("messages of every size travel whole, over TCP and inproc", { skip }, async () => {
  await using _ = await socketCheck();
  for (const address of ["tcp://127.0.0.1:*", `inproc://${crypto.randomUUID()}`]) {
    using server = new Server();
    using client = new Client();
    await server.bind(address);
    client.connect(server.lastEndpoint!);
    for (const size of [0, 1, 29, 30, 33, 34, 8_192, 8_193, 1_000_000]) {
      const bytes = Buffer.alloc(size, size % 251);
      await client.send(bytes);
      const [message, { routingId }] = await within(server.receive(), 5_000);
      assert.ok(bytes.equals(message));
      await server.send(new Uint8Array(message), { routingId });
      assert.ok(bytes.equals((await within(client.receive(), 5_000))[0]));
    }
  }
});

test("a Server does not wait for a client without room, and serves the others", { skip }, async () => {
  await using _ = await socketCheck();
  const name = `inproc://${crypto.randomUUID()}`;
  using server = new Server({ sendHighWaterMark: 1 });
  await server.bind(name);
  const clients = [1, 2].map(() => new Client({ receiveHighWaterMark: 1 }));
  const ids: number[] = [];
  for (const client of clients) {
    client.connect(name);
    await client.send("here");
    ids.push((await within(server.receive(), 5_000))[1].routingId);
  }
  let sent = 0;
  const filling = await failure(async () => {
    for (; sent < 100; sent++) await server.send(sent, { routingId: ids[0]! });
  });
  assert.deepEqual([filling.code, sent < 100], ["EAGAIN", true]);
  await server.send("you too", { routingId: ids[1]! });
  assert.equal(String((await within(clients[1]!.receive(), 5_000))[0]), "you too");
  for (let i = 0; i < sent; i++) assert.equal(Number((await within(clients[0]!.receive(), 5_000))[0]), i);
  await until(() => server.send("again", { routingId: ids[0]! }).then(() => true, () => false));
  assert.equal(String((await within(clients[0]!.receive(), 5_000))[0]), "again");
  for (const client of clients) client.close();
});

test("a Client waits for room, and its message is what it was at the call", { skip }, async () => {
  await using _ = await socketCheck();
  const name = `inproc://${crypto.randomUUID()}`;
  using server = new Server({ receiveHighWaterMark: 1 });
  using client = new Client({ sendHighWaterMark: 1, sendTimeout: 0 });
  await server.bind(name);
  client.connect(name);
  const bytes = new Uint8Array(4);
  let sent = 0;
  const full = await failure(async () => {
    for (; sent < 100; bytes[0] = ++sent) await client.send(bytes);
  });
  assert.deepEqual([full.code, sent < 100], ["EAGAIN", true]);
  client.sendTimeout = 5_000;
  const waiting = client.send(bytes);
  assert.throws(() => client.send("x"), { code: "EBUSY" });
  bytes[0] = 255;
  for (let i = 0; i <= sent; i++) assert.equal((await within(server.receive(), 5_000))[0][0], i);
  await within(waiting, 5_000, "the waiting send");
});

test("operations wait as long as their timeouts, one of each kind at a time", { skip }, async () => {
  await using _ = await socketCheck();
  using server = new Server({ receiveTimeout: 30 });
  using client = new Client({ sendTimeout: 30, receiveTimeout: 0 });
  const began = performance.now();
  const reading = server.receive();
  assert.throws(() => server.receive(), {
    code: "EBUSY",
    detail: /^The Server cannot receive: /,
  });
  assert.equal((await failure(reading)).code, "EAGAIN");
  assert.equal((await failure(client.send("nobody is there"))).code, "EAGAIN");
  assert.ok(performance.now() - began >= 58);
  assert.equal((await failure(client.receive())).code, "EAGAIN");
  client.sendTimeout = -1;
  const sending = client.send("late");
  assert.throws(() => client.send("second"), { code: "EBUSY" });
  await server.bind("tcp://127.0.0.1:*");
  client.connect(server.lastEndpoint!);
  await within(sending, 5_000);
  server.receiveTimeout = 5_000;
  assert.equal(String((await server.receive())[0]), "late");
});

test("a receive that waits is woken only when something happens to its socket", { skip }, async () => {
  await using _ = await socketCheck();
  using server = new Server();
  using client = new Client();
  await linked(server, client);
  for (let i = 0; i < 50; i++) {
    const reading = server.receive();
    await client.send(i);
    await client.send(i);
    assert.equal(Number((await within(reading, 5_000))[0]), i);
    assert.equal(Number((await within(server.receive(), 5_000))[0]), i);
  }
  const waiting = within(server.receive(), 5_000);
  await pause(30);
  const { wakes } = threadLoop().reactor.stats();
  await pause(100);
  const more = threadLoop().reactor.stats().wakes - wakes;
  assert.ok(more < 10, `it was woken ${more} times`);
  await client.send("last");
  assert.equal(String((await waiting)[0]), "last");
});

test("a socket that is closed in the middle of a receive or a send ends it", { skip }, async () => {
  await using _ = await socketCheck();
  for (const Class of [Server, Client, Dish, Gather]) {
    const socket = new Class();
    await socket.bind("tcp://127.0.0.1:*");
    const reading = failure(socket.receive());
    socket.close();
    assert.equal((await reading).code, "EAGAIN", Class.name);
    assert.throws(() => socket.receive(), { code: "EBADF" });
  }
  for (const Class of [Client, Scatter]) {
    const socket = new Class();
    const sending = failure(socket.send("x"));
    socket.close();
    assert.equal((await sending).code, "EAGAIN", Class.name);
  }
  const dish = new Dish();
  const ended = (async () => {
    for await (const _ of dish) assert.fail();
  })();
  dish.close();
  await within(ended, 5_000, "the loop over a closed socket");
});

test("the end of a context ends what its draft sockets wait for", { skip }, async () => {
  await using _ = await socketCheck();
  const context = new zmq.Context();
  const [server, client, dish] = [new Server({ context }), new Client({ context }), new Dish({ context })];
  const waiting = [server.receive(), client.receive(), client.send("x"), dish.receive()].map((operation) =>
    failure(operation)
  );
  await within(context[Symbol.asyncDispose](), 5_000, "the end of the context");
  assert.deepEqual((await Promise.all(waiting)).map(({ code }) => code), Array(4).fill("ETERM"));
  assert.ok(server.closed && client.closed && dish.closed);
});

test("the events, the state and the settings of a draft socket are those of all", { skip }, async () => {
  await using _ = await socketCheck();
  const server = new Server({ linger: 0, receiveHighWaterMark: 7 });
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { type } of server.events) seen.push(type);
  })();
  using client = new Client();
  await server.bind("tcp://127.0.0.1:*");
  client.connect(server.lastEndpoint!);
  await client.send("x");
  await until(() => server.readable);
  assert.equal(server.writable, true);
  assert.deepEqual([server.type, server.threadSafe, server.receiveHighWaterMark], [12, true, 7]);
  assert.equal(String((await server.receive())[0]), "x");
  assert.equal(server.readable, false);
  server.close();
  await within(reading, 5_000, "the end of the events");
  for (const type of ["bind", "accept", "handshake", "end"]) assert.ok(seen.includes(type), type);
  using gather = new Gather({ conflate: true });
  assert.throws(() => Object.assign(gather, { mandatory: true }), TypeError);
  assert.throws(() => new Dish({ sendTimeout: 1 } as object), TypeError);
});

test("CURVE protects a Server and its Client", { skip }, async () => {
  zmq.curveKeyPair();
  await using _ = await socketCheck();
  const [server, client] = [zmq.curveKeyPair(), zmq.curveKeyPair()];
  using listening = new Server({ curveServer: true, curveSecretKey: server.secretKey });
  using calling = new Client({
    curveServerKey: server.publicKey,
    curvePublicKey: client.publicKey,
    curveSecretKey: client.secretKey,
  });
  await linked(listening, calling);
  await calling.send("secret");
  assert.equal(String((await within(listening.receive(), 5_000))[0]), "secret");
});

test("a proxy forwards from Gather to Scatter, and refuses the types with labels", { skip }, async () => {
  await using _ = await socketCheck();
  const proxy = new zmq.Proxy(new Gather(), new Scatter());
  await proxy.frontEnd.bind("tcp://127.0.0.1:*");
  await proxy.backEnd.bind("tcp://127.0.0.1:*");
  using scatter = new Scatter();
  using gather = new Gather();
  scatter.connect(proxy.frontEnd.lastEndpoint!);
  gather.connect(proxy.backEnd.lastEndpoint!);
  const running = proxy.run();
  for (let i = 0; i < 500; i++) await scatter.send(i);
  for (let i = 0; i < 500; i++) assert.equal(Number((await within(gather.receive(), 5_000))[0]), i);
  proxy.terminate();
  await running;
  using dish = new Dish();
  using radio = new Radio();
  await dish.bind("tcp://127.0.0.1:*");
  await radio.bind("tcp://127.0.0.1:*");
  assert.throws(() => new zmq.Proxy(dish, radio).run(), {
    code: "ENOTSUP",
    detail: /Dish cannot .*proxy.*Front-end/,
  });
});
