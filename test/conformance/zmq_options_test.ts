import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { type SocketOptionName, type SocketOptionValue } from "../../src/libzmq/mod.ts";
import { noCurve } from "../support/curve.ts";
import { leakCheck } from "../support/fixture.ts";
import { rawContext } from "../support/raw_sockets.ts";

const key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";

test("options of every kind are read back as they were set", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const socket = context.socket("ROUTER");
  const cases: [SocketOptionName, SocketOptionValue, SocketOptionValue?][] = [
    ["SNDHWM", 7],
    ["LINGER", -1],
    ["LINGER", 2 ** 31 - 1],
    ["IMMEDIATE", 1],
    ["MAXMSGSIZE", 2n ** 40n],
    ["MAXMSGSIZE", 4096, 4096n],
    ["MAXMSGSIZE", -1n],
    ["AFFINITY", 1n],
    ["AFFINITY", 2n ** 63n],
    ["ROUTING_ID", Uint8Array.of(1, 0, 255)],
    ["ROUTING_ID", "name", new TextEncoder().encode("name")],
    ["ZAP_DOMAIN", "domain"],
    ["PLAIN_USERNAME", "Ünïcode"],
  ];
  for (const [name, value, read = value] of cases) {
    assert.equal(socket.set(name, value), socket);
    assert.deepEqual(socket.get(name), read, name);
  }
});

test("a CURVE key is text of 40 characters, set as text or as its 32 bytes", { skip: noCurve }, async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const socket = context.socket("DEALER");
  socket.set("CURVE_SERVERKEY", key);
  assert.equal(socket.get("CURVE_SERVERKEY"), key);
  const other = context.socket("DEALER");
  other.set("CURVE_SERVERKEY", new Uint8Array(32).fill(7));
  assert.equal((other.get("CURVE_SERVERKEY") as string).length, 40);
  assert.throws(() => socket.set("CURVE_SERVERKEY", "too short"), { code: "ZMQ_ERROR" });
});

test("read-only options of a socket can be read", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const socket = context.socket("PULL");
  assert.equal(socket.get("TYPE"), 7);
  assert.equal(socket.get("RCVMORE"), 0);
  assert.ok((socket.get("FD") as number) > 0);
  assert.equal(socket.get("LAST_ENDPOINT"), "");
  const endpoint = socket.bind("tcp://127.0.0.1:*");
  assert.match(endpoint, /^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/);
  assert.equal(socket.get("LAST_ENDPOINT"), endpoint);
  assert.equal(socket.get("MECHANISM"), 0);
  assert.equal(socket.events(), 0);
  assert.equal(socket.readable, false);
});

test("a value of the wrong type is a TypeError that names the option, and changes nothing", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const socket = context.socket("DEALER");
  const before = ["SNDHWM", "MAXMSGSIZE", "ROUTING_ID", "ZAP_DOMAIN", "AFFINITY"] as const;
  const values = before.map((name) => socket.get(name));
  const wrong: [SocketOptionName, unknown][] = [
    ["SNDHWM", "7"],
    ["SNDHWM", 7n],
    ["SNDHWM", 1.5],
    ["SNDHWM", NaN],
    ["SNDHWM", undefined],
    ["SNDHWM", Uint8Array.of(7, 0, 0, 0)],
    ["MAXMSGSIZE", "7"],
    ["MAXMSGSIZE", 1.5],
    ["MAXMSGSIZE", NaN],
    ["AFFINITY", true],
    ["ROUTING_ID", 7],
    ["ROUTING_ID", [1, 2]],
    ["ROUTING_ID", null],
    ["ZAP_DOMAIN", 7],
    ["CURVE_SERVERKEY", 7n],
  ];
  for (const [name, value] of wrong) {
    assert.throws(() => socket.set(name, value as SocketOptionValue), (error) => {
      assert.ok(error instanceof TypeError, `${name} = ${String(value)}: ${String(error)}`);
      assert.match(error.message, new RegExp(name));
      return true;
    });
  }
  assert.deepEqual(before.map((name) => socket.get(name)), values);
});

