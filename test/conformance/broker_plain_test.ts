/** A broker with a door for foreign programs: both kinds of clients on one registry. */
import assert from "node:assert/strict";
import { BrokerErrorCode } from "zeromesh/broker";
import { curveKeyPair } from "zeromesh";
import { test } from "../support/testing.ts";
import { Program } from "../support/broker_door.ts";
import { socketCheck } from "../support/zmq_sockets.ts";
import { until } from "../support/until.ts";
import { clientOf, numbers, startedBroker } from "./broker_kit.ts";
import * as zmq from "zeromesh/zmq";

const plainEndpoint = "tcp://127.0.0.1:0";

test("foreign programs and clients of the library see each other's channels", async () => {
  await using t = await socketCheck();
  const broker = await startedBroker(t, { plainEndpoint });
  const { client } = await clientOf(t, broker);
  const program = t.use(new Program(broker.plainEndpoint!, { name: "foreign" }));
  await program.get("REG_REQ", { channel_name: "lab/foreign", producer_pid: 7, producer_hostname: "bench" });
  await program.get("HEARTBEAT_REQ", { channel_name: "lab/foreign" });
  const [listed] = await client.listChannels();
  assert.deepEqual([listed?.name, listed?.transport, listed?.producer.identity], [
    "lab/foreign",
    "plain",
    "plain:foreign",
  ]);
  assert.deepEqual([listed?.producer.pid, listed?.producer.host, listed?.producer.runtime], [
    7,
    "bench",
    "foreign",
  ]);
  await client.registerProducer(numbers);
  const found = await until(async () => {
    const { body } = await program.ask("DISC_REQ", { channel_name: numbers.name });
    return body["status"] === "success" && body;
  });
  assert.deepEqual([found["data_transport"], found["channel_pattern"]], ["stream", "Pipeline"]);
  // Its data does not travel over sockets of ZeroMQ.
  const sockets = { channel_name: numbers.name, data_transport: "zmq" };
  assert.equal(await program.refusal("CONSUMER_REG_REQ", sockets), BrokerErrorCode.TRANSPORT_MISMATCH);
  assert.equal(broker.stats().plain?.clients, 1);
  await program.get("DEREG_REQ", { channel_name: "lab/foreign", producer_pid: 7 });
  assert.equal((await program.notice()).type, "CHANNEL_CLOSING_NOTIFY");
});

test("the door has the broker's keys, its list of allowed ones, and its rules", {
  skip: zmq.capability.curve ? false : "libzmq without CURVE",
}, async () => {
  await using t = await socketCheck();
  const [keys, friend, stranger] = await Promise.all([curveKeyPair(), curveKeyPair(), curveKeyPair()]);
  const asked: unknown[] = [];
  const broker = await startedBroker(t, {
    plainEndpoint,
    keys,
    allow: [friend.publicKey],
    authorize(question) {
      asked.push(question);
      return question.channel !== "lab/secret";
    },
  });
  const knock = (pair: zmq.CurveKeyPair): Program =>
    t.use(new Program(broker.plainEndpoint!, { keys: pair, serverKey: broker.publicKey! }));
  const outside = knock(stranger);
  const refused = new Promise<void>((resolve) => {
    outside.dealer.events.on("handshake:error:auth", () => resolve());
  });
  await outside.tell("CHANNEL_LIST_REQ");
  await refused;
  const inside = knock({ ...friend });
  await inside.get("REG_REQ", { channel_name: "lab/a" });
  assert.equal(await inside.refusal("REG_REQ", { channel_name: "lab/secret" }), "FORBIDDEN");
  const { publicKey } = friend;
  assert.deepEqual(asked[0], { action: "produce", channel: "lab/a", identity: publicKey, key: publicKey });
  assert.deepEqual(broker.channels().map(({ name, producer }) => [name, producer.identity]), [[
    "lab/a",
    publicKey,
  ]]);
});

test("a broker whose door finds its address in use does not start, and leaves nothing behind", async () => {
  await using t = await socketCheck();
  const broker = await startedBroker(t, { plainEndpoint });
  await assert.rejects(startedBroker(t, { plainEndpoint: broker.plainEndpoint! }), {
    code: "ADDRESS_IN_USE",
  });
  await assert.rejects(startedBroker(t, { plainEndpoint: "carrier://pigeon" }), { code: "ENDPOINT_INVALID" });
});
