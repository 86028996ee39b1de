/** `zeromesh/zmq`: settings as properties, their defaults, and what is refused. */
import assert from "node:assert/strict";
import process from "node:process";
import * as zmq from "zeromesh/zmq";
import * as drafts from "zeromesh/zmq/draft";
import { test } from "../support/testing.ts";
import { until } from "../support/until.ts";

const readables = { receiveBufferSize: -1, receiveHighWaterMark: 1000, receiveTimeout: -1 };
const writables = { sendBufferSize: -1, sendHighWaterMark: 1000, sendTimeout: -1, multicastHops: 1 };
const everywhere = {
  affinity: 0,
  backlog: 100,
  connectTimeout: 0,
  handshakeInterval: 30_000,
  heartbeatInterval: 0,
  heartbeatTimeout: -1,
  heartbeatTimeToLive: 0,
  immediate: false,
  interface: null,
  ipv6: false,
  lastEndpoint: null,
  linger: -1,
  maxMessageSize: -1,
  multicastMaxTransportDataUnit: 1500,
  plainServer: false,
  rate: 100,
  reconnectInterval: 100,
  reconnectMaxInterval: 0,
  recoveryInterval: 10_000,
  securityMechanism: null,
  socksProxy: null,
  tcpKeepalive: -1,
  tcpKeepaliveCount: -1,
  tcpKeepaliveIdle: -1,
  tcpKeepaliveInterval: -1,
  tcpMaxRetransmitTimeout: 0,
  threadSafe: false,
  typeOfService: 0,
  zapDomain: null,
};

interface Kind {
  readonly make: () => zmq.Socket;
  readonly type: number;
  readonly settings: Record<string, unknown>;
  /** Settings that cannot be read. */
  readonly writeOnly?: Record<string, unknown>;
}

const conflate = { conflate: true };
const probeRouter = { probeRouter: true };
const kinds: Record<string, Kind> = {
  Pair: { make: () => new zmq.Pair(), type: 0, settings: { ...readables, ...writables } },
  Publisher: {
    make: () => new zmq.Publisher(),
    type: 1,
    settings: { ...writables, invertMatching: false },
    writeOnly: { ...conflate, noDrop: true },
  },
  Subscriber: {
    make: () => new zmq.Subscriber(),
    type: 2,
    settings: { ...readables, invertMatching: false, linger: 0 },
    writeOnly: conflate,
  },
  Request: {
    make: () => new zmq.Request(),
    type: 3,
    settings: { ...readables, ...writables, routingId: null },
    writeOnly: { ...probeRouter, correlate: true, relaxed: true },
  },
  Reply: { make: () => new zmq.Reply(), type: 4, settings: { ...readables, ...writables, routingId: null } },
  Dealer: {
    make: () => new zmq.Dealer(),
    type: 5,
    settings: { ...readables, ...writables, routingId: null },
    writeOnly: { ...conflate, ...probeRouter },
  },
  Router: {
    make: () => new zmq.Router(),
    type: 6,
    settings: { ...readables, ...writables, routingId: null },
    writeOnly: { ...probeRouter, mandatory: true, handover: true },
  },
  Pull: { make: () => new zmq.Pull(), type: 7, settings: readables, writeOnly: conflate },
  Push: { make: () => new zmq.Push(), type: 8, settings: writables, writeOnly: conflate },
  XPublisher: {
    make: () => new zmq.XPublisher(),
    type: 9,
    settings: { ...readables, ...writables },
    writeOnly: { noDrop: true, manual: true, welcomeMessage: "hi", verbosity: "allSubs" },
  },
  XSubscriber: {
    make: () => new zmq.XSubscriber(),
    type: 10,
    settings: { ...readables, ...writables, linger: 0 },
  },
  Stream: {
    make: () => new zmq.Stream(),
    type: 11,
    settings: { ...readables, ...writables },
    writeOnly: { notify: false },
  },
};

for (const [name, { make, type, settings, writeOnly = {} }] of Object.entries(kinds)) {
  test(`${name} has its settings, with libzmq's defaults`, () => {
    using socket = make();
    const values = socket as unknown as Record<string, unknown>;
    const expected = { ...everywhere, ...settings, type };
    assert.deepEqual(Object.fromEntries(Object.keys(expected).map((key) => [key, values[key]])), expected);
    for (const [key, value] of Object.entries(writeOnly)) values[key] = value;
    // What another class has, this one refuses, as it does a misspelt one.
    const all = Object.values(kinds).flatMap((kind) => Object.keys({ ...kind.settings, ...kind.writeOnly }));
    for (const key of new Set([...all, "doesNotExist"])) {
      if (key in settings || key in writeOnly || key in everywhere) continue;
      assert.throws(() => values[key] = 1, TypeError, key);
    }
  });
}

