/** Frames that are wrong, and connections that claim to be somebody else. */
import assert from "node:assert/strict";
import { noCurve } from "../support/curve.ts";
import { test } from "../support/testing.ts";
import { Worker } from "node:worker_threads";
import {
  curveKeyPair,
  type InstanceId,
  type Messenger,
  type MessengerOptions,
  unaryHandler,
} from "../../src/mod.ts";
import type { Socket } from "../../src/libzmq/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import {
  hex,
  Kind,
  type PlainCurve,
  PlainVelo,
  requestHeader,
  responseHeader,
  unhex,
  utf8,
} from "../support/plain_velo.ts";
import { Inbox, nextOf, rawContext } from "../support/raw_sockets.ts";
import type { WorkerTask } from "../support/raw_worker.ts";
import { pause, until, within } from "../support/until.ts";
import { bytes, fails, gate, keptLog, pair, text } from "./messenger_kit.ts";

/** An instance with an echo, a plain node that it knows, and one of its own kind that calls it. */
async function listening(t: LeakCheck, options: MessengerOptions = {}): Promise<{
  server: Messenger;
  node: PlainVelo;
  /** Shows that good peers of both kinds are still answered. */
  works: () => Promise<void>;
}> {
  const { server, client, peer } = await pair(t, { server: options });
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  const node = await PlainVelo.open(t);
  await node.introduce(server.endpoint);
  const works = async () => {
    assert.equal((await node.ask(server.endpoint, "echo", "plain")).text, "plain");
    assert.equal(text(await client.unary("echo", { to: peer, rawPayload: bytes("ours") })), "ours");
  };
  return { server, node, works };
}

const id = "0626a52848d9b2650100000000000000";
const echo = requestHeader(Kind.unary, id, "echo", "81a161a162");
const response = responseHeader(id, false, "81a161a162");
const ack = `00${id}`;

/** Frames, and why they are dropped. */
const malformed: [what: string, reason: string, frames: string[]][] = [
  ["a type alone", "frameCount", ["00"]],
  ["two frames", "frameCount", ["00", echo]],
  ["four frames", "frameCount", ["00", echo, "", ""]],
  ["five frames", "frameCount", ["00", echo, "6162", "", "00"]],
  ["two hundred frames", "frameCount", Array.from({ length: 200 }, () => "00")],
  ["an empty type", "typeLength", ["", echo, "6162"]],
  ["a type of two bytes", "typeLength", ["0000", echo, "6162"]],
  ["a type of three hundred bytes", "typeLength", ["00".repeat(300), echo, "6162"]],
  ["type 5", "typeUnknown", ["05", echo, "6162"]],
  ["type 0x3f", "typeUnknown", ["3f", echo, "6162"]],
  ["type 0x41", "typeUnknown", ["41", echo, "6162"]],
  ["type 0xff", "typeUnknown", ["ff", echo, "6162"]],
  ["schema version 0", "schemaVersion", ["00", `00${echo.slice(2)}`, "6162"]],
  ["schema version 2", "schemaVersion", ["00", `02${echo.slice(2)}`, "6162"]],
  ["response type 3", "responseType", ["00", `0103${echo.slice(4)}`, "6162"]],
  ["response type 255", "responseType", ["00", `01ff${echo.slice(4)}`, "6162"]],
  ["a name without bytes", "nameEmpty", ["00", `0102${id}00000000`, "6162"]],
  ["a name that is no UTF-8", "nameEncoding", ["00", `0102${id}0200ff000000`, "6162"]],
  ["a header map of 16 385 bytes", "headersTooLarge", [
    "00",
    `0102${id}0100610140${"80".repeat(16_385)}`,
    "",
  ]],
  ["a header of 90 000 bytes", "headerTooLarge", ["00", echo + "00".repeat(90_000), ""]],
  ["an ack of another kind", "ackFlags", ["02", `04${id}`, ""]],
  ["an ack with all bits", "ackFlags", ["03", `ff${id}`, ""]],
  ["a request given back that is none", "headerTruncated", ["04", "01", ""]],
  ["a batch without a header", "batchHeader", ["40", "", ""]],
  ["a batch of another version", "batchVersion", ["40", "0201000000", ""]],
  ["a batch of nothing", "batchCount", ["40", "0100000000", ""]],
  ["a batch that ends too soon", "batchTruncated", ["40", "0101000000", "00ffffffff00000000"]],
];

