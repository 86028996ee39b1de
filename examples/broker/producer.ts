/** Produces readings for consumer.ts. */
import process from "node:process";
import { parseArgs } from "node:util";
import { Messenger, readKeyPair } from "zeromesh";
import { BrokerClient } from "zeromesh/broker";
import { readings } from "./readings.ts";

const help = `Creates a channel of readings, and sends some.

  --broker ENDPOINT     the broker (tcp://127.0.0.1:5570)
  --keys FILE           its key pair, made by "zeromesh keys new FILE", for a broker that has one
  --server-key KEY      the broker's public key
  --count N             how many readings to send (5)
  --help                this text`;

async function produce(
  broker: string,
  keys: string | undefined,
  serverKey: string | undefined,
  count: number,
): Promise<void> {
  await using messenger = await Messenger.create(
    // The channel itself lets in only consumers that the broker names.
    keys === undefined ? {} : { curve: { ...readKeyPair(keys), allow: "any" } },
  );
  await using client = await BrokerClient.connect(messenger, broker, { serverKey, required: true });
  await using channel = await client.createChannel(readings);
  console.log(`created ${channel.channelName}`);
  // Without a consumer the readings wait for one.
  for (let at = 1; at <= count; at++) await channel.send({ at, celsius: 20 + at });
  console.log(`sent ${count} readings`);
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
  else await produce(values.broker, values.keys, values["server-key"], Number(values.count));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
