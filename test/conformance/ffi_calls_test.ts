import assert from "node:assert/strict";
import { test } from "node:test";
import {
  capabilities,
  ContextOption,
  Errno,
  errnoName,
  isFailure,
  MessageProperty,
  openBackend,
  PollEvent,
  SocketOption,
  SocketType,
  ZeromeshError,
  zmqError,
} from "../../ffi/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { pause } from "../support/until.ts";
import { dontWait, int32, Kit, more, turn } from "./ffi_kit.ts";

const endpoints = ["inproc://calls", "tcp://127.0.0.1:*"];

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + 7) & 0xff);
}

test("openBackend() gives one backend and says what was loaded", async () => {
  const backend = await openBackend();
  assert.equal(await openBackend(), backend);
  const { path, version, capabilities: found } = backend.library;
  assert.ok(path.length > 0);
  assert.match(version, /^4\.\d+\.\d+$/);
  assert.ok(found.every((name) => capabilities.includes(name)));
  assert.ok(found.includes("ipc"));
});

for (const endpoint of endpoints) {
  test(`receive() gives the full size of a frame that was cut, over ${endpoint}`, async () => {
    await using check = await leakCheck();
    const kit = check.use(await Kit.open());
    const { backend } = kit;
    const { left, right } = kit.pair(endpoint);
    const region = backend.region(64);
    for (const size of [0, 1, 15, 16, 17, 40, 1000, 70_000]) {
      region.bytes.fill(0xee);
      assert.equal(backend.send(right, pattern(size), dontWait), size);
      assert.equal(await kit.settled(() => backend.receive(left, region, 8, 16, dontWait)), size);
      const kept = Math.min(16, size);
      assert.deepEqual(region.bytes.subarray(8, 8 + kept), pattern(size).subarray(0, kept));
      assert.ok(region.bytes.subarray(8 + kept).every((byte) => byte === 0xee), "nothing past the end");
      assert.ok(region.bytes.subarray(0, 8).every((byte) => byte === 0xee), "nothing before the start");
      assert.equal(backend.receiveMore(left), 0);
    }
  });

  test(`sendRegion(), receiveMessage() and the copies keep parts and bytes, over ${endpoint}`, async () => {
    await using check = await leakCheck();
    const kit = check.use(await Kit.open());
    const { backend } = kit;
    const { left, right } = kit.pair(endpoint);
    const out = backend.region(100_000);
    const into = backend.region(100_000);
    out.bytes.set(pattern(100_000));
    const sizes = [0, 1, 24, 33, 34, 4096, 99_990];
    for (const [index, size] of sizes.entries()) {
      const flags = index + 1 < sizes.length ? more : dontWait;
      assert.equal(backend.sendRegion(right, out, 10, size, flags), size);
    }
    for (const [index, size] of sizes.entries()) {
      assert.equal(await kit.settled(() => backend.receiveMessage(left, dontWait)), size);
      assert.equal(backend.messageMore(), index + 1 < sizes.length);
      assert.equal(backend.receiveMore(left), index + 1 < sizes.length ? 1 : 0);
      into.bytes.fill(0);
      backend.messageToRegion(into, 5, size);
      assert.deepEqual(into.bytes.subarray(5, 5 + size), out.bytes.subarray(10, 10 + size));
      assert.equal(into.bytes[4], 0);
      const fresh = new Uint8Array(size);
      backend.messageToBytes(fresh, size);
      assert.deepEqual(fresh, out.bytes.slice(10, 10 + size));
      const inside = new Uint8Array(new ArrayBuffer(size + 16), 8, size);
      backend.messageToBytes(inside, size);
      assert.deepEqual(inside, fresh);
    }
  });
}

test("send() takes a view inside a larger buffer, and has copied it on return", async () => {
  await using check = await leakCheck();
  const kit = check.use(await Kit.open());
  const { backend } = kit;
  const { left, right } = kit.pair("inproc://views");
  const region = backend.region(4096);
  for (const size of [1, 20, 40, 1000, 3000]) {
    const whole = pattern(4096);
    const part = whole.subarray(13, 13 + size);
    const expected = part.slice();
    assert.equal(backend.send(right, part, dontWait), size);
    whole.fill(0);
    assert.equal(await kit.settled(() => backend.receive(left, region, 0, 4096, dontWait)), size);
    assert.deepEqual(region.bytes.slice(0, size), expected);
  }
});

test("events() tells what the socket can do", async () => {
  await using check = await leakCheck();
  const kit = check.use(await Kit.open());
  const { left, right } = kit.pair("inproc://events");
  assert.equal(kit.backend.events(left), PollEvent.POLLOUT);
  kit.backend.send(right, new Uint8Array(1), dontWait);
  assert.equal(kit.backend.events(left), PollEvent.POLLIN | PollEvent.POLLOUT);
});