test("malformed frames are dropped and counted by reason, and good peers are answered meanwhile", async () => {
  await using t = await leakCheck();
  const { server, node, works } = await listening(t);
  const counted: Record<string, number> = {};
  for (const [what, reason, frames] of malformed) {
    // A fourth part costs the sender its connection.
    const sender = frames.length > 3 ? await PlainVelo.open(t) : node;
    sender.sendFrames(server.endpoint, frames);
    counted[reason] = (counted[reason] ?? 0) + 1;
    const drops = (): Readonly<Record<string, number>> => server.stats().transport.drops;
    await until(() => drops()[reason] === counted[reason]);
    await works();
    assert.deepEqual(drops(), counted, what);
  }
  await node.nothingMore();
});

for (
  const [what, type, header] of [
    ["request", "00", echo],
    ["response", "01", response],
    ["ack", "02", ack],
    ["request given back", "04", echo],
  ] as const
) {
  test(`a ${what} whose header is cut anywhere is dropped and counted`, async () => {
    await using t = await leakCheck();
    const { server, node, works } = await listening(t);
    const total = header.length / 2;
    for (let cut = 0; cut < total; cut++) {
      node.sendFrames(server.endpoint, [type, header.slice(0, 2 * cut), "6162"]);
    }
    await works();
    assert.deepEqual(server.stats().transport.drops, { headerTruncated: total });
    await node.nothingMore(20);
  });
}

test("a header map that is no map of texts disturbs no other message", async () => {
  await using t = await leakCheck();
  const { server, node, works } = await listening(t);
  server.registerHandler(unaryHandler("headers", ({ headers }) => bytes(JSON.stringify(headers))));
  for (
    const map of [
      "c0",
      "93010203",
      "81a161",
      "8101a162",
      "81a16101",
      "dfffffffff",
      "81a1",
      "d9ff",
      "82a161a162",
    ]
  ) {
    const replies: string[] = [];
    for (const name of ["headers", "echo"]) {
      const before = server.stats().transport.drops.headersEncoding ?? 0;
      const header = requestHeader(Kind.unary, node.nextId(), name, map);
      node.send(server.endpoint, 0, header, "x");
      await until(() => {
        const reply = node.inbox.shift();
        if (reply !== undefined) replies.push(reply.text);
        return reply !== undefined || (server.stats().transport.drops.headersEncoding ?? 0) > before;
      });
    }
    for (const reply of replies) assert.ok(["{}", "x"].includes(reply), `${map}: ${reply}`);
  }
  await works();
});

test("a payload over the limit is nacked at once, and the connection lives", async () => {
  await using t = await leakCheck();
  const { server, node, works } = await listening(t, { maxPayloadBytes: 10_000 });
  assert.equal((await node.ask(server.endpoint, "echo", new Uint8Array(10_000))).payload.length, 10_000);
  // What is small is read, and what is not is thrown away unread; both come whole from Velo.
  const sizes = [10_001, 64 * 1024, 64 * 1024 + 1, 100_000];
  for (const size of sizes) {
    for (const kind of [Kind.unary, Kind.ack]) {
      const id = node.nextId();
      const nack = await node.ask(server.endpoint, "echo", new Uint8Array(size), { id, kind });
      assert.deepEqual([nack.type, nack.header], [2, `02${id}`]);
      assert.match(nack.text, new RegExp(`"echo" did not run: its payload has ${size} bytes.*10000`));
    }
    node.send(server.endpoint, 0, requestHeader(Kind.fire, node.nextId(), "echo"), new Uint8Array(size));
  }
  await works();
  assert.deepEqual(server.stats().transport.drops, { payloadTooLarge: 3 * sizes.length });
});

