/** The door for foreign programs and those who mean it no good: other keys, malformed frames, floods, and who never reads. */
import assert from "node:assert/strict";
import { test, type TestOptions } from "../support/testing.ts";
import { type DoorScene, openDoor, Program } from "../support/broker_door.ts";
import { prng } from "../support/prng.ts";
import { pause, until } from "../support/until.ts";
import * as zmq from "zeromesh/zmq";

const channel_name = "lab/temperature";
const curve: TestOptions = { skip: zmq.capability.curve ? false : "libzmq without CURVE" };

/** A door that knows some keys. */
async function lockedDoor(
  ...friends: zmq.CurveKeyPair[]
): Promise<
  { scene: DoorScene; allowed: Set<string>; knock: (keys: zmq.CurveKeyPair, name?: string) => Program }
> {
  const server = zmq.curveKeyPair();
  const allowed = new Set(friends.map(({ publicKey }) => publicKey));
  const scene = await openDoor({ curve: { ...server, allow: (key) => allowed.has(key) } });
  const knock = (keys: zmq.CurveKeyPair, name?: string): Program =>
    new Program(scene.door.endpoint, { keys, serverKey: server.publicKey, ...(name && { name }) });
  return { scene, allowed, knock };
}

test(
  "with CURVE a program is its key: whoever claims to be another one is refused, in every message",
  curve,
  async () => {
    const [a, b] = [zmq.curveKeyPair(), zmq.curveKeyPair()];
    const { scene, knock } = await lockedDoor(a, b);
    await using _ = scene;
    await using owner = knock(b, "prod.b");
    await using other = knock(a);
    await owner.get("REG_REQ", {
      channel_name,
      role_uid: "prod.b",
      producer_uid: b.publicKey,
      zmq_pubkey: b.publicKey,
    });
    await owner.get("HEARTBEAT_REQ");
    const types = [
      "REG_REQ",
      "DISC_REQ",
      "DEREG_REQ",
      "HEARTBEAT_REQ",
      "CONSUMER_REG_REQ",
      "CONSUMER_DEREG_REQ",
      "CHANNEL_LIST_REQ",
      "SCHEMA_REQ",
      "METRICS_REQ",
      "METRICS_REPORT_REQ",
      "CHANNEL_NOTIFY_REQ",
      "CHANNEL_BROADCAST_REQ",
    ];
    const claims = ["identity", "role_uid", "uid", "actor_uid", "consumer_uid", "producer_uid", "sender_uid"];
    for (const type of types) {
      for (const claim of [...claims, "zmq_pubkey"]) {
        for (const value of [b.publicKey, "prod.b"]) {
          const body = { channel_name, target_channel: channel_name, event: "x", [claim]: value };
          assert.equal(await other.refusal(type, body), "IDENTITY_MISMATCH", `${type} ${claim}`);
        }
      }
    }
    assert.equal(
      await other.refusal("ROLE_PRESENCE_REQ", { uid: "x", identity: b.publicKey }),
      "IDENTITY_MISMATCH",
    );
    // Without a claim it is itself, and owns nothing.
    assert.equal(await other.refusal("REG_REQ", { channel_name }), "CHANNEL_OWNED");
    assert.equal(await other.refusal("DEREG_REQ", { channel_name, producer_pid: 0 }), "NOT_REGISTERED");
    assert.equal((await other.get("ROLE_PRESENCE_REQ", { uid: b.publicKey }))["present"], true);
    assert.deepEqual(owner.notices, []);
  },
);

