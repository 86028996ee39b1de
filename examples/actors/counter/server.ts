/** Runs the counter until Ctrl+C. client.ts uses it, and so does the command line. */
import process from "node:process";
import { parseArgs } from "node:util";
import { Messenger } from "zeromesh";
import { ActorSystem, serveManagement } from "zeromesh/actors";
import counter from "./counter.ts";

const help = `Runs an actor that counts, until Ctrl+C. client.ts uses it.

  --endpoint ENDPOINT   where to listen (tcp://127.0.0.1:5555)
  --help                this text`;

async function serve(endpoint: string): Promise<void> {
  await using messenger = await Messenger.create({ endpoint });
  await using system = await ActorSystem.create(messenger);
  await using _management = serveManagement(system, { catalogue: { counter } });
  await system.spawn(counter, { name: "counter" });
  const interrupted = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  console.log(`listening on ${messenger.endpoint}`);
  await interrupted;
}

try {
  const { values } = parseArgs({
    options: {
      endpoint: { type: "string", default: "tcp://127.0.0.1:5555" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) console.log(help);
  else await serve(values.endpoint);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
