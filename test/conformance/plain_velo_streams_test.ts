/** Streams with a node of plain Velo, byte for byte: the messages of attaching, the batches, and their answers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { InstanceId, Messenger } from "../../src/mod.ts";
import { type StreamHandle, streams } from "../../src/streams/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import {
  hex,
  Kind,
  le,
  type PlainMessage,
  PlainVelo,
  readRequest,
  requestHeader,
  responseHeader,
  unhex,
} from "../support/plain_velo.ts";
import { until } from "../support/until.ts";

const finalized = "a946696e616c697a6564";
const mask = (1n << 64n) - 1n;

/** Big-endian digits. */
const be = (value: bigint | number, bytes: number): string =>
  BigInt(value).toString(16).padStart(2 * bytes, "0");

/** A batch: records are type, slot, sequence and body, all as digits. */
function batch(
  sequence: number,
  ...records: readonly [type: string, slot: string, sequence: number, body: string][]
) {
  const all = records.map(([type, slot, number, body]) =>
    `${type}${slot}${be(number, 4)}${be(body.length / 2, 4)}${body}`
  );
  return unhex(`0200${be(records.length, 2)}${be(1, 8)}${be(sequence, 4)}${all.join("")}`);
}

/** The records of a batch of ours, behind its header, whose version is 2 and whose flags are 0. */
function recordsIn(message: PlainMessage): string {
  const digits = hex(message.payload);
  assert.equal(digits.slice(0, 4), "0200");
  return digits.slice(32);
}

const handleJson = (handle: bigint): string => `{"hi":${handle >> 64n},"lo":${handle & mask}}`;

/** An instance that a node knows. */
async function served(t: LeakCheck): Promise<{ server: Messenger; node: PlainVelo; worker: bigint }> {
  const server = await t.messenger();
  const node = await PlainVelo.open(t);
  await node.introduce(server.endpoint);
  return { server, node, worker: BigInt(`0x${node.worker.match(/../g)!.reverse().join("")}`) };
}

/** Attaches the node to an anchor; the session that it opens, as digits. */
async function attached(
  { server, node, worker }: { server: Messenger; node: PlainVelo; worker: bigint },
  handle: StreamHandle,
  stream: number,
): Promise<string> {
  const many = (handle >> 63n & 1n) === 1n;
  const answer = await node.ask(
    server.endpoint,
    many ? "_mpsc_anchor_attach" : "_anchor_attach",
    new TextEncoder().encode(
      `{"handle":${
        handleJson(handle)
      },"session_id":${stream},"stream_cancel_handle":{"hi":${worker},"lo":${stream}},` +
        `"supported_transport_keys":["messenger-mux-v2","tcp-stream"]}`,
    ),
  );
  const senderId = many ? `"sender_id":\\d+,` : "";
  const terms = new RegExp(
    `^\\{"Ok":\\{"streaming_transport_key":"messenger-mux-v2","heartbeat_interval_ms":5000,${senderId}` +
      `"routing_session_id":(\\d+),"initial_credit":32,"slot_byte_budget":1048576\\}\\}$`,
  ).exec(answer.text);
  assert.ok(terms !== null, answer.text);
  return be(BigInt(terms[1]!), 8);
}

