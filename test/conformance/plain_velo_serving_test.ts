/** A plain Velo node calls an instance: every kind of reply, byte for byte, and the way it takes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { amHandler, contract, type Messenger, type MessengerOptions, unaryHandler } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import {
  addressBlob,
  hex,
  Kind,
  le,
  PlainVelo,
  requestHeader,
  responseHeader,
  unhex,
  utf8,
} from "../support/plain_velo.ts";
import { sameBytes } from "../support/same_bytes.ts";
import { pause, until } from "../support/until.ts";
import { nodeA, nodeLive, requests, trace } from "../vectors/velo_headers.ts";
import { bytes, gate } from "./messenger_kit.ts";

const add = contract("add", {
  input: z.object({ a: z.number(), b: z.number() }),
  output: z.object({ sum: z.number() }),
});

/** The messages that reached the handlers: name, and text of the payload. */
type Seen = [name: string, payload: string, headers: Readonly<Record<string, string>>][];

/** An instance with the handlers that the vectors name, and node A, not introduced yet. */
async function serving(
  t: LeakCheck,
  options: MessengerOptions = {},
): Promise<{ server: Messenger; node: PlainVelo; seen: Seen }> {
  const server = await t.messenger(options);
  const seen: Seen = [];
  const note = (name: string, payload: Uint8Array, headers: Readonly<Record<string, string>>) =>
    void seen.push([name, new TextDecoder().decode(payload), headers]);
  server.handle(add, ({ input, headers, payload }) => {
    note("add", payload, headers);
    return { sum: input.a + input.b };
  });
  for (const name of ["fire", "note"]) {
    server.registerHandler(amHandler(name, ({ payload, headers }) => {
      note(name, payload, headers);
      if (payload.length > 0 && payload[0] === 0x21) throw new Error("boom");
    }));
  }
  server.registerHandler(unaryHandler("echo", ({ payload, headers }) => {
    note("echo", payload, headers);
    return payload;
  }));
  server.registerHandler(unaryHandler("none", () => {}));
  server.registerHandler(unaryHandler("fail", () => {
    throw new Error("boom");
  }));
  server.registerHandler(unaryHandler("later", async () => {
    await pause(5);
    throw new Error("boom, later");
  }));
  const node = await PlainVelo.open(t, { instanceId: nodeA.instanceId });
  return { server, node, seen };
}

/** The header of a vector by its title. */
function vector(title: string): string {
  const found = requests.find((one) => one.title === title);
  assert.ok(found !== undefined, title);
  return hex(unhex(found.hex));
}

test("_hello of a plain node is answered through a connection of our own, with our handlers", async () => {
  await using t = await leakCheck();
  const { server, node } = await serving(t);
  node.send(server.endpoint, 0, vector("_hello"), { peer_info: node.peerInfo() });
  const reply = await node.next();
  assert.equal(reply.type, 1);
  assert.equal(reply.header, hex(unhex("0626a52848d9b265 0000 000000000000 00 0000")));
  assert.equal(reply.frames.length, 3);
  assert.ok(
    reply.from.startsWith(server.instanceId.replaceAll("-", "")),
    "the routing id begins with our id",
  );
  const { handlers } = JSON.parse(reply.text) as { handlers: string[] };
  assert.deepEqual([...handlers].sort(), [
    ...[
      "_ack",
      ...["_anchor_abort_attach", "_anchor_attach", "_anchor_cancel", "_anchor_detach"],
      ...["_anchor_finalize", "_anchor_renew"],
      "_cancel",
      "_credit",
      "_describe",
      "_event_barrier",
      "_event_poll",
      "_event_subscribe",
      "_event_trigger",
      "_event_trigger_request",
      "_event_unsubscribe",
      "_goodbye",
      "_health_check",
      "_hello",
      "_list_handlers",
      ...["_mpsc_anchor_attach", "_mpsc_anchor_cancel", "_mpsc_anchor_detach"],
      "_register_service",
      ...["_stream_batch", "_stream_cancel", "_stream_stop"],
      "_wait_for_handler",
      "add",
      "echo",
      "fail",
      "fire",
      "later",
      "none",
      "note",
    ],
  ]);
  assert.deepEqual(node.wrongWay, []);
  assert.deepEqual(
    server.peers().map(({ instanceId, zeromesh, endpoints }) => ({ instanceId, zeromesh, endpoints })),
    [
      { instanceId: nodeA.instanceId, zeromesh: false, endpoints: [node.endpoint] },
    ],
  );
});

