/** Computes tasks, and sends an ACK for each task that asks for one. client.ts sends the tasks. */
import process from "node:process";
import { parseArgs } from "node:util";
import { acknowledge, amHandler, Messenger } from "zeromesh";

const help = `Computes tasks and acknowledges them, until Ctrl+C. client.ts sends the tasks.

  --endpoint ENDPOINT   where to listen (tcp://127.0.0.1:5556)
  --help                this text`;

async function serve(endpoint: string): Promise<void> {
  await using messenger = await Messenger.create({ endpoint });

  messenger.registerHandler(amHandler("compute_task", async (context) => {
    const { operation, data } = context.json() as { operation: string; data: number[] };
    if (operation !== "sum") {
      await acknowledge(context, { error: `there is no operation ${operation}` });
      return;
    }
    const sum = data.reduce((a, b) => a + b, 0);
    console.log(`sum of ${data.join(", ")} is ${sum}`);
    // Finds `_ack_id` in the payload. A task without one gets no ACK.
    await acknowledge(context);
  }));

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
      endpoint: { type: "string", default: "tcp://127.0.0.1:5556" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) console.log(help);
  else await serve(values.endpoint);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