test("settings are set by the constructor and by their property, as numbers, booleans and texts", () => {
  using socket = new zmq.Dealer({
    linger: 0,
    sendTimeout: 5,
    immediate: true,
    routingId: "me",
    maxMessageSize: 2 ** 40,
    affinity: 3,
    typeOfService: 8,
  });
  assert.deepEqual(
    [
      socket.linger,
      socket.sendTimeout,
      socket.immediate,
      socket.routingId,
      socket.maxMessageSize,
      socket.affinity,
      socket.typeOfService,
    ],
    [0, 5, true, "me", 2 ** 40, 3, 8],
  );
  socket.plainServer = true;
  assert.equal(socket.securityMechanism, "plain");
  socket.affinity = -1;
  assert.equal(socket.affinity, 0);
});

test("a setting of the wrong type, out of range or for reading only is refused", () => {
  const values = new zmq.Dealer({ linger: 0 }) as unknown as Record<string, unknown>;
  const refused: [string, unknown, RegExp][] = [
    ["linger", "x", /^Option value must be a number$/],
    ["immediate", 1, /^Option value must be a boolean$/],
    ["routingId", 1, /^Option value must be a string or buffer$/],
    ["linger", -2, /^Invalid argument$/],
    // As 32 bits they would be another number: a time of 1.4 s, and none at all.
    [
      "sendTimeout",
      1e12,
      /^Invalid argument: the Dealer cannot set sendTimeout to 1000000000000; it is a number from /,
    ],
    ["receiveTimeout", Infinity, /receiveTimeout to Infinity/],
    ["receiveTimeout", -1e12, /receiveTimeout to -1000000000000/],
    ["sendHighWaterMark", NaN, /sendHighWaterMark to NaN/],
    ["maxMessageSize", NaN, /maxMessageSize to NaN/],
  ];
  for (const [key, value, message] of refused) {
    assert.throws(() => values[key] = value, { message });
  }
  for (const key of ["type", "lastEndpoint", "securityMechanism", "threadSafe", "closed", "context"]) {
    assert.throws(() => values[key] = 1, TypeError);
  }
  (values as unknown as zmq.Socket).close();
  for (const options of [{ nope: 1 }, { linger: "x" }, 1, { context: {} }]) {
    assert.throws(() => new zmq.Dealer(options as object));
  }
});

test("settings of a context", async () => {
  const context = new zmq.Context({ ioThreads: 2, maxSockets: 20, ipv6: true, blocky: false });
  assert.deepEqual(
    [context.ioThreads, context.maxSockets, context.ipv6, context.blocky, context.maxMessageSize],
    [2, 20, true, false, 2_147_483_647],
  );
  assert.ok(context.maxSocketsLimit >= 1_000);
  {
    using socket = new zmq.Dealer({ context });
    assert.deepEqual([socket.linger, socket.ipv6, socket.context === context], [0, true, true]);
  }
  const values = context as unknown as Record<string, unknown>;
  assert.throws(() => values["maxSocketsLimit"] = 1, TypeError);
  assert.throws(() => values["doesNotExist"] = 1, TypeError);
  assert.throws(() => values["ioThreads"] = "x", { message: "Option value must be a number" });
  assert.throws(() => context.ioThreads = -1, { code: "EINVAL", message: "Invalid argument" });
  for (const count of [1_025, 2 ** 31 - 1, 2 ** 32 + 1, NaN]) {
    assert.throws(() => context.ioThreads = count, {
      code: "EINVAL",
      message: `Invalid argument: the context cannot set ioThreads to ${count}; the most is 1024`,
    });
  }
  assert.throws(() => context.maxSockets = context.maxSocketsLimit + 1, { code: "EINVAL" });
  await context[Symbol.asyncDispose]();
  assert.equal(zmq.context.ioThreads, 1);
});

