/** A warehouse that any number of clients use at a time, on either runtime. */
import process from "node:process";
import { parseArgs } from "node:util";
import { Messenger } from "zeromesh";
import { defaultEndpoint, put, take } from "./contract.ts";

const help = `Runs a small warehouse until Ctrl+C. client.ts uses it.

  --endpoint ENDPOINT   where to listen (${defaultEndpoint})
  --help                this text`;

async function serve(endpoint: string): Promise<void> {
  await using messenger = await Messenger.create({ endpoint });
  const stock = new Map<string, number>();

  messenger.handle(put, ({ input: { item, count } }) => {
    stock.set(item, (stock.get(item) ?? 0) + count);
    console.log(`put ${count} ${item}, now ${stock.get(item)}`);
  });

  messenger.handle(take, ({ input: { item, count }, fail }) => {
    const left = (stock.get(item) ?? 0) - count;
    if (left < 0) throw fail("OUT_OF_STOCK", { left: left + count }, `Cannot take ${count} of ${item}`);
    stock.set(item, left);
    console.log(`take ${count} ${item}, now ${left}`);
    return { left };
  });

  const interrupted = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  console.log(`listening on ${messenger.endpoint}`);
  await interrupted;
  console.log("closing");
}

try {
  const { values } = parseArgs({
    options: {
      endpoint: { type: "string", default: defaultEndpoint },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) console.log(help);
  else await serve(values.endpoint);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