test("a node's batches are read as it writes them, credit is returned as it does, and its end is the end", async () => {
  await using t = await leakCheck();
  const scene = await served(t);
  const { server, node } = scene;
  const anchor = streams(server).anchor();
  const local = be(anchor.handle & mask, 8);
  const session = await attached(scene, anchor.handle, 1);
  const header = requestHeader(Kind.fire, node.nextId(), "_stream_batch");
  const send = (bytes: Uint8Array) => node.send(server.endpoint, 0, header, bytes);
  send(batch(0, ["01", "00000000", 0, local + session]));
  send(batch(1, ["00", "00000000", 1, "81a44974656d07"], ["00", "00000000", 2, "81a44974656da26869"]));
  assert.deepEqual([(await anchor.next()).value, (await anchor.next()).value], [7, "hi"]);
  // A version that is not known, and an earlier epoch, get no reaction.
  const other = batch(2, ["00", "00000000", 3, "81a44974656d08"]);
  other[0] = 1;
  send(other);
  send(
    batch(
      2,
      ["04", "00000000", 3, ""],
      ...Array.from(
        { length: 12 },
        (_, i) => ["00", "00000000", 4 + i, `81a44974656d${be(i, 1)}`] as [string, string, number, string],
      ),
    ),
  );
  for (let i = 0; i < 12; i++) assert.equal((await anchor.next()).value, i);
  assert.deepEqual(server.stats().streams!.dropped["version"], 1);
  // The sixteenth of 32, the heartbeat included, is half of the window.
  await node.nothingMore();
  send(batch(3, ["00", "00000000", 16, "81a44974656d2a"]));
  assert.equal((await anchor.next()).value, 42);
  const credit = await node.nextRequest("_stream_batch");
  assert.match(credit.header, new RegExp(`^0100${le(server.workerId, 8)}`));
  assert.equal(recordsIn(credit), "03" + "00000000" + "00000000" + "00000004" + be(16, 4));
  send(batch(4, ["00", "00000000", 17, finalized], ["02", "00000000", 18, "00"]));
  assert.equal((await anchor.next()).done, true);
  assert.equal(await anchor.closed, "finalized");
  // Nobody knows the slot any more.
  send(batch(5, ["00", "00000000", 19, "81a44974656d07"]));
  assert.equal(
    recordsIn(await node.nextRequest("_stream_batch")),
    "02" + "00000000" + "00000000" + "00000001" + "02",
  );
  // Lanes other than 0 are for other transports.
  node.send(server.endpoint, 0, requestHeader(Kind.fire, node.nextId(), "_stream_batch.1"), batch(6));
  await node.nothingMore();
});

test("a reader's stop and cancel reach a node in the stream and by a message", async () => {
  await using t = await leakCheck();
  const scene = await served(t);
  const { server, node } = scene;
  const [one, many] = [streams(server).anchor(), streams(server).anchor({ senders: "many" })];
  const header = requestHeader(Kind.fire, node.nextId(), "_stream_batch");
  const sessions: string[] = [];
  for (const [i, anchor] of [one, many].entries()) {
    const session = await attached(scene, anchor.handle, i + 1);
    sessions.push(session);
    const open: [string, string, number, string] = [
      "01",
      be(i << 8, 4),
      0,
      be(anchor.handle & mask, 8) + session,
    ];
    node.send(server.endpoint, 0, header, batch(i, open));
  }
  await until(() => server.stats().streams!.accepted === 2);
  const lifecycle = (slot: number, action: string) =>
    `05${be(slot << 8, 4)}00000000${be(9, 4)}${sessions[slot]}${action}`;
  const told = async (name: string) => (await node.nextRequest(name)).text;
  one.stop();
  assert.equal(await told("_stream_stop"), '{"sender_stream_id":1}');
  assert.equal(recordsIn(await node.nextRequest("_stream_batch")), lifecycle(0, "00"));
  one.cancel();
  assert.equal(await told("_stream_cancel"), '{"sender_stream_id":1}');
  assert.equal(recordsIn(await node.nextRequest("_stream_batch")), lifecycle(0, "01"));
  many.cancel();
  assert.equal(await told("_stream_cancel"), '{"sender_stream_id":2}');
  assert.equal(recordsIn(await node.nextRequest("_stream_batch")), lifecycle(1, "01"));
  await node.nothingMore();
});

/** An instance that has dialled a node. */
async function dialled(
  t: LeakCheck,
): Promise<{ client: Messenger; node: PlainVelo; peer: InstanceId; worker: bigint }> {
  const client = await t.messenger();
  const node = await PlainVelo.open(t);
  const [peer] = await Promise.all([
    client.connect(node.endpoint),
    node.answerHello(client, ["_hello", "_anchor_attach"]),
  ]);
  return { client, node, peer, worker: BigInt(`0x${node.worker.match(/../g)!.reverse().join("")}`) };
}

