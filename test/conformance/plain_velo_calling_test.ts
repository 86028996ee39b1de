/** An instance calls a plain Velo node: every byte that the node gets, and every way in which it may answer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, type InstanceId, type Messenger, type MessengerOptions } from "../../src/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import {
  hex,
  Kind,
  le,
  type PlainMessage,
  PlainVelo,
  type PlainVeloOptions,
  readRequest,
  requestHeader,
  responseHeader,
  unhex,
  utf8,
} from "../support/plain_velo.ts";
import { sameBytes } from "../support/same_bytes.ts";
import { pause, until, within } from "../support/until.ts";
import { errorTexts } from "../vectors/velo_control.ts";
import { nodeB } from "../vectors/velo_headers.ts";
import { bytes, fails, text } from "./messenger_kit.ts";

const add = contract("add", {
  input: z.object({ a: z.number(), b: z.number() }),
  output: z.object({ sum: z.number() }),
});

/** An instance that has dialled a plain node. */
async function dialled(
  t: LeakCheck,
  options: { client?: MessengerOptions; node?: PlainVeloOptions } = {},
): Promise<{ client: Messenger; node: PlainVelo; peer: InstanceId; worker: string }> {
  const client = await t.messenger(options.client);
  const node = await PlainVelo.open(t, options.node);
  const [peer] = await Promise.all([
    client.connect(node.endpoint),
    node.answerHello(client, ["_hello", "echo"]),
  ]);
  return { client, node, peer, worker: le(client.workerId, 8) };
}

test("connect() says _hello in Velo's bytes, with one more field, and learns the id from the answer's routing id", async () => {
  await using t = await leakCheck();
  const client = await t.messenger();
  const node = await PlainVelo.open(t, { instanceId: nodeB.instanceId });
  assert.equal(node.worker, nodeB.workerBytes);
  const connecting = client.connect(node.endpoint);
  const hello = await node.nextRequest("_hello");
  const worker = le(client.workerId, 8);
  assert.equal(hello.frames.length, 3);
  assert.match(hello.header, new RegExp(`^0102${worker}[0-9a-f]{16}0600${utf8("_hello")}0000$`));
  assert.ok(hello.from.startsWith(client.instanceId.replaceAll("-", "")));
  const said = JSON.parse(hello.text) as { peer_info: { instance_id: string; worker_address: number[] } };
  assert.deepEqual(Object.keys(said), ["peer_info", "zeromesh"]);
  assert.deepEqual(said.peer_info, client.peerInfo());
  // The address begins as Velo's own: one entry or more, and under "zmq" the endpoint to dial.
  const address = hex(Uint8Array.from(said.peer_info.worker_address));
  const endpoint = bytes(client.endpoint);
  assert.ok(address.includes(`a37a6d71dc${le(endpoint.length << 8, 2)}${hex(endpoint)}`), address);
  node.send(client.endpoint, 1, responseHeader(hello.request.id), { handlers: ["_hello", "add"] });
  assert.equal(await connecting, nodeB.instanceId);
  assert.deepEqual(client.peers(), [{
    instanceId: nodeB.instanceId as InstanceId,
    workerId: nodeB.workerId as Messenger["workerId"],
    up: true,
    zeromesh: false,
    name: null,
    endpoints: [node.endpoint],
  }]);
});

