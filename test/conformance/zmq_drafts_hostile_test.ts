/** `zeromesh/zmq/draft`: wrong arguments, sizes that libzmq does not check, and datagrams from strangers. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { noDrafts as skip } from "../support/draft_library.ts";
import { Client, Datagram, Dish, Radio, Scatter, Server } from "zeromesh/zmq/draft";
import { test } from "../support/testing.ts";
import { until, within } from "../support/until.ts";
import { socketCheck } from "../support/zmq_sockets.ts";
import { failure } from "./zmq_sockets_kit.ts";

/** Binds to a port of UDP that is free for this process: libzmq reports no other failure. */
let lastPort = 20_000 + Math.floor(Math.random() * 20_000);
const udp = (): string => `127.0.0.1:${++lastPort}`;

test("names of groups that libzmq cannot take are refused", { skip }, async () => {
  await using _ = await socketCheck();
  using dish = new Dish();
  using radio = new Radio();
  const calls = [
    (group: unknown) => dish.join(group as string),
    (group: unknown) => dish.leave(group as string),
    (group: unknown) => void radio.send("x", { group: group as string }),
  ];
  for (const call of calls) {
    for (
      const group of ["x".repeat(256), Buffer.alloc(100_000, 1), "ä".repeat(128), `${"x".repeat(256)}\0`]
    ) {
      assert.throws(() => call(group), { code: "EINVAL", message: /name of a group/ });
    }
    for (const group of [5, null, {}, [], true, new ArrayBuffer(2), Symbol("x")]) {
      assert.throws(() => call(group), { name: "TypeError", message: "Value must be a string or buffer" });
    }
  }
  dish.join("twice");
  assert.throws(() => dish.join("once", "twice"), { code: "EINVAL" });
  dish.leave("once");
  assert.throws(() => dish.leave("never"), { code: "EINVAL" });
  dish.close();
  assert.throws(() => dish.join("late"), { code: "EBADF" });
});

test("messages without what their type needs are refused", { skip }, async () => {
  await using _ = await socketCheck();
  using server = new Server();
  using radio = new Radio();
  using client = new Client();
  using scatter = new Scatter();
  await server.bind("tcp://127.0.0.1:*");
  client.connect(server.lastEndpoint!);
  const loose = server as unknown as { send(...values: unknown[]): Promise<void> };
  assert.throws(() => loose.send(), { name: "TypeError", message: "Message must be present" });
  for (const options of [undefined, null, 5, "x"]) {
    assert.throws(() => loose.send("x", options), {
      name: "TypeError",
      message: "Options must be an object",
    });
  }
  assert.throws(() => loose.send("x", { routingId: 1 }, 2), TypeError);
  for (const routingId of ["1", null, {}, 1n]) assert.throws(() => loose.send("x", { routingId }), TypeError);
  for (const routingId of [undefined, 0, -1, 1.5, NaN, Infinity, 2 ** 32]) {
    assert.throws(() => loose.send("x", { routingId }), { code: "EINVAL", message: /routing id/ });
  }
  for (const routingId of [1, 2 ** 31, 2 ** 32 - 1]) {
    assert.equal((await failure(server.send("x", { routingId }))).code, "EHOSTUNREACH");
  }
  // None of these types has messages of several parts.
  for (const parts of [["a", "b"], []]) {
    const message = parts as unknown as string;
    assert.equal((await failure(server.send(message, { routingId: 1 }))).code, "EINVAL");
    assert.equal((await failure(radio.send(message, { group: "x" }))).code, "EINVAL");
  }
  // A label cannot be forged in the bytes of a message.
  const forged = ["a", new Uint8Array([0, 0, 0, 1])] as unknown as string;
  assert.equal((await failure(server.send(forged, { routingId: 1 }))).code, "EINVAL");
  const two = ["a", "b"] as unknown as string;
  const error = await failure(client.send(two));
  assert.deepEqual([error.code, error.detail], [
    "EINVAL",
    "The Client cannot send: its messages have one part",
  ]);
  assert.equal((await failure(scatter.send(two))).code, "EINVAL");
  await client.send("alone");
  assert.equal(String((await within(server.receive(), 5_000))[0]), "alone");
});

test("a routing id of a client that is gone is refused", { skip }, async () => {
  await using _ = await socketCheck();
  using server = new Server();
  await server.bind("tcp://127.0.0.1:*");
  const client = new Client();
  client.connect(server.lastEndpoint!);
  await client.send("x");
  const [, { routingId }] = await within(server.receive(), 5_000);
  const gone = new Promise<void>((resolve) => server.events.on("disconnect", () => resolve()));
  client.close();
  await within(gone, 5_000, "the end of the connection");
  // Before libzmq has forgotten the connection, it has no room.
  await until(async () => {
    const { code } = await failure(server.send("x", { routingId }));
    assert.match(code, /EAGAIN|EHOSTUNREACH/);
    return code === "EHOSTUNREACH";
  });
});