test("we attach and write in Velo's bytes: open, items within the credit, the end with its close", async () => {
  await using t = await leakCheck();
  const { client, node, worker } = await dialled(t);
  const handle = (worker << 64n) | 1n;
  const attaching = streams(client).attach(String(handle));
  const asked = await node.nextRequest("_anchor_attach");
  const stream = /"session_id":(\d+)/.exec(asked.text)![1]!;
  assert.equal(
    asked.text,
    `{"handle":${
      handleJson(handle)
    },"session_id":${stream},"stream_cancel_handle":{"hi":${client.workerId},"lo":${stream}},` +
      `"supported_transport_keys":["messenger-mux-v2"]}`,
  );
  node.send(client.endpoint, 1, responseHeader(asked.request.id), {
    Ok: {
      streaming_transport_key: "messenger-mux-v2",
      heartbeat_interval_ms: 5000,
      routing_session_id: 11,
      initial_credit: 2,
      slot_byte_budget: 1048576,
    },
  });
  const sender = await attaching;
  assert.equal(
    recordsIn(await node.nextRequest("_stream_batch")),
    "01" + "00000000" + "00000000" + "00000010" + be(1, 8) + be(11, 8),
  );
  const sent = [sender.send(7), sender.send("hi"), sender.send([7, "hi"])];
  await Promise.all(sent.slice(0, 2));
  assert.equal(
    recordsIn(await node.nextRequest("_stream_batch")),
    "00" + "00000000" + "00000001" + "00000007" + "81a44974656d07" +
      "00" + "00000000" + "00000002" + "00000009" + "81a44974656da26869",
  );
  const ended = sender.finalize();
  await node.nothingMore();
  const header = requestHeader(Kind.fire, node.nextId(), "_stream_batch");
  node.send(client.endpoint, 0, header, batch(0, ["03", "00000000", 0, be(2, 4)]));
  await Promise.all([...sent, ended]);
  let rest = "";
  const whole = "00" + "00000000" + "00000003" + "0000000b" + "81a44974656d9207a26869" +
    "00" + "00000000" + "00000004" + "0000000a" + finalized + "02" + "00000000" + "00000005" + "00000001" +
    "00";
  while (rest.length < whole.length) rest += recordsIn(await node.nextRequest("_stream_batch"));
  assert.equal(rest, whole);
  await node.nothingMore();
});

test("an answer that offers no transport of ours is refused, and undone in Velo's words", async () => {
  await using t = await leakCheck();
  const { client, node, worker, peer } = await dialled(t);
  const handle = (worker << 64n) | 4n;
  const attaching = assert.rejects(streams(client).attach(String(handle)), {
    code: "PEER_LACKS_FEATURE",
    peer,
    message: /it chose transport tcp-stream, and this instance has messenger-mux-v2 only/,
  });
  const asked = await node.nextRequest("_anchor_attach");
  const stream = /"session_id":(\d+)/.exec(asked.text)![1]!;
  node.send(client.endpoint, 1, responseHeader(asked.request.id), {
    Ok: { streaming_transport_key: "tcp-stream", heartbeat_interval_ms: 5000, routing_session_id: 3 },
  });
  await attaching;
  const undone = await node.nextRequest("_anchor_abort_attach");
  assert.equal(
    undone.text,
    `{"handle":${handleJson(handle)},"stream_cancel_handle":{"hi":${client.workerId},"lo":${stream}}}`,
  );
  assert.equal(readRequest(undone.header).kind, Kind.unary);
  node.send(client.endpoint, 1, responseHeader(undone.request.id), new TextEncoder().encode("null"));
  await until(() => client.stats().calls.pending === 0, { message: "the end of the call" });
});
