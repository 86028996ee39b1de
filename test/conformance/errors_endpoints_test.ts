import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { Messenger, type MessengerOptions, unaryHandler } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { freePort, occupiedPort } from "../support/ports.ts";
import { currentRuntime } from "../support/runtime.ts";
import { until, within } from "../support/until.ts";
import { bytes, fails, pair, text } from "./messenger_kit.ts";
import { RawRouter, requestIn, response } from "./messenger_raw_peer.ts";

/** A TCP server of 127.0.0.1 that does with its connections whatever the test says. */
async function tcpServer(
  t: LeakCheck,
  accept: (socket: Socket) => void,
): Promise<{ endpoint: string; accepted(): number }> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server: Server = createServer((socket) => {
    accepted++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    accept(socket);
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  });
  t.defer(async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  return { endpoint: `tcp://127.0.0.1:${port}`, accepted: () => accepted };
}

const unparsable: readonly (readonly [endpoint: string, why: RegExp])[] = [
  ["", /no scheme/],
  ["127.0.0.1:5555", /no scheme/],
  ["http://127.0.0.1:5555", /scheme http is not supported/],
  ["udp://127.0.0.1:5555", /scheme udp/],
  ["inproc://x", /scheme inproc/],
  ["tcp://", /host or port/],
  ["tcp://127.0.0.1", /host or port/],
  ["tcp://127.0.0.1:", /host or port/],
  ["tcp://:5555", /host or port/],
  ["tcp://127.0.0.1:port", /host or port/],
  ["tcp://127.0.0.1:-1", /host or port/],
  ["tcp://127.0.0.1:65536", /65536 is above 65535/],
  ["tcp://127.0.0.1:5555/path", /host or port/],
  ["tcp://host name:5555", /host or port/],
  ["ipc://", /path is missing/],
  ["tcp://127.0.0.1\0:5555", /holds a NUL/],
  ["ipc:///tmp/me\0.sock", /holds a NUL/],
  ["ipc://@na\0me", /holds a NUL/],
  [`ipc:///tmp/${"x".repeat(200)}`, /has 205 bytes/],
];

test("create() refuses an endpoint that cannot be parsed, saying what is wrong with it", async () => {
  await using t = await leakCheck();
  void t;
  for (const [endpoint, why] of unparsable) {
    const error = await fails(Messenger.create({ endpoint }), {
      name: "ZeromeshError",
      code: "ENDPOINT_INVALID",
    });
    assert.match(error.message, why);
    assert.ok(error.message.includes(JSON.stringify(endpoint)), error.message);
    await fails(Messenger.create({ endpoint: ["tcp://127.0.0.1:0", endpoint] }), {
      code: "ENDPOINT_INVALID",
    });
  }
});

test("connect() refuses an endpoint that cannot be parsed or dialled, at once", async () => {
  await using t = await leakCheck();
  const client = await t.messenger();
  const notDialable = [["tcp://127.0.0.1:0", /port 0/], ["tcp://127.0.0.1:*", /port 0/], [
    "tcp://*:5555",
    /to listen on/,
  ], [
    "tcp://0.0.0.0:5555",
    /to listen on/,
  ], ["tcp://[::]:5555", /to listen on/]] as const;
  for (const [endpoint, why] of [...unparsable, ...notDialable]) {
    await fails(client.connect(endpoint), { code: "ENDPOINT_INVALID", message: why, ran: "no" }, 1_000);
  }
  assert.deepEqual(client.peers(), []);
  assert.equal(client.stats().transport.dialled, 0);
});

test("create() names the port of an address in use, and leaves nothing behind", async () => {
  await using t = await leakCheck();
  const taken = t.use(await occupiedPort());
  const endpoint = `tcp://127.0.0.1:${taken.port}`;
  await fails(Messenger.create({ endpoint }), {
    name: "ZeromeshError",
    code: "ADDRESS_IN_USE",
    message: new RegExp(`${taken.port}`),
  });
  await fails(Messenger.create({ endpoint: ["tcp://127.0.0.1:0", endpoint] }), { code: "ADDRESS_IN_USE" });
  // A messenger that is there already is not disturbed by it.
  const { server, client, peer } = await pair(t);
  server.registerHandler(unaryHandler("ping", () => bytes("pong")));
  await fails(Messenger.create({ endpoint: server.endpoint }), { code: "ADDRESS_IN_USE" });
  assert.equal(text(await client.unary("ping", { to: peer })), "pong");
});

test("a peer that arrives while create() waits for another endpoint is answered", async () => {
  await using t = await leakCheck();
  const client = t.use(await Messenger.create({ listen: false }));
  for (;;) {
    const taken = await occupiedPort();
    const first = `tcp://127.0.0.1:${await freePort()}`;
    const second = `tcp://127.0.0.1:${taken.port}`;
    const creating = Messenger.create({ endpoint: [first, second], ipc: false });
    const sent = client.stats().transport.sentMessages;
    const connecting = client.connect(first, { timeoutMs: 10_000 });
    try {
      await until(() => client.stats().transport.sentMessages > sent, { timeoutMs: 200 });
    } catch {
      // Too slow for the time in which create() tries again.
      await Promise.all([
        taken[Symbol.asyncDispose](),
        creating.then((m) => m.close(), () => {}),
        connecting.catch(() => {}),
      ]);
      continue;
    }
    await taken[Symbol.asyncDispose]();
    const server = t.use(await creating);
    assert.equal(await connecting, server.instanceId);
    return;
  }
});