test("Datagram sockets exchange datagrams, and wrong ones end nothing", { skip }, async () => {
  await using _ = await socketCheck();
  const [here, there] = [udp(), udp()];
  using one = new Datagram({ linger: 0, sendTimeout: 20 });
  using other = new Datagram({ receiveTimeout: 5_000 });
  assert.equal((await failure(one.send([there, "before bind"]))).code, "EAGAIN");
  await one.bind(`udp://${here}`);
  await other.bind(`udp://${there}`);
  one.sendTimeout = -1;
  const addresses = [
    "",
    ":",
    "a:1",
    "1.2.3.4",
    "127.0.0.1:0",
    "127.0.0.1:-1",
    "999.1.1.1:5",
    "255.255.255.255:5",
    "[::1]:5",
    Buffer.alloc(100_000, ":"),
  ];
  for (const address of addresses) await one.send([address, "lost"]);
  const wrong: readonly unknown[] = ["x", [], ["x"], [there, "b", "c"]];
  for (const message of wrong) {
    assert.equal((await failure(one.send(message as [string, string]))).code, "EINVAL");
  }
  for (const size of [8_193, 70_000]) {
    assert.equal((await failure(one.send([there, Buffer.alloc(size)]))).code, "EMSGSIZE");
  }
  for (const size of [0, 1, 8_192]) {
    await one.send([there, Buffer.alloc(size, 9)]);
    const [from, message] = await other.receive();
    assert.equal(String(from), `${here}\0`);
    assert.ok(Buffer.alloc(size, 9).equals(message));
    await other.send([from, "heard"]);
    assert.deepEqual((await within(one.receive(), 5_000)).map(String), [`${there}\0`, "heard"]);
  }
});

test("a Datagram binds to UDP over IPv4 only: libzmq aborts for others", { skip }, async () => {
  await using _ = await socketCheck();
  using socket = new Datagram();
  for (const address of ["tcp://127.0.0.1:*", "inproc://x", "ipc:///tmp/x", ""]) {
    assert.equal((await failure(socket.bind(address))).code, "ENOCOMPATPROTO");
    assert.throws(() => socket.connect(address), { code: "ENOCOMPATPROTO" });
  }
  assert.throws(() => socket.connect(`udp://${udp()}`), { code: "ENOCOMPATPROTO" });
  socket.ipv6 = true;
  const error = await failure(socket.bind("udp://*:5599"));
  assert.deepEqual([error.code, error.address], ["EAFNOSUPPORT", "udp://*:5599"]);
  assert.match(error.message, /IPv6.*ipv6 at false/);
});

test("Radio and Dish meet over UDP, with the sizes that fit into a datagram", { skip }, async () => {
  await using _ = await socketCheck();
  const address = `udp://${udp()}`;
  using dish = new Dish({ receiveTimeout: 5_000 });
  using radio = new Radio();
  const long = "x".repeat(127);
  dish.join("news", long);
  await dish.bind(address);
  radio.connect(address);
  const sends = [["hello", "news"], ["", long], [Buffer.alloc(8_187, 1), "news"], [
    Buffer.alloc(8_064),
    long,
  ]] as const;
  for (const [message, group] of sends) {
    await radio.send(message, { group });
    const [heard, label] = await dish.receive();
    assert.deepEqual([heard.length, String(label.group)], [message.length, group]);
  }
  assert.equal((await failure(radio.send(Buffer.alloc(8_188), { group: "news" }))).code, "EMSGSIZE");
  assert.equal((await failure(radio.send(Buffer.alloc(8_065), { group: long }))).code, "EMSGSIZE");
  // libzmq reads the length of the name as a number with sign, and would end the process of every Dish there.
  assert.equal((await failure(radio.send("x", { group: "x".repeat(128) }))).code, "EMSGSIZE");
});

test("addresses of UDP that cannot be are refused", { skip }, async () => {
  await using _ = await socketCheck();
  for (
    const address of ["udp://", "udp://;", "udp://127.0.0.1", "udp://nothing9;1.2.3.4:5", "udp://[::1]:4"]
  ) {
    using dish = new Dish();
    using radio = new Radio();
    using datagram = new Datagram();
    assert.match((await failure(dish.bind(address))).code, /EINVAL|ENODEV/);
    assert.throws(() => radio.connect(address), { code: /EINVAL|ENODEV/ as unknown as string });
    assert.match((await failure(datagram.bind(address))).code, /EINVAL|ENODEV/);
  }
});
