/**
 * NATS discovery as plain Velo has it: what is on the wire, with both sides written by hand.
 *
 * The subjects' base 58 was computed with another program; ids, worker ids and peer infos come from Velo's own crates.
 */
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { instanceId, type WorkerId } from "../../src/core/mod.ts";
import { NatsDiscovery } from "../../src/discovery/nats.ts";
import { connectToNats } from "../../src/discovery/nats_client.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { addressBlob, hex, PlainVelo, responseHeader, unhex } from "../support/plain_velo.ts";
import { missing, startNats, type TestServer } from "../support/servers.ts";
import { bytesOf, hexOf } from "../vectors/hex.ts";
import { peerInfoA } from "../vectors/velo_control.ts";
import { nodeA, nodeB } from "../vectors/velo_headers.ts";

const skip = missing("nats-server");
const subjectsA = [
  "shop.velo.discover.instance.LmQyNHp7jnT12fA1qopTWE",
  "shop.velo.discover.worker.7328158447628002822",
];
const subjectsB = [
  "shop.velo.discover.instance.2sGyyzr9La7kv4PudP9VPK",
  "shop.velo.discover.worker.3048459635754632962",
];

/** A server, our discovery there, and somebody who knows NATS only. */
async function scene(
  t: LeakCheck,
): Promise<{ server: TestServer; discovery: NatsDiscovery; nats: NatsConnection }> {
  const server = t.use(await startNats());
  const discovery = new NatsDiscovery({ servers: [server.url], cluster: "shop", timeoutMs: 1_000 });
  t.use(discovery.use());
  const nats = await connectToNats({ servers: [server.url] });
  t.defer(() => nats.close());
  return { server, discovery, nats };
}

/** Answers what is asked under subjects, as a plain instance does. */
async function answer(
  nats: NatsConnection,
  subjects: readonly string[],
  reply: () => Uint8Array,
): Promise<string[]> {
  const asked: string[] = [];
  for (const subject of subjects) {
    nats.subscribe(subject, {
      callback: (_error: Error | null, message: Msg) => {
        assert.equal(message.data.length, 0);
        asked.push(message.subject);
        message.respond(reply());
      },
    });
  }
  await nats.flush();
  return asked;
}

test("nats: a plain client that asks for us by id and by worker id gets Velo's bytes", { skip }, async () => {
  await using t = await leakCheck();
  const { discovery, nats } = await scene(t);
  const { worker_address } = JSON.parse(peerInfoA.json) as { worker_address: number[] };
  const registration = await discovery.registerPeer({
    instanceId: instanceId(nodeA.instanceId),
    workerAddress: Uint8Array.from(worker_address),
  });
  for (const subject of subjectsA) {
    const { data } = await nats.request(subject, new Uint8Array(0), { timeout: 1_000 });
    assert.equal(hexOf(data), hexOf(bytesOf(peerInfoA.msgpack)), subject);
  }
  await registration.unregister();
  for (const subject of subjectsA) {
    await assert.rejects(nats.request(subject, new Uint8Array(0), { timeout: 1_000 }), /no responders/);
  }
});

test(
  "nats: we ask a plain instance under its subjects and take its bytes for an address",
  { skip },
  async () => {
    await using t = await leakCheck();
    const { discovery, nats } = await scene(t);
    const id = instanceId(nodeA.instanceId);
    const asked = await answer(nats, subjectsA, () => bytesOf(peerInfoA.msgpack));
    const { worker_address } = JSON.parse(peerInfoA.json) as { worker_address: number[] };
    const expected = { instanceId: id, workerAddress: Uint8Array.from(worker_address) };
    assert.deepEqual(await discovery.discoverByInstanceId(id), expected);
    assert.deepEqual(await discovery.discoverByWorkerId(nodeA.workerId as WorkerId), expected);
    assert.deepEqual(asked, subjectsA);
  },
);

test("nats: an answer about another instance, or a malformed one, finds no peer", { skip }, async () => {
  await using t = await leakCheck();
  const { discovery, nats } = await scene(t);
  const whole = bytesOf(peerInfoA.msgpack);
  const answers = [
    whole,
    whole.subarray(0, 20),
    new Uint8Array(0),
    Uint8Array.of(0xc0),
    bytesOf("92 c400 c400"),
  ];
  let next = 0;
  await answer(nats, subjectsB, () => answers[next]!);
  for (; next < answers.length; next++) {
    assert.equal(await discovery.discoverByInstanceId(instanceId(nodeB.instanceId)), null);
    assert.equal(await discovery.discoverByWorkerId(nodeB.workerId as WorkerId), null);
  }
});

test("nats: a plain instance that answers for itself is called by its id", { skip }, async () => {
  await using t = await leakCheck();
  const { discovery, nats } = await scene(t);
  const plain = await PlainVelo.open(t, { instanceId: nodeB.instanceId });
  const blob = addressBlob({ zmq: plain.endpoint });
  const id = nodeB.instanceId.replaceAll("-", "");
  const info = unhex(
    `92 c410${id} c4${blob.length.toString(16).padStart(2, "0")}${hex(Uint8Array.from(blob))}`,
  );
  await answer(nats, subjectsB, () => info);
  const caller = await t.messenger({ discovery });
  const result = caller.unary("ping", { to: instanceId(nodeB.instanceId), timeoutMs: 5_000 });
  await plain.answerHello(caller, ["_hello", "ping"]);
  const { request } = await plain.nextRequest("ping");
  plain.send(caller.endpoint, 1, responseHeader(request.id), unhex("706f6e67"));
  assert.equal(new TextDecoder().decode(await result), "pong");
});
