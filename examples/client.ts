/** Uses the warehouse of `service.ts`. */
import process from "node:process";
import { parseArgs } from "node:util";
import { Messenger } from "zeromesh";
import { defaultEndpoint, put, take } from "./contract.ts";

const help = `Uses the warehouse of service.ts once.

  --endpoint ENDPOINT   where the service listens (${defaultEndpoint})
  --help                this text`;

async function use(endpoint: string): Promise<void> {
  await using messenger = await Messenger.create();
  const peer = await messenger.connect(endpoint);
  console.log(`connected to ${peer}`);
  const warehouse = messenger.client({ put, take }, { to: peer, timeoutMs: 5_000 });

  // This call waits until the service has stored the apples. `warehouse.put.send(…)` would not wait.
  await warehouse.put({ item: "apple", count: 10 });
  console.log("put 10 apples");

  const { left } = await warehouse.take({ item: "apple", count: 3 });
  console.log(`took 3 apples, ${left} left`);

  try {
    await warehouse.take({ item: "apple", count: 1_000_000 });
  } catch (error) {
    if (!take.isError(error, "OUT_OF_STOCK")) throw error;
    console.log(`could not take 1000000 apples: ${error.code}, ${JSON.stringify(error.details)}`);
  }
}

try {
  const { values } = parseArgs({
    options: {
      endpoint: { type: "string", default: defaultEndpoint },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) console.log(help);
  else await use(values.endpoint);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
