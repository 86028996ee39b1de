/** A broker and programs in Python with pyzmq. */
import assert from "node:assert/strict";
import { Broker } from "zeromesh/broker";
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
