/** The events of sockets of `zeromesh/zmq`: every one that can be caused here, with its details. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { socketCheck } from "../support/zmq_sockets.ts";
import { until, within } from "../support/until.ts";
import * as zmq from "zeromesh/zmq";

/** The events of a socket as they come. */
function record(socket: zmq.Socket): zmq.Event[] {
  const events: zmq.Event[] = [];
  void (async () => {
    for await (const event of socket.events) events.push(event);
  })();
  return events;
}

async function seen<E extends zmq.EventType>(
  events: readonly zmq.Event[],
  type: E,
): Promise<zmq.EventOfType<E>> {
  const found = () => events.find((event) => event.type === type);
  await until(() => found() !== undefined, {
    message: () => `the event ${type} among ${JSON.stringify(events)}`,
  });
  return found() as zmq.EventOfType<E>;
}

test("a connection is reported by both of its sockets, from bind to end", async () => {
  await using _ = await socketCheck();
  const [router, dealer] = [new zmq.Router(), new zmq.Dealer({ reconnectInterval: 10_000 })];
  const [bound, connected] = [record(router), record(dealer)];
  await router.bind("tcp://127.0.0.1:*");
  const address = router.lastEndpoint!;
  dealer.connect(address);
  assert.deepEqual(await seen(bound, "bind"), { type: "bind", address });
  assert.deepEqual(await seen(bound, "accept"), { type: "accept", address });
  assert.deepEqual(await seen(connected, "connect:delay"), { type: "connect:delay", address });
  assert.deepEqual(await seen(connected, "connect"), { type: "connect", address });
  assert.deepEqual(await seen(bound, "handshake"), { type: "handshake", address });
  assert.deepEqual(await seen(connected, "handshake"), { type: "handshake", address });
  router.close();
  assert.deepEqual(await seen(bound, "close"), { type: "close", address });
  assert.deepEqual(await seen(bound, "end"), { type: "end" });
  assert.deepEqual(await seen(connected, "disconnect"), { type: "disconnect", address });
  const { interval, ...retry } = await seen(connected, "connect:retry");
  assert.deepEqual(retry, { type: "connect:retry", address });
  // libzmq adds up to as much again.
  assert.ok(interval >= 10_000 && interval <= 20_000, String(interval));
  dealer.close();
  await seen(connected, "end");
  assert.ok(router.events.closed && dealer.events.closed);
});

test("a bind that fails is an event with the error", async () => {
  await using t = await socketCheck();
  const [first, second] = [new zmq.Pull(), new zmq.Pull()];
  t.defer(() => first.close());
  t.defer(() => second.close());
  await first.bind("tcp://127.0.0.1:*");
  const events = record(second);
  await assert.rejects(second.bind(first.lastEndpoint!), {
    code: "EADDRINUSE",
    address: first.lastEndpoint!,
  });
  const { error } = await seen(events, "bind:error");
  assert.equal(error.code, "EADDRINUSE");
  assert.equal(error.message, "Address already in use");
  assert.ok(error.errno > 0);
});

test("a refused connection is tried again, and says when", async () => {
  await using t = await socketCheck();
  const dealer = new zmq.Dealer({ linger: 0, reconnectInterval: 20 });
  t.defer(() => dealer.close());
  const events = record(dealer);
  dealer.connect("tcp://127.0.0.1:1");
  const { address, interval } = await seen(events, "connect:retry");
  assert.equal(address, "tcp://127.0.0.1:1");
  assert.ok(interval >= 20 && interval <= 40, String(interval));
  await seen(events, "close");
});

test("a peer that speaks another protocol is a failed handshake", async () => {
  await using t = await socketCheck();
  const server = new zmq.Stream({ linger: 0 });
  t.defer(() => server.close());
  await server.bind("tcp://127.0.0.1:*");
  void (async () => {
    for await (const [id, bytes] of server) {
      if (bytes.length === 0) continue;
      await server.send([id, "HTTP/1.1 400 Bad Request\r\n\r\n"]);
      await server.send([id, ""]);
    }
  })();
  const dealer = new zmq.Dealer({ linger: 0, reconnectInterval: 10_000 });
  t.defer(() => dealer.close());
  const events = record(dealer);
  dealer.connect(server.lastEndpoint!);
  const failed = () => events.find(({ type }) => type.startsWith("handshake:error") || type === "disconnect");
  await until(() => failed() !== undefined, { message: () => JSON.stringify(events) });
});

test("two sockets with different security mechanisms both report the violation", async () => {
  await using t = await socketCheck();
  const [plain, curve] = [
    new zmq.Pair({ linger: 0, plainServer: true }),
    new zmq.Pair({ linger: 0, curveServer: true }),
  ];
  t.defer(() => plain.close());
  t.defer(() => curve.close());
  const [first, second] = [record(plain), record(curve)];
  await plain.bind("tcp://127.0.0.1:*");
  curve.connect(plain.lastEndpoint!);
  for (const events of [first, second]) {
    const { error, address } = await seen(events, "handshake:error:protocol");
    assert.equal(error.message, "ZMTP protocol error");
    assert.equal(error.code, "ERR_ZMTP_MECHANISM_MISMATCH");
    assert.equal(address, plain.lastEndpoint);
  }
});