test("every pattern is sent in Velo's bytes: no header of ours, no batch, and nothing about deadlines", async () => {
  await using t = await leakCheck();
  const { client, node, peer, worker } = await dialled(t);
  const calls = [
    client.unary("echo", { to: peer, rawPayload: bytes("abc"), timeoutMs: 1_234 }),
    client.typedUnary(add, { to: peer, payload: { a: 1, b: 2 }, timeoutMs: 20_000 }),
    client.amSync("note", { to: peer, payload: { at: 1 }, headers: { a: "b" } }),
    client.amSend("note", { to: peer, rawPayload: bytes("fire") }),
    client.unary("echo", { to: peer }),
  ];
  const wanted: [name: string, kind: number, map: string, payload: string][] = [
    ["echo", Kind.unary, "", "abc"],
    ["add", Kind.unary, "", '{"a":1,"b":2}'],
    ["note", Kind.ack, "81a161a162", '{"at":1}'],
    ["note", Kind.fire, "", "fire"],
    ["echo", Kind.unary, "", ""],
  ];
  const got: PlainMessage[] = [];
  for (const [name, kind, map, payload] of wanted) {
    const message = await node.next();
    got.push(message);
    assert.equal(message.type, 0);
    assert.equal(message.frames.length, 3);
    const request = readRequest(message.header);
    assert.equal(message.header, requestHeader(kind, request.id, name, map));
    assert.ok(request.id.startsWith(worker));
    assert.equal(message.text, payload);
  }
  const ids = got.map(({ header }) => readRequest(header).id);
  assert.equal(new Set(ids.filter((_, i) => i !== 3)).size, 4, "calls under way have ids of their own");
  node.send(client.endpoint, 1, responseHeader(ids[0]!), "abc");
  node.send(client.endpoint, 1, responseHeader(ids[1]!), { sum: 3 });
  node.send(client.endpoint, 2, `00${ids[2]}`);
  node.send(client.endpoint, 1, responseHeader(ids[4]!), "");
  const [echo, sum, note, fire, none] = await Promise.all(calls);
  assert.equal(text(echo as Uint8Array), "abc");
  assert.deepEqual(sum, { sum: 3 });
  assert.deepEqual([note, fire, (none as Uint8Array).length], [undefined, undefined, 0]);
  await node.nothingMore();
});

test("calls of one turn leave one by one, and their answers come in any order", async () => {
  await using t = await leakCheck();
  const { client, node, peer } = await dialled(t);
  const calls = Array.from(
    { length: 64 },
    (_, i) => client.unary("echo", { to: peer, rawPayload: bytes(String(i)) }),
  );
  await until(() => node.inbox.length === 64);
  const got = node.inbox.splice(0);
  assert.deepEqual(got.map(({ type, text }) => [type, text]), calls.map((_, i) => [0, String(i)]));
  for (const { header, text } of got.reverse()) {
    node.send(client.endpoint, 1, responseHeader(readRequest(header).id), text);
  }
  assert.deepEqual((await Promise.all(calls)).map(text), calls.map((_, i) => String(i)));
});

test("a call that is given up, or whose time is up, says nothing to the node", async () => {
  await using t = await leakCheck();
  const { client, node, peer } = await dialled(t);
  const controller = new AbortController();
  const given = client.unary("echo", { to: peer, signal: controller.signal });
  const late = client.unary("echo", { to: peer, timeoutMs: 40 });
  const ids = [(await node.nextRequest("echo")).request.id, (await node.nextRequest("echo")).request.id];
  const reason = new Error("never mind");
  controller.abort(reason);
  await assert.rejects(given, (error) => error === reason);
  await fails(late, { code: "TIMEOUT", ran: "maybe", peer, handler: "echo" });
  await node.nothingMore();
  // Their answers come too late, are counted, and disturb nobody.
  for (const id of ids) node.send(client.endpoint, 1, responseHeader(id), "late");
  const next = client.unary("echo", { to: peer });
  const { request } = await node.nextRequest("echo");
  assert.ok(!ids.includes(request.id));
  node.send(client.endpoint, 1, responseHeader(request.id), "in time");
  assert.equal(text(await next), "in time");
  assert.equal(client.stats().transport.drops.replyUnknown, 2);
});

