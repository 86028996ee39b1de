/** The door for foreign programs, on a registry: each message, and who may say what. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { openDoor, Program } from "../support/broker_door.ts";
import { until } from "../support/until.ts";

const registration = {
  channel_name: "lab/temperature",
  shm_name: "/lab",
  schema_hash: "ab".repeat(32),
  schema_version: 2,
  producer_pid: 11,
  producer_hostname: "bench",
  channel_pattern: "Pipeline",
  zmq_data_endpoint: "tcp://127.0.0.1:7000",
  metadata: { room: "b12" },
};
const channel_name = registration.channel_name;

test("a program registers, is discovered after its first heartbeat, and deregisters", async () => {
  await using scene = await openDoor();
  const { door } = scene;
  await using producer = new Program(door.endpoint, { name: "prod.lab" });
  await using consumer = new Program(door.endpoint);
  assert.equal(await consumer.refusal("DISC_REQ", { channel_name }), "CHANNEL_NOT_FOUND");
  const { heartbeat, correlation_id } = await producer.get("REG_REQ", registration);
  assert.deepEqual(heartbeat, { heartbeat_interval_ms: 20_000, ready_miss_heartbeats: 3 });
  assert.equal(correlation_id, "c1");
  assert.equal(await consumer.refusal("DISC_REQ", { channel_name }), "CHANNEL_NOT_READY");
  await producer.get("HEARTBEAT_REQ", { channel_name, producer_pid: 11 });
  assert.deepEqual(await consumer.get("DISC_REQ", { channel_name }), {
    status: "success",
    correlation_id: "c3",
    channel_name,
    shm_name: "/lab",
    schema_hash: "ab".repeat(32),
    schema_version: "2",
    metadata: { room: "b12" },
    consumer_count: 0,
    has_shared_memory: true,
    channel_pattern: "Pipeline",
    zmq_ctrl_endpoint: "",
    zmq_data_endpoint: "tcp://127.0.0.1:7000",
    zmq_node_endpoint: "tcp://127.0.0.1:7000",
    zmq_pubkey: "",
    data_transport: "zmq",
  });
  await consumer.get("CONSUMER_REG_REQ", { channel_name, consumer_pid: 12 });
  assert.equal((await consumer.get("DISC_REQ", { channel_name }))["consumer_count"], 1);
  assert.equal((await producer.notice()).type, "CONSUMER_JOINED_NOTIFY");
  assert.equal(
    await consumer.refusal("CONSUMER_DEREG_REQ", { channel_name, consumer_pid: 13 }),
    "NOT_REGISTERED",
  );
  await consumer.get("CONSUMER_DEREG_REQ", { channel_name, consumer_pid: 12 });
  assert.equal((await consumer.get("DISC_REQ", { channel_name }))["consumer_count"], 0);
  await producer.get("DEREG_REQ", { channel_name, producer_pid: 11 });
  assert.equal(await consumer.refusal("DISC_REQ", { channel_name }), "CHANNEL_NOT_FOUND");
  assert.deepEqual([door.stats().clients, door.stats().presences], [0, 0]);
  assert.deepEqual(scene.log, []);
});

test("a program that speaks three frames gets three, and no answer to what it does not wait for", async () => {
  await using scene = await openDoor();
  await using producer = new Program(scene.door.endpoint, { older: true });
  await using other = new Program(scene.door.endpoint);
  assert.equal((await producer.get("REG_REQ", registration))["channel_id"], channel_name);
  // Its answer would be taken for the one to the next request.
  await producer.tell("HEARTBEAT_REQ", { channel_name, producer_pid: 11 });
  await producer.tell("HEARTBEAT_REQ", { channel_name: "lab/none" });
  await producer.tell("CHANNEL_NOTIFY_REQ", { target_channel: "lab/none", event: "x" });
  assert.equal((await producer.get("DISC_REQ", { channel_name }))["consumer_count"], 0);
  assert.equal(await producer.refusal("DISC_REQ", { channel_name: "lab/none" }), "CHANNEL_NOT_FOUND");
  // It knows no notices of consumers that join.
  await other.get("CONSUMER_REG_REQ", { channel_name });
  await other.get("CHANNEL_NOTIFY_REQ", { target_channel: channel_name, event: "full", data: { left: 3 } });
  const { type, body } = await producer.notice();
  assert.equal(type, "CHANNEL_EVENT_NOTIFY");
  assert.match(String(body["sender_uid"]), /^plain:#[0-9a-f]+$/);
  assert.deepEqual([body["channel_name"], body["event"], body["data"]], [channel_name, "full", { left: 3 }]);
});

test("the closing of a channel is told to producer and consumers, and to who is left that it is over", async () => {
  await using scene = await openDoor({ closeGraceMs: 50 });
  const { endpoint } = scene.door;
  await using producer = new Program(endpoint);
  await using consumer = new Program(endpoint);
  await producer.get("REG_REQ", registration);
  await producer.get("HEARTBEAT_REQ");
  await consumer.get("CONSUMER_REG_REQ", { channel_name });
  // The wrong process is refused, and nobody is told.
  assert.equal(await producer.refusal("DEREG_REQ", { channel_name, producer_pid: 99 }), "NOT_REGISTERED");
  assert.equal(await consumer.refusal("DEREG_REQ", { channel_name, producer_pid: 11 }), "NOT_REGISTERED");
  await producer.get("DEREG_REQ", { channel_name, producer_pid: 11 });
  const closing = await consumer.notice();
  assert.deepEqual([closing.type, closing.correlation, closing.body], ["CHANNEL_CLOSING_NOTIFY", "", {
    channel_name,
    reason: "producer_deregistered",
    grace_ms: 50,
  }]);
  assert.deepEqual((await consumer.notice()).type, "FORCE_SHUTDOWN");
  assert.equal(await consumer.refusal("HEARTBEAT_REQ", { channel_name }), "NOT_REGISTERED");
  const told = producer.notices.map(({ type }) => type);
  assert.deepEqual(told, ["CONSUMER_JOINED_NOTIFY", "CHANNEL_CLOSING_NOTIFY"]);
});

test("a program without heartbeats is gone: a consumer's end is told to the producer, a producer's closes the channel", async () => {
  await using scene = await openDoor({ graceMs: 300 });
  const { endpoint } = scene.door;
  await using producer = new Program(endpoint);
  await using silent = new Program(endpoint);
  await using consumer = new Program(endpoint);
  await producer.get("REG_REQ", registration);
  await producer.get("HEARTBEAT_REQ");
  await silent.get("CONSUMER_REG_REQ", { channel_name, role_name: "silent" });
  await consumer.get("CONSUMER_REG_REQ", { channel_name });
  // Heartbeats, until the consumer without any is gone.
  while (scene.registry.stats().expiries === 0) {
    await producer.get("HEARTBEAT_REQ", { channel_name, role_type: "producer" });
    await consumer.get("HEARTBEAT_REQ", { channel_name });
  }
  const died = await until(async () => {
    const notice = await producer.notice();
    return notice.type === "CONSUMER_DIED_NOTIFY" && notice;
  });
  assert.deepEqual([died.body["role_name"], died.body["reason"]], ["silent", "heartbeat_timeout"]);
  while (scene.registry.stats().expiries === 1) await consumer.ask("HEARTBEAT_REQ", { channel_name });
  const { type, body } = await consumer.notice();
  assert.deepEqual([type, body["reason"]], ["CHANNEL_CLOSING_NOTIFY", "heartbeat_timeout"]);
});

test("another schema is refused, and its owner is told; another program may not take a channel that lives", async () => {
  await using scene = await openDoor();
  await using owner = new Program(scene.door.endpoint, { name: "owner" });
  await using other = new Program(scene.door.endpoint, { name: "other" });
  await owner.get("REG_REQ", registration);
  const schema_hash = "cd".repeat(32);
  assert.equal(await other.refusal("REG_REQ", { ...registration, schema_hash }), "SCHEMA_MISMATCH");
  const { type, body } = await owner.notice();
  assert.equal(type, "CHANNEL_ERROR_NOTIFY");
  assert.deepEqual(body, {
    channel_name,
    event: "schema_mismatch_attempt",
    existing_schema_hash: "ab".repeat(32),
    attempted_schema_hash: schema_hash,
    attempted_uid: "plain:other",
  });
  assert.equal(await other.refusal("REG_REQ", registration), "CHANNEL_OWNED");
  // The same program registers again, and hears nothing of its own registration.
  assert.equal((await owner.get("REG_REQ", registration))["instance_id"], 2);
  await owner.get("HEARTBEAT_REQ", { channel_name });
  assert.deepEqual(owner.notices, []);
  assert.equal(scene.door.stats().presences, 1);
});

test("what a program asks about channels, schemas, metrics and others is answered", async () => {
  await using scene = await openDoor();
  const { endpoint } = scene.door;
  await using producer = new Program(endpoint, { name: "prod.lab" });
  await using other = new Program(endpoint, { name: "other" });
  assert.deepEqual((await other.get("CHANNEL_LIST_REQ"))["channels"], []);
  await producer.get("REG_REQ", { ...registration, schema_blds: "celsius:f64:1:8" });
  const listed = (await other.get("CHANNEL_LIST_REQ"))["channels"] as Record<string, unknown>[];
  assert.deepEqual(listed, [{
    name: channel_name,
    status: "PendingReady",
    consumer_count: 0,
    producer_pid: 11,
    producer_uid: "plain:prod.lab",
    channel_pattern: "Pipeline",
    schema_hash: "ab".repeat(32),
    schema_version: "2",
    has_shared_memory: true,
  }]);
  await producer.tell("HEARTBEAT_NOTIFY", {
    channel_name,
    role_type: "producer",
    metrics: { slots: 7, text: "x" },
  });
  const metrics = await until(async () => {
    const { channels } = await other.get("METRICS_REQ", { channel_name });
    return (channels as unknown[]).length > 0 && channels;
  });
  const expected = { channel_name, role: "producer", uid: "plain:prod.lab", metrics: { slots: 7 } };
  assert.deepEqual(metrics, [expected]);
  await producer.get("METRICS_REPORT_REQ", { channel_name, uid: "prod.lab", metrics: { slots: 8 } });
  assert.deepEqual((await other.get("METRICS_REQ"))["channels"], [{ ...expected, metrics: { slots: 8 } }]);
  const schema = await other.get("SCHEMA_REQ", { channel_name });
  assert.deepEqual([schema["schema_hash"], schema["blds"]], ["ab".repeat(32), "celsius:f64:1:8"]);
  assert.equal(await other.refusal("SCHEMA_REQ", { channel_name: "lab/none" }), "SCHEMA_UNKNOWN");
  const present = await other.get("ROLE_PRESENCE_REQ", { role_uid: "prod.lab" });
  assert.deepEqual([present["present"], present["channel"], present["role"]], [
    true,
    channel_name,
    "producer",
  ]);
  assert.equal((await other.get("ROLE_PRESENCE_REQ", { uid: "nobody" }))["present"], false);
  const message = { target_channel: channel_name, message: "stop", data: [1] };
  assert.equal((await other.get("CHANNEL_BROADCAST_REQ", message))["told"], 1);
  assert.deepEqual((await producer.notice()).body, {
    channel_name,
    event: "broadcast",
    sender_uid: "plain:other",
    message: "stop",
    data: [1],
  });
  assert.equal(
    (await other.get("CHANNEL_BROADCAST_REQ", { ...message, target_channel: "lab/none" }))["told"],
    0,
  );
});

test("a long list is cut off, and goes on after a name", async () => {
  await using scene = await openDoor({ maxBodyBytes: 4_000 });
  await using program = new Program(scene.door.endpoint);
  const names = Array.from({ length: 40 }, (_, i) => `lab/c${i + 10}`);
  for (const name of names) await program.get("REG_REQ", { channel_name: name });
  const seen: unknown[] = [];
  for (let after = "", more = true; more;) {
    const answer = await program.get("CHANNEL_LIST_REQ", { after });
    const page = (answer["channels"] as { name: string }[]).map(({ name }) => name);
    assert.ok(page.length > 0 && page.length < 40);
    seen.push(...page);
    after = page.at(-1)!;
    more = answer["more"] === true;
  }
  assert.deepEqual(seen, names);
});

test("what is missing, wrong or unknown is said in the answer", async () => {
  await using scene = await openDoor();
  await using program = new Program(scene.door.endpoint);
  const wrong: [type: string, body: Record<string, unknown>, code: string, field?: string][] = [
    ["REG_REQ", {}, "INVALID_REQUEST", "channel_name"],
    ["REG_REQ", { channel_name: 7 }, "INVALID_REQUEST", "channel_name"],
    ["REG_REQ", { channel_name: "lab//a" }, "NAME_INVALID"],
    ["DISC_REQ", { channel_name: "7up" }, "NAME_INVALID"],
    ["REG_REQ", { ...registration, channel_pattern: "Ring" }, "INVALID_REQUEST", "channel_pattern"],
    ["REG_REQ", { ...registration, data_transport: "pigeon" }, "INVALID_REQUEST", "data_transport"],
    ["REG_REQ", { ...registration, data_transport: "" }, "INVALID_REQUEST", "data_transport"],
    ["REG_REQ", { channel_name, data_transport: "zmq" }, "INVALID_REQUEST", "zmq_data_endpoint"],
    ["REG_REQ", { channel_name, data_transport: "shm" }, "INVALID_REQUEST", "shm_name"],
    [
      "REG_REQ",
      { ...registration, zmq_data_endpoint: "tcp://127.0.0.1:0" },
      "INVALID_REQUEST",
      "zmq_data_endpoint",
    ],
    ["REG_REQ", { ...registration, schema_hash: "abc" }, "INVALID_REQUEST", "schema_hash"],
    ["REG_REQ", { ...registration, producer_pid: -1 }, "INVALID_REQUEST", "producer_pid"],
    ["REG_REQ", { ...registration, metadata: [] }, "INVALID_REQUEST", "metadata"],
    ["CONSUMER_REG_REQ", { channel_name }, "CHANNEL_NOT_FOUND"],
    ["DEREG_REQ", { channel_name }, "NOT_REGISTERED"],
    ["HEARTBEAT_REQ", { channel_name }, "NOT_REGISTERED"],
    ["SCHEMA_REQ", {}, "INVALID_REQUEST"],
    ["CHECKSUM_REPAIR_REQ", {}, "UNKNOWN_MSG_TYPE"],
    ["constructor", {}, "UNKNOWN_MSG_TYPE"],
  ];
  for (const [type, body, code, field] of wrong) {
    const { body: answer } = await program.ask(type, body);
    assert.deepEqual(
      [answer["error_code"], answer["field"]],
      [code, field],
      JSON.stringify([type, body, answer]),
    );
  }
  assert.equal(scene.door.stats().unknownTypes, 2);
  assert.deepEqual(scene.registry.list().channels, []);
  await program.get("REG_REQ", registration);
  await program.get("HEARTBEAT_REQ");
  const shm = { channel_name, consumer_queue_type: "shm" };
  await program.get("CONSUMER_REG_REQ", shm);
  await program.get("REG_REQ", { channel_name: "lab/b", zmq_data_endpoint: "tcp://127.0.0.1:7001" });
  await program.get("HEARTBEAT_REQ");
  assert.equal(
    await program.refusal("CONSUMER_REG_REQ", { ...shm, channel_name: "lab/b" }),
    "TRANSPORT_MISMATCH",
  );
});

test("authorize decides, in its own time, and later messages of the program wait for it", async () => {
  let decide: (may: boolean) => void = () => {};
  await using scene = await openDoor({
    authorize(client, action, channel) {
      if (channel === "lab/secret") return false;
      if (action !== "produce") return true;
      assert.equal(client.identity, "plain:prod");
      return new Promise<boolean>((resolve) => decide = resolve);
    },
  });
  const { door } = scene;
  await using producer = new Program(door.endpoint, { name: "prod" });
  await using other = new Program(door.endpoint, { name: "other" });
  await producer.tell("REG_REQ", registration);
  await producer.tell("HEARTBEAT_REQ", { channel_name });
  await until(() => door.stats().received === 2);
  assert.equal(await other.refusal("DISC_REQ", { channel_name }), "CHANNEL_NOT_FOUND");
  decide(true);
  assert.deepEqual([(await producer.hear()).type, (await producer.hear()).type], [
    "REG_ACK",
    "HEARTBEAT_ACK",
  ]);
  await other.get("DISC_REQ", { channel_name });
  await producer.tell("REG_REQ", { channel_name: "lab/late" });
  await until(() => door.stats().received === 5);
  decide(false);
  assert.equal((await producer.hear()).body["error_code"], "FORBIDDEN");
  assert.equal(await other.refusal("DISC_REQ", { channel_name: "lab/secret" }), "FORBIDDEN");
  assert.equal(((await other.get("CHANNEL_LIST_REQ"))["channels"] as unknown[]).length, 1);
});
