/** Channels between processes of both runtimes, with CURVE. */
import assert from "node:assert/strict";
import { channelRules } from "../../src/broker/mod.ts";
import { curveKeyPair } from "../../src/mod.ts";
import { keyedBroker } from "../conformance/broker_kit.ts";
import { brokerProcess, clientProcess } from "../support/broker_processes.ts";
import { noCurve } from "../support/curve.ts";
import { leakCheck } from "../support/fixture.ts";
import { allRuntimes } from "../support/runtime.ts";
import { test } from "../support/testing.ts";

const otherRuntime = allRuntimes[1]!;

test("five slots go through a channel from a process to one of the other runtime, with CURVE", {
  skip: noCurve,
}, async () => {
  await using t = await leakCheck();
  const broker = await brokerProcess(t, { keys: await curveKeyPair(), runtime: otherRuntime });
  const options = { channel: "lab/slots", slots: 5 };
  const consumer = clientProcess(
    t,
    "consume",
    broker,
    { ...options, curve: await curveKeyPair() },
    otherRuntime,
  );
  const producer = clientProcess(t, "produce", broker, { ...options, curve: await curveKeyPair() });
  assert.equal(await consumer.waitForLine("got", 20_000), "got [1,2,3,4,5]");
  await producer.waitForLine("sent", 5_000);
});

test("two producers of two channels reach their consumers, and one who may not consume is refused", {
  skip: noCurve,
}, async () => {
  await using t = await leakCheck();
  const [a, b, c] = [await curveKeyPair(), await curveKeyPair(), await curveKeyPair()];
  const broker = await keyedBroker(t, {
    authorize: channelRules([
      { channels: "a", produce: [a.publicKey], consume: [c.publicKey] },
      { channels: "b", produce: [b.publicKey], consume: [c.publicKey] },
    ]),
  });
  const producing = [["a", a], ["b", b]] as const;
  const producers = producing.map(([channel, curve]) =>
    clientProcess(t, "produce", broker, { channel, slots: 3, curve })
  );
  await Promise.all(producers.map((one) => one.waitForLine("created", 20_000)));
  const consumers = ["a", "b"].map((channel) =>
    clientProcess(t, "consume", broker, { channel, slots: 3, curve: c })
  );
  const stranger = clientProcess(t, "consume", broker, { channel: "a", slots: 3, curve: b });
  for (const one of consumers) assert.equal(await one.waitForLine("got", 20_000), "got [1,2,3]");
  assert.equal(await stranger.waitForLine("refused", 20_000), 'refused "FORBIDDEN"');
});