test("a call ends with a response or an ack, whichever comes, and takes the payload of either", async () => {
  await using t = await leakCheck();
  const { client, node, peer } = await dialled(t);
  const answers: [type: number, header: (id: string) => string, payload: string][] = [
    [1, (id) => responseHeader(id), "response"],
    [2, (id) => `00${id}`, "ack"],
    [3, (id) => `00${id}`, "ack as type 3"],
    [2, (id) => `00${id}`, ""],
  ];
  for (const [type, header, payload] of answers) {
    const unary = client.unary("echo", { to: peer });
    node.send(client.endpoint, type, header((await node.nextRequest("echo")).request.id), payload);
    assert.equal(text(await unary), payload);
    const sync = client.amSync("note", { to: peer });
    node.send(client.endpoint, type, header((await node.nextRequest("note")).request.id), payload);
    assert.equal(await sync, undefined);
  }
  // Headers of a response are read past, whatever they say.
  const traced = client.unary("echo", { to: peer, headers: { traceparent: "00-1" } });
  const { request } = await node.nextRequest("echo");
  node.send(client.endpoint, 1, responseHeader(request.id, false, request.map), "traced");
  assert.equal(text(await traced), "traced");
  const trailing = client.unary("echo", { to: peer });
  node.send(
    client.endpoint,
    1,
    `${responseHeader((await node.nextRequest("echo")).request.id)}ffff`,
    "trailing",
  );
  assert.equal(text(await trailing), "trailing");
  assert.deepEqual(client.stats().transport.drops, {});
});

for (const reply of ["nack", "failed response"] as const) {
  test(`a ${reply} becomes an error by its text`, async () => {
    await using t = await leakCheck();
    const { client, node, peer } = await dialled(t);
    for (const { text, code, ran, refused } of errorTexts) {
      const handler = /^Handler '(.*)' not found/.exec(text)?.[1] ?? "echo";
      const call = client.unary(handler, { to: peer });
      const { request } = await node.nextRequest(handler);
      if (reply === "nack") node.send(client.endpoint, 2, `02${request.id}`, text);
      else node.send(client.endpoint, 1, responseHeader(request.id, true), text);
      // The text of a handler about other handlers proves nothing about this one.
      const plain = reply === "failed response" && code === "HANDLER_NOT_FOUND";
      const expected = plain
        ? { code: "REMOTE_ERROR", ran: "yes" }
        : { code, ran: reply === "nack" ? refused : ran };
      await fails(call, { ...expected, message: text, peer, handler });
    }
    const other = client.unary("echo", { to: peer });
    node.send(
      client.endpoint,
      2,
      `02${(await node.nextRequest("echo")).request.id}`,
      "Handler 'another' not found",
    );
    await fails(other, { code: "REMOTE_ERROR", ran: "yes" });
  });
}

test("a nack to an acknowledged message may be the handler's own words, and never says that it did not run", async () => {
  await using t = await leakCheck();
  const { client, node, peer } = await dialled(t);
  for (const { text, code, ran } of errorTexts) {
    const handler = /^Handler '(.*)' not found/.exec(text)?.[1] ?? "note";
    const call = client.amSync(handler, { to: peer });
    node.send(client.endpoint, 2, `02${(await node.nextRequest(handler)).request.id}`, text);
    assert.notEqual(ran, "no");
    await fails(call, { code, ran, message: text, peer, handler });
  }
});

