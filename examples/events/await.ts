/** Makes an event and waits for it. Any process with the handle can trigger it: see trigger.ts. */
import process from "node:process";
import { parseArgs } from "node:util";
import { Messenger } from "zeromesh";

const help = `Makes an event and waits until another process triggers it with trigger.ts.

  --endpoint ENDPOINT   where to listen (tcp://127.0.0.1:0)
  --timeout MS          how long to wait (60000)
  --help                this text`;

async function wait(endpoint: string, timeoutMs: number): Promise<void> {
  await using messenger = await Messenger.create({ endpoint });
  using done = messenger.events.newEvent();
  console.log(`trigger with: trigger.ts --endpoint ${messenger.endpoint} --handle ${done.handle}`);
  const value = await messenger.events.awaiter(done.handle, { timeoutMs });
  console.log(`triggered with ${JSON.stringify(value)}`);
}

try {
  const { values } = parseArgs({
    options: {
      endpoint: { type: "string", default: "tcp://127.0.0.1:0" },
      timeout: { type: "string", default: "60000" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) console.log(help);
  else await wait(values.endpoint, Number(values.timeout));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