test("messageProperty() gives the descriptor and messageText() the peer's address", async () => {
  await using check = await leakCheck();
  const kit = check.use(await Kit.open());
  const { backend } = kit;
  const { left, right } = kit.pair("tcp://127.0.0.1:*");
  backend.send(right, pattern(100), dontWait);
  await kit.settled(() => backend.receiveMessage(left, dontWait));
  assert.ok(backend.messageProperty(MessageProperty.SRCFD) > 2);
  assert.equal(backend.messageText("Peer-Address"), "127.0.0.1");
  assert.equal(backend.messageText("Socket-Type"), "PAIR");
  assert.equal(backend.messageText("No-Such-Name"), null);
});

test("failed calls give their own errno", async () => {
  await using check = await leakCheck();
  const kit = check.use(await Kit.open());
  const { backend } = kit;
  const router = kit.socket(SocketType.ROUTER);
  const taken = kit.bind(router, "tcp://127.0.0.1:*");
  const other = kit.socket(SocketType.ROUTER);
  const region = backend.region(16);
  for (let round = 0; round < 200; round++) {
    assert.equal(backend.receive(router, region, 0, 16, dontWait), -Errno.EAGAIN);
    assert.equal(backend.bind(other, taken), -Errno.EADDRINUSE);
    assert.equal(backend.bind(other, "nonsense"), -Errno.EINVAL);
    assert.equal(backend.bind(other, "ftp://127.0.0.1:1"), -Errno.EPROTONOSUPPORT);
    assert.equal(backend.disconnect(other, "tcp://127.0.0.1:1"), -Errno.ENOENT);
    assert.equal(backend.setOption(other, SocketOption.LINGER, new Uint8Array(1)), -Errno.EINVAL);
    assert.equal(backend.getOption(other, 9999, new Uint8Array(8)), -Errno.EINVAL);
    const socket = backend.socket(kit.context, 99);
    assert.ok(isFailure(socket));
    assert.equal(socket, -Errno.EINVAL);
  }
  assert.equal(backend.errorText(Errno.ETERM), "Context was terminated");
});

test("a context that was shut down answers ETERM", async () => {
  await using check = await leakCheck();
  const kit = check.use(await Kit.open());
  const { backend } = kit;
  const socket = kit.socket(SocketType.DEALER);
  assert.equal(backend.contextShutdown(kit.context), 0);
  const result = backend.send(socket, new Uint8Array(1), dontWait);
  assert.equal(result, -Errno.ETERM);
  assert.equal(backend.events(socket), -Errno.ETERM);
  assert.equal(zmqError(result, "zmq_send").code, "CLOSED");
});

test("zmqError() names the endpoint, the port and what to do", () => {
  const inUse = zmqError(-Errno.EADDRINUSE, "zmq_bind", "tcp://127.0.0.1:5555");
  assert.ok(inUse instanceof ZeromeshError);
  assert.equal(inUse.code, "ADDRESS_IN_USE");
  assert.match(inUse.message, /tcp:\/\/127\.0\.0\.1:5555.*port 5555/);
  assert.deepEqual(inUse.details, {
    errno: "EADDRINUSE",
    number: Errno.EADDRINUSE,
    syscall: "zmq_bind",
    endpoint: "tcp://127.0.0.1:5555",
  });
  for (
    const name of ["EINVAL", "EPROTONOSUPPORT", "ENODEV", "EADDRNOTAVAIL", "ENAMETOOLONG", "ENOENT"] as const
  ) {
    assert.equal(zmqError(-Errno[name], "zmq_connect", "x://y").code, "ENDPOINT_INVALID");
    assert.equal(zmqError(-Errno[name], "zmq_setsockopt").code, "ZMQ_ERROR");
    assert.equal(errnoName(Errno[name]), name);
  }
});

test("options are written and read back", async () => {
  await using check = await leakCheck();
  const kit = check.use(await Kit.open());
  const { backend } = kit;
  assert.equal(backend.contextSet(kit.context, ContextOption.MAX_SOCKETS, 50), 0);
  assert.equal(backend.contextGet(kit.context, ContextOption.MAX_SOCKETS), 50);
  assert.equal(backend.contextSet(kit.context, 999, 1), -Errno.EINVAL);
  const socket = kit.socket(SocketType.DEALER);
  assert.equal(backend.setOption(socket, SocketOption.SNDHWM, int32(10)), 0);
  const bytes = new Uint8Array(4);
  assert.equal(backend.getOption(socket, SocketOption.SNDHWM, bytes), 4);
  assert.deepEqual(bytes, int32(10));
  const id = pattern(24);
  assert.equal(backend.setOption(socket, SocketOption.ROUTING_ID, id), 0);
  const read = new Uint8Array(255);
  assert.equal(backend.getOption(socket, SocketOption.ROUTING_ID, read), 24);
  assert.deepEqual(read.subarray(0, 24), id);
  const subscriber = kit.socket(SocketType.SUB);
  assert.equal(backend.setOption(subscriber, SocketOption.SUBSCRIBE, new Uint8Array()), 0);
});

