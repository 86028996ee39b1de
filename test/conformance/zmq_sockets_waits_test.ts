/** `zeromesh/zmq`: operations that wait, their times, and what bounds queues. */
import assert from "node:assert/strict";
import * as zmq from "zeromesh/zmq";
import { test } from "../support/testing.ts";
import { pause, until, within } from "../support/until.ts";
import { failure, linked } from "./zmq_sockets_kit.ts";

test("receive and send give up after their time, and at once with 0", async () => {
  const socket = new zmq.Dealer({ immediate: true, linger: 0, receiveTimeout: 30, sendTimeout: 30 });
  for (const timeout of [30, 0]) {
    socket.receiveTimeout = socket.sendTimeout = timeout;
    for (const operation of [() => socket.receive(), () => socket.send("x")]) {
      const start = performance.now();
      const error = await failure(operation());
      assert.equal(error.code, "EAGAIN");
      assert.equal(error.message, "Operation was not possible or timed out");
      assert.equal(typeof error.errno, "number");
      if (timeout > 0) assert.ok(performance.now() - start >= timeout - 2);
    }
  }
  socket.close();
});

test("send waits at the high-water mark until the receiver has made room, and order is kept", async () => {
  const push = new zmq.Push({ sendHighWaterMark: 1, linger: 0 });
  const pull = new zmq.Pull({ receiveHighWaterMark: 1 });
  await push.bind("inproc://mark");
  pull.connect("inproc://mark");
  await push.send("0");
  await push.send("1");
  assert.equal(push.writable, false);
  let sent = false;
  // What was given is sent, though the program uses the memory again.
  const bytes = new Uint8Array([50]);
  const sending = push.send([bytes, "second part"]).then(() => sent = true);
  bytes[0] = 0;
  await pause(10);
  assert.equal(sent, false);
  for (const expected of ["0", "1", "2"]) assert.equal(String((await pull.receive())[0]), expected);
  await sending;
  push.close();
  pull.close();
});

test("a request that waits for its turn is sent after the reply", async () => {
  const [reply, request] = await linked(new zmq.Reply(), new zmq.Request());
  await request.send("first");
  const second = request.send("second");
  assert.equal(String(await reply.receive()), "first");
  // A reply has to come before the next request.
  const next = reply.receive();
  await reply.send("answer");
  assert.equal(String(await request.receive()), "answer");
  await second;
  assert.equal(String(await next), "second");
  request.close();
  reply.close();
});

test("messages and room that come while both directions wait are noticed", async () => {
  const [one, other] = [new zmq.Pair({ linger: 0 }), new zmq.Pair({ linger: 0 })];
  const reading = one.receive();
  const writing = one.send("hello");
  await one.bind("inproc://both");
  other.connect("inproc://both");
  await writing;
  assert.equal(String(await other.receive()), "hello");
  await other.send("back");
  assert.equal(String(await reading), "back");
  one.close();
  other.close();
});

test("a message that comes while the owner is busy with sending is noticed", async () => {
  const [router, dealer] = await linked(new zmq.Router(), new zmq.Dealer());
  await dealer.send("hello");
  const [id] = await router.receive();
  for (let round = 0; round < 20; round++) {
    const reading = dealer.receive();
    await router.send([id!, String(round)]);
    // Each send may consume the signal of the message.
    for (let i = 0; i < 50; i++) await dealer.send("x");
    assert.equal(String(await reading), String(round));
  }
  router.close();
  dealer.close();
});

test("a message that comes while the socket binds is noticed by the receive that waits", async () => {
  const [pull, push] = [new zmq.Pull(), new zmq.Push()];
  await pull.bind("inproc://noticed");
  push.connect("inproc://noticed");
  for (let round = 0; round < 5; round++) {
    const reading = pull.receive();
    // The wait has begun.
    await pause(2);
    const sent = push.send(String(round));
    // It consumes the signal of the message.
    pull.bindSync(`inproc://noticed too ${round}`);
    await sent;
    assert.equal(String(await within(reading, 5_000, "the message")), String(round));
  }
  push.close();
  pull.close();
});