test(
  "with CURVE the routing id of a living connection cannot be taken, and the same key takes over its channels",
  curve,
  async () => {
    const [a, b] = [zmq.curveKeyPair(), zmq.curveKeyPair()];
    const { scene, knock } = await lockedDoor(a, b);
    await using _ = scene;
    await using owner = knock(b, "prod.b");
    await owner.get("REG_REQ", { channel_name });
    await using thief = knock(a, "prod.b");
    const connected = new Promise<void>((resolve) => thief.dealer.events.on("handshake", () => resolve()));
    await thief.tell("HEARTBEAT_NOTIFY");
    await connected;
    await using again = knock(b, "prod.b2");
    assert.equal((await again.get("REG_REQ", { channel_name }))["instance_id"], 2);
    const { type, body } = await owner.notice();
    assert.deepEqual([type, body["event"]], ["CHANNEL_ERROR_NOTIFY", "stale_instance"]);
    assert.equal(await owner.refusal("HEARTBEAT_REQ", { channel_name }), "NOT_REGISTERED");
    // Nothing of the other key under this name came through.
    assert.equal(scene.door.stats().received, 3);
  },
);

test(
  "a key that is not allowed does not get in, and one that is taken back is heard no more",
  curve,
  async () => {
    const [friend, stranger] = [zmq.curveKeyPair(), zmq.curveKeyPair()];
    const { scene, allowed, knock } = await lockedDoor(friend);
    await using _ = scene;
    const { door } = scene;
    await using outside = knock(stranger);
    const refused = new Promise<void>((resolve) => {
      outside.dealer.events.on("handshake:error:auth", () => resolve());
    });
    await outside.tell("CHANNEL_LIST_REQ");
    await refused;
    await using inside = knock(friend);
    await inside.get("REG_REQ", { channel_name });
    allowed.clear();
    await inside.tell("DEREG_REQ", { channel_name });
    await until(() => door.stats().refusedKeys === 1);
    assert.equal(door.stats().received, 2);
    assert.equal(scene.registry.list().channels.length, 1);
  },
);

test("10 000 malformed messages are counted, each one, and the door goes on", async () => {
  await using scene = await openDoor();
  const { door } = scene;
  const random = prng("broker door");
  await using hostile = new Program(door.endpoint, { name: "hostile" });
  await using good = new Program(door.endpoint, { name: "good" });
  await good.get("REG_REQ", { channel_name });
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const whole = (): Uint8Array[] => ["C", "REG_REQ", "1", '{"channel_name":"lab/x"}'].map(bytes);
  const harms: ((frames: Uint8Array[]) => void)[] = [
    (frames) => frames.splice(2, 2),
    (frames) =>
      frames.push(...Array.from({ length: 1 + random.below(30) }, () => random.bytes(random.below(9)))),
    (frames) =>
      frames[0] = random.pick([bytes("A"), bytes("M"), bytes(""), random.bytes(2), random.bytes(300)]),
    (frames) =>
      frames[1] = random.pick([bytes(""), random.bytes(65 + random.below(1_000)), bytes("REG\nREQ")]),
    (frames) => frames[2] = random.pick([bytes(""), random.bytes(65 + random.below(1_000))]),
    (frames) => frames[3] = frames[3]!.slice(0, random.below(frames[3]!.length)),
    (frames) => frames[3] = random.pick(["[]", "7", "null", '"x"', "true"].map(bytes)),
    (frames) => frames[3] = new Uint8Array([0x7b, ...random.bytes(random.below(200)), 1]),
    (frames) => frames[3] = bytes(`{"a":${"[".repeat(5_000)}${"]".repeat(5_000)}}`),
    (frames) => frames[3] = bytes(`{"a":"${"x".repeat(66_000)}"}`),
    (frames) => frames[3] = bytes('{"channel_name":"lab/x","envelope_hash":"00"}'),
  ];
  for (let sent = 0; sent < 10_000; sent++) {
    const frames = whole();
    // The long one is rare: it would take most of the time.
    harms[random.below(random.below(50) === 0 ? harms.length : harms.length - 3)]!(frames);
    await hostile.dealer.send(frames);
  }
  const count = (): number => Object.values(door.stats().malformed).reduce((sum, one) => sum + one, 0);
  await until(() => count() >= 10_000, { timeoutMs: 20_000, message: () => JSON.stringify(door.stats()) });
  assert.equal(count(), 10_000);
  for (const [problem, times] of Object.entries(door.stats().malformed)) assert.ok(times > 0, problem);
  await good.get("HEARTBEAT_REQ", { channel_name });
  assert.equal(door.stats().failed, 0);
  assert.deepEqual([scene.log, scene.registry.list().channels.map(({ name }) => name)], [[], [channel_name]]);
});