test("listeners hear events in order, until they are removed or the socket is closed", async () => {
  await using _ = await socketCheck();
  const router = new zmq.Router();
  const heard: string[] = [];
  const removed = () => heard.push("removed");
  const ended = new Promise<void>((resolve) => router.events.on("end", () => resolve()));
  router.events.on("bind", ({ address }) => heard.push(`first ${address}`)).on(
    "bind",
    () => heard.push("second"),
  );
  const subscriber: zmq.EventSubscriber = router.events;
  subscriber.on("bind", removed);
  assert.equal(subscriber.off("bind", removed), subscriber);
  assert.throws(() => router.events.receive(), /event emitter mode/);
  await router.bind("tcp://127.0.0.1:*");
  const address = router.lastEndpoint!;
  await until(() => heard.length === 2);
  assert.deepEqual(heard, [`first ${address}`, "second"]);
  router.close();
  await within(ended, 5_000, "the last event");
});

test("a listener may close the socket, and the observer, whose last event comes all the same", async () => {
  await using _ = await socketCheck();
  const [one, other] = [new zmq.Router(), new zmq.Router()];
  const ended = new Promise<void>((resolve) => one.events.on("end", () => resolve()));
  one.events.on("bind", () => one.close());
  await one.bind("tcp://127.0.0.1:*");
  await within(ended, 5_000, "the last event");
  const closed = new Promise<void>((resolve) =>
    other.events.on("bind", () => {
      other.events.close();
      resolve();
    })
  );
  await other.bind("tcp://127.0.0.1:*");
  await within(closed, 5_000, "the event");
  assert.ok(other.events.closed && !other.closed);
  other.close();
});

test("one receive at a time; after the last event there is none", async () => {
  await using _ = await socketCheck();
  const dealer = new zmq.Dealer();
  const { events } = dealer;
  assert.equal(dealer.events, events);
  assert.ok(events instanceof zmq.Observer);
  const first = events.receive();
  assert.throws(() => events.receive(), {
    code: "EBUSY",
    message: "Observer is busy reading; only one receive operation may be in progress at any time",
  });
  dealer.close();
  assert.deepEqual(await first, { type: "end" });
  assert.equal(events.closed, true);
  assert.throws(() => events.receive(), { code: "EBADF", message: "Socket is closed" });
});

test("an observer that is closed ends its receive and its loops, and the socket goes on", async () => {
  await using _ = await socketCheck();
  const [one, other] = [new zmq.Pair({ linger: 0 }), new zmq.Pair({ linger: 0 })];
  const { events } = one;
  const received = events.receive();
  events.close();
  events.close();
  await assert.rejects(received, { code: "EAGAIN" });
  for await (const event of events) assert.fail(JSON.stringify(event));
  await one.bind("inproc://observed");
  other.connect("inproc://observed");
  await other.send("still here");
  assert.equal(String(await one.receive()), "still here");
  one.close();
  other.close();
});

test("unread events wait up to a limit; beyond it the oldest are dropped and counted", async () => {
  await using _ = await socketCheck();
  const router = new zmq.Router();
  const { events } = router;
  assert.deepEqual([events.maxBuffered, events.dropped], [10_000, 0]);
  for (const [most, name] of [[0, "RangeError"], [1.5, "TypeError"], ["3", "TypeError"]] as const) {
    assert.throws(() => events.maxBuffered = most as number, { name, message: /maxBuffered/ });
  }
  events.maxBuffered = 3;
  const bound: string[] = [];
  for (let i = 0; i < 5; i++) {
    await router.bind("tcp://127.0.0.1:*");
    bound.push(router.lastEndpoint!);
  }
  await until(() => events.dropped === 2);
  events.maxBuffered = 2;
  assert.equal(events.dropped, 3);
  for (const address of bound.slice(3)) assert.deepEqual(await events.receive(), { type: "bind", address });
  router.close();
});

test("a loop over events that is left goes on in the next loop", async () => {
  await using _ = await socketCheck();
  const router = new zmq.Router();
  await within(
    (async () => {
      void router.events;
      await router.bind("tcp://127.0.0.1:*");
      for await (const { type } of router.events) {
        assert.equal(type, "bind");
        break;
      }
      router.close();
      const rest: string[] = [];
      for await (const { type } of router.events) rest.push(type);
      assert.deepEqual(rest, ["close", "end"]);
    })(),
    5_000,
    "the loops",
  );
});

test("a socket that is never observed has no monitor, and one that is closed has no events", async () => {
  await using _ = await socketCheck();
  const dealer = new zmq.Dealer();
  dealer.close();
  assert.throws(() => dealer.events, { code: "EBADF" });
});