test("a frame far over the limit costs its sender the connection, and no other peer; the log names the limit", async () => {
  await using t = await leakCheck();
  const { logger, lines } = keptLog();
  const { server, node, works } = await listening(t, { maxPayloadBytes: 10_000, logger });
  const hostile = await PlainVelo.open(t);
  await hostile.introduce(server.endpoint);
  const { accepted } = server.stats().transport;
  hostile.send(
    server.endpoint,
    0,
    requestHeader(Kind.unary, hostile.nextId(), "echo"),
    new Uint8Array(5_000_000),
  );
  await until(() => server.stats().transport.accepted < accepted);
  assert.ok(
    lines.some(({ fields }) =>
      fields["peer"] === hostile.instanceId && /maxPayloadBytes \(10000\)/.test(String(fields["reason"]))
    ),
    JSON.stringify(lines),
  );
  await works();
  void node;
});

test("a message of a hundred thousand parts is thrown away in portions while others are answered", async () => {
  await using t = await leakCheck();
  const { server, node, works } = await listening(t);
  const empty = new Uint8Array(0);
  const hostile = await PlainVelo.open(t);
  const parts = Array.from({ length: 100_000 }, () => empty);
  // Each costs its connection.
  for (let i = 0; i < 3; i++) {
    assert.equal((await PlainVelo.open(t)).dealer(server.endpoint).send(parts), true);
  }
  await works();
  await until(() => server.stats().transport.drops.typeLength === 3);
  hostile.sendFrames(server.endpoint, ["05", "", ""]);
  await until(() => server.stats().transport.drops.typeUnknown === 1);
  await works();
  void node;
});

test("an endless stream of strangers is dropped, and calls of good peers are answered soon", async () => {
  // A runtime may keep some descriptors of its own for its next Worker.
  await using t = await leakCheck({ descriptors: false });
  const { server, works } = await listening(t);
  // A fourth part would cost the worker its connection.
  const messages = malformed.filter(([, , frames]) => frames.length <= 3 && frames.join("").length < 500)
    .map(([, , frames]) => frames.map(unhex));
  const task: WorkerTask = { task: "hostile", waiter: "auto", endpoint: server.endpoint, messages };
  const worker = new Worker(new URL("../support/raw_worker.ts", import.meta.url), { workerData: task });
  t.defer(() => worker.terminate().then(() => {}));
  const dropped = () => Object.values(server.stats().transport.drops).reduce((sum, count) => sum + count, 0);
  await until(() => dropped() > 1_000, { timeoutMs: 10_000 });
  const before = dropped();
  const took: number[] = [];
  for (let i = 0; i < 20; i++) {
    const start = performance.now();
    await within(works(), 3_000, "two answers beside a flood");
    took.push(performance.now() - start);
  }
  assert.ok(dropped() > before + 1_000, `${dropped() - before} were dropped meanwhile`);
  assert.ok(took.sort((a, b) => a - b)[15]! < 500, `answers took ${took.map(Math.round).join(", ")} ms`);
});

/** A connection of our own kind, by hand: it may call itself what it likes. */
class Impostor {
  readonly socket: Socket;
  readonly inbox: Inbox;
  readonly #node: PlainVelo;

  constructor(node: PlainVelo, endpoint: string, routingId: string, curve?: PlainCurve) {
    this.#node = node;
    this.socket = node.open(endpoint, unhex(routingId), curve);
    this.inbox = new Inbox(this.socket);
  }