test("an answer over the limit, or a failure's text, ends the call at once with PAYLOAD_TOO_LARGE", async () => {
  await using t = await leakCheck();
  const { client, node, peer } = await dialled(t, { client: { maxPayloadBytes: 1_000 } });
  // What is small is read, and what is not is thrown away unread; both come whole from Velo.
  for (const size of [1_001, 64 * 1024, 64 * 1024 + 1, 100_000]) {
    const limit = 1_000;
    const answers = [
      { way: "unary", type: 1, ran: "yes", header: (id: string) => responseHeader(id) },
      { way: "amSync", type: 2, ran: "yes", header: (id: string) => `00${id}` },
      ...size > 64 * 1024
        ? [
          { way: "unary", type: 1, ran: "maybe", header: (id: string) => responseHeader(id, true) },
          { way: "unary", type: 2, ran: "maybe", header: (id: string) => `02${id}` },
        ] as const
        : [],
    ] as const;
    for (const { way, type, ran, header } of answers) {
      const call = client[way]("echo", { to: peer, timeoutMs: 20_000 });
      const { request } = await node.nextRequest("echo");
      node.send(client.endpoint, type, header(request.id), new Uint8Array(size));
      await fails(call, { code: "PAYLOAD_TOO_LARGE", ran, peer, handler: "echo" }, 1_000);
      await assert.rejects(call, { details: { bytes: size, limit } });
    }
  }
  assert.equal(client.stats().calls.pending, 0);
  const after = client.unary("echo", { to: peer });
  node.send(client.endpoint, 1, responseHeader((await node.nextRequest("echo")).request.id), "here");
  assert.equal(text(await after), "here");
});

test("an error text that is no UTF-8 is still an error", async () => {
  await using t = await leakCheck();
  const { client, node, peer } = await dialled(t);
  for (const type of [1, 2] as const) {
    const call = client.unary("echo", { to: peer });
    const { id } = (await node.nextRequest("echo")).request;
    node.send(
      client.endpoint,
      type,
      type === 1 ? responseHeader(id, true) : `02${id}`,
      Uint8Array.of(0xff, 0xfe),
    );
    await fails(call, { code: "REMOTE_ERROR", ran: "yes", peer });
  }
});

test("any outcome but 0 is a failure", async () => {
  await using t = await leakCheck();
  const { client, node, peer } = await dialled(t);
  for (const outcome of ["01", "02", "ff"]) {
    const call = client.unary("echo", { to: peer });
    node.send(client.endpoint, 1, `${(await node.nextRequest("echo")).request.id}${outcome}0000`, "no");
    await fails(call, { code: "REMOTE_ERROR", message: "no" });
  }
});

for (const way of ["down the connection we dialled", "through its own connection"] as const) {
  test(`a request that is given back (${way}) is PEER_DRAINING and did not run`, async () => {
    await using t = await leakCheck();
    const { client, node, peer } = await dialled(t);
    const calls = [
      client.unary("echo", { to: peer, rawPayload: bytes("x"), headers: { a: "b" } }),
      client.amSync("note", { to: peer }),
      client.typedUnary(add, { to: peer, payload: { a: 1, b: 2 } }),
    ];
    for (const [i, call] of calls.entries()) {
      const { header, from } = await node.next();
      if (way === "through its own connection") node.send(client.endpoint, 4, header, i === 0 ? "any" : "");
      else node.sendBack(from, 4, header);
      await fails(call, { code: "PEER_DRAINING", ran: "no", peer });
    }
    // A message without an answer that comes back ends nothing.
    await client.amSend("note", { to: peer });
    node.send(client.endpoint, 4, (await node.nextRequest("note")).header);
    const after = client.unary("echo", { to: peer });
    node.send(client.endpoint, 1, responseHeader((await node.nextRequest("echo")).request.id), "here");
    assert.equal(text(await after), "here");
  });
}