test("a number that does not fit its option is a RangeError, and is not cut to what fits", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const socket = context.socket("DEALER");
  const before = [socket.get("SNDHWM"), socket.get("MAXMSGSIZE"), socket.get("AFFINITY")];
  const wrong: [SocketOptionName, SocketOptionValue][] = [
    ["SNDHWM", 2 ** 32 + 5],
    ["SNDHWM", 2 ** 31],
    ["SNDHWM", -(2 ** 31) - 1],
    ["MAXMSGSIZE", 2n ** 63n],
    ["AFFINITY", 2n ** 64n],
    ["AFFINITY", -1n],
  ];
  for (const [name, value] of wrong) {
    assert.throws(() => socket.set(name, value), RangeError, `${name} = ${value}`);
  }
  assert.deepEqual([socket.get("SNDHWM"), socket.get("MAXMSGSIZE"), socket.get("AFFINITY")], before);
});

test("a value that libzmq refuses is ZMQ_ERROR with the option, the errno and its name", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const socket = context.socket("DEALER");
  const refused: [SocketOptionName, SocketOptionValue][] = [
    ["SNDHWM", -1],
    ["TYPE", 3],
    ["LAST_ENDPOINT", "tcp://127.0.0.1:1"],
    ["ROUTING_ID", new Uint8Array(256)],
    ["SUBSCRIBE", "topic"],
    ["ROUTER_MANDATORY", 1],
  ];
  for (const [name, value] of refused) {
    assert.throws(
      () => socket.set(name, value),
      (error: Error & { code?: string; details?: { errno?: string; number?: number } }) => {
        assert.equal(error.code, "ZMQ_ERROR");
        assert.match(error.message, new RegExp(`zmq_setsockopt\\(${name}\\)`));
        assert.match(error.message, /EINVAL|invalid/i);
        assert.deepEqual([error.details?.errno, error.details?.number], ["EINVAL", 22]);
        return true;
      },
      name,
    );
  }
  assert.throws(() => socket.get("SUBSCRIBE"), { code: "ZMQ_ERROR", message: /zmq_getsockopt\(SUBSCRIBE\)/ });
});

test("addresses that cannot be used say why", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const first = context.socket("PULL");
  const endpoint = first.bind("tcp://127.0.0.1:*");
  const second = context.socket("PULL");
  assert.throws(() => second.bind(endpoint), { code: "ADDRESS_IN_USE", message: new RegExp(endpoint) });
  for (const bad of ["", "nonsense", "tcp://", "tcp://127.0.0.1", "carrier://pigeon"]) {
    assert.throws(() => second.bind(bad), { name: "ZeromeshError" }, `bind ${bad}`);
    assert.throws(() => second.connect(bad), { name: "ZeromeshError" }, `connect ${bad}`);
  }
  assert.throws(() => second.bind("tcp://203.0.113.7:0"), { name: "ZeromeshError" });
  assert.throws(() => second.unbind("tcp://127.0.0.1:1"), { code: "ZMQ_ERROR" });
  assert.throws(() => second.disconnect("tcp://127.0.0.1:1"), { code: "ZMQ_ERROR" });
});

test("unbind() frees the address and disconnect() ends the connection", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t);
  const pull = context.socket("PULL");
  const endpoint = pull.bind("inproc://freed");
  const push = context.socket("PUSH");
  push.connect(endpoint);
  assert.equal(push.send([Uint8Array.of(1)]), true);
  push.disconnect(endpoint);
  assert.equal(push.send([Uint8Array.of(2)]), false);
  pull.unbind(endpoint);
  assert.equal(context.socket("PULL").bind(endpoint), endpoint);
});

test("a context holds as many sockets as it was told, and says so when there are too many", async () => {
  await using t = await leakCheck();
  const context = await rawContext(t, { maxSockets: 5 });
  const sockets = Array.from({ length: 5 }, () => context.socket("PAIR"));
  assert.equal(context.openSockets, 5);
  assert.throws(() => context.socket("PAIR"), {
    code: "LIMIT_REACHED",
    message: /5 of at most 5 sockets; \d+ of \d+ descriptors/,
  });
  assert.equal(context.openSockets, 5);
  for (const socket of sockets) socket.close();
  assert.equal(context.openSockets, 0);
});