test("hostile bodies of good frames are refused, and none makes the door fail", async () => {
  await using scene = await openDoor();
  const random = prng("broker door bodies");
  await using hostile = new Program(scene.door.endpoint, { name: "hostile" });
  const types = ["REG_REQ", "DISC_REQ", "CONSUMER_REG_REQ", "SCHEMA_REQ", "METRICS_REQ", "CHANNEL_LIST_REQ"];
  const names = [
    ...[
      "channel_name",
      "schema_hash",
      "schema_version",
      "producer_pid",
      "channel_pattern",
      "metadata",
      "match",
      "after",
    ],
    ...[
      "limit",
      "zmq_data_endpoint",
      "data_transport",
      "has_shared_memory",
      "shm_name",
      "zmq_pubkey",
      "schema_blds",
    ],
  ];
  const values: unknown[] = [
    ...["", "lab/x", "**", "x".repeat(5_000), "__proto__", "tcp://[::1]:7", "ab".repeat(32), "\u0000"],
    ...[0, -1, 1.5, 1e300, true, false, null, [], {}, [[1]], { constructor: 1 }, { a: { b: [] } }],
  ];
  for (let round = 0; round < 1_000; round++) {
    const body = Object.fromEntries(
      Array.from({ length: 1 + random.below(5) }, () => [random.pick(names), random.pick(values)]),
    );
    const { body: answer } = await hostile.ask(random.pick(types), body);
    assert.notEqual(answer["error_code"], "INTERNAL_ERROR", JSON.stringify(body));
  }
  assert.deepEqual([scene.door.stats().failed, scene.log], [0, []]);
});

test("a program that never reads loses answers, which are counted, and the others get theirs", async () => {
  await using scene = await openDoor({ highWaterMark: 100 });
  const { door } = scene;
  await using good = new Program(door.endpoint, { name: "good" });
  await good.get("REG_REQ", { channel_name, metadata: { text: "x".repeat(10_000) } });
  await good.get("HEARTBEAT_REQ");
  await using deaf = new Program(door.endpoint, { name: "deaf" });
  deaf.dealer.receiveHighWaterMark = 1;
  await deaf.tell("CONSUMER_REG_REQ", { channel_name });
  let asked = 0;
  while (door.stats().droppedFull < 200) {
    for (let i = 0; i < 200; i++) await deaf.tell("DISC_REQ", { channel_name });
    asked += 200;
    assert.ok(asked < 40_000, JSON.stringify(door.stats()));
    await good.get("HEARTBEAT_REQ", { channel_name });
  }
  await good.get("CHANNEL_BROADCAST_REQ", { target_channel: channel_name, message: "still there" });
});

test("a program that floods does not keep the others from getting answers", async () => {
  await using scene = await openDoor();
  const { door } = scene;
  await using flood = new Program(door.endpoint, { name: "flood" });
  await using good = new Program(door.endpoint, { name: "good" });
  await good.get("REG_REQ", { channel_name });
  let over = false;
  const flooding = (async () => {
    let sent = 0;
    while (!over) {
      await flood.tell("HEARTBEAT_NOTIFY", { channel_name });
      if (++sent % 200 === 0) await pause(0);
    }
    return sent;
  })();
  await until(() => door.stats().received > 2_000);
  for (let i = 0; i < 50; i++) await good.get("HEARTBEAT_REQ", { channel_name });
  over = true;
  assert.ok(await flooding > 2_000);
});