test("replies that are late, doubled, foreign or of another generation are counted and end nothing", async () => {
  await using t = await leakCheck();
  const { client, node, peer, worker } = await dialled(t);
  const first = client.unary("echo", { to: peer });
  const { id } = (await node.nextRequest("echo")).request;
  const slot = id.slice(16, 20);
  const generation = id.slice(20);
  const strangers = [
    // Of another worker, of a slot that was never used, of generations past, to come and far off.
    `${node.worker}${slot}${generation}`,
    `${le(client.workerId ^ 1n, 8)}${slot}${generation}`,
    `${worker}ffff${generation}`,
    `${worker}${slot}${le(BigInt(`0x${reverse(generation)}`) + 1n, 6)}`,
    `${worker}${slot}ffffffffffff`,
    `${worker}${slot}${generation.slice(0, 10)}80`,
  ];
  let unknown = 0;
  for (const stranger of strangers) {
    for (
      const [type, header] of [[1, responseHeader(stranger)], [2, `00${stranger}`], [
        2,
        `02${stranger}`,
      ]] as const
    ) {
      node.send(client.endpoint, type, header, "not for you");
      unknown++;
    }
    node.send(client.endpoint, 4, requestHeader(Kind.unary, stranger, "echo"));
    unknown++;
  }
  await until(() => client.stats().transport.drops.replyUnknown === unknown);
  assert.equal(client.stats().calls.pending, 1);
  for (const payload of ["the answer", "and again", "and again"]) {
    node.send(client.endpoint, 1, responseHeader(id), payload);
  }
  assert.equal(text(await first), "the answer");
  await until(() => client.stats().transport.drops.replyUnknown === unknown + 2);
  // The slot is used again, under another generation: the old answer does not fit.
  const second = client.unary("echo", { to: peer });
  const next = (await node.nextRequest("echo")).request.id;
  assert.notEqual(next, id);
  node.send(client.endpoint, 1, responseHeader(id), "of the first");
  node.send(client.endpoint, 2, `01${next}`, "an event");
  node.send(client.endpoint, 1, responseHeader(next), "of the second");
  assert.equal(text(await second), "of the second");
  assert.equal(client.stats().transport.drops.replyUnknown, unknown + 4);
});

test("replies of any size arrive whole", async () => {
  await using t = await leakCheck();
  const { client, node, peer } = await dialled(t);
  for (const size of [0, 4_096, 4_097, 65_535, 65_536, 65_537, 300_000, 5_000_000]) {
    const payload = new Uint8Array(size);
    for (let i = 0; i < size; i += 89) payload[i] = i & 0xff;
    const call = client.unary("echo", { to: peer, rawPayload: payload });
    const message = await node.nextRequest("echo");
    assert.equal(message.payload.length, size);
    node.send(client.endpoint, 1, responseHeader(message.request.id), message.payload);
    const answer = await call;
    assert.ok(sameBytes(answer, payload), `${size} bytes`);
  }
});

test("a typed answer that is not what the contract says is RESULT_INVALID", async () => {
  await using t = await leakCheck();
  const { client, node, peer } = await dialled(t);
  for (const payload of ["", "null", "{", '{"sum":"3"}', Uint8Array.of(0xff)]) {
    const call = client.typedUnary(add, { to: peer, payload: { a: 1, b: 2 } });
    node.send(client.endpoint, 1, responseHeader((await node.nextRequest("add")).request.id), payload);
    await fails(call, { code: "RESULT_INVALID", ran: "yes", peer, handler: "add" });
  }
});

test("an answer without a value is null or empty, and fits a contract that takes either", async () => {
  await using t = await leakCheck();
  const { client, node, peer } = await dialled(t);
  const outputs = [[z.void(), undefined], [z.null(), null], [z.number().optional(), undefined]] as const;
  for (const [output, wanted] of outputs) {
    const nothing = contract("nothing", { input: z.void(), output });
    for (const payload of ["", "null"]) {
      const call = client.typedUnary(nothing, { to: peer });
      const { request, payload: sent } = await node.nextRequest("nothing");
      assert.equal(sent.length, 0);
      node.send(client.endpoint, 1, responseHeader(request.id), payload);
      assert.equal(await call, wanted);
    }
  }
});

test("MessagePack and instances that do not listen are refused before anything but _hello is sent", async () => {
  await using t = await leakCheck();
  const { client, node, peer } = await dialled(t);
  const packed = contract("packed", { input: z.unknown(), output: z.unknown(), encoding: "msgpack" });
  await fails(client.typedUnary(packed, { to: peer, payload: 1 }), { code: "PEER_LACKS_FEATURE", ran: "no" });
  await node.nothingMore();
  const silent = await t.messenger({ listen: false });
  const connecting = silent.connect(node.endpoint, { timeoutMs: 2_000 });
  const hello = await node.nextRequest("_hello");
  // Velo cannot register a node without an address, and says so where it can: not to us.
  node.sendBack(hello.from, 1, responseHeader(hello.request.id, true), "No compatible transports found");
  await fails(connecting, { code: "PEER_LACKS_FEATURE", message: /listen: false/ });
});

