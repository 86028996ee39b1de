/** The errors of `zeromesh/zmq`: they begin as in the package, and say to whom something happened and what to do. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as zmq from "zeromesh/zmq";
import { test } from "../support/testing.ts";
import { until } from "../support/until.ts";
import { failure, linked } from "./zmq_sockets_kit.ts";

test("an address that cannot be used is named, with the reason", async () => {
  using taken = new zmq.Reply();
  await taken.bind("tcp://127.0.0.1:*");
  const used = taken.lastEndpoint!;
  using socket = new zmq.Router({ linger: 0 });
  const refused: [zmq.ErrnoError, string, string, RegExp][] = [
    [
      await failure(socket.bind(used)),
      "EADDRINUSE",
      used,
      /^Address already in use: the Router cannot bind to \S+; another socket or program has it: .*port \*$/,
    ],
    [
      await failure(socket.bind("here")),
      "EINVAL",
      "here",
      /^Invalid argument: the Router cannot bind to here; an address is like tcp:\/\/127\.0\.0\.1:5555, /,
    ],
    [
      await failure(() => socket.connect("tcp://127.0.0.1:*")),
      "EINVAL",
      "tcp://127.0.0.1:*",
      /^Invalid argument: the Router cannot connect to tcp:\S+:\*; .* with no \* in it$/,
    ],
    [
      await failure(socket.bind("carrier://pigeon")),
      "EPROTONOSUPPORT",
      "carrier://pigeon",
      /^Protocol not supported: the Router cannot bind to carrier:\S+; the loaded libzmq does not have this transport$/,
    ],
    [
      await failure(socket.unbind(used)),
      "ENOENT",
      used,
      /^No such endpoint: the Router cannot unbind from \S+; .* lastEndpoint$/,
    ],
    [
      await failure(() => socket.disconnect("tcp://127.0.0.1:9")),
      "ENOENT",
      "tcp://127.0.0.1:9",
      /^No such endpoint: the Router cannot disconnect from tcp:\S+; /,
    ],
  ];
  for (const [error, code, address, message] of refused) {
    assert.deepEqual([error.code, error.address, typeof error.errno], [code, address, "number"]);
    assert.match(error.message, message);
  }
});

test("a port that there is not is refused; libzmq would take another one", async () => {
  using socket = new zmq.Dealer({ linger: 0 });
  for (const port of ["99999", "65536", "-1"]) {
    const address = `tcp://127.0.0.1:${port}`;
    for (const call of [() => socket.connect(address), () => socket.bind(address)]) {
      const { code, message, address: named } = await failure(call);
      assert.deepEqual([code, named], ["EINVAL", address]);
      assert.match(message, /; a port is from 0 to 65535$/);
    }
  }
  assert.equal(socket.lastEndpoint, null);
  socket.connect("tcp://127.0.0.1:65535");
});

test("an operation that is not possible says why", async () => {
  const context = new zmq.Context({ ioThreads: 0 });
  using request = new zmq.Request({ linger: 0, receiveTimeout: 0, sendTimeout: 0, context });
  using reply = new zmq.Reply({ linger: 0, receiveTimeout: 10, sendTimeout: 0, context });
  using router = new zmq.Router({ mandatory: true, context });
  using pull = new zmq.Pull({ context });
  const send = zmq.Push.prototype.send.bind(pull as unknown as zmq.Push);
  await reply.bind("inproc://turns");
  const refused: [() => Promise<unknown>, string, RegExp][] = [
    [() => request.receive(), "EFSM", /state: the Request cannot receive; it has to send a request first$/],
    [
      () => request.send("x"),
      "EAGAIN",
      /timed out: the Request cannot send; no peer had room, and sendTimeout is 0$/,
    ],
    [() => reply.send("x"), "EFSM", /state: the Reply cannot send; it has to receive a request first$/],
    [
      () => reply.receive(),
      "EAGAIN",
      /the Reply cannot receive; no message came within receiveTimeout, 10 ms$/,
    ],
    [
      () => router.send(["nobody", "x"]),
      "EHOSTUNREACH",
      /^Host unreachable: the Router cannot send; it has no conn/,
    ],
    [() => send("x"), "ENOTSUP", /: the Pull cannot send; sockets of its type do not$/],
    [
      () => reply.bind("tcp://127.0.0.1:*"),
      "EMTHREAD",
      /the Reply cannot bind .* no I\/O thread .*: see ioThreads/,
    ],
  ];
  for (const [call, code, message] of refused) {
    const error = await failure(call);
    assert.equal(error.code, code);
    assert.match(error.message, message);
  }
  request.connect("inproc://turns");
  await request.send("one");
  await reply.receive();
  assert.match(
    (await failure(request.send("two"))).message,
    /the Request .* the reply to its last request first/,
  );
  assert.match(
    (await failure(reply.receive())).message,
    /the Reply .* send the reply to the last request first$/,
  );
  for (const socket of [request, reply, router, pull]) socket.close();
  assert.match(
    (await failure(() => reply.linger = 1)).message,
    /: the Reply cannot set linger to 1; it is clo/,
  );
  assert.match((await failure(() => reply.receive())).message, /^Socket is closed: open another Reply$/);
  await context[Symbol.asyncDispose]();
});

test("a message for which there is no memory rejects its receive, and the socket goes on", async () => {
  const [push, pull] = await linked(new zmq.Push({ linger: 0 }), new zmq.Pull());
  const tooLarge = 70_000;
  const { allocUnsafeSlow } = Buffer;
  using _ = { [Symbol.dispose]: () => Buffer.allocUnsafeSlow = allocUnsafeSlow };
  Buffer.allocUnsafeSlow = (size) => {
    if (size === tooLarge) throw new RangeError("Array buffer allocation failed");
    return allocUnsafeSlow(size);
  };
  const lost = async (receive: () => Promise<unknown>): Promise<void> => {
    const error = await failure(receive);
    assert.equal(error.code, "ENOMEM");
    assert.match(
      error.message,
      /: the Pull dropped a message .* part of 70000 bytes; maxMessageSize limits /,
    );
    assert.ok(error.cause instanceof RangeError);
  };
  const large = ["first", new Uint8Array(tooLarge), "last"];
  // It comes while receive waits.
  const waiting = lost(() => pull.receive());
  await push.send(large);
  await push.send("next");
  await waiting;
  assert.deepEqual((await pull.receive()).map(String), ["next"]);
  // It is there already.
  await push.send(new Uint8Array(tooLarge));
  await push.send("here");
  await until(() => pull.readable);
  await lost(() => pull.receive());
  assert.deepEqual((await pull.receive()).map(String), ["here"]);
  // It ends a loop, and the next one goes on.
  await push.send("a");
  await push.send(large);
  await push.send("b");
  const seen: string[] = [];
  await lost(async () => {
    for await (const [part] of pull) seen.push(String(part));
  });
  for await (const [part] of pull) {
    seen.push(String(part));
    break;
  }
  assert.deepEqual(seen, ["a", "b"]);
  push.close();
  pull.close();
});
