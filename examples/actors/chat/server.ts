/** Runs the room until Ctrl+C. */
import process from "node:process";
import { parseArgs } from "node:util";
import { Messenger } from "zeromesh";
import { ActorSystem, serveManagement } from "zeromesh/actors";
import room from "./room.ts";

const help = `Runs a room for guests, until Ctrl+C. guest.ts joins it.

  --endpoint ENDPOINT   where to listen (tcp://127.0.0.1:5555)
  --help                this text`;

async function serve(endpoint: string): Promise<void> {
  await using messenger = await Messenger.create({ endpoint });
  await using system = await ActorSystem.create(messenger);
  await using _management = serveManagement(system);
  await system.spawn(room, { name: "room" });
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