test("a node without a routing id can be called when its peer info is known, and else it says what to do", async () => {
  await using t = await leakCheck();
  const client = await t.messenger();
  const node = await PlainVelo.open(t, { routingId: null });
  const connecting = client.connect(node.endpoint);
  await node.answerHello(client);
  await fails(connecting, { code: "PEER_LACKS_FEATURE", message: /registerPeer/ });
  const peer = client.registerPeer(node.peerInfo());
  assert.equal(peer, node.instanceId);
  const call = client.unary("echo", { to: peer });
  await node.answerHello(client);
  node.send(client.endpoint, 1, responseHeader((await node.nextRequest("echo")).request.id), "found");
  assert.equal(text(await call), "found");
});

test("a node that has introduced itself is called over the connection by which it is answered", async () => {
  await using t = await leakCheck();
  const client = await t.messenger();
  const node = await PlainVelo.open(t);
  await node.introduce(client.endpoint);
  const call = client.unary("echo", { to: node.instanceId as InstanceId, rawPayload: bytes("back") });
  const hello = await node.answerHello(client);
  const request = await node.nextRequest("echo");
  assert.equal(request.from, hello.from);
  node.send(client.endpoint, 1, responseHeader(request.request.id), "and forth");
  assert.equal(text(await call), "and forth");
  assert.equal(client.stats().transport.dialled, 1);
  // Its own requests still are, too.
  assert.equal((await node.ask(client.endpoint, "_list_handlers")).from, hello.from);
  assert.deepEqual(node.wrongWay, []);
});

test("_hello that is refused, garbled or given back is an error that says what came", async () => {
  await using t = await leakCheck();
  const client = await t.messenger();
  const node = await PlainVelo.open(t);
  const answers: [reply: (id: string, header: string) => void, expected: Record<string, unknown>][] = [
    [(id) => node.send(client.endpoint, 1, responseHeader(id), "[]"), {
      code: "PEER_UNREACHABLE",
      message: /_hello/,
    }],
    [(id) => node.send(client.endpoint, 1, responseHeader(id), ""), {
      code: "PEER_UNREACHABLE",
      message: /_hello/,
    }],
    [(id) => node.send(client.endpoint, 1, responseHeader(id, true), "go away"), {
      code: "PEER_UNREACHABLE",
      message: /go away/,
    }],
    [(_id, header) => node.send(client.endpoint, 4, header), { code: "PEER_DRAINING" }],
  ];
  for (const [reply, expected] of answers) {
    const connecting = client.connect(node.endpoint, { timeoutMs: 400 });
    let over = false;
    connecting.then(() => over = true, () => over = true);
    // It is asked again until the time is up, where that may help.
    await until(() => {
      for (const { header } of node.inbox.splice(0)) reply(readRequest(header).id, header);
      return over;
    }, { intervalMs: 1 });
    await fails(connecting, expected);
  }
  assert.deepEqual(client.peers(), []);
});

test("a node that never answers _hello is PEER_UNREACHABLE when the time is up, and gets nothing else", async () => {
  await using t = await leakCheck();
  const client = await t.messenger();
  const node = await PlainVelo.open(t);
  const start = performance.now();
  await fails(client.connect(node.endpoint, { timeoutMs: 250 }), {
    code: "PEER_UNREACHABLE",
    message: /did not answer _hello within 2\d\d ms/,
  });
  assert.ok(performance.now() - start < 2_000);
  const known = client.registerPeer(node.peerInfo());
  node.inbox.length = 0;
  const call = client.unary("echo", { to: known, timeoutMs: 250 });
  await fails(call, { ran: "no" });
  assert.deepEqual(node.inbox.map(({ header }) => readRequest(header).name), node.inbox.map(() => "_hello"));
});