test("a part whose text comes from the program may use the socket meanwhile", async () => {
  const push = new zmq.Push({ linger: 0 });
  await push.bind("inproc://text");
  let first: Promise<void> | undefined;
  const sends = { toString: () => (first = push.send("first"), "second") };
  assert.throws(() => push.send(sends as unknown as string), { code: "EBUSY" });
  const pull = new zmq.Pull();
  pull.connect("inproc://text");
  await within(first!, 5_000, "the first send");
  assert.equal(String(await pull.receive()), "first");
  const closes = { toString: () => (push.close(), "late") };
  assert.throws(() => push.send(["part", closes as unknown as string]), { code: "EBADF" });
  pull.close();
});

test("an element that an array lacks is sent as one that is undefined", async () => {
  const [push, pull] = await linked(new zmq.Push(), new zmq.Pull());
  const parts: string[] = ["first"];
  parts[2] = "last";
  await push.send(parts);
  assert.deepEqual((await pull.receive()).map(String), ["first", "undefined", "last"]);
  push.close();
  pull.close();
});

test("conflate keeps the last message", async () => {
  const push = new zmq.Push({ linger: 0 });
  const pull = new zmq.Pull({ conflate: true });
  await pull.bind("tcp://127.0.0.1:*");
  push.connect(pull.lastEndpoint!);
  for (let i = 1; i <= 100; i++) await push.send(String(i));
  const last = await until(async () => {
    const [part] = await pull.receive();
    return String(part) === "100" ? String(part) : null;
  });
  assert.equal(last, "100");
  push.close();
  pull.close();
});

test("a mandatory router refuses an unknown peer; a publisher without subscribers drops", async () => {
  const router = new zmq.Router({ mandatory: true });
  const error = await failure(router.send(["nobody", "x"]));
  assert.equal(error.code, "EHOSTUNREACH");
  router.close();
  const publisher = new zmq.Publisher({ sendHighWaterMark: 1 });
  for (let i = 0; i < 10; i++) await publisher.send(String(i));
  publisher.close();
});

test("timers and other work get their turn while messages are sent and received without end", async () => {
  const push = new zmq.Push({ sendHighWaterMark: 0, linger: 0 });
  const pull = new zmq.Pull({ receiveHighWaterMark: 0 });
  await push.bind("inproc://turns");
  pull.connect("inproc://turns");
  let ended = false;
  const timer = pause(20).then(() => ended = true);
  let count = 0;
  while (!ended) {
    await push.send("x");
    await pull.receive();
    if (++count > 5_000_000) assert.fail("the timer never came");
  }
  await timer;
  push.close();
  pull.close();
});

test("many sends without await leave in order", async () => {
  const [push, pull] = await linked(new zmq.Push({ sendHighWaterMark: 0 }), new zmq.Pull());
  // Without a connection there is no room.
  await push.send("first");
  const sends = Array.from({ length: 1_000 }, (_, i) => push.send(String(i)));
  await Promise.all(sends);
  await pull.receive();
  for (let i = 0; i < 1_000; i++) assert.equal(String(await pull.receive()), String(i));
  push.close();
  pull.close();
});

test("empty parts, 10 000 parts and a large part arrive whole", async () => {
  const [push, pull] = await linked(new zmq.Push(), new zmq.Pull());
  await push.send(["", null, new Uint8Array(0)]);
  assert.deepEqual((await pull.receive()).map((part) => part.length), [0, 0, 0]);
  await push.send(Array.from({ length: 10_000 }, (_, i) => String(i)));
  const parts = await pull.receive();
  assert.equal(parts.length, 10_000);
  assert.equal(String(parts[9_999]), "9999");
  const large = new Uint8Array(32 * 2 ** 20).fill(7);
  large[large.length - 1] = 9;
  await push.send(large);
  const [part] = await pull.receive();
  assert.equal(part!.length, large.length);
  assert.deepEqual([part![0], part!.at(-2), part!.at(-1)], [7, 7, 9]);
  push.close();
  pull.close();
});