test("the worked examples of the wire are answered byte for byte", async () => {
  await using t = await leakCheck();
  const { server, node, seen } = await serving(t);
  await node.introduce(server.endpoint);
  const sum = '{"sum":3}';
  const cases: [title: string, payload: string, type: number, header: string, answer: string][] = [
    ["typed unary", '{"a":1,"b":2}', 1, "0626a52848d9b265 0100 000000000000 00 0000", sum],
    ["typed unary with a trace", '{"a":1,"b":2}', 1, "0626a52848d9b265 0100 010000000000 00 0000", sum],
    ["acknowledged", "n", 2, "000626a52848d9b2653412060504030201", ""],
    ["acknowledged", "!", 2, "020626a52848d9b2653412060504030201", "boom"],
  ];
  for (const [title, payload, type, header, answer] of cases) {
    node.send(server.endpoint, 0, vector(title), payload);
    const reply = await node.next();
    assert.equal(reply.type, type, title);
    assert.equal(reply.header, hex(unhex(header)), title);
    assert.equal(reply.text, answer, title);
    assert.equal(reply.frames.length, 3, title);
  }
  node.send(server.endpoint, 0, vector("_list_handlers"));
  const list = await node.next();
  assert.equal(list.header, hex(unhex("0626a52848d9b265 0500 000000000000 00 0000")));
  assert.ok((JSON.parse(list.text) as { handlers: string[] }).handlers.includes("add"));
  node.send(server.endpoint, 0, vector("_list_handlers"), "null");
  assert.equal((await node.next()).text, list.text);
  for (const title of ["fire, no headers", "fire, empty map"]) {
    node.send(server.endpoint, 0, vector(title), "f");
  }
  await until(() => seen.length === 6);
  assert.deepEqual(seen.map(([name, payload, headers]) => [name, payload, { ...headers }]), [
    ["add", '{"a":1,"b":2}', {}],
    ["add", '{"a":1,"b":2}', trace],
    ["note", "n", {}],
    ["note", "!", {}],
    ["fire", "f", {}],
    ["fire", "f", {}],
  ]);
  await node.nothingMore();
  assert.deepEqual(node.wrongWay, []);
  assert.deepEqual(server.stats().transport.drops, {});
});

test("the requests of a recorded node are answered byte for byte", async () => {
  await using t = await leakCheck();
  const { server, seen } = await serving(t);
  const node = await PlainVelo.open(t, { instanceId: nodeLive.instanceId });
  assert.equal(node.worker, nodeLive.workerBytes);
  node.send(server.endpoint, 0, vector("live _hello"), { peer_info: node.peerInfo() });
  assert.equal((await node.next()).header, hex(unhex("c0a090058368fc46 0100 000000000000 00 0000")));
  node.send(server.endpoint, 0, vector("live typed unary"), '{"a":1,"b":2}');
  const sum = await node.next();
  assert.deepEqual([sum.type, sum.header, sum.text], [
    1,
    "c0a090058368fc4600000000000000000000" + "00",
    '{"sum":3}',
  ]);
  node.send(server.endpoint, 0, vector("live unary"), "abc");
  const echo = await node.next();
  assert.deepEqual([echo.type, echo.header, echo.text], [
    1,
    "c0a090058368fc460700000000000000" + "000000",
    "abc",
  ]);
  node.send(server.endpoint, 0, vector("live acknowledged"), "n");
  const ack = await node.next();
  assert.deepEqual([ack.type, ack.header, ack.text], [2, "00c0a090058368fc461400000000000000", ""]);
  for (const title of ["live fire", "live fire, one header", "live fire, empty map"]) {
    node.send(server.endpoint, 0, vector(title), "fire");
  }
  await until(() => seen.length === 6);
  assert.deepEqual(seen.slice(3).map(([name, , headers]) => [name, { ...headers }]), [
    ["note", {}],
    ["note", { a: "b" }],
    ["note", {}],
  ]);
  await node.nothingMore();
});

test("an unknown handler is a nack, also of a unary call, and nothing at all to fire and forget", async () => {
  await using t = await leakCheck();
  const { server, node } = await serving(t);
  await node.introduce(server.endpoint);
  for (const kind of [Kind.unary, Kind.ack]) {
    const id = node.nextId();
    const reply = await node.ask(server.endpoint, "nosuch", "x", { kind, id });
    assert.deepEqual([reply.type, reply.header, reply.text], [2, `02${id}`, "Handler 'nosuch' not found"]);
  }
  node.send(server.endpoint, 0, requestHeader(Kind.fire, node.nextId(), "nosuch"));
  await node.nothingMore();
});