test("a node that goes away ends its calls, and is dialled anew with a new _hello", async () => {
  await using t = await leakCheck();
  const { client, node, peer } = await dialled(t);
  const call = client.unary("echo", { to: peer });
  await node.nextRequest("echo");
  const endpoint = node.endpoint;
  const ended = fails(call, { code: "PEER_DISCONNECTED", ran: "maybe", peer }, 1_000);
  await node.close();
  await ended;
  const again = await until(() => PlainVelo.open(t, { instanceId: peer, endpoint }).catch(() => null));
  const next = client.unary("echo", { to: peer });
  await again.answerHello(client);
  again.send(client.endpoint, 1, responseHeader((await again.nextRequest("echo")).request.id), "again");
  assert.equal(text(await next), "again");
});

test("another node at the same address is PEER_REPLACED, and gets nothing that was meant for the first", async () => {
  await using t = await leakCheck();
  const { client, node, peer } = await dialled(t, { client: { redialForMs: 0 } });
  const endpoint = node.endpoint;
  await node.close();
  await until(() => client.peers()[0]?.up === false);
  const successor = await until(() => PlainVelo.open(t, { endpoint }).catch(() => null));
  const call = client.unary("echo", { to: peer, rawPayload: bytes("for the first") });
  await successor.answerHello(client);
  const error = await fails(call, { code: "PEER_REPLACED", ran: "no", peer });
  assert.deepEqual(error.details, { successor: successor.instanceId });
  await successor.nothingMore();
});

test("availableHandlers() and waitForHandler() ask as Velo does", async () => {
  await using t = await leakCheck();
  const { client, node, peer, worker } = await dialled(t);
  const asking = client.availableHandlers(peer);
  const list = await node.nextRequest("_list_handlers");
  assert.match(list.header, new RegExp(`^0102${worker}[0-9a-f]{16}0e00${utf8("_list_handlers")}0000$`));
  assert.equal(list.payload.length, 0);
  node.send(client.endpoint, 1, responseHeader(list.request.id), '{"handlers":["_hello","b","a"]}');
  assert.deepEqual(await asking, ["_hello", "b", "a"]);
  const waiting = client.waitForHandler(peer, "late", { timeoutMs: 3_000 });
  for (const handlers of [[], ["other"], ["late"]]) {
    const { request } = await node.nextRequest("_list_handlers");
    node.send(client.endpoint, 1, responseHeader(request.id), { handlers });
  }
  await waiting;
});

test("close() says goodbye only to peers that understand it", async () => {
  await using t = await leakCheck();
  const { client, node } = await dialled(t);
  await client.close();
  await node.nothingMore();
});

test("ten thousand calls in flight at once are answered, in any order", async () => {
  await using t = await leakCheck();
  const { client, node, peer } = await dialled(t);
  const total = 10_000;
  let over = false;
  const answering = (async () => {
    for (let answered = 0; answered < total && !over;) {
      const batch = node.inbox.splice(0).reverse();
      for (const { header, payload } of batch) {
        const message = [Uint8Array.of(1), unhex(responseHeader(readRequest(header).id)), payload];
        await until(() => node.dealer(client.endpoint).send(message), { intervalMs: 1 });
      }
      answered += batch.length;
      await pause(1);
    }
  })();
  const calls = Array.from(
    { length: total },
    (_, i) => client.unary("echo", { to: peer, rawPayload: bytes(`${i}`) }),
  );
  const answers = await within(Promise.all(calls), 20_000, "ten thousand answers").finally(() => over = true);
  assert.ok(answers.every((answer, i) => text(answer) === String(i)));
  await answering;
});

/** Digits of bytes in the other order. */
function reverse(digits: string): string {
  return (digits.match(/../g) ?? []).reverse().join("");
}
