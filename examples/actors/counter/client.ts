/** Uses the counter of server.ts. A messenger is enough for that, and it need not listen. */
import process from "node:process";
import { parseArgs } from "node:util";
import { Messenger } from "zeromesh";
import { actorRef } from "zeromesh/actors";
import { Counter } from "./counter.ts";

const help = `Resets the counter of server.ts, adds to it, and opens a channel to it.

  --endpoint ENDPOINT   where the server listens (tcp://127.0.0.1:5555)
  --help                this text`;

async function use(endpoint: string): Promise<void> {
  await using messenger = await Messenger.create({ listen: false });
  const peer = await messenger.connect(endpoint);
  const ref = actorRef(messenger, Counter, `counter@${peer}`);
  // It resolves when the message is in the counter's mailbox.
  await ref.tell("reset", { to: 10 });
  console.log(`10 and 2 are ${await ref.ask("add", { n: 2 }, { timeoutMs: 5_000 })}`);
  await using feed = await ref.open("feed", "hi");
  console.log(`the feed begins with ${feed.first}`);
  await feed.send("seventeen letters");
  for await (const length of feed) {
    console.log(`the text has ${length} characters`);
    break;
  }
}

try {
  const { values } = parseArgs({
    options: {
      endpoint: { type: "string", default: "tcp://127.0.0.1:5555" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) console.log(help);
  else await use(values.endpoint);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