  /** Says `_hello` as an instance with these features would. */
  hello(
    says: { instanceId: string; named?: string; worker?: string; features?: string[]; slot?: string },
  ): void {
    const {
      instanceId,
      named = instanceId,
      worker = this.#node.worker,
      features = ["errors", "same-connection"],
    } = says;
    this.send(requestHeader(Kind.unary, `${worker}${says.slot ?? "0000"}000000000000`, "_hello"), {
      peer_info: { ...this.#node.peerInfo(), instance_id: instanceId },
      zeromesh: { v: 1, features, instance_id: named },
    });
  }

  /** Sends a request. */
  send(header: string, payload: string | object): void {
    const body = typeof payload === "string" ? payload : JSON.stringify(payload);
    assert.equal(this.socket.send([Uint8Array.of(0), unhex(header), bytes(body)]), true);
  }

  /** The next message, as type, header and text. */
  async next(): Promise<{ type: number; header: string; text: string }> {
    const [type, header, payload] = await until(() => this.inbox.messages.shift(), { intervalMs: 1 });
    return { type: type![0]!, header: hex(header!), text: text(payload!) };
  }
}

const random = "0102030405060708";
const digits = (instanceId: string) => instanceId.replaceAll("-", "");

test("a zeromesh connection that introduces itself is answered over that very connection", async () => {
  await using t = await leakCheck();
  const { server, node } = await listening(t);
  const other = await PlainVelo.open(t);
  const honest = new Impostor(other, server.endpoint, digits(other.instanceId) + random);
  honest.hello({ instanceId: other.instanceId });
  const reply = await honest.next();
  assert.deepEqual([reply.type, reply.header.slice(32, 34)], [1, "00"], reply.text);
  const { zeromesh } = JSON.parse(reply.text) as { zeromesh: { instance_id: string } };
  assert.equal(zeromesh.instance_id, server.instanceId);
  honest.send(requestHeader(Kind.unary, other.nextId(), "echo"), "over here");
  assert.equal((await honest.next()).text, "over here");
  await other.nothingMore(20);
  void node;
});

test("a connection that claims another instance's id in _hello is told IDENTITY_MISMATCH and stays a stranger", async () => {
  await using t = await leakCheck();
  const { server, works } = await listening(t);
  const victim = await t.messenger();
  await victim.connect(server.endpoint);
  const thief = await PlainVelo.open(t);
  const known = server.peers().map(({ instanceId }) => instanceId).sort();
  // Each one has another random part, since a ROUTER takes nobody whose id belongs to a connection that it still has.
  let connections = 0;
  const idOf = (instanceId: string): string => digits(instanceId) + `${++connections}`.padStart(16, "0");
  const claims: [what: string, routingId: string, says: { instanceId: string; named?: string }][] = [
    ["the victim's id over a connection of its own", idOf(thief.instanceId), {
      instanceId: victim.instanceId,
    }],
    ["its own id in one place, the victim's in another", idOf(thief.instanceId), {
      instanceId: thief.instanceId,
      named: victim.instanceId,
    }],
    ["the reverse", idOf(thief.instanceId), { instanceId: victim.instanceId, named: thief.instanceId }],
    ["its own id over a connection that looks like the victim's", idOf(victim.instanceId), {
      instanceId: thief.instanceId,
    }],
    ["an id over a connection that shows none", "aabbccdd", { instanceId: thief.instanceId }],
  ];
  for (const [what, routingId, says] of claims) {
    const impostor = new Impostor(thief, server.endpoint, routingId);
    impostor.hello(says);
    const reply = await impostor.next();
    assert.deepEqual([reply.type, reply.header.slice(32, 34)], [1, "01"], `${what}: ${reply.text}`);
    assert.ok(reply.header.includes(utf8("IDENTITY_MISMATCH")), `${what}: ${reply.text}`);
    assert.deepEqual(server.peers().map(({ instanceId }) => instanceId).sort(), known, what);
    impostor.socket.close();
  }
  assert.deepEqual(victim.stats().transport.drops, {}, "nothing of it reached the victim");
  assert.ok(server.peers().every(({ up, zeromesh }) => !zeromesh || up));
  await works();
});

test("a connection keeps the id that it said first, also against a _hello in plain Velo's manner", async () => {
  await using t = await leakCheck();
  const { server } = await listening(t);
  const node = await PlainVelo.open(t);
  const honest = new Impostor(node, server.endpoint, digits(node.instanceId) + random);
  honest.hello({ instanceId: node.instanceId });
  assert.equal((await honest.next()).header.slice(32, 34), "00");
  const other = await PlainVelo.open(t);
  honest.hello({ instanceId: other.instanceId, slot: "0100" });
  const reply = await honest.next();
  assert.ok(reply.header.includes(utf8("IDENTITY_MISMATCH")), reply.text);
  honest.send(requestHeader(Kind.unary, `${node.worker}0200000000000000`, "_hello"), {
    peer_info: other.peerInfo(),
  });
  const refused = await honest.next();
  assert.ok(refused.header.includes(utf8("IDENTITY_MISMATCH")), refused.text);
  honest.send(requestHeader(Kind.unary, node.nextId(), "echo"), "still me");
  assert.equal((await honest.next()).text, "still me");
});

test("a later _hello takes away nothing that its connection had agreed on, and may add to it", async () => {
  await using t = await leakCheck();
  const { server } = await listening(t);
  const node = await PlainVelo.open(t);
  const one = new Impostor(node, server.endpoint, digits(node.instanceId) + random);
  const { instanceId } = node;
  const answered = async () => {
    one.send(requestHeader(Kind.unary, node.nextId(), "echo"), "over here");
    assert.equal((await one.next()).text, "over here");
  };
  one.hello({ instanceId, features: ["same-connection"] });
  await one.next();
  await answered();
  const later: [what: string, hello: () => void][] = [
    ["fewer features", () => one.hello({ instanceId, features: [] })],
    ["others", () => one.hello({ instanceId, features: ["errors"] })],
    [
      "plain Velo's manner",
      () => one.send(requestHeader(Kind.unary, node.nextId(), "_hello"), { peer_info: node.peerInfo() }),
    ],
  ];
  for (const [what, hello] of later) {
    hello();
    const reply = await one.next();
    assert.deepEqual([reply.type, reply.header.slice(32, 34)], [1, "00"], `${what}: ${reply.text}`);
    await answered();
  }
  one.send(requestHeader(Kind.unary, node.nextId(), "nowhere"), "");
  assert.ok((await one.next()).header.includes(utf8("HANDLER_NOT_FOUND")));
  assert.deepEqual(server.stats().transport.drops, {});
  assert.equal(server.peers().find((peer) => peer.instanceId === instanceId)?.up, true);
});

/** An instance that uses CURVE, one that has introduced itself to it, and a third party with keys of its own. */
async function secured(t: LeakCheck): Promise<
  {
    server: Messenger;
    victim: Messenger;
    thief: PlainVelo;
    /** A connection of the third party that calls itself by this id. */
    impostor: (instanceId: string) => Impostor;
  }
> {
  const [serverKeys, victimKeys, thiefKeys] = await Promise.all([
    curveKeyPair(),
    curveKeyPair(),
    curveKeyPair(),
  ]);
  const server = await t.messenger({ curve: { ...serverKeys, allow: "any" } });
  const victim = await t.messenger({ curve: { ...victimKeys, allow: "any" } });
  await victim.connect(server.endpoint, { serverKey: serverKeys.publicKey });
  const thief = await PlainVelo.open(t);
  const curve = { ...thiefKeys, serverKey: serverKeys.publicKey };
  const impostor = (instanceId: string) =>
    new Impostor(thief, server.endpoint, digits(instanceId) + random, curve);
  return { server, victim, thief, impostor };
}

test("with CURVE an id belongs to the first key that showed it, and a thief cannot even redirect it", {
  skip: noCurve,
}, async () => {
  await using t = await leakCheck();
  const { server, victim, thief, impostor } = await secured(t);
  const endpoints = server.peers()[0]?.endpoints;
  assert.ok(endpoints?.includes(victim.endpoint));
  const worker = hex(new Uint8Array(new BigUint64Array([victim.workerId]).buffer));
  const twin = impostor(victim.instanceId);
  twin.hello({ instanceId: victim.instanceId, worker });
  const reply = await twin.next();
  assert.ok(reply.header.includes(utf8("IDENTITY_MISMATCH")), reply.text);
  // The same in plain Velo's manner has no answer, and the victim least of all gets it.
  const info = { ...thief.peerInfo(), instance_id: victim.instanceId };
  twin.send(requestHeader(Kind.unary, `${worker}0100000000000000`, "_hello"), { peer_info: info });
  const plain = impostor(thief.instanceId);
  plain.send(requestHeader(Kind.unary, `${worker}0000000000000000`, "_hello"), { peer_info: info });
  await pause(60);
  assert.deepEqual(server.peers()[0]?.endpoints, endpoints);
  assert.equal(server.peers()[0]?.up, true);
  assert.deepEqual(victim.stats().transport.drops, {}, "nothing of it reached the victim");
  victim.registerHandler(unaryHandler("who", () => bytes("the victim")));
  assert.equal(text(await server.unary("who", { to: victim.instanceId })), "the victim");
});

for (const manner of ["ours", "plain"] as const) {
  test(`with CURVE nobody asks in another's name, nor answers another's calls (${manner} _hello)`, {
    skip: noCurve,
  }, async () => {
    await using t = await leakCheck();
    const { server, victim, thief, impostor } = await secured(t);
    const senders: unknown[] = [];
    server.registerHandler(unaryHandler("echo", ({ payload, senderInstanceId }) => {
      senders.push(senderInstanceId);
      return payload;
    }));
    const connection = impostor(thief.instanceId);
    if (manner === "ours") {
      connection.hello({ instanceId: thief.instanceId });
      assert.equal((await connection.next()).header.slice(32, 34), "00");
    } else {
      connection.send(requestHeader(Kind.unary, thief.nextId(), "_hello"), { peer_info: thief.peerInfo() });
      await until(() => server.peers().length === 2);
    }
    const worker = hex(new Uint8Array(new BigUint64Array([victim.workerId]).buffer));
    for (const kind of [Kind.unary, Kind.ack, Kind.fire]) {
      connection.send(requestHeader(kind, `${worker}0000000000000000`, "echo"), "forged");
    }
    connection.send(requestHeader(Kind.unary, `${worker}0000000000000000`, "nosuch"), "forged");
    await until(() => server.stats().transport.drops.identityMismatch === 4);
    assert.deepEqual(senders, []);
    assert.deepEqual(victim.stats().transport.drops, {}, "nothing of it reached the victim");
  });
}

test("with CURVE only the owner of the key that was dialled can answer", { skip: noCurve }, async () => {
  await using t = await leakCheck();
  const { server: client, thief, impostor } = await secured(t);
  const keys = await curveKeyPair();
  const silent = (await rawContext(t)).socket("ROUTER").set("CURVE_SERVER", 1);
  silent.set("CURVE_PUBLICKEY", keys.publicKey).set("CURVE_SECRETKEY", keys.secretKey);
  const endpoint = silent.bind("tcp://127.0.0.1:*");
  const connecting = client.connect(endpoint, { serverKey: keys.publicKey, timeoutMs: 600 });
  const failed = fails(connecting, { code: "PEER_UNREACHABLE" });
  const [, , header] = await nextOf(silent);
  const forged = {
    handlers: [],
    zeromesh: { v: 1, features: ["same-connection"], instance_id: thief.instanceId },
  };
  const { socket } = impostor(thief.instanceId);
  socket.send([
    Uint8Array.of(1),
    unhex(responseHeader(hex(header!).slice(4, 36))),
    bytes(JSON.stringify(forged)),
  ]);
  await until(() => client.stats().transport.drops.replyUnknown === 1);
  await failed;
  assert.deepEqual(client.peers().map(({ instanceId }) => instanceId === thief.instanceId), [false]);
});

test("a request that names another worker than its connection's is dropped and counted", async () => {
  await using t = await leakCheck();
  const { server, node, works } = await listening(t);
  const other = await PlainVelo.open(t);
  const impostor = new Impostor(other, server.endpoint, digits(other.instanceId) + random);
  impostor.hello({ instanceId: other.instanceId });
  assert.equal((await impostor.next()).header.slice(32, 34), "00");
  const before = server.stats().handlers.started;
  for (const kind of [Kind.unary, Kind.ack, Kind.fire]) {
    impostor.send(requestHeader(kind, node.nextId(), "echo"), "in another's name");
  }
  impostor.send(requestHeader(Kind.unary, node.nextId(), "_list_handlers"), "");
  await until(() => server.stats().transport.drops.identityMismatch === 4);
  assert.equal(server.stats().handlers.started, before);
  await node.nothingMore(20);
  impostor.send(requestHeader(Kind.unary, other.nextId(), "echo"), "in its own");
  assert.equal((await impostor.next()).text, "in its own");
  await works();
});

test("a second connection gets neither the first one's answers nor, by its guess, its name", async () => {
  await using t = await leakCheck();
  const { server } = await listening(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("slow", async () => {
    await hold.opened;
    return bytes("secret");
  }));
  const first = await PlainVelo.open(t);
  const honest = new Impostor(first, server.endpoint, digits(first.instanceId) + random);
  honest.hello({ instanceId: first.instanceId });
  assert.equal((await honest.next()).header.slice(32, 34), "00");
  const asked = first.nextId();
  honest.send(requestHeader(Kind.unary, asked, "slow"), "");
  await until(() => server.stats().handlers.running === 1);
  // Another process with the same id, once with the routing id guessed and once with one of its own.
  const second = await PlainVelo.open(t, { instanceId: first.instanceId });
  const twin = new Impostor(second, server.endpoint, digits(first.instanceId) + random);
  const cousin = new Impostor(second, server.endpoint, digits(first.instanceId) + "ffffffffffffffff");
  for (const thief of [twin, cousin]) thief.hello({ instanceId: first.instanceId });
  // One of them is a connection of that instance as far as anybody can tell; the other one is not heard at all.
  assert.equal((await cousin.next()).header.slice(32, 34), "00");
  hold.open();
  const answer = await honest.next();
  assert.deepEqual([answer.header, answer.text], [responseHeader(asked), "secret"]);
  await pause(40);
  assert.deepEqual([twin.inbox.count, cousin.inbox.messages.length], [0, 0]);
  assert.deepEqual(second.inbox.map(({ header }) => header), []);
});

test("an answer that comes by another connection than the question went out by ends nothing", async () => {
  await using t = await leakCheck();
  const { server, client, peer } = await pair(t);
  const hold = gate(t);
  server.registerHandler(unaryHandler("slow", async () => {
    await hold.opened;
    return bytes("the real one");
  }));
  const call = client.unary("slow", { to: peer });
  await until(() => server.stats().handlers.running === 1);
  const thief = await PlainVelo.open(t);
  const worker = hex(new Uint8Array(new BigUint64Array([client.workerId]).buffer));
  let sent = 0;
  for (let slot = 0; slot < 4; slot++) {
    for (let generation = 0; generation < 3; generation++) {
      const guess = `${worker}0${slot}000${generation}0000000000`;
      thief.send(client.endpoint, 1, responseHeader(guess), "a forged one");
      thief.send(client.endpoint, 2, `02${guess}`, "a forged failure");
      thief.send(client.endpoint, 4, requestHeader(Kind.unary, guess, "slow"));
      sent += 3;
    }
  }
  await until(() => client.stats().transport.drops.replyUnknown === sent);
  hold.open();
  assert.equal(text(await call), "the real one");
  const id: InstanceId = peer;
  assert.equal(client.peers()[0]?.instanceId, id);
});