test("a handler's error is a text: a failed response to unary, a nack to an acknowledged send", async () => {
  await using t = await leakCheck();
  const { server, node } = await serving(t);
  await node.introduce(server.endpoint);
  for (const [name, text] of [["fail", "boom"], ["later", "boom, later"]] as const) {
    const id = node.nextId();
    const failed = await node.ask(server.endpoint, name, "", { id });
    assert.deepEqual([failed.type, failed.header, failed.text], [1, responseHeader(id, true), text]);
    const nack = await node.ask(server.endpoint, name, "", { kind: Kind.ack });
    assert.deepEqual([nack.type, nack.header.slice(0, 2), nack.text], [2, "02", text]);
    node.send(server.endpoint, 0, requestHeader(Kind.fire, node.nextId(), name));
  }
  await node.nothingMore();
});

test("typed input that is no JSON, or the wrong JSON, is Velo's own text, and the handler does not run", async () => {
  await using t = await leakCheck();
  const { server, node, seen } = await serving(t);
  await node.introduce(server.endpoint);
  for (const payload of ["{", "", "[]", '{"a":1}', '{"a":1,"b":"2"}', "\xff"]) {
    const raw = payload === "\xff" ? Uint8Array.of(0xff, 0xfe) : payload;
    const failed = await node.ask(server.endpoint, "add", raw);
    assert.deepEqual([failed.type, failed.header.slice(32, 34)], [1, "01"], payload);
    assert.match(failed.text, /^Failed to deserialize input: ./);
    const nack = await node.ask(server.endpoint, "add", raw, { kind: Kind.ack });
    assert.deepEqual([nack.type, nack.header.slice(0, 2)], [2, "02"], payload);
    assert.match(nack.text, /^Failed to deserialize input: ./);
    node.send(server.endpoint, 0, requestHeader(Kind.fire, node.nextId(), "add"), raw);
  }
  assert.match((await node.ask(server.endpoint, "add", '{"a":1}')).text, /\bb\b/);
  await node.nothingMore();
  assert.deepEqual(seen, []);
});

test("an answer without a value is null, and a payload without one fits what the contract takes", async () => {
  await using t = await leakCheck();
  const { server, node } = await serving(t);
  await node.introduce(server.endpoint);
  const inputs: unknown[] = [];
  for (
    const [name, input] of [["void", z.void()], ["null", z.null()], [
      "greeting",
      z.string().default("x"),
    ]] as const
  ) {
    server.handle(contract(name, { input, output: z.void() }), (context) => void inputs.push(context.input));
    for (const payload of ["", "null"]) {
      assert.equal((await node.ask(server.endpoint, name, payload)).text, "null");
    }
  }
  assert.deepEqual(inputs, [undefined, undefined, null, null, "x", "x"]);
});

test("unknown fields in typed input are ignored", async () => {
  await using t = await leakCheck();
  const { server, node } = await serving(t);
  await node.introduce(server.endpoint);
  assert.equal((await node.ask(server.endpoint, "add", '{"a":1,"b":2,"c":{"d":[]}}')).text, '{"sum":3}');
});

test("a unary call to an am handler fails after the handler ran", async () => {
  await using t = await leakCheck();
  const { server, node, seen } = await serving(t);
  await node.introduce(server.endpoint);
  const reply = await node.ask(server.endpoint, "note", "n");
  assert.deepEqual([reply.type, reply.header.slice(32)], [1, "010000"]);
  assert.equal(reply.text, "Unary message incorrectly routed to AM handler 'note'");
  const failed = await node.ask(server.endpoint, "note", "!");
  assert.equal(failed.text, "Unary message incorrectly routed to AM handler 'note': boom");
  assert.deepEqual(seen.map(([name]) => name), ["note", "note"]);
});

test("an acknowledged send to a unary handler is acknowledged without its result", async () => {
  await using t = await leakCheck();
  const { server, node, seen } = await serving(t);
  await node.introduce(server.endpoint);
  for (const [name, payload] of [["echo", "abc"], ["add", '{"a":1,"b":2}'], ["none", ""]] as const) {
    const id = node.nextId();
    const reply = await node.ask(server.endpoint, name, payload, { kind: Kind.ack, id });
    assert.deepEqual([reply.type, reply.header, reply.payload.length], [2, `00${id}`, 0], name);
  }
  assert.deepEqual(seen.map(([name]) => name), ["echo", "add"]);
});

