/** `zeromesh/zmq`: ends of sockets and contexts, in the middle of whatever they do. */
import assert from "node:assert/strict";
import * as zmq from "zeromesh/zmq";
import { leakCheck } from "../support/fixture.ts";
import { longRun } from "../support/runtime.ts";
import { test } from "../support/testing.ts";
import { until } from "../support/until.ts";
import { failure, linked } from "./zmq_sockets_kit.ts";

test("a socket that is closed while it binds is closed at the end of that", async () => {
  const socket = new zmq.Dealer();
  const binding = socket.bind("tcp://127.0.0.1:*");
  const refused = [failure(() => socket.send("x")), failure(socket.bind("tcp://127.0.0.1:*"))];
  socket.close();
  assert.equal(socket.closed, false);
  await binding;
  for (const error of await Promise.all(refused)) {
    assert.equal(error.code, "EBUSY");
    assert.equal(error.message, "Socket is blocked by a bind or unbind operation");
  }
  assert.equal(socket.closed, true);
  assert.equal((await failure(socket.bind("tcp://127.0.0.1:*"))).code, "EBADF");
  assert.throws(() => socket.connect("tcp://127.0.0.1:1"), { code: "EBADF", message: "Socket is closed" });
});

test("a failed bind leaves the socket usable", async () => {
  const first = new zmq.Dealer();
  const second = new zmq.Dealer();
  await first.bind("tcp://127.0.0.1:*");
  const address = first.lastEndpoint!;
  const error = await failure(second.bind(address));
  assert.deepEqual([error.code, error.address, error.message], [
    "EADDRINUSE",
    address,
    "Address already in use",
  ]);
  assert.equal((await failure(second.bind("foo-bar"))).code, "EINVAL");
  assert.equal((await failure(second.unbind(address))).code, "ENOENT");
  await first.unbind(address);
  await until(async () => await second.bind(address).then(() => true, () => false));
  first.close();
  second.close();
  second.close();
});

test("the loop over a socket ends when it is closed in it", async () => {
  const [push, pull] = await linked(new zmq.Push({ linger: 0 }), new zmq.Pull());
  await push.send("1");
  await push.send("2");
  let seen = 0;
  for await (const _ of pull) {
    seen++;
    pull.close();
  }
  assert.equal(seen, 1);
  push.close();
});

test("the end of a context ends what its sockets wait for", async () => {
  const context = new zmq.Context();
  const socket = new zmq.Dealer({ context, immediate: true });
  const reading = failure(socket.receive());
  const writing = failure(socket.send("x"));
  await context[Symbol.asyncDispose]();
  assert.equal((await reading).code, "ETERM");
  assert.equal((await writing).code, "ETERM");
  assert.equal(socket.closed, true);
  assert.throws(() => new zmq.Dealer({ context }), { code: "EFAULT", message: "Context is closed" });
});

test("await using closes a socket", async () => {
  let kept: zmq.Pull;
  {
    await using pull = new zmq.Pull();
    kept = pull;
  }
  assert.equal(kept.closed, true);
});

test("1 000 sockets are open at once, and a context has no more than its limit", async () => {
  const context = new zmq.Context({ maxSockets: 1_000 });
  const sockets: zmq.Dealer[] = [];
  for (let i = 0; i < 1_000; i++) sockets.push(new zmq.Dealer({ context }));
  assert.throws(() => new zmq.Dealer({ context }), {
    code: "EMFILE",
    message: "Too many open file descriptors",
  });
  for (const socket of sockets) socket.close();
  await context[Symbol.asyncDispose]();
});

test("sockets that are bound and closed again and again leave no descriptor", async () => {
  // The thread's context, and its wait.
  const keep = new zmq.Pull({ receiveTimeout: 1 });
  await failure(keep.receive());
  await using t = await leakCheck();
  t.defer(() => {});
  for (let i = 0; i < (longRun ? 100_000 : 1_000); i++) {
    const socket = new zmq.Reply();
    await socket.bind("tcp://127.0.0.1:*");
    socket.close();
  }
  keep.close();
});
