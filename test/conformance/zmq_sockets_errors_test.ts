/** The errors of `zeromesh/zmq`: they are those of the package, and their `detail` says which socket could not do what, and why. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as zmq from "zeromesh/zmq";
import { test } from "../support/testing.ts";
import { until } from "../support/until.ts";
import { failure, linked } from "./zmq_sockets_kit.ts";

/** Fails unless an error has the code and the text of the package, and its own detail. */
function isError(error: zmq.ErrnoError, code: string, message: string, detail: RegExp): void {
  assert.deepEqual([error.code, error.message, typeof error.errno], [code, message, "number"]);
  assert.match(error.detail!, detail);
}

test("an address that cannot be used is named, with the reason", async () => {
  using taken = new zmq.Reply();
  await taken.bind("tcp://127.0.0.1:*");
  const used = taken.lastEndpoint!;
  using socket = new zmq.Router({ linger: 0 });
  const here = "here";
  const pigeon = "carrier://pigeon";
  const star = "tcp://127.0.0.1:*";
  const refused: [() => unknown, string, string, string, RegExp][] = [
    [
      () => socket.bind(used),
      "EADDRINUSE",
      "Address already in use",
      used,
      /^The Router cannot bind to \S+: another /,
    ],
    [
      () => socket.bind(here),
      "EINVAL",
      "Invalid argument",
      here,
      /^The Router cannot bind to here: an address is like /,
    ],
    [
      () => socket.connect(star),
      "EINVAL",
      "Invalid argument",
      star,
      /^The Router cannot connect to .* with no \* in it$/,
    ],
    [
      () => socket.bind(pigeon),
      "EPROTONOSUPPORT",
      "Protocol not supported",
      pigeon,
      /does not have this transport$/,
    ],
    [
      () => socket.unbind(used),
      "ENOENT",
      "No such endpoint",
      used,
      /^The Router cannot unbind from .* lastEndpoint$/,
    ],
    [
      () => socket.disconnect(used),
      "ENOENT",
      "No such endpoint",
      used,
      /^The Router cannot disconnect from tcp/,
    ],
  ];
  for (const [call, code, message, address, detail] of refused) {
    const error = await failure(call);
    assert.equal(error.address, address);
    isError(error, code, message, detail);
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
  const timedOut = "Operation was not possible or timed out";
  const wrongState = "Operation cannot be accomplished in current state";
  const unsupported = "Operation not supported";
  const noThread = "No thread available";
  const refused: [() => unknown, string, string, RegExp][] = [
    [
      () => request.receive(),
      "EFSM",
      wrongState,
      /^The Request cannot receive: it has to send a request first$/,
    ],
    [
      () => request.send("x"),
      "EAGAIN",
      timedOut,
      /^The Request cannot send: no peer had room, and sendTimeout is 0$/,
    ],
    [() => reply.send("x"), "EFSM", wrongState, /^The Reply cannot send: it has to receive a request first$/],
    [
      () => reply.receive(),
      "EAGAIN",
      timedOut,
      /^The Reply cannot receive: .* within receiveTimeout, 10 ms$/,
    ],
    [
      () => router.send(["nobody", "x"]),
      "EHOSTUNREACH",
      "Host unreachable",
      /^The Router cannot send: it has no conn/,
    ],
    [() => send("x"), "ENOTSUP", unsupported, /^The Pull cannot send: sockets of its type do not$/],
    [
      () => reply.bind("tcp://127.0.0.1:*"),
      "EMTHREAD",
      noThread,
      /^The Reply cannot bind .*: see ioThreads and aff/,
    ],
    [() => reply.linger = -2, "EINVAL", "Invalid argument", /^The Reply cannot set linger to -2$/],
    // A text may be a secret.
    [
      () => reply.curveSecretKey = "secret",
      "EINVAL",
      "Invalid argument",
      /^The Reply cannot set curveSecretKey$/,
    ],
  ];
  for (const [call, code, message, detail] of refused) isError(await failure(call), code, message, detail);
  const reading = failure(router.receive());
  assert.match(
    (await failure(() => router.receive())).detail!,
    /^The Router cannot receive: wait for its last receive/,
  );
  request.connect("inproc://turns");
  await request.send("one");
  await reply.receive();
  assert.match(
    (await failure(request.send("two"))).detail!,
    /^The Request .* the reply to its last request first/,
  );
  assert.match(
    (await failure(reply.receive())).detail!,
    /^The Reply .* send the reply to the last request first$/,
  );
  for (const socket of [request, reply, router, pull]) socket.close();
  isError(await reading, "EAGAIN", timedOut, /^The Router cannot receive: it was closed meanwhile$/);
  assert.match(
    (await failure(() => reply.linger = 1)).detail!,
    /^The Reply cannot set linger to 1: it is closed$/,
  );
  isError(
    await failure(() => reply.receive()),
    "EBADF",
    "Socket is closed",
    /^The Reply was closed: open another$/,
  );
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