test("a unary handler that returns nothing answers with an empty payload", async () => {
  await using t = await leakCheck();
  const { server, node } = await serving(t);
  await node.introduce(server.endpoint);
  const id = node.nextId();
  const reply = await node.ask(server.endpoint, "none", "x", { id });
  assert.deepEqual([reply.type, reply.header, reply.payload.length], [1, responseHeader(id), 0]);
});

test("payloads of any size go both ways, inline", async () => {
  await using t = await leakCheck();
  const { server, node } = await serving(t);
  await node.introduce(server.endpoint);
  for (const size of [0, 1, 4_096, 4_097, 65_535, 65_536, 65_537, 262_145, 3_000_000]) {
    const payload = new Uint8Array(size);
    for (let i = 0; i < size; i += 97) payload[i] = i & 0xff;
    const reply = await node.ask(server.endpoint, "echo", payload);
    assert.equal(reply.type, 1);
    assert.ok(sameBytes(reply.payload, payload), `${size} bytes`);
  }
});

test("header maps of any width are read; those of the system stay hidden, and none is sent back", async () => {
  await using t = await leakCheck();
  const { server, node, seen } = await serving(t);
  await node.introduce(server.endpoint);
  const maps: [map: string, headers: Record<string, string>][] = [
    ["80", {}],
    ["de0000", {}],
    ["81a161a162", { a: "b" }],
    ["de0001a16ba176", { k: "v" }],
    ["df00000001a16ba176", { k: "v" }],
    [`81a16b da 0401 ${"76".repeat(1_025)}`, { k: "v".repeat(1_025) }],
    ["82a161a162a161a163", { a: "c" }],
    [`82a45f74746ca43135303 0a161a162`.replaceAll(" ", ""), { a: "b" }],
  ];
  for (const [map, headers] of maps) {
    const id = node.nextId();
    const reply = await node.ask(server.endpoint, "echo", "x", { id, map: hex(unhex(map)) });
    assert.deepEqual([reply.type, reply.header], [1, responseHeader(id)], map);
    assert.deepEqual({ ...seen.at(-1)![2] }, headers, map);
  }
});

test("an anonymous DEALER is answered like any other, by worker id", async () => {
  await using t = await leakCheck();
  const { server } = await serving(t);
  const node = await PlainVelo.open(t, { routingId: null });
  await node.introduce(server.endpoint);
  assert.equal((await node.ask(server.endpoint, "echo", "abc")).text, "abc");
  assert.deepEqual(node.wrongWay, []);
});

test("replies go to the worker that the id names, whichever connection the request came by", async () => {
  await using t = await leakCheck();
  const { server, node } = await serving(t);
  const other = await PlainVelo.open(t);
  await node.introduce(server.endpoint);
  await other.introduce(server.endpoint);
  const id = other.nextId();
  node.send(server.endpoint, 0, requestHeader(Kind.unary, id, "echo"), "for the other one");
  const reply = await other.next();
  assert.deepEqual([reply.header, reply.text], [responseHeader(id), "for the other one"]);
  await node.nothingMore();
});

test("a request of an unknown worker runs, and its answer is counted as dropped", async () => {
  await using t = await leakCheck();
  const { server, node, seen } = await serving(t);
  node.send(server.endpoint, 0, requestHeader(Kind.unary, node.nextId(), "echo"), "who are you");
  await until(() => server.stats().transport.drops.noRoute === 1);
  assert.deepEqual(seen.map(([name]) => name), ["echo"]);
  await node.introduce(server.endpoint);
  assert.equal((await node.ask(server.endpoint, "echo", "now")).text, "now");
  assert.deepEqual(server.stats().transport.drops, { noRoute: 1 });
});