test("curveKeyPair() makes keys that the options take", async () => {
  await using check = await leakCheck();
  const kit = check.use(await Kit.open());
  const { backend } = kit;
  const pair = backend.curveKeyPair();
  assert.equal(pair !== null, backend.library.capabilities.includes("curve"));
  if (pair === null) return;
  assert.equal(pair.publicKey.length, 40);
  assert.equal(pair.secretKey.length, 40);
  const socket = kit.socket(SocketType.DEALER);
  const secret = new TextEncoder().encode(`${pair.secretKey}\0`);
  assert.equal(backend.setOption(socket, SocketOption.CURVE_SECRETKEY, secret), 0);
});

test("monitor() tells of a connection and stops", async () => {
  await using check = await leakCheck();
  const kit = check.use(await Kit.open());
  const { backend } = kit;
  const router = kit.socket(SocketType.ROUTER);
  assert.equal(backend.monitor(router, "inproc://monitor", 0xffff), 0);
  const monitor = kit.socket(SocketType.PAIR);
  assert.equal(backend.connect(monitor, "inproc://monitor"), 0);
  const endpoint = kit.bind(router, "tcp://127.0.0.1:*");
  const region = backend.region(256);
  assert.equal(await kit.settled(() => backend.receive(monitor, region, 0, 6, dontWait)), 6);
  assert.equal(region.view.getUint16(0, true), 0x0008);
  const length = await kit.settled(() => backend.receive(monitor, region, 0, 256, dontWait));
  assert.equal(new TextDecoder().decode(region.bytes.slice(0, length)), endpoint);
  assert.equal(backend.monitor(router, null, 0), 0);
});

test("a region keeps its address across collections", async () => {
  await using check = await leakCheck();
  const kit = check.use(await Kit.open());
  const { backend } = kit;
  const { left, right } = kit.pair("inproc://regions");
  const regions = [1, 8, 64, 512, 1000, 1001, 5000].map((size) => backend.region(size));
  for (let round = 0; round < 30; round++) {
    let kept: Uint8Array[] = [];
    for (let index = 0; index < 2000; index++) kept.push(new Uint8Array(2000).fill(0xaa));
    kept = [];
    await turn();
    for (const region of regions) {
      const value = pattern(region.bytes.length).fill(round, 0, 1);
      // Touching these is what moves small arrays that do not own their buffer.
      region.bytes.subarray(0, 1);
      assert.ok(region.bytes.buffer instanceof ArrayBuffer);
      backend.send(right, value, dontWait);
      backend.receive(left, region, 0, value.length, dontWait);
      assert.deepEqual(region.bytes.slice(), value);
      assert.equal(region.view.getUint8(0), round);
    }
  }
});

test("descriptors() counts what is open", async () => {
  await using check = await leakCheck();
  const kit = check.use(await Kit.open());
  const before = kit.backend.descriptors();
  assert.ok(before !== null && before.open > 2 && before.limit > before.open);
  const socket = kit.socket(SocketType.DEALER);
  kit.bind(socket, "tcp://127.0.0.1:*");
  const after = kit.backend.descriptors();
  assert.ok(after !== null && after.open > before.open);
});

test("contextTerm() leaves the timers alone while messages linger", async () => {
  await using _check = await leakCheck();
  const backend = await openBackend();
  const context = backend.contextNew();
  const socket = backend.socket(context, SocketType.DEALER);
  assert.ok(!isFailure(socket));
  backend.setOption(socket, SocketOption.LINGER, int32(400));
  backend.connect(socket, "tcp://127.0.0.1:1");
  backend.send(socket, new Uint8Array(10), dontWait);
  backend.closeSocket(socket);
  let ended = false;
  const start = performance.now();
  const term = backend.contextTerm(context).then((result) => {
    ended = true;
    return result;
  });
  let longest = 0;
  let ticks = 0;
  for (let last = start; !ended;) {
    await pause(5);
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    ticks++;
  }
  assert.equal(await term, 0);
  assert.ok(performance.now() - start >= 350, "the linger was kept");
  assert.ok(ticks > 20, `${ticks} ticks`);
  assert.ok(longest < 150, `the thread stood still for ${longest} ms`);
});

test("contextTerm() ends many contexts at once, and contextTermNow() one at once", async () => {
  await using _check = await leakCheck();
  const backend = await openBackend();
  const contexts = Array.from({ length: 20 }, () => backend.contextNew());
  for (const context of contexts) {
    const socket = backend.socket(context, SocketType.DEALER);
    assert.ok(!isFailure(socket));
    assert.equal(backend.closeSocket(socket), 0);
  }
  assert.deepEqual(await Promise.all(contexts.map((one) => backend.contextTerm(one))), contexts.map(() => 0));
  assert.equal(backend.contextTermNow(backend.contextNew()), 0);
});
