/** Reads what producer.ts sends. It need not listen. */
import process from "node:process";
import { parseArgs } from "node:util";
import { Messenger, readKeyPair } from "zeromesh";
import { BrokerClient } from "zeromesh/broker";
import { readings } from "./readings.ts";

const help = `Waits for the channel of readings, and prints some.

  --broker ENDPOINT     the broker (tcp://127.0.0.1:5570)
  --keys FILE           its key pair, made by "zeromesh keys new FILE", for a broker that has one
  --server-key KEY      the broker's public key
  --count N             how many readings to wait for (5)
  --help                this text`;

async function consume(
  broker: string,
  keys: string | undefined,
  serverKey: string | undefined,
  count: number,
): Promise<void> {
  await using messenger = await Messenger.create({
    listen: false,
    ...(keys === undefined ? {} : { curve: readKeyPair(keys) }),
  });
  await using client = await BrokerClient.connect(messenger, broker, { serverKey, required: true });
  await using channel = await client.connectChannel(readings, { timeoutMs: 30_000 });
  let read = 0;
  for await (const { at, celsius } of channel) {
    console.log(`${at}: ${celsius} °C`);
    if (++read === count) break;
  }
}

try {
  const { values } = parseArgs({
    options: {
      broker: { type: "string", default: "tcp://127.0.0.1:5570" },
      keys: { type: "string" },
      "server-key": { type: "string" },
      count: { type: "string", default: "5" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) console.log(help);
  else await consume(values.broker, values.keys, values["server-key"], Number(values.count));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