test("_hello with unknown fields, further transports and a bin value is understood", async () => {
  await using t = await leakCheck();
  const { server } = await serving(t);
  const shapes: ((node: PlainVelo) => object)[] = [
    (node) => ({ peer_info: { ...node.peerInfo(), future: { x: [1, null] } }, more: "fields", list: [] }),
    (node) => ({
      peer_info: node.peerInfo({
        "tcp-stream": unhex("9195a465746830a93139322e302e322e32cdb23b18c0"),
        zmq: node.endpoint,
        uds: "uds:///tmp/none",
      }),
    }),
    (node) => ({
      peer_info: {
        instance_id: node.instanceId,
        worker_address: addressBlob({ zmq: node.endpoint }, { bin: true }),
      },
    }),
    (node) => ({ peer_info: { ...node.peerInfo(), instance_id: node.instanceId.toUpperCase() } }),
    (node) => ({ peer_info: node.peerInfo(), zeromesh: null }),
    (node) => ({ peer_info: node.peerInfo(), zeromesh: { v: "one", features: "all" } }),
  ];
  for (const shape of shapes) {
    const node = await PlainVelo.open(t);
    const reply = await node.ask(server.endpoint, "_hello", shape(node));
    assert.deepEqual([reply.type, reply.header.slice(32, 34)], [1, "00"], reply.text);
    assert.equal((await node.ask(server.endpoint, "echo", "abc")).text, "abc");
    assert.equal(server.peers().find(({ instanceId }) => instanceId === node.instanceId)?.zeromesh, false);
  }
});

test("_hello without an address that can be used is refused, in Velo's words where there is a way to say it", async () => {
  await using t = await leakCheck();
  const { server, node } = await serving(t);
  const useless: Record<string, string>[] = [{ zmq: "inproc://here" }, { tcp: "tcp://127.0.0.1:1" }, {}, {
    zmq: "",
  }];
  for (const [i, entries] of useless.entries()) {
    node.send(server.endpoint, 0, requestHeader(Kind.unary, node.nextId(), "_hello"), {
      peer_info: node.peerInfo(entries),
    });
    // Nobody knows the way to a stranger whose address says nothing.
    await until(() => server.stats().transport.drops.noRoute === i + 1);
  }
  assert.deepEqual(server.peers(), []);
  await node.introduce(server.endpoint);
  for (const entries of useless) {
    const reply = await node.ask(server.endpoint, "_hello", { peer_info: node.peerInfo(entries) });
    assert.deepEqual([reply.type, reply.header.slice(32, 34)], [1, "01"]);
    assert.equal(reply.text, "No compatible transports found");
  }
  assert.equal((await node.ask(server.endpoint, "echo", "still known")).text, "still known");
  assert.deepEqual(server.peers()[0]?.endpoints, [node.endpoint]);
});

test("a _hello that cannot be read is an error, and costs nothing", async () => {
  await using t = await leakCheck();
  const { server, node } = await serving(t);
  await node.introduce(server.endpoint);
  const info = node.peerInfo();
  const payloads: (Uint8Array | object | string)[] = [
    "",
    "null",
    "[]",
    "{",
    "{}",
    Uint8Array.of(0xff, 0xfe),
    { peer_info: null },
    { peer_info: { ...info, instance_id: "not-a-uuid" } },
    { peer_info: { ...info, worker_address: "tcp://127.0.0.1:1" } },
    { peer_info: { ...info, worker_address: [300] } },
    { peer_info: { ...info, worker_address: [0x81, 0xa3] } },
    { peer_info: { ...info, worker_address: [] } },
    { peer_info: { instance_id: info.instance_id } },
  ];
  for (const payload of payloads) {
    const reply = await node.ask(server.endpoint, "_hello", payload);
    assert.deepEqual(
      [reply.type, reply.header.slice(32, 34)],
      [1, "01"],
      `${JSON.stringify(payload)}: ${reply.text}`,
    );
    assert.ok(reply.text.length > 0);
  }
  assert.equal((await node.ask(server.endpoint, "echo", "still known")).text, "still known");
});

test("a node that comes back at another address is answered there", async () => {
  await using t = await leakCheck();
  const { server, node } = await serving(t);
  await node.introduce(server.endpoint);
  await node.close();
  const again = await PlainVelo.open(t, { instanceId: nodeA.instanceId });
  await until(async () => {
    // The first connection has to be given up before libzmq takes another one of the same name.
    const id = again.nextId();
    again.hangUp(server.endpoint);
    again.send(server.endpoint, 0, requestHeader(Kind.unary, id, "_hello"), { peer_info: again.peerInfo() });
    await pause(50);
    return again.inbox.length > 0;
  });
  again.inbox.length = 0;
  assert.equal((await again.ask(server.endpoint, "echo", "here now")).text, "here now");
});

