/** A broker and programs in Python with pyzmq. */
import assert from "node:assert/strict";
import { Messenger } from "zeromesh";
import { Broker, BrokerClient, channelContract } from "zeromesh/broker";
import { z } from "zod";
import { test } from "../support/testing.ts";
import { spawnCommand } from "../support/spawn.ts";
import { until, within } from "../support/until.ts";
import { pyzmq } from "../support/zmq_bindings.ts";

const { command } = pyzmq();
const skip = typeof command === "string" ? command : false;

/** Starts an example. */
function python(program: string, ...args: string[]): ReturnType<typeof spawnCommand> {
  return spawnCommand([command[0]!, "-u", `examples/broker/python/${program}`, ...args]);
}

test(
  "register.py registers, discovers, sends heartbeats, and ends when its channel closes",
  { skip },
  async () => {
    await using broker = await Broker.start({ plainEndpoint: "tcp://127.0.0.1:0", heartbeatMs: 100 });
    await using program = python("register.py", broker.plainEndpoint!);
    assert.match(await program.waitForLine("REG_ACK"), /"status":"success"/);
    assert.match(await program.waitForLine("DISC_ACK"), /"metadata":\{"room":"b12"\}/);
    // It lives on by its heartbeats, longer than it could without.
    const { registrations } = broker.stats().registry;
    const received = broker.stats().plain!.received;
    await until(() => broker.stats().plain!.received >= received + 5);
    assert.deepEqual(broker.channels().map(({ name, state, producer }) => [name, state, producer.pid]), [
      ["lab/temperature", "ready", program.pid],
    ]);
    assert.deepEqual([registrations, broker.stats().registry.expiries], [1, 0]);
    broker.closeChannel("lab/temperature");
    assert.match(await program.waitForLine("CHANNEL_CLOSING_NOTIFY"), /"reason":"admin_requested"/);
    assert.equal((await within(program.exit, 10_000, "the program to end")).code, 0, program.errorText);
  },
);

const readings = channelContract("lab/temperature", {
  pattern: "pipeline",
  message: z.object({ at: z.number(), celsius: z.number() }),
});

test("producer.py produces a channel that a program of this library consumes", { skip }, async () => {
  await using broker = await Broker.start({ plainEndpoint: "tcp://127.0.0.1:0", heartbeatMs: 200 });
  await using program = python("producer.py", broker.plainEndpoint!, "300");
  await using messenger = await Messenger.create();
  await using client = await BrokerClient.connect(messenger, broker.endpoint);
  const channel = await client.connectChannel(readings, { timeoutMs: 10_000 });
  const seen: number[] = [];
  for await (const { at, celsius } of channel) {
    assert.equal(celsius, 20.5);
    seen.push(at);
  }
  assert.deepEqual(seen, Array.from({ length: 300 }, (_, at) => at + 1), program.errorText);
  assert.equal((await within(program.exit, 10_000, "the program to end")).code, 0, program.errorText);
});

test("consumer.py consumes a channel that a program of this library produces", { skip }, async () => {
  await using broker = await Broker.start({ plainEndpoint: "tcp://127.0.0.1:0", heartbeatMs: 200 });
  await using messenger = await Messenger.create();
  await using client = await BrokerClient.connect(messenger, broker.endpoint);
  const channel = await client.createChannel(readings, { plain: true });
  await using program = python("consumer.py", broker.plainEndpoint!);
  for (let at = 1; at <= 300; at++) await channel.send({ at, celsius: at + 0.5 });
  await program.waitForLine("300 300 300.5");
  await channel.close();
  await program.waitForLine("closed");
  const lines = program.outputText.split("\n").slice(0, 300);
  assert.deepEqual(
    lines,
    Array.from({ length: 300 }, (_, i) => `${i + 1} ${i + 1} ${i + 1.5}`),
  );
  assert.equal((await within(program.exit, 10_000, "the program to end")).code, 0, program.errorText);
});
