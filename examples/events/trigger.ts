/** Triggers, or poisons, an event of another process. */
import process from "node:process";
import { parseArgs } from "node:util";
import { eventHandle, Messenger } from "zeromesh";

const help = `Triggers the event that await.ts waits for.

  --endpoint ENDPOINT   where its owner listens
  --handle HANDLE       the event
  --value TEXT          the value of the event
  --poison REASON       poison it instead
  --help                this text`;

async function complete(
  endpoint: string,
  handle: string,
  end: { readonly value?: string | undefined; readonly poison?: string | undefined },
): Promise<void> {
  // No process calls this one, so it need not listen.
  await using messenger = await Messenger.create({ listen: false });
  await messenger.connect(endpoint);
  const event = eventHandle(handle);
  if (end.poison === undefined) await messenger.events.trigger(event, end.value);
  else await messenger.events.poison(event, end.poison);
  console.log(end.poison === undefined ? "triggered" : "poisoned");
}

try {
  const { values } = parseArgs({
    options: {
      endpoint: { type: "string" },
      handle: { type: "string" },
      value: { type: "string" },
      poison: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) console.log(help);
  else if (values.endpoint === undefined || values.handle === undefined) {
    throw new TypeError("--endpoint and --handle are needed; --help tells more");
  } else await complete(values.endpoint, values.handle, values);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