test("a second connection under the same routing id is ignored, and works once the first is gone", async () => {
  await using t = await leakCheck();
  const { server, node, seen } = await serving(t);
  await node.introduce(server.endpoint);
  const second = node.open(server.endpoint);
  const request = (
    name: string,
  ) => [Uint8Array.of(0), unhex(requestHeader(Kind.unary, node.nextId(), "echo")), bytes(name)];
  second.send(request("ignored"));
  assert.equal((await node.ask(server.endpoint, "echo", "first")).text, "first");
  await node.nothingMore();
  node.hangUp(server.endpoint);
  second.close();
  await until(async () => {
    // libzmq has to have given up the first one before it takes another of the same name.
    const third = node.open(server.endpoint);
    third.send(request("third"));
    await pause(30);
    if (node.inbox.length > 0) return true;
    third.close();
    return false;
  });
  assert.equal((await node.next()).text, "third");
  assert.deepEqual(seen.map(([, payload]) => payload), ["first", "third"]);
});

test("a node may call and be called at once, in any number, and every answer finds its request", async () => {
  await using t = await leakCheck();
  const { server, node } = await serving(t);
  await node.introduce(server.endpoint);
  const ids = Array.from({ length: 500 }, () => node.nextId());
  ids.forEach((id, i) =>
    node.send(server.endpoint, 0, requestHeader(Kind.unary, id, "echo"), `payload ${i}`)
  );
  await until(() => node.inbox.length === 500);
  const answers = new Map(node.inbox.map(({ header, text }) => [header.slice(0, 32), text]));
  assert.deepEqual(ids.map((id) => answers.get(id)), ids.map((_, i) => `payload ${i}`));
  assert.ok(
    node.inbox.every(({ type, frames }) => type === 1 && frames.length === 3),
    "no batch, no type of ours",
  );
  assert.deepEqual(node.wrongWay, []);
});

test("an instance that shuts down answers what it had taken and gives back what comes later", async () => {
  await using t = await leakCheck();
  const { server, node } = await serving(t);
  await node.introduce(server.endpoint);
  const hold = gate(t);
  server.registerHandler(unaryHandler("slow", async () => {
    await hold.opened;
    return bytes("done");
  }));
  const id = node.nextId();
  node.send(server.endpoint, 0, requestHeader(Kind.unary, id, "slow"));
  await until(() => server.stats().handlers.running === 1);
  const closing = server.close();
  // The header comes back as it was, with its map, and without a payload.
  const refused = hex(unhex(requests.find(({ title }) => title === "refused while draining")!.hex));
  node.send(server.endpoint, 0, refused, "abc");
  const given = await node.next();
  assert.deepEqual([given.type, given.header, given.payload.length], [4, refused, 0]);
  for (const [name, kind] of [["_hello", Kind.unary], ["note", Kind.ack], ["nosuch", Kind.unary]] as const) {
    const header = requestHeader(kind, node.nextId(), name);
    node.send(server.endpoint, 0, header, "x");
    const back = await node.next();
    assert.deepEqual([back.type, back.header, back.payload.length], [4, header, 0], name);
  }
  hold.open();
  const done = await node.next();
  assert.deepEqual([done.type, done.header, done.text], [1, responseHeader(id), "done"]);
  await closing;
  await node.nothingMore();
  assert.deepEqual(node.wrongWay, []);
});

test("a generation and a slot of any value come back as they were", async () => {
  await using t = await leakCheck();
  const { server, node } = await serving(t);
  await node.introduce(server.endpoint);
  for (
    const [slot, generation] of [[0xffff, 2n ** 48n - 1n], [0, 2n ** 47n], [0x8000, 0xffffffffn], [
      1,
      1n,
    ]] as const
  ) {
    const id = node.worker + le(slot, 2) + le(generation, 6);
    assert.equal((await node.ask(server.endpoint, "echo", "x", { id })).header, responseHeader(id));
    assert.equal((await node.ask(server.endpoint, "note", "x", { id, kind: Kind.ack })).header, `00${id}`);
  }
});

test("names up to 65 535 bytes are looked up, in any script", async () => {
  await using t = await leakCheck();
  const { server, node } = await serving(t);
  await node.introduce(server.endpoint);
  const long = "n".repeat(65_535);
  server.registerHandler(unaryHandler(long, () => bytes("long")));
  server.registerHandler(unaryHandler("größe/大きさ", () => bytes("wide")));
  assert.equal((await node.ask(server.endpoint, long)).text, "long");
  assert.equal((await node.ask(server.endpoint, "größe/大きさ")).text, "wide");
  assert.equal(utf8("größe"), "6772c3b6c39f65");
});