test("create() refuses an address that is not this host's", async () => {
  await using t = await leakCheck();
  void t;
  const error = await fails(Messenger.create({ endpoint: "tcp://192.0.2.1:5555" }), {
    name: "ZeromeshError",
  });
  assert.match(error.message, /192\.0\.2\.1:5555/);
  assert.ok(["ENDPOINT_INVALID", "ZMQ_ERROR"].includes(error.code!), `code ${error.code}`);
});

test("create() takes a port that this process has just closed", async () => {
  await using t = await leakCheck();
  const port = await freePort();
  for (let i = 0; i < 5; i++) {
    const one = await t.messenger({ endpoint: `tcp://127.0.0.1:${port}` });
    await one.close();
  }
});

test("create() lists what was tried when the given libzmq is nowhere, and leaves nothing behind", async () => {
  await using t = await leakCheck();
  void t;
  const library = "/nowhere/at/all/libzmq.so.5";
  const error = await fails(Messenger.create({ library }), {
    name: "ZeromeshError",
    code: "LIBZMQ_NOT_FOUND",
  });
  assert.ok(error.message.includes(library), error.message);
  const { candidates } = error.details as { candidates: { path: string; reason: string }[] };
  assert.deepEqual(candidates.map(({ path }) => path), [library]);
  assert.notEqual(candidates[0]?.reason, "");
  const after = await t.messenger();
  assert.ok(after.endpoint.startsWith("tcp://"));
});

test("create() refuses options of the wrong type or out of range before it opens anything", async () => {
  await using t = await leakCheck();
  void t;
  const wrongType: Record<string, unknown>[] = [
    { timeoutMs: "1000" },
    { timeoutMs: Number.NaN },
    { connectTimeoutMs: null, timeoutMs: {} },
    { maxPayloadBytes: "1" },
    { maxPayloadBytes: 1.5 },
    { overflow: "drop" },
    { features: { nothing: false } },
    { instanceId: "not a uuid" },
    { endpoint: 5 },
    { endpoint: [5] },
    { endpoint: "tcp://127.0.0.1:0", listen: false },
    { services: "resize" },
    { services: [5] },
    { timoutMs: 5 },
  ];
  for (const options of wrongType) {
    await assert.rejects(Messenger.create(options as MessengerOptions), TypeError, JSON.stringify(options));
  }
  const outOfRange: Record<string, unknown>[] = [
    { maxPayloadBytes: 0 },
    { maxPayloadBytes: 2 ** 31 },
    { maxPendingCalls: 0 },
    { maxPendingCalls: 65_536 },
    { maxQueuedMessages: -1 },
    { maxQueuedBytes: 0 },
    { maxConnections: 0 },
    { maxHandlers: 0 },
    { highWaterMark: 0 },
    { timeoutMs: -1 },
    { connectTimeoutMs: -1 },
    { redialForMs: -1 },
  ];
  for (const options of outOfRange) {
    await assert.rejects(Messenger.create(options as MessengerOptions), RangeError, JSON.stringify(options));
  }
  await assert.rejects(Messenger.create({ timoutMs: 5 } as MessengerOptions), {
    message: /no option "timoutMs".*\btimeoutMs\b/,
  });
  await assert.rejects(Messenger.create({ endpoint: 5 as unknown as string }), {
    message: /endpoint.*must be .*strings.*got 5/,
  });
});

test("connect() to an address without a listener retries until its time is up, then says what it found", async () => {
  await using t = await leakCheck();
  const client = await t.messenger();
  const endpoint = `tcp://127.0.0.1:${await freePort()}`;
  const started = performance.now();
  const error = await fails(client.connect(endpoint, { timeoutMs: 150 }), {
    name: "ZeromeshError",
    code: "PEER_UNREACHABLE",
    ran: "no",
    message: /150 ms.*no process answers there/,
  });
  assert.ok(error.message.includes(endpoint));
  assert.ok(performance.now() - started >= 140);
  assert.deepEqual(client.peers(), []);
  await until(() => client.stats().transport.dialled === 0);
});

test("connect() succeeds when a listener appears while it retries", async () => {
  await using t = await leakCheck();
  const client = await t.messenger();
  const endpoint = `tcp://127.0.0.1:${await freePort()}`;
  let retries = 0;
  const connecting = client.connect(endpoint, { timeoutMs: 10_000 });
  await until(() => client.stats().calls.started >= 2 || ++retries > 100);
  const server = await t.messenger({ endpoint });
  assert.equal(await connecting, server.instanceId);
});

test("connect() to a server that accepts and stays silent is PEER_UNREACHABLE within its time", async () => {
  await using t = await leakCheck();
  const silent = await tcpServer(t, () => {});
  const client = await t.messenger();
  await fails(client.connect(silent.endpoint, { timeoutMs: 200 }), {
    code: "PEER_UNREACHABLE",
    ran: "no",
    message: /did not finish the ZMTP handshake/,
  }, 1_500);
  await until(() => client.stats().transport.dialled === 0);
});

