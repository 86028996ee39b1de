/** A broker with CURVE keys, until Ctrl+C. */
import process from "node:process";
import { parseArgs } from "node:util";
import { readKeyPair } from "zeromesh";
import { Broker } from "zeromesh/broker";

const help = `Runs a broker until Ctrl+C. producer.ts and consumer.ts use it.

  --endpoint ENDPOINT   where to listen (tcp://127.0.0.1:5570)
  --keys FILE           its key pair, made by "zeromesh keys new FILE"
  --help                this text`;

async function serve(endpoint: string, keys: string | undefined): Promise<void> {
  await using broker = await Broker.start({
    endpoint,
    keys: keys === undefined ? undefined : readKeyPair(keys),
  });
  const interrupted = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  console.log(`listening on ${broker.endpoint}`);
  if (broker.publicKey !== null) console.log(`public key ${broker.publicKey}`);
  await interrupted;
}

try {
  const { values } = parseArgs({
    options: {
      endpoint: { type: "string", default: "tcp://127.0.0.1:5570" },
      keys: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) console.log(help);
  else await serve(values.endpoint, values.keys);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
