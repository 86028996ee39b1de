/** `Proxy` of `zeromesh/zmq`. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { socketCheck } from "../support/zmq_sockets.ts";
import { pause, until, within } from "../support/until.ts";
import * as zmq from "zeromesh/zmq";

test("requests and replies go through a proxy of a Router and a Dealer, of one and of many parts", async () => {
  await using _ = await socketCheck();
  const proxy = new zmq.Proxy(new zmq.Router(), new zmq.Dealer());
  await proxy.frontEnd.bind("tcp://127.0.0.1:*");
  await proxy.backEnd.bind("inproc://workers");
  const front = proxy.frontEnd.lastEndpoint!;
  const running = proxy.run();
  const workers = [1, 2].map((number) => {
    const reply = new zmq.Reply();
    reply.connect("inproc://workers");
    const serving = (async () => {
      for await (const question of reply) await reply.send([`from ${number}`, ...question]);
    })();
    return { reply, serving };
  });
  const asking = Array.from({ length: 8 }, async (_, client) => {
    const request = new zmq.Request({ linger: 0 });
    request.connect(front);
    for (const question of [[`${client}`], [`${client}`, "", "two", "three"]]) {
      await request.send(question);
      const [from, ...heard] = await request.receive();
      assert.match(String(from), /^from [12]$/);
      assert.deepEqual(heard.map(String), question);
    }
    request.close();
  });
  await within(Promise.all(asking), 10_000, "the replies");
  proxy.terminate();
  await within(running, 5_000, "the end of the proxy");
  assert.ok(proxy.frontEnd.closed && proxy.backEnd.closed);
  for (const { reply, serving } of workers) {
    reply.close();
    await serving;
  }
});

test("subscriptions and messages go through a proxy of an XSubscriber and an XPublisher", async () => {
  await using _ = await socketCheck();
  const proxy = new zmq.Proxy(new zmq.XSubscriber(), new zmq.XPublisher());
  await proxy.frontEnd.bind("inproc://publishers");
  await proxy.backEnd.bind("inproc://subscribers");
  const running = proxy.run();
  const publisher = new zmq.XPublisher({ linger: 0 });
  publisher.connect("inproc://publishers");
  const subscriber = new zmq.Subscriber();
  subscriber.connect("inproc://subscribers");
  subscriber.subscribe("a");
  const [subscription] = await within(publisher.receive(), 5_000, "the subscription");
  assert.deepEqual([...subscription!], [1, "a".charCodeAt(0)]);
  await publisher.send("b is not wanted");
  await publisher.send(["a", "is"]);
  assert.deepEqual((await within(subscriber.receive(), 5_000, "the message")).map(String), ["a", "is"]);
  proxy.terminate();
  await running;
  publisher.close();
  subscriber.close();
});

test("a proxy of a Pull and a Push holds back what nobody takes, and loses nothing", async () => {
  await using _ = await socketCheck();
  const sends = { sendHighWaterMark: 2, linger: 0 };
  const receives = { receiveHighWaterMark: 2 };
  const proxy = new zmq.Proxy(new zmq.Pull(receives), new zmq.Push(sends));
  await proxy.frontEnd.bind("inproc://in");
  await proxy.backEnd.bind("inproc://out");
  const running = proxy.run();
  const push = new zmq.Push(sends);
  push.connect("inproc://in");
  const count = 500;
  let sent = 0;
  const sending = (async () => {
    for (; sent < count; sent++) await push.send([String(sent), "x".repeat(sent)]);
  })();
  // As many as fit between the sender and nobody, then no more.
  let before = -1;
  await until(async () => {
    const same = sent === before;
    before = sent;
    await pause(20);
    return same && sent > 0;
  });
  assert.ok(sent <= 20, `${sent} messages were taken that nobody received`);
  const pull = new zmq.Pull(receives);
  pull.connect("inproc://out");
  for (let i = 0; i < count; i++) {
    const [number, text] = await within(pull.receive(), 5_000, `message ${i}`);
    assert.deepEqual([String(number), text!.length], [String(i), i]);
  }
  await sending;
  proxy.terminate();
  await running;
  push.close();
  pull.close();
});

test("a subscription that libzmq could not end again does not pass a proxy", async () => {
  await using _ = await socketCheck();
  const proxy = new zmq.Proxy(new zmq.XSubscriber(), new zmq.XPublisher());
  await proxy.frontEnd.bind("inproc://publishers");
  await proxy.backEnd.bind("inproc://subscribers");
  const running = proxy.run();
  const publisher = new zmq.XPublisher({ linger: 0 });
  publisher.connect("inproc://publishers");
  // Over inproc:// libzmq lets them connect: a peer that does not limit its subscriptions.
  const subscriber = new zmq.Pair({ linger: 0 });
  subscriber.connect("inproc://subscribers");
  const subscription = new Uint8Array(1_000_000).fill(1);
  for (const message of [subscription, ["more", subscription.subarray(1)], "\u0001b"]) {
    await subscriber.send(message);
  }
  const received: number[][] = [];
  for (let i = 0; i < 2; i++) {
    received.push((await within(publisher.receive(), 5_000, "a message")).map(({ length }) => length));
  }
  assert.deepEqual(received, [[4, 0], [2]]);
  proxy.terminate();
  await running;
  publisher.close();
  subscriber.close();
});

test("a paused proxy forwards nothing until it is resumed", async () => {
  await using _ = await socketCheck();
  const proxy = new zmq.Proxy(new zmq.Pull(), new zmq.Push());
  await proxy.frontEnd.bind("inproc://in");
  await proxy.backEnd.bind("inproc://out");
  const running = proxy.run();
  const [push, pull] = [new zmq.Push({ linger: 0 }), new zmq.Pull({ receiveTimeout: 60 })];
  push.connect("inproc://in");
  pull.connect("inproc://out");
  await push.send("one");
  assert.equal(String(await pull.receive()), "one");
  proxy.pause();
  await push.send("two");
  await assert.rejects(pull.receive(), { code: "EAGAIN" });
  proxy.resume();
  pull.receiveTimeout = 5_000;
  assert.equal(String(await pull.receive()), "two");
  proxy.terminate();
  await running;
  push.close();
  pull.close();
});

test("a proxy refuses what it cannot use, and its sockets are not for others while it runs", async () => {
  await using t = await socketCheck();
  const Any = zmq.Proxy as unknown as new (...args: unknown[]) => zmq.Proxy;
  assert.throws(() => new Any(), { name: "TypeError", message: "Front-end must be a socket object" });
  assert.throws(() => new Any({}), { name: "TypeError", message: "Back-end must be a socket object" });
  assert.throws(() => new Any({}, {}), { message: "Invalid argument", code: "EINVAL" });
  const [front, back] = [new zmq.Router(), new zmq.Dealer()];
  t.defer(() => front.close());
  t.defer(() => back.close());
  const proxy = new zmq.Proxy(front, back);
  for (const call of [() => proxy.pause(), () => proxy.resume(), () => proxy.terminate()]) {
    assert.throws(call, { code: "EBADF", message: "Socket is closed" });
  }
  assert.throws(() => proxy.run(), {
    code: "EINVAL",
    message: "Front-end socket must be bound or connected",
  });
  await front.bind("inproc://refused");
  assert.throws(() => proxy.run(), {
    code: "EINVAL",
    message: "Back-end socket must be bound or connected",
  });
  await back.bind("inproc://refused too");
  const running = proxy.run();
  assert.throws(() => proxy.run(), { code: "EBUSY" });
  await assert.rejects(async () => await front.receive(), { code: "EBUSY" });
  await assert.rejects(async () => await back.send("no"), { code: "EBUSY" });
  // As for a bind, closing takes effect at the end.
  front.close();
  assert.equal(front.closed, false);
  proxy.terminate();
  await running;
  assert.ok(front.closed && back.closed);
  assert.throws(() => proxy.terminate(), { code: "EBADF" });
});

test("the end of its context ends a proxy with ETERM", async () => {
  await using _ = await socketCheck();
  const context = new zmq.Context();
  const proxy = new zmq.Proxy(new zmq.Router({ context }), new zmq.Dealer({ context }));
  await proxy.frontEnd.bind("inproc://front");
  await proxy.backEnd.bind("inproc://back");
  const refused = assert.rejects(proxy.run(), { code: "ETERM" });
  await within(context[Symbol.asyncDispose](), 5_000, "the context to end");
  await within(refused, 5_000, "the end of the proxy");
});

test("the end of its context ends a paused proxy too", async () => {
  await using _ = await socketCheck();
  const context = new zmq.Context();
  const proxy = new zmq.Proxy(new zmq.Router({ context }), new zmq.Dealer({ context }));
  await proxy.frontEnd.bind("inproc://front");
  await proxy.backEnd.bind("inproc://back");
  const refused = assert.rejects(proxy.run(), { code: "ETERM" });
  proxy.pause();
  await within(context[Symbol.asyncDispose](), 5_000, "the context to end");
  await within(refused, 5_000, "the end of the proxy");
});

test("a proxy that cannot run leaves its sockets as they were", async () => {
  await using _ = await socketCheck();
  const [front, back] = [new zmq.Pull(), new zmq.Dealer({ linger: 0 })];
  await front.bind("inproc://kept");
  await back.bind("inproc://busy");
  const reading = back.receive();
  assert.throws(() => new zmq.Proxy(front, back).run(), { code: "EBUSY" });
  assert.throws(() => new zmq.Proxy(front, front).run(), { code: "EBUSY" });
  const push = new zmq.Push();
  push.connect("inproc://kept");
  await push.send("still here");
  assert.equal(String(await front.receive()), "still here");
  front.close();
  assert.ok(front.closed);
  back.close();
  await assert.rejects(reading, { code: "EAGAIN" });
  push.close();
});

test("a message that comes while somebody looks at the socket of a proxy is forwarded", async () => {
  await using _ = await socketCheck();
  const proxy = new zmq.Proxy(new zmq.Pull(), new zmq.Push());
  await proxy.frontEnd.bind("inproc://in");
  await proxy.backEnd.bind("inproc://out");
  const running = proxy.run();
  const [push, pull] = [new zmq.Push(), new zmq.Pull()];
  push.connect("inproc://in");
  pull.connect("inproc://out");
  for (let round = 0; round < 5; round++) {
    // The proxy has nothing to do before.
    await pause(2);
    const sent = push.send(String(round));
    // It consumes the signal of the message.
    assert.ok(proxy.frontEnd.readable);
    await sent;
    assert.equal(String(await within(pull.receive(), 5_000, "the message")), String(round));
  }
  proxy.terminate();
  await running;
  push.close();
  pull.close();
});