test("connect() to a server that closes every connection is PEER_UNREACHABLE", async () => {
  await using t = await leakCheck();
  const closing = await tcpServer(t, (socket) => socket.destroy());
  const client = await t.messenger();
  await fails(
    client.connect(closing.endpoint, { timeoutMs: 400 }),
    { code: "PEER_UNREACHABLE", ran: "no" },
    2_000,
  );
  assert.ok(closing.accepted() >= 2, `${closing.accepted()} connections`);
});

test("connect() to a server that speaks HTTP is PEER_UNREACHABLE and says that it is no ZMTP", async () => {
  await using t = await leakCheck();
  const http = await tcpServer(t, (socket) => {
    socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
  });
  const client = await t.messenger();
  await fails(client.connect(http.endpoint, { timeoutMs: 500 }), {
    code: "PEER_UNREACHABLE",
    ran: "no",
    message: /handshake|ZMTP/,
  }, 2_000);
});

test("connect() to a ZeroMQ socket that never answers _hello is PEER_UNREACHABLE", async () => {
  await using t = await leakCheck();
  const mute = await RawRouter.open(t);
  const client = await t.messenger();
  await fails(client.connect(mute.endpoint, { timeoutMs: 150 }), {
    code: "PEER_UNREACHABLE",
    ran: "no",
    message: /is connected but did not answer _hello within/,
  }, 1_500);
  assert.equal(client.stats().calls.pending, 0);
  assert.equal(requestIn(await mute.next()).name, "_hello");
});

test("connect() to something that answers _hello with rubbish is PEER_UNREACHABLE", async () => {
  await using t = await leakCheck();
  const odd = await RawRouter.open(t);
  const client = await t.messenger();
  const connecting = fails(client.connect(odd.endpoint, { timeoutMs: 300 }), {
    code: "PEER_UNREACHABLE",
    message: /to _hello cannot be read/,
  });
  const answering = (async () => {
    for (let answered = 0; answered < 3; answered++) {
      const message = await odd.next();
      odd.send(message.from, response(requestIn(message), bytes("{}")));
    }
  })();
  await connecting;
  await answering;
});

test("connect() gives up when its signal aborts, with the reason", async () => {
  await using t = await leakCheck();
  const mute = await RawRouter.open(t);
  const client = await t.messenger();
  const reason = new Error("not today");
  for (const endpoint of [mute.endpoint, `tcp://127.0.0.1:${await freePort()}`]) {
    const controller = new AbortController();
    const connecting = client.connect(endpoint, { signal: controller.signal });
    connecting.catch(() => {});
    await until(() => client.stats().calls.started > 0);
    controller.abort(reason);
    await within(assert.rejects(connecting, (error) => error === reason), 1_000);
    await assert.rejects(
      client.connect(endpoint, { signal: AbortSignal.abort(reason) }),
      (error) => error === reason,
    );
  }
  await until(() => client.stats().transport.dialled === 0);
});

test("connect() with no time left does not dial", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const client = await t.messenger();
  for (const timeoutMs of [0, -5]) {
    await fails(client.connect(server.endpoint, { timeoutMs }), { code: "PEER_UNREACHABLE", ran: "no" });
  }
  assert.equal(server.stats().transport.receivedMessages, 0);
});

test("connect() and close() refuse wrong arguments", async () => {
  await using t = await leakCheck();
  const { client, server } = await pair(t);
  for (const wrong of [undefined, null, 5, {}]) {
    await assert.rejects(client.connect(wrong as unknown as string), TypeError);
  }
  await assert.rejects(client.connect(server.endpoint, { timeoutMs: "5" as unknown as number }), TypeError);
  await assert.rejects(client.connect(server.endpoint, { timeoutMs: Number.NaN }), TypeError);
  await assert.rejects(client.close({ timeoutMs: Number.NaN }), TypeError);
});

test("connect() to a name that cannot be resolved fails and names it", async () => {
  await using t = await leakCheck();
  const client = await t.messenger();
  await fails(client.connect("tcp://no-such-host.invalid:5555", { timeoutMs: 2_000 }), {
    // The tests may ask for no name on Deno.
    code: currentRuntime === "deno" ? "FORBIDDEN" : "PEER_UNREACHABLE",
    message: /no-such-host\.invalid/,
  }, 8_000);
});

test("calls to a registered peer without an answer fail with PEER_UNREACHABLE and did not run", async () => {
  await using t = await leakCheck();
  const server = await t.messenger();
  const client = await t.messenger({ connectTimeoutMs: 120 });
  const peer = client.registerPeer(server.peerInfo());
  await server.close();
  await Promise.all(
    (["unary", "amSync", "amSend"] as const).map((pattern) =>
      fails(client[pattern]("x", { to: peer }), { code: "PEER_UNREACHABLE", ran: "no" })
    ),
  );
  await fails(client.availableHandlers(peer), { code: "PEER_UNREACHABLE" });
});