test("a scheduling of libzmq's threads that Linux does not have is refused", {
  skip: process.platform === "linux" ? undefined : "the numbers are those of Linux",
}, async () => {
  const refused: [zmq.ContextOptions, RegExp][] = [
    [{ threadSchedulingPolicy: 99 }, /no scheduling policy 99$/],
    [{ threadSchedulingPolicy: 1 }, /policy 1 needs a threadPriority from 1 to 99, which is 0$/i],
    [{ threadSchedulingPolicy: 2, threadPriority: 100 }, /from 1 to 99, which is 100$/],
  ];
  for (const [options, message] of refused) {
    const context = new zmq.Context(options);
    assert.throws(() => new zmq.Dealer({ context }), { code: "EINVAL", message });
    await context[Symbol.asyncDispose]();
  }
  await using context = new zmq.Context({ threadSchedulingPolicy: 0 });
  using socket = new zmq.Dealer({ context });
  assert.equal(socket.closed, false);
});

test("a prefix that libzmq could not end again is refused, and a long one is not", async () => {
  using subscriber = new zmq.Subscriber();
  using raw = new zmq.XSubscriber();
  const refused = (type: string, bytes: number): object => ({
    code: "EINVAL",
    message: new RegExp(
      `^Invalid argument: the ${type} cannot subscribe to a prefix of ${bytes} bytes; .* 16384,`,
    ),
  });
  assert.throws(() => subscriber.subscribe("a", "x".repeat(16_385)), refused("Subscriber", 16_385));
  assert.throws(() => subscriber.subscribe(new Uint8Array(1_000_000)), refused("Subscriber", 1_000_000));
  subscriber.subscribe("x".repeat(16_384));
  subscriber.unsubscribe("x".repeat(16_384));
  const subscription = (bytes: number): Uint8Array => new Uint8Array(bytes + 1).fill(1);
  await assert.rejects(raw.send(subscription(1_000_000)), refused("XSubscriber", 1_000_000));
  await assert.rejects(raw.send(["more", subscription(16_385)]), refused("XSubscriber", 16_385));
  await raw.send(subscription(16_384));
  // What is no subscription may be longer, and so may the messages of other sockets.
  await raw.send(new Uint8Array(1_000_000));
  using pair = new zmq.Pair({ linger: 0 });
  using other = new zmq.Pair();
  await pair.bind("inproc://long message");
  other.connect("inproc://long message");
  await pair.send(subscription(1_000_000));
  assert.equal((await other.receive())[0]!.length, 1_000_001);
});

test("a setting that comes too late is warned about", async () => {
  const warnings: string[] = [];
  const note = (warning: Error): void => void warnings.push(warning.message);
  process.on("warning", note);
  {
    using socket = new zmq.Dealer({ linger: 0 });
    socket.connect("inproc://late");
    socket.sendTimeout = 1;
    socket.linger = 0;
    socket.rate = 50;
  }
  await until(() => warnings.length > 0);
  process.off("warning", note);
  assert.deepEqual(warnings, ["Socket option will not take effect until next connect/bind."]);
});

test("keys, version and capabilities", () => {
  const { publicKey, secretKey } = zmq.curveKeyPair();
  assert.deepEqual([publicKey.length, secretKey.length], [40, 40]);
  assert.match(zmq.version, /^\d+\.\d+\.\d+$/);
  assert.equal(zmq.capability.curve, true);
  assert.equal(typeof zmq.capability.draft, "boolean");
  using socket = new zmq.Dealer();
  socket.curvePublicKey = publicKey;
  socket.curveSecretKey = secretKey;
  assert.deepEqual([socket.curvePublicKey, socket.curveSecretKey], [publicKey, secretKey]);
  socket.curveServer = true;
  assert.equal(socket.securityMechanism, "curve");
});

test("a draft socket is refused without drafts, with the library that has none", {
  skip: zmq.capability.draft === true ? "this libzmq has draft sockets" : undefined,
}, () => {
  class Own extends zmq.Socket {
    constructor(type: number) {
      super(type);
    }
  }
  for (const [type, name] of [[12, "SERVER"], [15, "DISH"], [20, "CHANNEL"]] as const) {
    assert.throws(() => new Own(type), (error: zmq.ErrnoError) => {
      assert.match(error.message, /^Invalid argument: /);
      assert.equal(error.code, "EINVAL");
      assert.match(
        error.message,
        new RegExp(`${name} \\(${type}\\) is a draft .*libzmq ${zmq.version} at \\S+ was built without`),
      );
      assert.match(error.message, /ENABLE_DRAFTS=ON.*npm package zeromq.*ZEROMESH_LIBZMQ/);
      return true;
    });
  }
  for (const Class of Object.values(drafts)) {
    assert.throws(() => new Class(), { code: "EINVAL", message: /is a draft of ZeroMQ/ });
  }
  assert.throws(() => new Own(4_591), {
    code: "EINVAL",
    message: "Invalid argument",
  });
});
