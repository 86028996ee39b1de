/** A broker and its clients as processes that are killed, stopped, and started again. */
import assert from "node:assert/strict";
import { curveKeyPair } from "../../src/mod.ts";
import { clientOf, keyedBroker, numbers } from "../conformance/broker_kit.ts";
import { brokerProcess, clientProcess, noticesOf } from "../support/broker_processes.ts";
import { noCurve } from "../support/curve.ts";
import { leakCheck } from "../support/fixture.ts";
import { test } from "../support/testing.ts";
import { pause, until, within } from "../support/until.ts";

const slow = { timeoutMs: 15_000 };

test("the other side is told when a consumer, and when a producer is killed", { skip: noCurve }, async () => {
  await using t = await leakCheck();
  const broker = await keyedBroker(t, { heartbeatMs: 300 });
  const { client } = await clientOf(t, broker, { curve: await curveKeyPair() });
  const told: { type: string; channel?: string; reason?: string }[] = [];
  void (async () => {
    for await (const notice of client.notices()) told.push(notice as { type: string });
  })();
  await client.registerProducer("here");
  const keys = { curve: await curveKeyPair() };
  const child = clientProcess(t, "crowd", broker, { producers: ["there"], consumers: ["here"], ...keys });
  await child.waitForLine("registered", 15_000);
  await client.registerConsumer("there");
  assert.equal(broker.channels().length, 2);
  child.signal("SIGKILL");
  await until(() => told.length === 3 && broker.channels().length === 1, { ...slow, message: "the notices" });
  assert.deepEqual(
    told.map(({ type, channel, reason }) => [type, channel, reason]).sort(),
    [
      ["channelClosing", "there", "timeout"],
      ["consumerDied", "here", undefined],
      ["consumerJoined", "here", undefined],
    ],
  );
});

test("a broker that is killed and started again knows all registrations, and nobody is told anything", {
  skip: noCurve,
}, async () => {
  await using t = await leakCheck();
  const heartbeatMs = 1_000;
  const keys = await curveKeyPair();
  const first = await brokerProcess(t, { keys, heartbeatMs });
  // 300 registrations of 30 messengers.
  const names = (of: number): string[] => Array.from({ length: 50 }, (_, i) => `p${of}/x${i}`);
  const crowds = await Promise.all([0, 1, 2].map(async (at) => {
    const consumers = names((at + 1) % 3);
    const options = { producers: names(at), consumers, messengers: 10, curve: await curveKeyPair() };
    return clientProcess(t, "crowd", first, options);
  }));
  await Promise.all(crowds.map((one) => one.waitForLine("registered", 20_000)));
  first.child.signal("SIGKILL");
  const killed = performance.now();
  await first.child.exit;
  const broker = await brokerProcess(t, { keys, heartbeatMs, endpoint: first.endpoint });
  const started = performance.now();
  const all = async (): Promise<boolean> => {
    const channels: [string, string, number][] = await broker.ask("channels");
    return channels.length === 150 &&
      channels.every(([, state, consumers]) => state === "ready" && consumers === 1);
  };
  await until(all, { ...slow, message: "all registrations to be back" });
  const [sinceKill, sinceStart] = [performance.now() - killed, performance.now() - started].map(Math.round);
  console.log(`# all were back ${sinceKill} ms after the kill, ${sinceStart} ms after the start`);
  assert.ok(sinceStart! < 2 * heartbeatMs + 4_000, `${sinceStart} ms`);
  const { registry } = await broker.ask("stats") as { registry: Record<string, number> };
  assert.deepEqual([registry["registrations"], registry["takeOvers"], registry["expiries"]], [300, 0, 0]);
  for (const one of crowds) {
    assert.deepEqual(noticesOf(one).filter(({ type }) => type !== "consumerJoined"), []);
  }
});

test("a request that waits when its broker is killed fails at once", async () => {
  await using t = await leakCheck();
  const broker = await brokerProcess(t);
  const { client } = await clientOf(t, broker);
  broker.child.signal("SIGSTOP");
  const asked = client.registerProducer(numbers);
  const listed = client.listChannels();
  broker.child.signal("SIGKILL");
  await assert.rejects(within(listed, 4_000), { code: "PEER_DISCONNECTED", ran: "maybe" });
  // A registration is remembered instead.
  assert.equal(await within(asked, 4_000), false);
  assert.equal(client.stats().registrations.remembered, 1);
  const again = await brokerProcess(t, { endpoint: broker.endpoint });
  await until(async () => (await again.ask("channels") as unknown[]).length === 1, {
    ...slow,
    message: "it",
  });
});

test("nobody is gone because the broker itself stood still, or its wall clock jumped", async () => {
  await using t = await leakCheck();
  // Clients of a busy machine are late, too, but not by three of these.
  const broker = await brokerProcess(t, { heartbeatMs: 400 });
  const { client } = await clientOf(t, broker, { listen: false });
  const told: string[] = [];
  void (async () => {
    for await (const { type } of client.notices()) told.push(type);
  })();
  await client.registerProducer("lab/x");
  const beats = async (): Promise<number> =>
    (await broker.ask("stats") as { requests: Record<string, number> }).requests["heartbeat"] ?? 0;
  for (const jump of [86_400_000, -2 * 86_400_000, 10_000]) {
    await broker.ask(`jump ${jump}`);
    const before = await beats();
    await until(async () => await beats() > before + 1, { ...slow, message: "some heartbeats" });
  }
  broker.child.signal("SIGSTOP");
  // Longer than the three heartbeats of grace, and shorter than a client waits for its answer.
  await pause(1_800);
  broker.child.signal("SIGCONT");
  const before = await beats();
  await until(async () => await beats() > before + 3, { ...slow, message: "some heartbeats" });
  const { registry } = await broker.ask("stats") as { registry: Record<string, number> };
  assert.deepEqual([registry["expiries"], registry["producers"], registry["registrations"], told], [
    0,
    1,
    1,
    [],
  ]);
});

test("a client that stood still for longer than the grace period is there again afterwards", async () => {
  await using t = await leakCheck();
  const broker = await brokerProcess(t, { heartbeatMs: 100 });
  const child = clientProcess(t, "crowd", broker, { producers: ["lab/x"] });
  await child.waitForLine("registered", 15_000);
  const channels = async (): Promise<unknown[]> => await broker.ask("channels");
  child.signal("SIGSTOP");
  await until(async () => (await channels()).length === 0, { ...slow, message: "its channel to end" });
  child.signal("SIGCONT");
  await until(async () => {
    const { registry } = await broker.ask("stats") as { registry: Record<string, number> };
    return registry["expiries"]! >= 1 && registry["registrations"]! >= 2 && registry["producers"] === 1;
  }, { ...slow, message: "it to be registered again" });
});
